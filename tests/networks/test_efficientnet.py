"""Tests of EfficientNet-Lite0."""

import keras
import numpy as np
import pytest

from instantdl.networks import (
    ChannelDropout,
    build_efficientnet_lite,
    count_noise,
    dropout_noise,
    split_at_dropout,
)


def test_it_has_as_many_weights_as_published():
    network = build_efficientnet_lite((224, 224, 3), 1000)
    sizes = [int(np.prod(weight.shape)) for weight in network.trainable_weights]
    assert sum(sizes) == 4_652_008


@pytest.mark.parametrize(
    ("shape", "stride"),
    [
        ((28, 28, 1), 1),
        ((50, 50, 3), 1),
        ((80, 300, 5), 1),
        ((95, 95, 1), 1),
        ((96, 96, 3), 2),
        ((224, 224, 3), 2),
    ],
)
def test_the_stem_suits_the_size(shape, stride):
    network = build_efficientnet_lite(shape, 7, filters=4)
    stem = network.get_layer("stem")
    assert network.input_shape == (None, *shape)
    assert network.output_shape == (None, 7)
    assert stem.kernel.shape == (3, 3, shape[-1], 4)
    assert stem.output.shape[1:3] == tuple(-(-side // stride) for side in shape[:2])


def test_the_stages_have_the_published_sizes():
    network = build_efficientnet_lite((224, 224, 3), 2)
    last_of_stages = [0, 2, 4, 7, 10, 14, 15]
    found = [
        network.get_layer(f"block{i}_project").output.shape[2:] for i in last_of_stages
    ]
    assert found == [
        (112, 16),
        (56, 24),
        (28, 40),
        (14, 80),
        (14, 112),
        (7, 192),
        (7, 320),
    ]
    assert network.get_layer("top").output.shape == (None, 7, 7, 1280)
    sizes = [
        network.get_layer(f"block{i}_depthwise").kernel.shape[0] for i in range(16)
    ]
    assert sizes == [3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3]


@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_an_unknown_size_takes_images_of_any(n_channels, rng):
    network = build_efficientnet_lite((None, None, n_channels), 3, filters=4)
    for side in (33, 64):
        x = rng.random((2, side, side + 5, n_channels), np.float32)
        out = np.asarray(network(x))
        assert out.shape == (2, 3)
        assert np.isfinite(out).all()


def test_a_block_adds_its_input_where_shapes_agree(rng):
    network = build_efficientnet_lite((32, 32, 1), 2, filters=4)
    adding = [2, 4, 6, 7, 9, 10, 12, 13, 14]
    tensors = []
    for number in adding:
        # What narrows gives 0: the block hands its input through.
        project = network.get_layer(f"block{number}_project")
        project.gamma.assign(np.zeros(project.filters))
        following = f"block{number + 1}_expand"
        tensors.append(network.get_layer(f"block{number}_expand").input)
        tensors.append(network.get_layer(following).input)
    x = rng.normal(size=(1, 32, 32, 1)).astype(np.float32)
    found = keras.Model(network.inputs[0], tensors)(x)
    for before, after in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(before, after)
        assert np.abs(before).max() > 0
    adds = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
    assert len(adds) == len(adding)


def test_dropout_is_in_the_last_two_stages_and_at_the_end():
    network = build_efficientnet_lite((32, 32, 1), 2, filters=32)
    assert count_noise(network) == 4 * 192 + 320 + 1280
    dropping = [
        layer
        for layer in network.layers
        if isinstance(layer, ChannelDropout) and layer.rate > 0
    ]
    before = [layer.input._keras_history.operation.name for layer in dropping[:-1]]
    assert before == [f"block{number}_project" for number in range(11, 16)]


def test_split_at_dropout_both_parts_equal_the_network(rng):
    network = build_efficientnet_lite((16, 16, 2), 3, filters=4, dropout_rate=0.5)
    for variable in network.weights:
        if variable.name in ("beta", "bias", "moving_mean"):
            variable.assign(rng.normal(0, 0.2, variable.shape))
    x = rng.random((2, 16, 16, 2), np.float32)
    noise = rng.random((2, count_noise(network)), np.float32)
    first, second = split_at_dropout(network)
    names = {layer.name for layer in first.layers}
    assert {"stem", "block10_project", "block11_project"} <= names
    assert not {"block12_expand", "top"} & names
    features = first(x)
    quiet = np.asarray(network(x))
    np.testing.assert_allclose(second(features), quiet, rtol=1e-4, atol=1e-5)
    with dropout_noise(noise):
        noisy = np.asarray(network(x))
        np.testing.assert_allclose(second(features), noisy, rtol=1e-4, atol=1e-5)
    assert not np.allclose(noisy, quiet, rtol=1e-2)


def test_a_rate_of_zero_leaves_nothing_random():
    network = build_efficientnet_lite((16, 16, 1), 2, filters=4, dropout_rate=0)
    assert count_noise(network) == 0
    assert split_at_dropout(network) is None


def test_its_filters_are_in_proportion_and_at_least_one():
    network = build_efficientnet_lite((16, 16, 1), 2, filters=1)
    widths = [network.get_layer(f"block{i}_project").filters for i in (0, 3, 15)]
    assert widths == [1, 1, 10]


def test_its_variables_have_paths_of_their_own():
    network = build_efficientnet_lite((32, 32, 1), 2, filters=4)
    paths = [weight.path for weight in network.weights]
    assert len(set(paths)) == len(paths)
    assert {"stem/kernel", "block15_depthwise/kernel", "head/bias"} <= set(paths)
