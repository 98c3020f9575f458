"""Tests of padding, cutting into tiles and blending."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instantdl.images import (
    blend_tiles,
    pad_to,
    round_up,
    split_tiles,
    tile_slices,
)


@st.composite
def axes(draw):
    """Return (length, tile length, overlap) for two or three axes."""
    chosen = []
    for _ in range(draw(st.integers(2, 3))):
        tile = draw(st.integers(1, 9))
        chosen.append((draw(st.integers(1, 20)), tile, draw(st.integers(0, tile - 1))))
    return tuple(zip(*chosen, strict=True))


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (1, 16), (16, 16), (17, 32), (250, 256)]
)
def test_round_up_gives_the_next_multiple(size, expected):
    assert round_up(size, 16) == expected


def test_round_up_refuses_a_multiple_of_zero():
    with pytest.raises(ValueError, match="`multiple` must be at least 1. Got 0"):
        round_up(4, 0)


@pytest.mark.parametrize("shape", [(5, 7, 2), (3, 4, 5, 1)])
def test_pad_to_keeps_the_image_in_the_first_corner(shape):
    image = np.random.default_rng(0).random(shape)
    wanted = tuple(size + 9 for size in shape[:-1])
    padded = pad_to(image, wanted)
    assert padded.shape == (*wanted, shape[-1])
    np.testing.assert_array_equal(padded[tuple(map(slice, shape))], image)


def test_pad_to_reflects_again_and_again():
    padded = pad_to(np.array([[0, 1, 2]]), (1, 12))
    assert padded[0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]


def test_pad_to_repeats_a_single_pixel():
    assert pad_to(np.array([[7]]), (2, 3)).tolist() == [[7, 7, 7], [7, 7, 7]]


def test_pad_to_takes_other_modes():
    assert pad_to(np.array([[1, 2]]), (1, 4), mode="edge").tolist() == [[1, 2, 2, 2]]
    assert pad_to(np.array([[1]]), (1, 2), mode="constant").tolist() == [[1, 0]]


def test_pad_to_leaves_an_image_that_fits():
    image = np.zeros((4, 4, 3))
    assert pad_to(image, (4, 4)) is image


def test_pad_to_refuses_a_smaller_shape():
    with pytest.raises(ValueError, match=r"smaller than the image. Got \(4, 3\)"):
        pad_to(np.zeros((4, 4, 3)), (4, 3))


def test_pad_to_refuses_another_number_of_axes():
    with pytest.raises(ValueError, match="one length per spatial axis of the image"):
        pad_to(np.zeros((4, 4, 4, 3)), (8, 8))


@given(axes())
@settings(deadline=None, max_examples=60)
def test_windows_cover_all_with_the_overlap_and_no_more_tiles_than_needed(chosen):
    shape, tile_shape, overlap = chosen
    windows = tile_slices(shape, tile_shape, overlap=overlap)
    covered = np.zeros(shape, dtype=int)
    for window in windows:
        assert covered[window].shape == tuple(map(min, shape, tile_shape))
        covered[window] += 1
    assert covered.all()
    per_axis = 1
    for axis, (size, tile, shared) in enumerate(
        zip(shape, tile_shape, overlap, strict=True)
    ):
        spans = sorted({(window[axis].start, window[axis].stop) for window in windows})
        assert (spans[0][0], spans[-1][1]) == (0, size)
        neighbours = itertools.pairwise(spans)
        assert all(first[1] - second[0] >= shared for first, second in neighbours)
        needed = max(1, math.ceil((size - shared) / (tile - shared)))
        assert len(spans) == (1 if size <= tile else needed)
        per_axis *= len(spans)
    assert len(windows) == per_axis


@given(axes(), st.integers(1, 2))
@settings(deadline=None, max_examples=60)
def test_blending_the_tiles_of_an_image_gives_the_image(chosen, n_channels):
    shape, tile_shape, overlap = chosen
    image = np.random.default_rng(0).random((*shape, n_channels), dtype=np.float32)
    tiles, windows = split_tiles(image, tile_shape, overlap=overlap)
    blended = blend_tiles(tiles, windows, shape)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, image, atol=1e-6)


def test_tiles_are_the_windows_of_the_image():
    image = np.arange(60).reshape(6, 10)
    tiles, windows = split_tiles(image, (4, 4), overlap=1)
    assert tiles.shape == (6, 4, 4)
    for tile, window in zip(tiles, windows, strict=True):
        np.testing.assert_array_equal(tile, image[window])


def test_blending_fades_linearly_from_one_tile_to_the_next():
    windows = tile_slices((1, 6), (1, 4), overlap=2)
    tiles = [np.zeros((1, 4)), np.ones((1, 4))]
    expected = [[0, 0, 1 / 3, 2 / 3, 1, 1]]
    np.testing.assert_allclose(blend_tiles(tiles, windows, (1, 6)), expected)


def test_blending_takes_a_generator_of_tiles():
    image = np.random.default_rng(0).random((9, 9, 2))
    windows = tile_slices((9, 9), (4, 4), overlap=2)
    tiles = (image[window] for window in windows)
    np.testing.assert_allclose(blend_tiles(tiles, windows, (9, 9)), image)


def test_blending_whole_numbers_gives_float32():
    tiles, windows = split_tiles(np.full((5, 5), 200, np.uint8), (3, 3), overlap=1)
    blended = blend_tiles(tiles, windows, (5, 5))
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, 200, rtol=1e-6)


def test_tile_slices_refuses_another_number_of_axes():
    with pytest.raises(ValueError, match=r"`tile_shape` must have one length per axis"):
        tile_slices((8, 8), (4, 4, 4))


def test_tile_slices_refuses_another_number_of_overlaps():
    with pytest.raises(ValueError, match="`overlap` must be an int or have one"):
        tile_slices((8, 8), (4, 4), overlap=(1, 1, 1))


@pytest.mark.parametrize("overlap", [-1, 4])
def test_tile_slices_refuses_an_overlap_as_long_as_the_tiles(overlap):
    with pytest.raises(ValueError, match=f"smaller than the tiles. Got {overlap} for"):
        tile_slices((8, 8), (4, 4), overlap=overlap)


def test_tile_slices_refuses_empty_tiles():
    with pytest.raises(ValueError, match="must be at least 1 on every axis"):
        tile_slices((8, 8), (4, 0))


def test_blending_refuses_too_few_tiles():
    windows = tile_slices((4, 8), (4, 4))
    with pytest.raises(ValueError, match="one tile per window. Got 1 tiles for 2"):
        blend_tiles([np.zeros((4, 4))], windows, (4, 8))


def test_blending_refuses_windows_that_leave_a_gap():
    windows = tile_slices((4, 8), (4, 4))[:1]
    with pytest.raises(ValueError, match="must cover the image. Got 4 uncovered"):
        blend_tiles([np.zeros((4, 4))], windows, (4, 8))


def test_blending_refuses_windows_that_are_no_grid():
    windows = tile_slices((8, 8), (4, 4))[:3]
    with pytest.raises(ValueError, match="must be a full grid.*Got 3 windows"):
        blend_tiles(np.zeros((3, 4, 4)), windows, (8, 8))


def test_an_overlap_may_be_any_integer():
    assert tile_slices((10, 4), (4, 4), overlap=np.int64(1)) == tile_slices(
        (10, 4), (4, 4), overlap=1
    )
