"""Tests of bringing images to one scale."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instantdl.images import Normalizer

PER_IMAGE = ["percentile", "minmax", "standard"]
DTYPES = [np.uint8, np.uint16, np.int16, np.int32, np.float16, np.float32, np.float64]


def noisy(shape=(20, 30, 2), dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).random(shape) * 200
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_percentiles_of_each_channel_become_zero_and_one(dtype):
    image = noisy(dtype=dtype) * np.array([1, 0.5]).astype(dtype)
    image[..., 0] += dtype(3)
    normalised = Normalizer("percentile")(image)
    low, high = np.percentile(image.astype(float), (1, 99.8), axis=(0, 1))
    if high[1] > low[1]:
        expected = (image - low) / (high - low)
        np.testing.assert_allclose(normalised, expected, atol=1e-4)
    assert normalised.dtype == np.float32


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.uint16, np.int16])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_counted_percentiles_are_those_of_numpy(dtype, data):
    shape = data.draw(hnp.array_shapes(min_dims=3, max_dims=4, max_side=6))
    image = data.draw(hnp.arrays(dtype, shape))
    pixels = image.reshape(-1, shape[-1]).astype(float)
    low, high = np.percentile(pixels, (1, 99.8), axis=0)
    # equal percentiles are replaced by minimum and maximum
    low = np.where(low == high, pixels.min(axis=0), low)
    np.testing.assert_allclose(Normalizer().statistics(image)[0], low, atol=1e-3)


def test_percentiles_do_not_clip():
    normalised = Normalizer("percentile")(noisy((100, 100, 1)))
    assert normalised.min() < 0
    assert normalised.max() > 1


def test_minmax_spans_zero_to_one_per_channel():
    normalised = Normalizer("minmax")(noisy() * [1, 50])
    np.testing.assert_allclose(normalised.min(axis=(0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(normalised.max(axis=(0, 1)), 1, atol=1e-6)


def test_standard_gives_mean_zero_and_deviation_one_per_channel():
    normalised = Normalizer("standard")(noisy((6, 20, 30, 2)) * [1, 50])
    np.testing.assert_allclose(normalised.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_none_only_converts():
    image = noisy(dtype=np.uint8)
    normalised = Normalizer("none")(image)
    assert normalised.dtype == np.float32
    np.testing.assert_array_equal(normalised, image)


def test_dataset_pools_all_pixels_of_all_images():
    images = [noisy((8, 9, 2)), noisy((20, 5, 2), seed=1) + 100]
    normalizer = Normalizer.fit(images, "dataset")
    pixels = np.concatenate([image.reshape(-1, 2) for image in images])
    np.testing.assert_allclose(normalizer.offset, pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(normalizer.scale, pixels.std(axis=0), rtol=1e-6)
    expected = (images[0] - pixels.mean(axis=0)) / pixels.std(axis=0)
    np.testing.assert_allclose(normalizer(images[0]), expected, atol=1e-5)


def test_dataset_stays_exact_far_from_zero():
    images = [noisy((8, 8, 1), np.float64) + 1e9 for _ in range(3)]
    scale = Normalizer.fit(images, "dataset").scale
    np.testing.assert_allclose(scale, images[0].std(), rtol=1e-6)


def test_dataset_leaves_the_scale_of_a_constant_channel():
    assert Normalizer.fit([np.full((4, 4, 1), 0.1)], "dataset").scale == (1.0,)


@pytest.mark.parametrize("method", PER_IMAGE)
@pytest.mark.parametrize("value", [0, 7, 0.1, 2**30 + 1, -1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_channel_becomes_exactly_zero(method, value, dtype):
    image = noisy((8, 8, 2), dtype)
    image[..., 1] = value
    normalised = Normalizer(method)(image)
    assert (normalised[..., 1] == 0).all()
    assert normalised[..., 0].std() > 0


@pytest.mark.parametrize("method", PER_IMAGE)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int32, np.float64])
def test_a_sparse_image_keeps_its_few_bright_pixels(method, dtype):
    image = np.zeros((64, 64, 1), dtype)
    image[3, 4] = 1
    normalised = Normalizer(method)(image)
    assert np.isfinite(normalised).all()
    assert np.unravel_index(normalised.argmax(), normalised.shape) == (3, 4, 0)
    if method != "standard":
        assert normalised.max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_extreme_integers_do_not_overflow(dtype):
    limits = np.iinfo(dtype)
    image = np.array([limits.min, limits.max] * 8, dtype).reshape(4, 4, 1)
    normalised = Normalizer("minmax")(image)
    np.testing.assert_allclose(np.unique(normalised), [0, 1], atol=1e-6)


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=4, max_side=5),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.sampled_from(PER_IMAGE),
)
@settings(deadline=None, max_examples=150)
def test_finite_images_stay_finite(image, method):
    assert np.isfinite(Normalizer(method)(image)).all()


@pytest.mark.parametrize("method", PER_IMAGE)
def test_a_crop_with_the_statistics_of_the_image_is_a_crop_of_the_result(method):
    image = noisy((30, 40, 3), np.uint16)
    normalizer = Normalizer(method)
    crop = normalizer.apply(image[5:9, 10:20], normalizer.statistics(image))
    np.testing.assert_array_equal(crop, normalizer(image)[5:9, 10:20])


@pytest.mark.parametrize("method", PER_IMAGE)
def test_statistics_are_numbers_of_each_channel(method):
    for values in Normalizer(method).statistics(noisy((8, 8, 3), np.uint8)):
        assert (values.shape, values.dtype) == ((3,), np.float64)


@pytest.mark.parametrize("method", ["percentile", "standard"])
def test_large_images_are_judged_by_a_subsample(method):
    image = np.random.default_rng(0).random((2100, 2100, 1), dtype=np.float32)
    subsampled = Normalizer(method).statistics(image)
    full = Normalizer(method).statistics(image[:2040, :2040])
    np.testing.assert_allclose(subsampled, full, atol=5e-3)


def test_a_bright_pixel_that_the_subsample_misses_sets_the_scale():
    image = np.zeros((2100, 2100, 1), np.uint8)
    image[1, 1] = 200
    assert Normalizer("percentile")(image).max() == 1


def test_a_memmap_gives_what_its_array_gives(tmp_path):
    image = noisy((40, 40, 2), np.uint16)
    mapped = np.memmap(tmp_path / "image", np.uint16, "w+", shape=image.shape)
    mapped[:] = image
    np.testing.assert_array_equal(Normalizer()(mapped), Normalizer()(image))


@pytest.mark.parametrize("method", [*PER_IMAGE, "none", "dataset"])
def test_the_image_is_not_changed(method):
    image = noisy()
    before = image.copy()
    Normalizer.fit([image], method)(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("method", [*PER_IMAGE, None, "dataset"])
def test_a_way_through_json_gives_an_equal_normalizer(method):
    normalizer = Normalizer.fit([noisy()], method)
    text = json.dumps(normalizer.to_dict())
    assert Normalizer.from_dict(json.loads(text)) == normalizer


def test_none_as_a_method_is_none_in_words():
    assert Normalizer.fit([], None) == Normalizer("none")


def test_methods_per_image_read_no_image_in_fit():
    assert Normalizer.fit([], "percentile") == Normalizer()


def test_an_unknown_method_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="must be one of 'percentile'.*Got 'zscore'"):
        Normalizer.fit([noisy()], "zscore")


def test_dataset_without_numbers_is_refused():
    with pytest.raises(ValueError, match="`offset` and `scale` must be given"):
        Normalizer("dataset")


def test_dataset_over_no_images_is_refused():
    with pytest.raises(ValueError, match="must hold at least one image. Got 0"):
        Normalizer.fit([], "dataset")


def test_dataset_refuses_another_number_of_channels():
    with pytest.raises(ValueError, match="must have 2 channels.*Got 3"):
        Normalizer.fit([noisy()], "dataset")(noisy((4, 4, 3)))


@pytest.mark.parametrize("method", PER_IMAGE)
def test_small_differences_of_large_numbers_are_kept(method):
    image = np.random.default_rng(0).random((30, 30, 1))
    found = Normalizer(method)(image + 1e8)
    np.testing.assert_allclose(found, Normalizer(method)(image), atol=1e-4)
