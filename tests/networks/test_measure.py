"""Tests of the measurement of a network's stride and margin."""

import keras
import pytest

from instantdl.networks import build_unet, measure_network, unet_margin


def _convolutions(*kernel_sizes, rank=2, n_outputs=1, **kwargs):
    inputs = keras.Input((*(None,) * rank, 2))
    x = inputs
    for size in kernel_sizes:
        x = getattr(keras.layers, f"Conv{rank}D")(3, size, padding="same", **kwargs)(x)
    x = getattr(keras.layers, f"Conv{rank}D")(n_outputs, 1)(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("kernel_sizes", "radius"), [((1,), 0), ((3,), 1), ((5,), 2), ((3, 3, 7), 5)]
)
def test_the_margin_is_the_radius_of_the_kernels(kernel_sizes, radius):
    found = measure_network(_convolutions(*kernel_sizes), n_outputs=1)
    assert found == ((1, 1), (radius, radius))


def test_volumes_and_kernels_of_unequal_sides_are_measured():
    network = _convolutions((1, 3, 5), rank=3)
    assert measure_network(network, n_outputs=1) == ((1, 1, 1), (0, 1, 2))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_unet_reaches_no_further_than_is_computed(levels):
    network = build_unet((None, None, 1), 1, filters=4, levels=levels)
    stride, margin = measure_network(network, n_outputs=1)
    assert stride == (2**levels,) * 2
    computed = unet_margin([(2, 2)] * levels, 2)[0]
    assert computed / 2 < margin[0] <= computed


def test_a_margin_beyond_the_first_image_is_found():
    network = _convolutions(9, 9, 9, 9, 9, kernel_initializer="ones")
    assert measure_network(network, n_outputs=1)[1] == (20, 20)


@pytest.mark.parametrize(
    "network",
    [
        _convolutions(3, n_outputs=2),
        _convolutions(3, strides=2),
        keras.Sequential([keras.Input((None, None, 1)), keras.layers.Flatten()]),
    ],
    ids=["outputs", "size", "rank"],
)
def test_another_kind_of_network_is_refused(network):
    with pytest.raises(ValueError, match="`network` must return one output of shape"):
        measure_network(network, n_outputs=1)
