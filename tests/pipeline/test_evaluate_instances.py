import numpy as np
import pytest

from instantdl.metrics import (
    aggregated_jaccard,
    aggregated_jaccard_plus,
    average_precision,
    error_auroc,
    instance_f1,
    panoptic_quality,
)
from instantdl.metrics._ranks import risk_coverage
from instantdl.pipeline._evaluate import evaluate

RNG = np.random.default_rng(0)
TASK = "instance_segmentation"


def _labels(n=5, seed=0):
    """Squares of which some are shifted, missed or invented."""
    rng = np.random.default_rng(seed)
    true, pred = np.zeros((2, n, 24, 24), int)
    for image in range(n):
        for number in range(9):
            row, column = divmod(number, 3)
            place = np.s_[image, 8 * row : 8 * row + 6, 8 * column : 8 * column + 6]
            if rng.random() < 0.8:
                true[place] = number + 1
            if rng.random() < 0.8:
                pred[place] = 20 - number
        pred[image] = np.roll(pred[image], rng.integers(0, 3))
    return true, pred


MEASURES = {
    "average_precision": average_precision,
    "average_precision_50": lambda *y, **o: average_precision(*y, thresholds=0.5, **o),
    "average_precision_75": lambda *y, **o: average_precision(*y, thresholds=0.75, **o),
    "f1": instance_f1,
    "panoptic_quality": panoptic_quality,
    "aggregated_jaccard": aggregated_jaccard,
    "aggregated_jaccard_plus": aggregated_jaccard_plus,
}


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_those_of_the_metrics(name):
    true, pred = _labels()
    found = evaluate(TASK, true, pred)
    each = np.ravel(MEASURES[name](true, pred, per_image=True))
    np.testing.assert_allclose(found.per_image[name], each)
    assert found.metrics.loc[name, "value"] == pytest.approx(each.mean())
    assert found.metrics.loc[name, "low"] <= found.metrics.loc[name, "value"]


def test_objects_are_counted():
    true, pred = _labels()
    found = evaluate(TASK, true, pred)
    for name, images in (("n_true", true), ("n_predicted", pred)):
        numbers = [len(np.unique(image[image > 0])) for image in images]
        assert found.per_image[name].tolist() == numbers
        assert found.metrics.loc[name, "value"] == sum(numbers)
    row = found.per_image
    f1 = 2 * row["n_found"] / (row["n_true"] + row["n_predicted"])
    np.testing.assert_allclose(row["f1"], f1)
    numbers = found.metrics.loc[["n_true", "n_predicted", "n_found"]]
    assert numbers.drop(columns=["value", "n"]).isna().all().all()
    assert found.metrics["n"].dtype.kind == "i"


def test_images_without_objects_agree():
    empty = np.zeros((3, 6, 6), int)
    found = evaluate(TASK, empty, empty)
    values = found.metrics["value"]
    assert (values.drop(["n_true", "n_predicted", "n_found"]) == 1.0).all()
    assert values["n_true"] == values["n_found"] == 0
    other = empty.copy()
    other[0, 1, 1] = 1
    assert evaluate(TASK, other, empty).per_image["f1"].tolist() == [0.0, 1.0, 1.0]


def test_uncertainty_should_be_high_where_object_and_background_are_confused():
    true, pred = _labels()
    wrong = (true > 0) != (pred > 0)
    uncertainty = (RNG.integers(0, 5, true.shape) + 3 * wrong) / 8
    found = evaluate(TASK, true, pred, uncertainty=uncertainty)
    expected = error_auroc(uncertainty, wrong)
    assert found.uncertainty["error_auroc"] == pytest.approx(expected)
    assert found.uncertainty["n_wrong"] == wrong.sum()
    curve = found.risk_coverage
    risk, area = risk_coverage(uncertainty, wrong, coverage=curve["coverage"])
    np.testing.assert_allclose(curve["error"], risk)
    assert found.uncertainty["risk_coverage_area"] == pytest.approx(area)
    means = uncertainty.mean(axis=(1, 2))
    np.testing.assert_allclose(found.per_image["mean_uncertainty"], means)
    assert "mean_uncertainty" not in found.metrics.index


def test_volumes_are_judged():
    true, pred = RNG.integers(0, 4, (2, 3, 4, 5, 6))
    found = evaluate(TASK, true, pred)
    each = average_precision(true, pred, per_image=True)
    np.testing.assert_allclose(found.per_image["average_precision"], each)


def test_what_there_is_not_is_none():
    true, pred = _labels(3)
    found = evaluate(TASK, true, pred, classes=["cell"])
    assert found.per_class is found.confusion is found.calibration is None
    assert found.risk_coverage is None
    assert (found.roc, found.uncertainty) == ({}, {})


@pytest.mark.parametrize("value", [-1, 0.5])
def test_labels_must_be_whole_numbers_from_0_on(value):
    true = np.zeros((3, 4, 4))
    true[1, 0, 0] = value
    with pytest.raises(ValueError, match="from 0 on.* Got others in image 1"):
        evaluate(TASK, true, np.zeros((3, 4, 4), int))
