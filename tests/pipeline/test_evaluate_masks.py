import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from instantdl.metrics import (
    compare_uncertainty,
    dice,
    error_auroc,
    jaccard,
    pixel_accuracy,
)
from instantdl.metrics._calibration import expected_calibration_error
from instantdl.metrics._ranks import risk_coverage
from instantdl.metrics._sensitivity import sensitivity, specificity
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._evaluation import _inputs as inputs
from instantdl.pipeline._evaluation import _resampling as resampling

RNG = np.random.default_rng(0)
TASK = "semantic_segmentation"


@pytest.fixture(autouse=True)
def _fewer(monkeypatch):
    monkeypatch.setattr(resampling, "N_DRAWS", 20)
    monkeypatch.setattr(resampling, "N_HALVES", 20)


def _middles(shape):
    """Probabilities that lie in the middle of bins, of which ranks are exact."""
    bins = RNG.integers(1000, 3000, shape)
    return expit((bins + 0.5) / 128 - 16)


@given(st.integers(0, 10_000), st.integers(2, 4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_measures_are_those_of_the_metrics(seed, n_classes, volumes):
    rng = np.random.default_rng(seed)
    shape = (3, 4, 3, 5) if volumes else (3, 6, 5)
    true, pred = rng.integers(0, n_classes, (2, *shape))
    labels = list(range(n_classes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_DRAWS", 3)
        patch.setattr(resampling, "N_HALVES", 3)
        found = evaluate(TASK, true, pred, classes=labels)
    for measure in (jaccard, dice, sensitivity, specificity):
        name = measure.__name__
        expected = measure(true, pred, labels=labels)
        assert found.metrics.loc[name, "value"] == pytest.approx(expected)
        each = measure(true, pred, labels=labels, per_image=True)
        np.testing.assert_allclose(found.per_image[name], each)
        mean = found.metrics.loc[f"{name}_per_image", "value"]
        assert mean == pytest.approx(np.nanmean(each))
        per_class = measure(true, pred, labels=labels, average=None)
        np.testing.assert_allclose(found.per_class[name], per_class)
    expected = pixel_accuracy(true, pred)
    assert found.metrics.loc["accuracy", "value"] == pytest.approx(expected)
    counts = confusion_matrix(true.ravel(), pred.ravel(), labels=labels)
    np.testing.assert_array_equal(found.confusion, counts)


def test_area_is_exact_for_probabilities_in_bins_of_their_own():
    true = RNG.integers(0, 2, (4, 6, 7))
    proba = _middles(true.shape)
    found = evaluate(TASK, true, proba > 0.5, probability=proba)
    expected = roc_auc_score(true.ravel(), proba.ravel())
    assert found.metrics.loc["roc_auc", "value"] == pytest.approx(expected)
    each = [
        roc_auc_score(t.ravel(), p.ravel()) for t, p in zip(true, proba, strict=True)
    ]
    np.testing.assert_allclose(found.per_image["roc_auc"], each)
    np.testing.assert_allclose(found.per_class["roc_auc"], expected)


def test_area_is_near_for_any_probabilities():
    true = RNG.integers(0, 2, (4, 30, 30))
    proba = expit(RNG.normal(4 * true - 2, 3)).astype(np.float32)
    found = evaluate(TASK, true, proba > 0.5, probability=proba)
    expected = roc_auc_score(true.ravel(), proba.ravel())
    assert found.metrics.loc["roc_auc", "value"] == pytest.approx(expected, abs=1e-4)


def test_both_forms_of_the_probability_of_two_classes_are_one():
    true = RNG.integers(0, 2, (3, 6, 7)) * 255
    proba = RNG.random(true.shape)
    pred = (proba > 0.5) * 255
    both = np.stack([1 - proba, proba], axis=-1)
    found = evaluate(TASK, true, pred, probability=both)
    other = evaluate(TASK, true, pred, probability=proba)
    np.testing.assert_array_equal(found.metrics, other.metrics)
    assert list(found.roc) == [255]


def test_columns_of_the_probability_are_in_the_order_of_classes():
    true = RNG.integers(0, 2, (3, 6, 7))
    proba = RNG.random(true.shape)
    both = np.stack([1 - proba, proba], axis=-1)
    found = evaluate(TASK, true, true, probability=both, classes=[0, 1])
    other = evaluate(TASK, true, true, probability=both[..., ::-1], classes=[1, 0])
    for name in ("roc_auc", "expected_calibration_error", "jaccard"):
        value = found.metrics.loc[name, "value"]
        assert value == pytest.approx(other.metrics.loc[name, "value"])
    np.testing.assert_array_equal(
        other.confusion, found.confusion.to_numpy()[::-1, ::-1]
    )


def test_areas_of_several_classes_are_each_against_the_rest():
    true = RNG.integers(0, 3, (4, 8, 8))
    proba = RNG.dirichlet(np.ones(3), true.shape)
    found = evaluate(TASK, true, proba.argmax(axis=-1), probability=proba)
    areas = [roc_auc_score(true.ravel() == k, proba[..., k].ravel()) for k in range(3)]
    np.testing.assert_allclose(found.per_class["roc_auc"], areas, atol=2e-3)
    value = found.metrics.loc["roc_auc", "value"]
    assert value == pytest.approx(np.mean(areas), abs=2e-3)
    assert list(found.roc) == [0, 1, 2]


def test_the_curve_is_that_of_scikit_learn_at_fewer_points():
    true = RNG.integers(0, 2, (4, 30, 30))
    proba = expit(RNG.normal(2 * true - 1, 2))
    found = evaluate(TASK, true, proba > 0.5, probability=proba)
    curve = found.roc[1]
    assert len(curve) <= 258
    first, last = curve.iloc[0], curve.iloc[-1]
    assert (first["false_positive_rate"], first["true_positive_rate"]) == (0, 0)
    assert (last["false_positive_rate"], last["true_positive_rate"]) == (1, 1)
    fpr, tpr, _ = roc_curve(true.ravel(), proba.ravel())
    expected = np.interp(curve["false_positive_rate"], fpr, tpr)
    np.testing.assert_allclose(curve["true_positive_rate"], expected, atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_is_that_of_all_pixels(n_classes):
    true = RNG.integers(0, n_classes, (4, 9, 9))
    proba = RNG.dirichlet(np.ones(n_classes), true.shape)
    pred = proba.argmax(axis=-1)
    found = evaluate(TASK, true, pred, probability=proba)
    if n_classes == 2:
        judged, right = proba[..., 1], true == 1
    else:
        judged, right = proba.max(axis=-1), true == pred
    expected = expected_calibration_error(judged, right)
    value = found.metrics.loc["expected_calibration_error", "value"]
    assert value == pytest.approx(expected)
    assert found.calibration["n"].sum() == true.size
    for _, row in found.calibration.iterrows():
        inside = (judged >= row["low"]) & (judged < row["high"])
        assert row["n"] == inside.sum()
        if inside.any():
            assert row["mean_probability"] == pytest.approx(judged[inside].mean())
            assert row["observed"] == pytest.approx(right[inside].mean())
        else:
            assert np.isnan(row["observed"])


def test_figures_of_uncertainty_are_those_of_all_pixels():
    true, pred = RNG.integers(0, 3, (2, 4, 12, 12))
    wrong = true != pred
    uncertainty = RNG.gamma(2 + wrong, 0.1)
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    figures = found.uncertainty
    test = compare_uncertainty(uncertainty, wrong)
    expected = error_auroc(uncertainty, wrong)
    assert figures["error_auroc"] == pytest.approx(expected, abs=2e-3)
    assert np.log(figures["pvalue"]) == pytest.approx(np.log(test.pvalue), rel=0.01)
    assert figures["median_correct"] == pytest.approx(test.median_correct, rel=5e-3)
    assert figures["median_wrong"] == pytest.approx(test.median_wrong, rel=5e-3)
    assert figures["n_wrong"] == wrong.sum()
    assert figures["n_correct"] == (~wrong).sum()
    curve = found.risk_coverage
    risk, area = risk_coverage(uncertainty, wrong, coverage=curve["coverage"])
    np.testing.assert_allclose(curve["error"], risk, atol=0.02)
    assert figures["risk_coverage_area"] == pytest.approx(area, abs=2e-3)
    means = uncertainty.mean(axis=(1, 2))
    np.testing.assert_allclose(found.per_image["mean_uncertainty"], means)
    assert figures["image_mean_max"] == pytest.approx(means.max())
    assert figures["image_mean_q25"] == pytest.approx(np.percentile(means, 25))


def test_uncertainty_in_bins_of_its_own_is_exact():
    true, pred = RNG.integers(0, 2, (2, 4, 12, 12))
    uncertainty = RNG.integers(0, 9, true.shape) / 8
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    curve = found.risk_coverage
    risk, area = risk_coverage(uncertainty, true != pred, coverage=curve["coverage"])
    np.testing.assert_allclose(curve["error"], risk)
    assert found.uncertainty["risk_coverage_area"] == pytest.approx(area)
    expected = error_auroc(uncertainty, true != pred)
    assert found.uncertainty["error_auroc"] == pytest.approx(expected)


def test_parts_of_images_change_nothing(monkeypatch):
    true, pred = RNG.integers(0, 3, (2, 3, 9, 8))
    options = {
        "probability": RNG.dirichlet(np.ones(3), true.shape),
        "uncertainty": RNG.random(true.shape),
    }
    whole = evaluate(TASK, true, pred, **options)
    monkeypatch.setattr(inputs, "_BLOCK", 20)
    parts = evaluate(TASK, true, pred, **options)
    np.testing.assert_allclose(whole.metrics, parts.metrics)
    np.testing.assert_allclose(whole.per_class, parts.per_class)
    assert whole.uncertainty == parts.uncertainty


def test_an_absent_class_is_named_and_left_out():
    true = np.array([[[0, 0, 1], [1, 1, 0]]] * 3)
    pred = np.array([[[0, 0, 1], [1, 2, 0]]] * 3)
    proba = np.full((*true.shape, 4), 0.1)
    np.put_along_axis(proba, pred[..., np.newaxis], 0.7, axis=-1)
    found = evaluate(TASK, true, pred, probability=proba, classes=[0, 1, 2, 3])
    assert any("No pixel of `y_true` is of [2, 3]" in note for note in found.notes)
    assert found.per_class.loc[[2, 3], ["sensitivity", "roc_auc"]].isna().all().all()
    assert found.metrics.loc["sensitivity", "value"] == pytest.approx((1 + 2 / 3) / 2)
    areas = found.per_class["roc_auc"]
    assert found.metrics.loc["roc_auc", "value"] == pytest.approx(areas[:2].mean())
    assert list(found.roc) == [0, 1]
    # By itself what is nowhere agrees, as in `jaccard`; in means it does not count.
    assert found.per_class.loc[3, "jaccard"] == 1.0
    for name in ("jaccard", "dice"):
        expected = found.per_class.loc[[0, 1, 2], name].mean()
        assert found.metrics.loc[name, "value"] == pytest.approx(expected)
        np.testing.assert_allclose(found.per_image[name], expected)
    assert any("unless it is predicted" in note for note in found.notes)


def test_probabilities_may_pass_one_by_their_last_bit():
    true = RNG.integers(0, 2, (3, 6, 7))
    found = evaluate(TASK, true, true, probability=true * np.float32(1.000001))
    assert found.metrics.loc["roc_auc", "value"] == 1.0


def test_empty_masks_are_judged():
    empty = np.zeros((3, 4, 4), int)
    found = evaluate(TASK, empty, empty, probability=np.zeros(empty.shape))
    values = found.metrics["value"]
    assert list(found.per_class.index) == [0, 1]
    assert values["accuracy"] == values["jaccard"] == values["specificity"] == 1.0
    assert values[["sensitivity", "roc_auc", "sensitivity_per_image"]].isna().all()
    assert found.metrics.loc["sensitivity_per_image", "n"] == 0
    assert found.roc == {}
    undefined = [note for note in found.notes if "Undefined" in note]
    assert "sensitivity, roc_auc, sensitivity_per_image" in undefined[0]


def test_one_class_that_is_not_zero_has_a_background():
    found = evaluate(TASK, np.full((3, 4, 4), 7), np.full((3, 4, 4), 7))
    assert list(found.per_class.index) == [0, 7]
    assert found.metrics.loc["sensitivity", "value"] == 1.0


def test_perfect_predictions_say_nothing_of_uncertainty():
    mask = RNG.integers(0, 2, (3, 5, 5))
    found = evaluate(TASK, mask, mask, uncertainty=RNG.random(mask.shape))
    assert np.isnan(found.uncertainty["error_auroc"])
    assert np.isnan(found.uncertainty["pvalue"])
    assert found.uncertainty["risk_coverage_area"] == 0.0
    assert any("All pixels are right" in note for note in found.notes)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_the_dtype_of_masks_does_not_matter(dtype):
    true, pred = RNG.integers(0, 2, (2, 3, 5, 5))
    found = evaluate(TASK, true.astype(dtype), pred.astype(dtype))
    assert found.to_dict() == evaluate(TASK, true, pred).to_dict()


def test_classes_of_an_estimator_of_bool_masks_fit():
    true, pred = RNG.random((2, 3, 5, 5)) < 0.5
    found = evaluate(TASK, true, pred, classes=np.array([False, True]))
    assert list(found.per_class.index) == [0, 1]


@pytest.mark.parametrize("given", [None, [0, 1, 2]])
def test_unknown_classes_are_named(given):
    true = np.zeros((3, 4, 4), int)
    pred = true.copy()
    pred[1, 2, 2] = 5
    if given:
        with pytest.raises(
            ValueError, match=r"of \[0, 1, 2\] only. Got \[5\] in image 1"
        ):
            evaluate(TASK, true, pred, classes=given)
    else:
        assert list(evaluate(TASK, true, pred).per_class.index) == [0, 5]


def test_bool_beside_255_is_refused():
    true = RNG.integers(0, 2, (3, 4, 4)) * 255
    with pytest.raises(ValueError, match=r"of \[0, 255\] only. Got \[1\] in image 0"):
        evaluate(TASK, true, true > 0, classes=[0, 255])


@pytest.mark.parametrize("classes", [[0], [0, 0], [[0, 1]], ["a", "b"], [0.5, 1.0]])
def test_classes_must_be_different_whole_numbers(classes):
    masks = np.zeros((1, 4, 4), int)
    with pytest.raises(ValueError, match="`classes` must be a list of different whole"):
        evaluate(TASK, masks, masks, classes=classes)


def test_probabilities_are_no_masks():
    masks = np.zeros((2, 4, 4))
    masks[1, 0, 0] = 0.25
    with pytest.raises(ValueError, match="whole numbers.* Got 0.25 in image 1"):
        evaluate(TASK, masks, masks)
    with pytest.raises(ValueError, match="whole numbers.* Got 0.25 in image 1"):
        evaluate(TASK, masks.round(), masks, classes=[0, 1])


def test_label_images_are_no_masks():
    labels = np.arange(400).reshape(1, 20, 20)
    with pytest.raises(ValueError, match="the task is instance_segmentation"):
        evaluate(TASK, labels, labels)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (np.zeros((2, 4, 5)), r"shape \(4, 4, 2\) or \(4, 4\) for image 0"),
        (np.zeros((2, 4, 4, 3)), "one for each of 2 classes"),
        (np.full((2, 4, 4), 1.5), "between 0 and 1. Got values from 1.5 to 1.5"),
        (np.full((2, 4, 4, 2), 0.9), "add up to 1 over the classes.* 0.8 away"),
        (np.full((2, 4, 4), np.nan), "finite .* in image 0 of `probability`"),
    ],
)
def test_probabilities_are_checked(probability, message):
    masks = RNG.integers(0, 2, (2, 4, 4))
    with pytest.raises(ValueError, match=message):
        evaluate(TASK, masks, masks, probability=probability, classes=[0, 1])
