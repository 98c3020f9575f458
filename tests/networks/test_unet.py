"""Tests of the U-Net."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import build_unet, unet_margin, unet_strides


def _n_parameters(n_channels, n_outputs, filters, levels, rank):
    """Count by hand what a U-Net learns."""
    kernel = 3**rank
    widths = [filters * 2**level for level in range(levels + 1)]
    total, before = 0, n_channels
    for width in widths:
        total += kernel * before * width + kernel * width**2 + 4 * width
        before = width
    for width in widths[:-1]:
        total += 2 * width * width  # 1x1 from below
        total += 3 * kernel * width**2 + 4 * width
    return total + filters * n_outputs + n_outputs


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_any_rank_and_number_of_levels_keeps_the_size(rank, levels):
    network = build_unet((*(None,) * rank, 2), 3, filters=2, levels=levels)
    assert network.output_shape == (None, *(None,) * rank, 3)
    size = 2 ** max(levels, 1)
    out = network(np.zeros((2, *(size,) * (rank - 1), 2 * size, 2), np.float32))
    assert tuple(out.shape) == (2, *(size,) * (rank - 1), 2 * size, 3)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("levels", [0, 2])
def test_the_number_of_parameters_is_that_of_a_unet(rank, levels):
    network = build_unet((*(None,) * rank, 3), 2, filters=4, levels=levels)
    n_parameters = sum(np.prod(x.shape) for x in network.trainable_variables)
    assert n_parameters == _n_parameters(3, 2, 4, levels, rank)


def test_the_default_network_has_some_eight_million_parameters():
    assert 7e6 < _n_parameters(3, 1, 32, 4, 2) < 9e6


def test_filters_stop_growing_at_512():
    layers = build_unet((None, None, 1), 1, filters=500, levels=1).layers
    widths = [layer.filters for layer in layers if hasattr(layer, "filters")]
    assert max(widths) == 512


@pytest.mark.parametrize("shape", [(16, 128, 128), (3, 256, 256)])
def test_thin_volumes_go_through_without_padding(shape):
    strides = unet_strides(shape, 4)
    assert len(strides) == 4
    network = build_unet((*shape, 1), 1, filters=1, levels=4, strides=strides)
    assert network.output_shape == (None, *shape, 1)
    for axis, length in enumerate(shape):
        assert length % math.prod(step[axis] for step in strides) == 0


def test_strides_may_differ_by_axis_and_level():
    strides = [(1, 2, 2), (2, 1, 3)]
    network = build_unet((2, 4, 6, 1), 1, filters=2, levels=2, strides=strides)
    assert tuple(network(np.zeros((1, 2, 4, 6, 1), np.float32)).shape) == (
        1,
        2,
        4,
        6,
        1,
    )


def test_the_output_is_float32_and_linear_under_a_mixed_policy():
    network = build_unet(
        (None, None, 1), 1, filters=2, levels=1, dtype="mixed_bfloat16"
    )
    x = np.random.default_rng(0).random((1, 4, 4, 1)).astype(np.float32)
    out = network(x)
    assert out.dtype == tf.float32
    assert all(weight.dtype == "float32" for weight in network.weights)
    assert network.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize(
    ("shape", "levels", "expected"),
    [
        ((256, 256), 4, ((2, 2),) * 4),
        ((16, 128, 128), 4, ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))),
        ((3, 256, 256), 3, ((1, 2, 2),) * 3),
        ((8, 8), 4, ((2, 2),)),
        ((64, 16), 3, ((2, 1), (2, 2), (2, 2))),
        ((4, 4), 2, ()),
        ((1, 1, 1), 2, ()),
        ((64, 64), 0, ()),
    ],
)
def test_strides_halve_the_long_axes_first(shape, levels, expected):
    assert unet_strides(shape, levels) == expected


@pytest.mark.parametrize("shape", [(16, 128, 128), (33, 70), (5, 90, 40), (250, 7)])
def test_strides_leave_four_pixels_of_every_axis_they_halve(shape):
    size = np.array(shape, float)
    for step in unet_strides(shape, 6):
        size /= step
        assert all(length >= 4 for length in size[np.array(step) > 1])


def _measured_reach(strides, rank, axis):
    """Return how far a changed pixel is seen along an axis, at its worst place."""
    period = math.prod(step[axis] for step in strides)
    others = [math.prod(step[other] for step in strides) for other in range(rank)]
    half = unet_margin(strides, rank)[axis] + 2 * period
    shape = [2 * length for length in others]
    shape[axis] = 2 * half
    network = build_unet(
        (*shape, 1), 1, filters=1, levels=len(strides), strides=strides
    )
    rng = np.random.default_rng(0)
    for variable in network.weights:
        value = rng.uniform(0.5, 1, variable.shape)
        variable.assign(value / max(1, np.prod(variable.shape[:-1])))
    # One image for each place that the pixel can have on the coarsest map.
    x = rng.random((1, *shape, 1)).astype(np.float32).repeat(period + 1, axis=0)
    for place in range(period):
        index = [length // 2 for length in shape]
        index[axis] = half + place
        x[(place, *index)] += 1e6
    out = np.asarray(network(x))
    reach = 0
    for place in range(period):
        seen = np.argwhere(out[place] != out[-1])[:, axis] - (half + place)
        reach = max(reach, int(np.abs(seen).max()))
    return reach, period


@pytest.mark.parametrize(
    "strides",
    [
        [],
        [(2, 2)],
        [(2, 2)] * 3,
        [(1, 2), (2, 2), (2, 1)],
        [(3, 4)],
        [(1, 2, 2), (2, 2, 2)],
    ],
)
def test_the_margin_is_what_a_pixel_is_seen_from(strides):
    rank = len(strides[0]) if strides else 2
    margin = unet_margin(strides, rank)
    for axis in range(rank):
        reach, period = _measured_reach(strides, rank, axis)
        assert margin[axis] % period == 0
        assert reach <= margin[axis] < reach + 2 * period
