import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instantdl.metrics import (
    compare_uncertainty,
    error_auroc,
    mean_absolute_error,
    mean_relative_error,
    pearson,
    psnr,
    r2,
    ssim,
)
from instantdl.metrics._ranks import risk_coverage
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._evaluation import _inputs as inputs
from instantdl.pipeline._evaluation import _resampling as resampling

RNG = np.random.default_rng(0)
TASK = "regression"
POOLED = (mean_absolute_error, mean_relative_error, r2, pearson, psnr)


@pytest.fixture(autouse=True)
def _fewer(monkeypatch):
    monkeypatch.setattr(resampling, "N_DRAWS", 20)
    monkeypatch.setattr(resampling, "N_HALVES", 20)


def _pair(*shape, noise=0.3):
    true = RNG.normal(5, 1, shape)
    return true, true + RNG.normal(0, noise, shape)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_measures_are_those_of_the_metrics(seed):
    rng = np.random.default_rng(seed)
    shapes = [tuple(rng.integers(3, 9, 2)) for _ in range(4)]
    true = [rng.normal(rng.normal(), 1, shape) for shape in shapes]
    pred = [image + rng.normal(0, 0.5, image.shape) for image in true]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_DRAWS", 3)
        patch.setattr(resampling, "N_HALVES", 3)
        found = evaluate(TASK, true, pred)
    for measure in (*POOLED, ssim):
        name = measure.__name__
        expected = measure(true, pred)
        assert found.metrics.loc[name, "value"] == pytest.approx(expected)
        each = [measure([a], [b]) for a, b in zip(true, pred, strict=True)]
        np.testing.assert_allclose(found.per_image[name], each)
        if measure is not ssim:
            mean = found.metrics.loc[f"{name}_per_image", "value"]
            assert mean == pytest.approx(np.mean(each))


def test_channels_are_compared_one_by_one():
    true, pred = _pair(3, 8, 9, 3)
    expected = ssim(true, pred, spatial_ndim=2)
    for spatial_ndim in (None, 2):
        found = evaluate(TASK, true, pred, spatial_ndim=spatial_ndim)
        assert found.metrics.loc["ssim", "value"] == pytest.approx(expected)
    found = evaluate(TASK, true, pred, spatial_ndim=3)
    assert found.metrics.loc["ssim", "value"] == pytest.approx(ssim(true, pred))


def test_volumes_have_no_channels():
    true, pred = _pair(3, 8, 7, 9)
    found = evaluate(TASK, true, pred)
    assert found.metrics.loc["ssim", "value"] == pytest.approx(ssim(true, pred))


def test_small_images_have_no_similarity():
    true, pred = _pair(3, 2, 9)
    found = evaluate(TASK, true, pred)
    assert np.isnan(found.metrics.loc["ssim", "value"])
    assert found.metrics.loc["ssim", "n"] == 0
    assert any("undefined for 3 of 3 images" in note for note in found.notes)


def test_constant_images_are_judged():
    true = np.full((4, 6, 6), 3.0)
    found = evaluate(TASK, true, true)
    values = found.metrics["value"]
    assert (values["r2"], values["pearson"], values["ssim"]) == (1.0, 0.0, 1.0)
    assert values["psnr"] == np.inf
    assert any("Infinite" in note and "psnr" in note for note in found.notes)
    other = evaluate(TASK, true, true + 1)
    assert other.metrics.loc["psnr", "value"] == -np.inf
    assert other.metrics.loc["r2", "value"] == 0.0


def test_uncertainty_should_be_high_where_errors_are_large():
    true, pred = _pair(4, 30, 30)
    error = np.abs(true - pred)
    uncertainty = RNG.gamma(2 + 4 * error, 0.1)
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    figures = found.uncertainty
    threshold = figures["error_threshold"]
    assert threshold == pytest.approx(np.quantile(error, 0.9), rel=2e-3)
    wrong = error >= threshold
    assert figures["n_wrong"] == wrong.sum() <= 0.1 * error.size
    test = compare_uncertainty(uncertainty, wrong)
    expected = error_auroc(uncertainty, wrong)
    assert figures["error_auroc"] == pytest.approx(expected, abs=1e-3)
    assert np.log(figures["pvalue"]) == pytest.approx(np.log(test.pvalue), rel=0.01)
    assert figures["median_correct"] == pytest.approx(test.median_correct, rel=2e-3)
    assert figures["median_wrong"] == pytest.approx(test.median_wrong, rel=2e-3)
    curve = found.risk_coverage
    risk, area = risk_coverage(uncertainty, error, coverage=curve["coverage"])
    np.testing.assert_allclose(curve["error"], risk, rtol=0.02)
    assert figures["risk_coverage_area"] == pytest.approx(area, rel=1e-3)
    means = uncertainty.mean(axis=(1, 2))
    np.testing.assert_allclose(found.per_image["mean_uncertainty"], means)


def test_coverage_is_that_of_normal_intervals():
    true = RNG.normal(0, 1, (4, 50, 50))
    deviation = RNG.uniform(0.5, 2, true.shape)
    pred = true + RNG.normal(0, 1, true.shape) * deviation
    found = evaluate(TASK, true, pred, uncertainty=deviation).calibration
    assert found["nominal"].tolist() == [0.5, 0.8, 0.9, 0.95]
    widths = [0.6744898, 1.2815516, 1.6448536, 1.959964]
    expected = [np.mean(np.abs(true - pred) <= w * deviation) for w in widths]
    np.testing.assert_allclose(found["observed"], expected)
    np.testing.assert_allclose(found["observed"], found["nominal"], atol=0.02)
    assert (found["n"] == true.size).all()


def test_without_errors_no_deviation_is_needed():
    true = RNG.random((3, 8, 8))
    found = evaluate(TASK, true, true, uncertainty=np.zeros(true.shape))
    assert (found.calibration["observed"] == 1.0).all()
    assert np.isnan(found.uncertainty["error_auroc"])
    assert found.uncertainty["n_wrong"] == 0
    assert any("All pixels are right" in note for note in found.notes)


def test_scale_does_not_matter():
    true, pred = _pair(3, 12, 12)
    uncertainty = RNG.random(true.shape)
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    scaled = evaluate(TASK, true * 2**20, pred * 2**20, uncertainty=uncertainty * 2**20)
    assert scaled.uncertainty["error_auroc"] == found.uncertainty["error_auroc"]
    for name in ("r2", "pearson", "psnr", "ssim", "mean_relative_error"):
        value = found.metrics.loc[name, "value"]
        assert scaled.metrics.loc[name, "value"] == pytest.approx(value)


def test_parts_of_images_change_nothing(monkeypatch):
    true, pred = _pair(3, 12, 12)
    uncertainty = RNG.random(true.shape)
    whole = evaluate(TASK, true, pred, uncertainty=uncertainty)
    monkeypatch.setattr(inputs, "_BLOCK", 20)
    parts = evaluate(TASK, true, pred, uncertainty=uncertainty)
    assert whole.uncertainty == pytest.approx(parts.uncertainty)
    np.testing.assert_array_equal(whole.calibration, parts.calibration)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16])
def test_differences_of_unsigned_numbers_have_no_bottom(dtype):
    true = RNG.integers(0, 200, (3, 8, 8)).astype(dtype)
    pred = RNG.integers(0, 200, (3, 8, 8)).astype(dtype)
    deviation = np.full(true.shape, 50, dtype)
    found = evaluate(TASK, true, pred, uncertainty=deviation)
    error = np.abs(true.astype(float) - pred.astype(float))
    expected = np.mean(error <= 0.6744897501960817 * 50)
    assert found.calibration["observed"][0] == pytest.approx(expected)
