"""Tests of cutting a network in two where randomness begins."""

import keras
import numpy as np
import pytest

from instantdl.networks import (
    ChannelDropout,
    build_unet,
    count_noise,
    dropout_noise,
    split_at_dropout,
)


@pytest.fixture(scope="module", params=[(2, 1), (2, 3), (3, 2)])
def network(request):
    rank, levels = request.param
    network = build_unet(
        (*(None,) * rank, 1), 2, filters=2, levels=levels, dropout_rate=0.5
    )
    rng = np.random.default_rng(0)
    for variable in network.weights:
        if variable.name in ("kernel", "beta"):
            variable.assign(rng.uniform(-0.2, 0.8, variable.shape))
    return network


@pytest.fixture(scope="module")
def x(network):
    shape = (1, *(8,) * (len(network.input_shape) - 2), 1)
    return np.random.default_rng(0).random(shape, np.float32)


def _features(first, x):
    out = first(x)
    return out if isinstance(out, list) else [out]


def test_both_parts_together_equal_the_network(network, x):
    first, second = split_at_dropout(network)
    np.testing.assert_allclose(second(first(x)), network(x), atol=1e-6)


def test_both_parts_together_equal_the_network_with_noise(network, x):
    first, second = split_at_dropout(network)
    n_noise = count_noise(network)
    noise = np.random.default_rng(1).random((1, n_noise), np.float32)
    features = first(x)
    with dropout_noise(noise):
        expected, out = network(x), second(features)
    np.testing.assert_allclose(out, expected, atol=1e-6)
    assert not np.allclose(out, network(x), atol=1e-6)


def test_the_first_part_does_not_depend_on_noise(network, x):
    first, _ = split_at_dropout(network)
    quiet = _features(first, x)
    count_noise(network)
    with dropout_noise(np.zeros((1, count_noise(network)), np.float32)):
        noisy = _features(first, x)
    for a, b in zip(quiet, noisy, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_first_part_holds_the_encoder_above_the_dropout():
    network = build_unet((None, None, 1), 1, filters=2, levels=3)
    first, second = split_at_dropout(network)
    dropouts = [x for x in first.layers if isinstance(x, ChannelDropout)]
    assert not dropouts
    shared = {id(weight) for weight in first.weights + second.weights}
    assert shared == {id(weight) for weight in network.weights}
    assert sum("conv" in layer.name for layer in first.layers) >= 6


def test_a_network_without_dropout_is_not_split():
    network = build_unet((None, None, 1), 1, filters=1, levels=1, dropout_rate=0)
    assert split_at_dropout(network) is None


def test_dropout_of_the_input_itself_leaves_nothing_to_the_first_part():
    inputs = keras.Input((4, 4, 2))
    network = keras.Model(
        inputs, keras.layers.Conv2D(1, 1)(ChannelDropout(0.5)(inputs))
    )
    count_noise(network)
    first, second = split_at_dropout(network)
    x = np.ones((1, 4, 4, 2), np.float32)
    with dropout_noise(np.ones((1, 2), np.float32)):
        np.testing.assert_allclose(second(first(x)), network(x), atol=1e-6)


def test_dropout_inside_a_nested_network_is_seen():
    inner_inputs = keras.Input((4, 4, 2))
    inner = keras.Model(inner_inputs, ChannelDropout(0.5)(inner_inputs))
    inputs = keras.Input((4, 4, 2))
    outputs = keras.layers.Conv2D(1, 1)(inner(keras.layers.Conv2D(2, 1)(inputs)))
    first, second = split_at_dropout(keras.Model(inputs, outputs))
    assert inner not in first.layers
    assert inner in second.layers
