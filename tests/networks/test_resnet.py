"""Tests of the residual networks."""

import keras
import numpy as np
import pytest

from instantdl.networks import (
    ChannelDropout,
    build_resnet,
    count_noise,
    dropout_noise,
    split_at_dropout,
)


def n_trainable(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def shuffled(network, rng):
    """Return the network with weights that let something through everywhere."""
    for variable in network.weights:
        if variable.name in ("beta", "bias", "moving_mean"):
            variable.assign(rng.normal(0, 0.2, variable.shape))
    return network


def stem_of(network):
    """Return the stem's kernel size and how often the first stage is smaller."""
    stem = network.get_layer("stem")
    (size,) = set(stem.kernel.shape[:2])
    first = next(
        layer for layer in network.layers if layer.name.startswith("stage1_block1")
    )
    return size, network.input_shape[1] / first.input.shape[1]


# Of torchvision and timm, whose batch normalisation and last layer hold as many.
@pytest.mark.parametrize(
    ("depth", "expected"), [(10, 5_418_792), (18, 11_689_512), (50, 25_557_032)]
)
def test_it_has_as_many_weights_as_published(depth, expected):
    network = build_resnet((None, None, 3), 1000, depth=depth)
    assert n_trainable(network) == expected


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(
    ("shape", "stem"),
    [
        ((28, 28, 1), (3, 1)),
        ((47, 200, 3), (3, 1)),
        ((48, 48, 3), (3, 2)),
        ((50, 50, 5), (3, 2)),
        ((80, 80, 3), (3, 2)),
        ((96, 96, 1), (7, 4)),
        ((224, 224, 3), (7, 4)),
    ],
)
def test_the_stem_suits_the_size(depth, shape, stem):
    network = build_resnet(shape, 7, depth=depth, filters=2)
    assert network.input_shape == (None, *shape)
    assert network.output_shape == (None, 7)
    size, factor = stem_of(network)
    assert (size, round(factor)) == stem
    assert network.get_layer("stem").kernel.shape[2] == shape[-1]


def test_each_stage_halves_the_resolution_and_doubles_the_filters():
    network = build_resnet((224, 224, 3), 2, depth=50, filters=2)
    found = [
        network.get_layer(f"stage{stage}_block1_conv3").output.shape[1:]
        for stage in range(1, 5)
    ]
    assert found == [(56, 56, 8), (28, 28, 16), (14, 14, 32), (7, 7, 64)]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_an_unknown_size_takes_images_of_any(depth, n_channels, rng):
    network = build_resnet((None, None, n_channels), 3, depth=depth, filters=2)
    assert network.get_layer("stem").kernel.shape == (7, 7, n_channels, 2)
    for side in (33, 64):
        x = rng.random((2, side, side + 5, n_channels), np.float32)
        out = np.asarray(network(x))
        assert out.shape == (2, 3)
        assert np.isfinite(out).all()


def test_a_block_adds_its_input(rng):
    network = build_resnet((8, 8, 1), 2, depth=18, filters=2)
    x = rng.random((1, 8, 8, 1), np.float32)
    # A second block whose last convolution gives 0 hands its input, >= 0, through.
    last = network.get_layer("stage1_block2_conv2")
    last.gamma.assign(np.zeros(2))
    before = network.get_layer("stage1_block2_conv1").input
    after = network.get_layer("stage2_block1_conv1").input
    found = keras.Model(network.inputs[0], [before, after])(x)
    np.testing.assert_array_equal(*found)
    assert np.max(found[0]) > 0


@pytest.mark.parametrize(("depth", "widths"), [(18, (8, 8, 16, 16)), (50, None)])
def test_dropout_is_in_the_last_two_stages_and_at_the_end(depth, widths):
    network = build_resnet((32, 32, 1), 2, depth=depth, filters=2)
    # Six blocks drop the channels of their 3x3 convolution, of 8 or 16 filters.
    widths = widths or (8,) * 6 + (16,) * 3
    end = 16 if depth == 18 else 64
    assert count_noise(network) == sum(widths) + end
    dropping = [
        layer
        for layer in network.layers
        if isinstance(layer, ChannelDropout) and layer.rate > 0
    ]
    assert [layer.input.shape[-1] for layer in dropping] == [*widths, end]
    before = {layer.input._keras_history.operation.name for layer in dropping[:-1]}
    part = "conv1" if depth == 18 else "conv2"
    assert {name[:6] for name in before} == {"stage3", "stage4"}
    assert {name[-5:] for name in before} == {part}


@pytest.mark.parametrize("depth", [18, 50])
def test_split_at_dropout_both_parts_equal_the_network(depth, rng):
    network = build_resnet((16, 16, 2), 3, depth=depth, filters=2, dropout_rate=0.5)
    shuffled(network, rng)
    x = rng.random((2, 16, 16, 2), np.float32)
    noise = rng.random((2, count_noise(network)), np.float32)
    first, second = split_at_dropout(network)
    names = {layer.name for layer in first.layers}
    assert {"stem", "stage1_block1_conv1", "stage2_block1_conv1"} <= names
    assert not any(name.startswith("stage4") for name in names)
    features = first(x)
    quiet = np.asarray(network(x))
    np.testing.assert_allclose(second(features), quiet, rtol=1e-4, atol=1e-5)
    with dropout_noise(noise):
        noisy = np.asarray(network(x))
        np.testing.assert_allclose(second(features), noisy, rtol=1e-4, atol=1e-5)
    assert not np.allclose(noisy, quiet, rtol=1e-2)


def test_a_rate_of_zero_leaves_nothing_random():
    network = build_resnet((16, 16, 1), 2, depth=18, filters=2, dropout_rate=0)
    assert count_noise(network) == 0
    assert split_at_dropout(network) is None


def test_its_variables_have_paths_of_their_own():
    network = build_resnet((32, 32, 1), 2, filters=2)
    paths = [weight.path for weight in network.weights]
    assert len(set(paths)) == len(paths)
    assert {"stem/kernel", "stage4_block3_conv3/moving_mean", "head/bias"} <= set(paths)
