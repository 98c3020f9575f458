"""Tests of bringing images to one size."""

import numpy as np
import PIL.Image
import pytest
import skimage.transform

from instantdl.images import ResizedImages, check_images, resize_image

SHAPES = [((13, 20), (7, 11)), ((8, 8), (16, 24)), ((5, 9, 7), (10, 6, 8))]


@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, bool])
def test_a_constant_image_stays_constant(old, new, dtype):
    image = np.full((*old, 2), 1 if dtype is bool else 100, dtype)
    result = resize_image(image, new)
    assert result.shape == (*new, 2)
    np.testing.assert_allclose(result, image.flat[0], rtol=1e-6)


def test_an_image_of_the_size_is_handed_back():
    image = np.zeros((4, 5, 3), bool)
    assert resize_image(image, (4, 5)) is image
    assert resize_image(image, [4, 5]) is image


# Pillow's filter is the same triangle, of rows and of columns one after the other.
@pytest.mark.parametrize("new", [(20, 30), (31, 45), (12, 18), (80, 120), (9, 13)])
def test_it_equals_pillows_bilinear_filter(new, rng):
    image = rng.random((40, 60, 2), np.float32)
    result = resize_image(image, new)
    height, width = np.rint(np.array([40, 60]) * min(new[0] / 40, new[1] / 60))
    for channel in range(2):
        expected = PIL.Image.fromarray(image[..., channel]).resize(
            (int(width), int(height)), PIL.Image.Resampling.BILINEAR
        )
        found = result[: int(height), : int(width), channel]
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_enlarging_interpolates_linearly(factor, rng):
    image = rng.random((8, 6, 1))
    new = (8 * factor, 6 * factor)
    expected = skimage.transform.resize(
        image, (*new, 1), order=1, mode="edge", anti_aliasing=False
    )
    np.testing.assert_allclose(resize_image(image, new), expected, atol=1e-6)


def test_enlarging_a_volume_interpolates_linearly(rng):
    image = rng.random((4, 5, 6, 2))
    expected = skimage.transform.resize(
        image, (8, 10, 12, 2), order=1, mode="edge", anti_aliasing=False
    )
    np.testing.assert_allclose(resize_image(image, (8, 10, 12)), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("rank", [2, 3])
def test_the_mean_is_kept_when_made_smaller_by_whole_factors(factor, rank, rng):
    # Dark at the borders, where pixels count for more.
    image = np.zeros((8 * factor,) * rank + (1,))
    inner = (slice(2 * factor, -2 * factor),) * rank
    image[inner] = rng.random(image[inner].shape)
    result = resize_image(image, (8,) * rank)
    assert result.mean() == pytest.approx(image.mean(), rel=1e-9)


def test_what_is_finer_than_the_new_pixels_vanishes():
    image = np.indices((64, 64)).sum(axis=0)[..., np.newaxis] % 2 * 1.0
    np.testing.assert_allclose(resize_image(image, (16, 16))[1:-1, 1:-1], 0.5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (bool, np.float32),
        (np.uint8, np.uint8),
        (np.uint16, np.uint16),
        (np.int32, np.int32),
        (np.int64, np.int64),
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ],
)
@pytest.mark.parametrize("new", [(3, 3), (12, 12), (6, 8)])
def test_integers_stay_integers_and_others_become_floats(given, expected, new):
    image = (np.arange(36).reshape(6, 6, 1) % 2).astype(given)
    result = resize_image(image, new)
    assert result.dtype == expected
    assert result.flags.c_contiguous
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32])
def test_the_ends_of_integers_do_not_overflow(dtype):
    limits = np.iinfo(dtype)
    image = np.full((9, 9, 1), limits.max, dtype)
    image[:, :4] = limits.min
    for new in ((4, 4), (7, 7), (31, 31)):
        result = resize_image(image, new)
        assert (result.min(), result.max()) == (limits.min, limits.max)
        assert (np.diff(result[..., 0].astype(float), axis=1) >= 0).all()


def test_integers_are_rounded():
    image = np.array([[0, 1, 1, 1]], np.uint8).T[..., np.newaxis]
    result = resize_image(np.tile(image, (1, 4, 1)), (2, 2))
    # The weights are 3 / 7, 3 / 7 and 1 / 7: 4 / 7, and 1.
    np.testing.assert_array_equal(result[..., 0], [[1, 1], [1, 1]])


@pytest.mark.parametrize(
    ("old", "new", "filled"),
    [
        ((20, 10), (10, 10), (10, 5)),
        ((10, 20), (40, 40), (20, 40)),
        ((10, 10), (10, 16), (10, 10)),
        ((7, 30), (14, 15), (4, 15)),
        ((1000, 1), (10, 10), (10, 1)),  # at least one pixel of each axis
        ((5, 10, 10), (20, 20, 20), (10, 20, 20)),
    ],
)
def test_proportions_are_kept_and_the_end_is_mirrored(old, new, filled, rng):
    image = rng.random((*old, 1))
    result = resize_image(image, new)
    inside = tuple(slice(length) for length in filled)
    pads = [(0, n - f) for n, f in zip(new, filled, strict=True)]
    # A single pixel has no other to be mirrored to.
    mode = "edge" if 1 in filled else "reflect"
    expected = np.pad(result[inside], [*pads, (0, 0)], mode=mode)
    np.testing.assert_array_equal(result, expected)
    # Each axis has its own scale, but for rounding that of all.
    plain = resize_image(image, filled)
    np.testing.assert_allclose(result[inside], plain[inside], atol=1e-12)


def test_an_image_that_is_only_too_short_keeps_its_pixels(rng):
    image = rng.integers(0, 255, (6, 4, 3), dtype=np.uint8)
    result = resize_image(image, (6, 9))
    np.testing.assert_array_equal(result[:, :4], image)
    np.testing.assert_array_equal(result[:, 4:7], image[:, 2::-1])


@pytest.fixture
def images(rng):
    arrays = [rng.random(shape) for shape in ((9, 5), (40, 30), (16, 16), (3, 3))]
    return check_images(arrays, spatial_ndim=2)


def test_resized_images_are_read_one_by_one(images):
    resized = ResizedImages(images, (16, 16))
    assert len(resized) == 4
    for number, (found, image) in enumerate(zip(resized, images, strict=True)):
        np.testing.assert_array_equal(found, resize_image(image, (16, 16)))
        assert resized.shape(number) == (16, 16) == found.shape[:2]
    np.testing.assert_array_equal(resized[-1], resized[3])
    with pytest.raises(IndexError):
        resized[4]


def test_resized_images_give_views(images):
    resized = ResizedImages(images, (8, 12))
    for view, expected in (
        (resized.take([3, 0, 3]), [3, 0, 3]),
        (resized.take(np.array([1])), [1]),
        (resized[1:], [1, 2, 3]),
        (resized[::-2], [3, 1]),
        (resized[2:][1:], [3]),
    ):
        assert isinstance(view, ResizedImages)
        assert len(view) == len(expected)
        assert view.shape(0) == (8, 12)
        for found, number in zip(view, expected, strict=True):
            np.testing.assert_array_equal(found, resized[number])


def test_a_view_of_resized_images_reads_nothing():
    class Unreadable:
        def __getitem__(self, index):
            raise AssertionError("read")

        def take(self, positions):
            return self

        def __len__(self):
            return 3

    resized = ResizedImages(Unreadable(), (8, 8))
    assert resized[1:].shape(0) == resized.take([2]).shape(0) == (8, 8)
