import numpy as np
import pytest

from instantdl.metrics import (
    aggregated_jaccard,
    average_precision,
    dice,
    jaccard,
    mean_absolute_error,
    mean_relative_error,
    pearson,
    pixel_accuracy,
    psnr,
    r2,
    roc_auc,
    ssim,
)
from instantdl.metrics._calibration import expected_calibration_error
from instantdl.metrics._sensitivity import sensitivity, specificity
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._evaluation import _resampling as resampling
from instantdl.pipeline._evaluation._resampling import (
    mean_over_images,
    resample,
    weighted_sums,
)

RNG = np.random.default_rng(0)
INTERVALS = ["low", "high", "half_median", "half_q25", "half_q75"]


@pytest.fixture
def fewer(monkeypatch):
    """Few draws, where the naive way is slow, and a number that leaves a rest."""
    monkeypatch.setattr(resampling, "N_DRAWS", 30)
    monkeypatch.setattr(resampling, "N_HALVES", 12)
    monkeypatch.setattr(resampling, "_CHUNK", 7)


def _naive(measure_of, n, seed):
    """Intervals of a measure that looks at the images that were drawn."""
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, n, n) for _ in range(resampling.N_DRAWS)]
    halves = [rng.choice(n, n // 2, replace=False) for _ in range(resampling.N_HALVES)]
    values = [measure_of(indices) for indices in drawn]
    others = [measure_of(indices) for indices in halves]
    return [
        *np.nanpercentile(values, [2.5, 97.5]),
        *np.nanpercentile(others, [50, 25, 75]),
    ]


def _assert_naive(found, name, measure_of, n, seed):
    expected = _naive(measure_of, n, seed)
    np.testing.assert_allclose(
        found.metrics.loc[name, INTERVALS].to_numpy(float), expected, err_msg=name
    )
    value = found.metrics.loc[name, "value"]
    assert value == pytest.approx(measure_of(np.arange(n)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_of_masks_are_those_of_the_drawn_images(n_classes, fewer):
    labels = list(range(n_classes))
    true, pred = RNG.integers(0, n_classes, (2, 7, 5, 6))
    true[0] = 0
    found = evaluate("semantic_segmentation", true, pred, random_state=5)
    for name, measure in {
        "accuracy": lambda a, b, labels: pixel_accuracy(a, b),
        "jaccard": jaccard,
        "dice": dice,
        "sensitivity": sensitivity,
        "specificity": specificity,
    }.items():
        _assert_naive(
            found,
            name,
            lambda i, measure=measure: measure(true[i], pred[i], labels=labels),
            n=7,
            seed=5,
        )
    _assert_naive(
        found,
        "jaccard_per_image",
        lambda i: np.mean(jaccard(true[i], pred[i], labels=labels, per_image=True)),
        n=7,
        seed=5,
    )


def test_intervals_of_probabilities_are_those_of_the_drawn_images(fewer):
    true = RNG.integers(0, 3, (6, 5, 5))
    proba = RNG.dirichlet(np.ones(3), true.shape).round(1)
    proba[..., 2] = 1 - proba[..., 0] - proba[..., 1]
    proba = np.clip(proba, 0, 1).round(1)
    pred = proba.argmax(axis=-1)
    found = evaluate("semantic_segmentation", true, pred, probability=proba)

    def area(indices):
        scores = proba[indices].reshape(-1, 3)
        return roc_auc(true[indices].ravel(), scores, labels=[0, 1, 2])

    def gap(indices):
        right = pred[indices] == true[indices]
        return expected_calibration_error(proba[indices].max(axis=-1), right)

    _assert_naive(found, "roc_auc", area, n=6, seed=0)
    _assert_naive(found, "expected_calibration_error", gap, n=6, seed=0)


def test_intervals_of_objects_are_those_of_the_drawn_images(fewer):
    true, pred = RNG.integers(0, 3, (2, 6, 5, 5))
    found = evaluate("instance_segmentation", true, pred, random_state=1)
    for name, measure in {
        "average_precision": average_precision,
        "aggregated_jaccard": aggregated_jaccard,
    }.items():
        _assert_naive(
            found,
            name,
            lambda i, measure=measure: measure(true[i], pred[i]),
            n=6,
            seed=1,
        )


@pytest.mark.parametrize(
    "measure", [mean_absolute_error, mean_relative_error, r2, pearson, psnr, ssim]
)
def test_intervals_of_values_are_those_of_the_drawn_images(measure, fewer):
    true = RNG.random((6, 7, 8)) + RNG.random((6, 1, 1))
    pred = true + RNG.normal(0, 0.2, true.shape)
    found = evaluate("regression", true, pred, random_state=2)
    name = measure.__name__
    _assert_naive(found, name, lambda i: measure(true[i], pred[i]), n=6, seed=2)


def test_all_draws_are_made():
    values = RNG.random(9)

    def mean(weights):
        return {"mean": weights @ values / weights.sum(axis=1)}

    table = resample(mean, 9, 7, {"mean": 5})
    expected = _naive(lambda i: values[i].mean(), 9, 7)
    np.testing.assert_allclose(table.loc["mean", INTERVALS].to_numpy(float), expected)
    assert resampling.N_DRAWS == 1000
    assert resampling.N_HALVES == 100
    assert table.loc["mean", "n"] == 5


def test_undefined_draws_are_left_out():
    def first(weights):
        taken = weights[:, 0] > 0
        return {
            "some": np.where(taken, 1.0, np.nan),
            "none": np.full(len(weights), np.nan),
            "endless": np.where(taken, np.inf, 2.0),
        }

    table = resample(first, 5, 0, {})
    assert (table.loc["some", INTERVALS] == 1.0).all()
    assert table.loc["none", INTERVALS].isna().all()
    assert table.loc["endless", ["low", "high"]].tolist() == [2.0, np.inf]


def test_sums_are_exact_beyond_one_part(monkeypatch):
    parts = RNG.integers(0, 2**31, (5, 3, 11)).astype(np.uint32)
    weights = RNG.integers(0, 4, (6, 5))
    expected = np.einsum("di,ijk->djk", weights, parts.astype(np.int64))
    np.testing.assert_array_equal(weighted_sums(weights, parts), expected)
    monkeypatch.setattr(resampling, "_NUMBERS", 20)
    np.testing.assert_array_equal(weighted_sums(weights, parts), expected)


def test_means_leave_out_what_is_undefined():
    values = np.array([1.0, np.nan, np.inf, -np.inf, 3.0])
    weights = np.array(
        [
            [1, 1, 0, 0, 1],
            [1, 0, 1, 0, 1],
            [1, 0, 0, 2, 0],
            [0, 0, 1, 1, 0],
            [0, 3, 0, 0, 0],
            [2, 0, 0, 0, 1],
        ]
    )
    expected = [2.0, np.inf, -np.inf, np.nan, np.nan, 5 / 3]
    np.testing.assert_allclose(mean_over_images(weights, values), expected)
