import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    mean_absolute_error,
    mean_squared_error,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from instantdl.metrics import compare_uncertainty, error_auroc, roc_auc
from instantdl.metrics._calibration import expected_calibration_error
from instantdl.metrics._ranks import risk_coverage
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._evaluation import _resampling as resampling

RNG = np.random.default_rng(0)
TASK = "classification"
NAMES = np.array(["basophil", "lymphocyte", "monocyte"])
INTERVALS = ["low", "high", "half_median", "half_q25", "half_q75"]


def _data(n=40, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n)
    true[:n_classes] = range(n_classes)
    proba = rng.dirichlet(np.ones(n_classes), n) + 0.5 * np.eye(n_classes)[true]
    proba = (proba / proba.sum(axis=1, keepdims=True)).round(2)
    proba[:, 0] = 1 - proba[:, 1:].sum(axis=1)
    proba = np.clip(proba, 0, 1)
    return true, proba.argmax(axis=1), proba


def _expected(true, pred, proba, labels):
    """Measures by scikit-learn alone; what is not there is left out of means."""
    seen = np.unique(np.concatenate([true, pred]))
    codes = list(range(len(labels)))
    if len(np.unique(true)) < 2:
        area = np.nan
    elif len(labels) == 2:
        area = roc_auc_score(true, proba[:, 1])
    else:
        area = np.mean([roc_auc_score(true == k, proba[:, k]) for k in np.unique(true)])
    if len(labels) == 2:
        gap = expected_calibration_error(proba[:, 1], true == 1)
    else:
        gap = expected_calibration_error(
            proba.max(axis=1), proba.argmax(axis=1) == true
        )
    recalls = [np.mean(pred[true == k] == k) for k in np.unique(true)]
    return {
        "accuracy": accuracy_score(true, pred),
        "balanced_accuracy": np.mean(recalls),
        "f1": f1_score(true, pred, labels=codes, average="macro", zero_division=np.nan),
        "jaccard": jaccard_score(
            true, pred, labels=seen, average="macro", zero_division=0.0
        ),
        "roc_auc": area,
        "expected_calibration_error": gap,
    }


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(6, 30))
@settings(max_examples=30, deadline=None)
def test_measures_are_those_of_scikit_learn(seed, n_classes, n):
    true, pred, proba = _data(n, n_classes, seed)
    labels = [f"class {k}" for k in range(n_classes)]
    names = np.array(labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_DRAWS", 5)
        patch.setattr(resampling, "N_HALVES", 5)
        found = evaluate(
            TASK, names[true], names[pred], probability=proba, classes=labels
        )
    for name, expected in _expected(true, pred, proba, labels).items():
        assert found.metrics.loc[name, "value"] == pytest.approx(expected), name
    balanced = (
        balanced_accuracy_score(true, pred) if len(set(pred) - set(true)) == 0 else None
    )
    if balanced is not None:
        value = found.metrics.loc["balanced_accuracy", "value"]
        assert value == pytest.approx(balanced)
    counts = confusion_matrix(true, pred, labels=range(n_classes))
    np.testing.assert_array_equal(found.confusion, counts)
    assert list(found.confusion.index) == list(found.confusion.columns) == labels


@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_are_those_of_the_drawn_images(n_classes, monkeypatch):
    monkeypatch.setattr(resampling, "N_DRAWS", 60)
    monkeypatch.setattr(resampling, "N_HALVES", 60)
    true, pred, proba = _data(12, n_classes)
    found = evaluate(TASK, true, pred, probability=proba, random_state=9)
    rng = np.random.default_rng(9)
    drawn = [rng.integers(0, 12, 12) for _ in range(60)]
    halves = [rng.choice(12, 6, replace=False) for _ in range(60)]
    labels = list(range(n_classes))
    first, second = (
        pd.DataFrame([_expected(true[i], pred[i], proba[i], labels) for i in draws])
        for draws in (drawn, halves)
    )
    for name in first:
        expected = [
            *np.nanpercentile(first[name], [2.5, 97.5]),
            *np.nanpercentile(second[name], [50, 25, 75]),
        ]
        row = found.metrics.loc[name, INTERVALS].to_numpy(float)
        np.testing.assert_allclose(row, expected, err_msg=name)


def test_area_is_that_of_the_metrics():
    true, pred, proba = _data()
    found = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    expected = roc_auc(NAMES[true], proba, labels=NAMES)
    assert found.metrics.loc["roc_auc", "value"] == pytest.approx(expected)


def test_each_class_has_its_row():
    true, pred, proba = _data()
    found = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    table = found.per_class
    expected = precision_recall_fscore_support(true, pred)
    for name, values in zip(
        ("precision", "recall", "f1", "support"), expected, strict=True
    ):
        np.testing.assert_allclose(table[name], values)
    areas = [roc_auc_score(true == k, proba[:, k]) for k in range(3)]
    np.testing.assert_allclose(table["roc_auc"], areas)
    assert list(table.index) == NAMES.tolist()


def test_each_class_has_its_curve():
    true, pred, proba = _data()
    found = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    assert list(found.roc) == NAMES.tolist()
    for code, curve in enumerate(found.roc.values()):
        expected = roc_curve(true == code, proba[:, code])
        np.testing.assert_array_equal(curve.to_numpy().T, expected)


def test_with_two_classes_the_second_one_is_judged():
    true, pred, proba = _data(n_classes=2)
    found = evaluate(TASK, true, pred, probability=proba)
    assert list(found.roc) == [1]
    expected = roc_auc_score(true, proba[:, 1])
    np.testing.assert_allclose(found.per_class["roc_auc"], expected)
    assert found.calibration["n"].sum() == len(true)


def test_numbers_have_distances():
    true, pred, _ = _data()
    ages = np.array([1, 5, 30])
    found = evaluate(TASK, ages[true], ages[pred])
    values = found.metrics["value"]
    expected = mean_absolute_error(ages[true], ages[pred])
    assert values["mean_absolute_error"] == pytest.approx(expected)
    expected = mean_squared_error(ages[true], ages[pred])
    assert values["mean_squared_error"] == pytest.approx(expected)


@pytest.mark.parametrize("labels", [NAMES, np.array([False, True, True])])
def test_what_is_no_number_has_no_distance(labels):
    true, pred, _ = _data()
    found = evaluate(TASK, labels[true], labels[pred])
    assert not {"mean_absolute_error", "mean_squared_error"} & set(found.metrics.index)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_labels_may_be_of_any_kind(kind):
    true, pred, proba = _data()
    expected = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    found = evaluate(
        TASK,
        kind(NAMES[true].tolist()),
        kind(NAMES[pred].tolist()),
        probability=proba.tolist(),
        classes=NAMES,
    )
    assert found.to_dict() == expected.to_dict()


def test_each_image_has_its_row():
    true, pred, proba = _data(10)
    found = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    table = found.per_image
    assert table["true"].tolist() == NAMES[true].tolist()
    assert table["predicted"].tolist() == NAMES[pred].tolist()
    assert table["correct"].tolist() == (true == pred).tolist()
    np.testing.assert_allclose(table["probability_of_truth"], proba[range(10), true])


def test_the_worst_are_those_whose_truth_is_least_likely():
    true, pred, proba = _data(10)
    found = evaluate(TASK, true, pred, probability=proba)
    order = np.argsort(proba[range(10), true], kind="stable")
    assert found.worst(4) == [str(i) for i in order[:4]]
    plain = evaluate(TASK, true, pred)
    n_wrong = int((true != pred).sum())
    expected = [str(i) for i in np.flatnonzero(true != pred)]
    assert plain.worst(n_wrong) == expected


def test_uncertainty_is_judged_exactly():
    true, pred, _ = _data(60)
    wrong = true != pred
    uncertainty = RNG.random(60) + 0.3 * wrong
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    figures = found.uncertainty
    test = compare_uncertainty(uncertainty, wrong)
    assert figures["error_auroc"] == error_auroc(uncertainty, wrong)
    assert figures["pvalue"] == test.pvalue
    assert figures["median_correct"] == test.median_correct
    assert figures["median_wrong"] == test.median_wrong
    assert (figures["n_correct"], figures["n_wrong"]) == ((~wrong).sum(), wrong.sum())
    curve = found.risk_coverage
    risk, area = risk_coverage(uncertainty, wrong, coverage=curve["coverage"])
    np.testing.assert_allclose(curve["error"], risk)
    assert figures["risk_coverage_area"] == area
    assert figures["image_mean_median"] == np.median(uncertainty)
    np.testing.assert_array_equal(found.per_image["uncertainty"], uncertainty)


def test_an_absent_class_is_named_and_left_out():
    true, pred, proba = _data()
    four = np.column_stack([proba, np.zeros(len(true))])
    labels = [*NAMES.tolist(), "neutrophil"]
    found = evaluate(TASK, NAMES[true], NAMES[pred], probability=four, classes=labels)
    expected = evaluate(TASK, NAMES[true], NAMES[pred], probability=proba)
    np.testing.assert_allclose(found.metrics, expected.metrics)
    assert any("is of ['neutrophil']" in note for note in found.notes)
    row = found.per_class.loc["neutrophil"]
    assert row[["precision", "recall", "f1", "roc_auc"]].isna().all()
    assert row["support"] == 0
    assert "neutrophil" not in found.roc


def test_an_absent_class_that_is_predicted_counts_as_0():
    found = evaluate(TASK, ["a", "a", "a", "b"], ["a", "a", "c", "b"])
    assert found.metrics.loc["f1", "value"] == pytest.approx((0.8 + 1 + 0) / 3)
    value = found.metrics.loc["jaccard", "value"]
    assert value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert any("one that is predicted are 0, and count" in x for x in found.notes)


def test_one_class_alone_has_no_area():
    true = np.zeros(5, int)
    proba = np.tile([0.8, 0.2], (5, 1))
    found = evaluate(TASK, true, true, probability=proba, classes=[0, 1])
    assert found.metrics.loc["accuracy", "value"] == 1.0
    assert np.isnan(found.metrics.loc["roc_auc", "value"])
    assert any("Undefined" in note and "roc_auc" in note for note in found.notes)
    assert found.roc == {}
    alone = evaluate(TASK, true, true, uncertainty=np.arange(5.0))
    assert alone.metrics.loc["f1", "value"] == 1.0
    assert np.isnan(alone.uncertainty["error_auroc"])
    assert any("All images are right" in note for note in alone.notes)


def test_all_may_be_wrong():
    found = evaluate(TASK, [0, 0, 1, 1], [1, 1, 0, 0], uncertainty=[1, 2, 3, 4])
    assert found.metrics.loc["accuracy", "value"] == 0.0
    assert found.uncertainty["risk_coverage_area"] == 1.0
    assert any("All images are wrong" in note for note in found.notes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y_true": np.ones((4, 3, 3))}, r"`y_true` must hold one label.*\(4, 3, 3\)"),
        ({"y_true": [0, 1, np.nan, 1]}, "`y_true` must hold a label.*nan for image 2"),
        ({"y_pred": [0, 1, None, 1]}, "`y_pred` must hold a label.*None for image 2"),
        ({"classes": [0, 2]}, r"`y_true` must hold labels of \[0, 2\].* 1 for image 1"),
        ({"classes": [0]}, "`classes` must be a list of different labels"),
        ({"classes": [0, 0]}, "`classes` must be a list of different labels"),
        ({"probability": np.ones((4, 3)) / 3}, r"shape \(4, 2\).*Got \(4, 3\)"),
        ({"probability": [0.1] * 4}, r"shape \(4, 2\)"),
        ({"probability": [[0.5, 0.5]] * 3 + [[2, -1]]}, "between 0 and 1.* image 3"),
        ({"probability": [[0.5, 0.5]] * 3 + [[0.9, 0.9]]}, "add up to 1.* image 3"),
        ({"probability": [[0.5, np.nan]] * 4}, "finite numbers.*image 0"),
        ({"uncertainty": np.ones((4, 2))}, "one number for each image"),
        ({"uncertainty": [1, 2, -1, 3]}, "0 or larger. Got -1 for image 2"),
        ({"uncertainty": [1, 2, 3, np.inf]}, "finite numbers.* Got inf for image 3"),
    ],
)
def test_labels_are_checked(given, message):
    sound = {"y_true": [0, 1, 0, 1], "y_pred": [0, 1, 1, 1]}
    with pytest.raises(ValueError, match=message):
        evaluate(TASK, **(sound | given))


def test_kinds_of_labels_must_agree():
    with pytest.raises(TypeError, match="all strings or all numbers"):
        evaluate(TASK, ["a", "b"], [0, 1])
    with pytest.raises(TypeError, match="`probability` must hold numbers"):
        evaluate(TASK, [0, 1], [0, 1], probability=[["a", "b"], ["c", "d"]])
