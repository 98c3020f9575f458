"""Tests of parts of images that stand for images of their own."""

import numpy as np
import pytest

from instantdl.images import Crops, check_images, split_ends, whole_of


@pytest.fixture
def images(rng):
    arrays = [rng.random((9, 5)), rng.random((4, 12))]
    return arrays, check_images(arrays, spatial_ndim=2)


def test_a_crop_is_the_part_of_the_image(images):
    arrays, checked = images
    crops = Crops(checked, [(1, (slice(1, 3), slice(2, 9))), (0, (slice(0, 9),) * 2)])
    np.testing.assert_array_equal(crops[0][..., 0], arrays[1][1:3, 2:9])
    assert crops.shape(0) == (2, 7)
    assert [one.shape for one in crops] == [(2, 7, 1), (9, 5, 1)]


def test_some_crops_are_taken(images):
    _, checked = images
    crops = Crops(checked, [(0, (slice(0, n), slice(0, 5))) for n in (1, 2, 3)])
    assert [one.shape[0] for one in crops.take([2, 0])] == [3, 1]
    assert [one.shape[0] for one in crops[1:]] == [2, 3]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_beginning_and_end_make_up_the_image(fraction):
    beginnings, ends = split_ends([(40, 100), (120, 7)], fraction, least=5)
    for axis, size, (i, first), (j, last) in zip(
        (1, 0), (100, 120), beginnings, ends, strict=True
    ):
        assert i == j
        assert first[axis].start == 0
        assert first[axis].stop == last[axis].start
        assert last[axis].stop == size
        assert size - first[axis].stop == round(fraction * size)
        assert first[1 - axis] == last[1 - axis]


@pytest.mark.parametrize("shapes", [[(20, 20)], [(200, 200), (20, 20)]])
def test_small_images_are_not_cut(shapes):
    assert split_ends(shapes, 0.1, least=8) is None


def test_the_whole_of_a_crop_is_its_image(images):
    _, images = images
    crops = Crops(images, [(1, (slice(0, 2), slice(1, 3))), (0, (slice(0, 1),) * 2)])
    for position, number in enumerate((1, 0)):
        np.testing.assert_array_equal(crops.whole(position), images[number])
        found = whole_of(crops, position, crops[position])
        np.testing.assert_array_equal(found, images[number])
    assert whole_of(crops.take([1]), 0, crops[1]).shape == images[0].shape
    assert whole_of(images, 0, images[0]).shape == images[0].shape
