import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import pearsonr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn import metrics as sklearn_metrics

from instantdl.images import ImageCollection
from instantdl.metrics import (
    _moments,
    mean_absolute_error,
    mean_relative_error,
    mean_squared_error,
    pearson,
    psnr,
    r2,
    ssim,
)

RNG = np.random.default_rng(0)
POOLED = {
    "pearson": pearson,
    "r2": r2,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "relative": mean_relative_error,
    "psnr": psnr,
}
MEASURES = POOLED | {"ssim": ssim}


@st.composite
def image_pairs(draw):
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=5, max_side=5))
    values = st.integers(-1000, 1000).map(lambda value: value / 8)
    images = hnp.arrays(np.float64, shape, elements=values)
    offset = draw(st.sampled_from([0.0, 1e6]))
    return draw(images) + offset, draw(images) + offset


def _pair(*shape, noise=0.5):
    true = RNG.random(shape)
    return true, true + noise * RNG.normal(size=shape)


def _brute_pearson(true, pred):
    if np.ptp(true) == 0 or np.ptp(pred) == 0:
        return 0.0
    return pearsonr(true.ravel(), pred.ravel()).statistic


def _brute_r2(true, pred):
    if true.size < 2:
        return float(np.array_equal(true, pred))
    return sklearn_metrics.r2_score(true.ravel(), pred.ravel())


@given(image_pairs())
@settings(max_examples=80, deadline=None)
def test_pearson_agrees_with_scipy(pair):
    assert pearson(*pair) == pytest.approx(_brute_pearson(*pair), abs=1e-9)
    expected = [_brute_pearson(*both) for both in zip(*pair, strict=True)]
    np.testing.assert_allclose(pearson(*pair, per_image=True), expected, atol=1e-9)


@given(image_pairs())
@settings(max_examples=80, deadline=None)
def test_r2_agrees_with_scikit_learn(pair):
    assert r2(*pair) == pytest.approx(_brute_r2(*pair), rel=1e-9, abs=1e-9)
    expected = [_brute_r2(*both) for both in zip(*pair, strict=True)]
    np.testing.assert_allclose(r2(*pair, per_image=True), expected, rtol=1e-9)


@given(image_pairs())
@settings(max_examples=50, deadline=None)
def test_errors_agree_with_their_formulas(pair):
    true, pred = pair
    errors = np.abs(pred - true)
    assert mean_absolute_error(true, pred) == pytest.approx(errors.mean())
    assert mean_squared_error(true, pred) == pytest.approx((errors**2).mean())
    if np.any(true):
        relative = errors.sum() / np.abs(true).sum()
        assert mean_relative_error(true, pred) == pytest.approx(relative)


@given(image_pairs(), st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_reading_in_blocks_changes_nothing(pair, block):
    whole = [measure(*pair, per_image=True) for measure in POOLED.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_moments, "_BLOCK", block)
        parts = [measure(*pair, per_image=True) for measure in POOLED.values()]
    np.testing.assert_allclose(parts, whole, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 16, 20), (3, 8, 9, 10), (2, 8, 9, 3)])
def test_psnr_agrees_with_scikit_image(shape):
    true, pred = _pair(*shape)
    expected = peak_signal_noise_ratio(true, pred, data_range=np.ptp(true))
    assert psnr(true, pred) == pytest.approx(expected)
    each = [
        peak_signal_noise_ratio(t, p, data_range=2.0)
        for t, p in zip(true, pred, strict=True)
    ]
    np.testing.assert_allclose(psnr(true, pred, data_range=2, per_image=True), each)


def test_psnr_takes_the_range_of_each_image_or_of_all():
    true = np.stack([np.eye(4), 5 + 2 * np.eye(4)])
    pred = true + 0.1
    assert psnr(true, pred) == pytest.approx(20 * np.log10(7 / 0.1))
    expected = 20 * np.log10([1 / 0.1, 2 / 0.1])
    np.testing.assert_allclose(psnr(true, pred, per_image=True), expected)


@pytest.mark.parametrize(
    ("shape", "window"),
    [((2, 16, 20), 7), ((2, 9, 9, 8), 7), ((2, 6, 20), 5), ((2, 3, 9, 9), 3)],
)
def test_ssim_agrees_with_scikit_image(shape, window):
    true, pred = _pair(*shape)
    each = [
        structural_similarity(t, p, data_range=np.ptp(t), win_size=window)
        for t, p in zip(true, pred, strict=True)
    ]
    np.testing.assert_allclose(ssim(true, pred, per_image=True), each)
    assert ssim(true, pred) == pytest.approx(np.mean(each))
    assert ssim(true, pred, spatial_ndim=len(shape) - 1) == ssim(true, pred)
    assert ssim(true, pred, data_range=10) > ssim(true, pred)


@pytest.mark.parametrize(("shape", "ndim"), [((2, 12, 9, 3), 2), ((2, 8, 9, 7, 1), 3)])
def test_ssim_compares_channels_one_by_one(shape, ndim):
    true, pred = _pair(*shape)
    expected = [
        structural_similarity(t, p, data_range=np.ptp(t), channel_axis=-1)
        for t, p in zip(true, pred, strict=True)
    ]
    scores = ssim(true, pred, spatial_ndim=ndim, per_image=True)
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("per_image", [True, False])
def test_a_large_offset_costs_no_accuracy(dtype, per_image):
    noise, other = RNG.normal(size=(2, 3, 64, 64))
    true = (1e6 + noise).astype(dtype)
    pred = (1e6 + noise + other).astype(dtype)
    # Exact in float64: both are multiples of the spacing of floats at one million.
    exact = (true.astype(float) - 1e6), (pred.astype(float) - 1e6)
    np.testing.assert_allclose(
        pearson(true, pred, per_image=per_image),
        pearson(*exact, per_image=per_image),
        rtol=1e-11,
    )
    np.testing.assert_allclose(
        r2(true, pred, per_image=per_image), r2(*exact, per_image=per_image), atol=1e-11
    )


def test_offsets_that_differ_from_image_to_image_are_merged_exactly():
    true, pred = _pair(5, 32, 32)
    offsets = np.array([0, 1e6, -1e6, 1e3, 1e6])[:, np.newaxis, np.newaxis]
    true, pred = true + offsets, pred * 0.9 + offsets
    expected = pearsonr(true.ravel(), pred.ravel()).statistic
    assert pearson(true, pred) == pytest.approx(expected, rel=1e-13)
    assert 1 - r2(true, pred) == pytest.approx(
        ((true - pred) ** 2).sum() / ((true - true.mean()) ** 2).sum(), rel=1e-3
    )


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("kind", ["list", "tuple", "object", "collection"])
def test_images_of_different_sizes(name, kind):
    pairs = [_pair(8, 9), _pair(12, 10), _pair(7, 15)]
    true, pred = (_as(list(images), kind) for images in zip(*pairs, strict=True))
    alone = [MEASURES[name](t[None], p[None]) for t, p in pairs]
    each = MEASURES[name](true, pred, per_image=True)
    assert each.dtype == np.float64
    np.testing.assert_allclose(each, alone)
    if name in POOLED:
        flat = [
            np.concatenate([image.ravel() for image in images])[None, None]
            for images in zip(*pairs, strict=True)
        ]
        expected = POOLED[name](*flat)
    else:
        expected = np.mean(alone)
    result = MEASURES[name](true, pred)
    assert type(result) is float
    assert result == pytest.approx(expected)


def _as(images, kind):
    if kind == "object":
        result = np.empty(len(images), dtype=object)
        result[:] = images
        return result
    return {"list": list, "tuple": tuple, "collection": ImageCollection}[kind](images)


@pytest.mark.parametrize("name", MEASURES)
def test_each_file_of_a_collection_is_read_once(name):
    seen = []

    def read(index):
        seen.append(index)
        return np.eye(8)

    MEASURES[name](ImageCollection([0, 1, 2], read=read), np.ones((3, 8, 8)))
    assert seen == [0, 1, 2]


def test_memory_does_not_grow_with_the_number_of_images():
    def read(index):
        return np.full((128, 128), float(index))

    def peak(n_images):
        images = ImageCollection(range(n_images), read=read)
        tracemalloc.start()
        pearson(images, images)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2)  # caches of NumPy fill up
    assert peak(64) < 1.5 * peak(4)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float16, np.float32])
@pytest.mark.parametrize("name", MEASURES)
def test_the_dtype_of_images_does_not_matter(name, dtype):
    true, pred = RNG.integers(0, 2, (2, 2, 8, 8))
    result = MEASURES[name](true.astype(dtype), pred.astype(dtype))
    assert result == pytest.approx(MEASURES[name](true, pred))


@pytest.mark.parametrize("name", MEASURES)
def test_images_are_not_changed(name):
    true, pred = _pair(2, 8, 8)
    copies = true.copy(), pred.copy()
    MEASURES[name](true, pred)
    np.testing.assert_array_equal((true, pred), copies)


# The mean of many 0.1 is not 0.1, and must not be taken for a spread.
FLAT = np.full((1, 9, 11), 0.1)
SLOPE = np.linspace(0, 1, 99).reshape(1, 9, 11)


@pytest.mark.parametrize(
    ("measure", "true", "pred", "expected"),
    [
        (pearson, FLAT, SLOPE, 0.0),
        (pearson, SLOPE, FLAT, 0.0),
        (pearson, FLAT, FLAT, 0.0),
        (r2, FLAT, FLAT, 1.0),
        (r2, FLAT, FLAT + 1e-3, 0.0),
        (r2, SLOPE, np.full(SLOPE.shape, 0.5), 0.0),
        (psnr, FLAT, FLAT, np.inf),
        (psnr, SLOPE, SLOPE, np.inf),
        (psnr, FLAT, SLOPE, -np.inf),
        (ssim, FLAT, FLAT, 1.0),
        (ssim, FLAT, SLOPE, 0.0),
        (mean_relative_error, 0 * FLAT, 0 * FLAT, 0.0),
        (mean_relative_error, 0 * FLAT, FLAT, np.inf),
        (mean_absolute_error, FLAT, FLAT, 0.0),
        (mean_squared_error, FLAT, FLAT, 0.0),
    ],
)
def test_constant_images_have_a_defined_value(measure, true, pred, expected):
    assert measure(true, pred) == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(
        measure(true, pred, per_image=True), [expected], atol=1e-12
    )


def test_constant_images_of_different_value_correlate_when_pooled():
    images = np.ones((3, 4, 4)) * np.array([1, 2, 4])[:, None, None]
    assert pearson(images, images + 1) == pytest.approx(1)
    np.testing.assert_array_equal(pearson(images, images, per_image=True), 0)


ONE = np.ones((1, 4, 4))
NAN = np.stack([ONE[0], np.where(np.eye(4) == 1, np.nan, 1)])
BAD = [
    (ONE, ONE[:0], ValueError, "same number of images. Got 1 and 0"),
    (ONE[:0], ONE[:0], ValueError, "at least one image. Got 0"),
    (
        [ONE[0], ONE[0]],
        [ONE[0], np.ones((4, 5))],
        ValueError,
        r"Image 1 is \(4, 4\) in .*\(4, 5\) in `y_pred`",
    ),
    (ONE[0], ONE[0], ValueError, r"Got \(4,\) for image 0.*y_true\[np.newaxis\]"),
    (ONE[:, :0], ONE[:, :0], ValueError, r"one pixel. Got shape \(0, 4\)"),
    (NAN, 0 * NAN + 1, ValueError, "Image 1 of `y_true` must hold finite.*Got nan"),
    (np.ones((2, 4, 4)), NAN, ValueError, "Image 1 of `y_pred` must hold fin.*Got nan"),
    (ONE, ONE * np.inf, ValueError, "Image 0 of `y_pred` must hold finite.*Got inf"),
    (ONE, ONE * 1j, TypeError, "Image 0 of `y_pred` must hold real.*Got complex128"),
    (ONE.astype(str), ONE, TypeError, "Image 0 of `y_true` must hold real numbers"),
    (5, ONE, TypeError, "`y_true` must be an array or a sequence of images. Got int"),
]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(("true", "pred", "error", "match"), BAD)
def test_bad_images_are_refused_with_one_sentence(name, true, pred, error, match):
    with pytest.raises(error, match=match):
        MEASURES[name](true, pred)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize("data_range", [0, -1.0, np.nan, np.inf, "1"])
def test_a_data_range_must_be_positive(measure, data_range):
    with pytest.raises(ValueError, match="`data_range` must be a positive number or"):
        measure(SLOPE, SLOPE, data_range=data_range)


def test_ssim_names_what_is_wrong_with_the_axes():
    with pytest.raises(ValueError, match="`spatial_ndim` must be 2, 3 or None. Got 4"):
        ssim(SLOPE, SLOPE, spatial_ndim=4)
    with pytest.raises(ValueError, match=r"3 spatial axes.*Got \(9, 11\) for image 0"):
        ssim(SLOPE, SLOPE, spatial_ndim=3)
    with pytest.raises(ValueError, match=r"3 pixels or more.*Got \(9, 11, 1\).*channe"):
        ssim(SLOPE[..., np.newaxis], SLOPE[..., np.newaxis])


def test_ssim_bears_an_offset_of_ten_thousand_ranges():
    true, pred = _pair(1, 24, 24)
    windows = [
        np.lib.stride_tricks.sliding_window_view(image[0], (7, 7)).reshape(-1, 49)
        for image in (true, pred)
    ]
    variances = [np.cov(*pair) for pair in zip(*windows, strict=True)]
    constant = (0.03 * np.ptp(true)) ** 2
    # So far from zero brightness is the same, and structure alone is left.
    expected = [(2 * v[0, 1] + constant) / (np.trace(v) + constant) for v in variances]
    result = ssim(true + 1e4, pred + 1e4)
    assert result == pytest.approx(np.mean(expected), abs=1e-6)
