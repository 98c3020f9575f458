import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, cross_validate

from instantdl.exceptions import InstantDLWarning
from instantdl.images import ImageCollection
from instantdl.metrics import (
    aggregated_jaccard,
    aggregated_jaccard_scorer,
    average_precision,
    average_precision_scorer,
    dice,
    dice_scorer,
    jaccard,
    jaccard_scorer,
    mean_absolute_error,
    neg_mean_absolute_error_scorer,
    panoptic_quality,
    panoptic_quality_scorer,
    pearson,
    pearson_scorer,
    pixel_accuracy,
    pixel_accuracy_scorer,
    r2,
    r2_scorer,
    roc_auc,
    roc_auc_scorer,
    ssim,
    ssim_scorer,
)

RNG = np.random.default_rng(0)
SCORERS = {
    "jaccard": jaccard_scorer,
    "dice": dice_scorer,
    "accuracy": pixel_accuracy_scorer,
}
IMAGE_SCORERS = {
    "pearson": pearson_scorer,
    "r2": r2_scorer,
    "mae": neg_mean_absolute_error_scorer,
    "ssim": ssim_scorer,
}
INSTANCE_SCORERS = {
    "average precision": average_precision_scorer,
    "panoptic quality": panoptic_quality_scorer,
    "aggregated jaccard": aggregated_jaccard_scorer,
}
ALL_SCORERS = SCORERS | IMAGE_SCORERS | INSTANCE_SCORERS | {"roc_auc": roc_auc_scorer}


class Threshold(BaseEstimator):
    def __init__(self, level=0.5):
        self.level = level

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return (self.level < X).astype(int)


@pytest.fixture
def data():
    X = RNG.random((6, 8, 8))
    return X, (X > 0.4).astype(int)


def test_scorers_give_the_measure_of_the_prediction(data):
    X, y = data
    estimator = Threshold().fit(X, y)
    pred = estimator.predict(X)
    assert jaccard_scorer(estimator, X, y) == jaccard(y, pred)
    assert dice_scorer(estimator, X, y) == dice(y, pred)
    assert pixel_accuracy_scorer(estimator, X, y) == pixel_accuracy(y, pred)


def test_instance_scorers_give_the_measure_of_the_prediction(data):
    X, y = data
    estimator = Threshold().fit(X, y)
    pred = estimator.predict(X)
    precision = average_precision(y, pred, thresholds=0.5)
    assert average_precision_scorer(estimator, X, y) == precision
    assert panoptic_quality_scorer(estimator, X, y) == panoptic_quality(y, pred)
    assert aggregated_jaccard_scorer(estimator, X, y) == aggregated_jaccard(y, pred)
    result = cross_validate(
        Threshold(0.4), X, y, scoring=INSTANCE_SCORERS, error_score="raise"
    )
    assert all(np.all(result[f"test_{name}"] == 1) for name in INSTANCE_SCORERS)


def test_scorers_work_in_cross_validate(data):
    result = cross_validate(Threshold(), *data, scoring=SCORERS, error_score="raise")
    assert all(np.all(result[f"test_{name}"] > 0) for name in SCORERS)


def test_a_grid_search_finds_the_best_threshold(data):
    grid = {"level": [0.2, 0.4, 0.6]}
    search = GridSearchCV(Threshold(), grid, scoring=jaccard_scorer, cv=2).fit(*data)
    assert search.best_params_ == {"level": 0.4}
    assert search.best_score_ == 1.0


@pytest.mark.parametrize("name", ALL_SCORERS)
def test_scorers_can_be_pickled(name):
    assert pickle.loads(pickle.dumps(ALL_SCORERS[name])) is ALL_SCORERS[name]


@pytest.mark.parametrize("name", ["jaccard", "dice"])
def test_a_class_that_training_has_not_seen_is_named(data, name):
    X, y = data
    with pytest.raises(ValueError, match=r"Got \[2\] as well.*not there in training"):
        SCORERS[name](Threshold().fit(X, y), X, y * 2)


def test_an_estimator_without_classes_is_scored_by_the_values_found(data):
    X, y = data
    assert jaccard_scorer(Threshold(0.4), X, y) == 1.0


@pytest.mark.parametrize(
    ("scorer", "measure"), [(jaccard_scorer, jaccard), (dice_scorer, dice)]
)
def test_a_class_that_is_nowhere_is_left_out_of_more_than_two(data, scorer, measure):
    X, y = data
    estimator = Threshold().fit(X, y)
    estimator.classes_ = np.array([0, 1, 2])
    expected = measure(y, estimator.predict(X), average="macro")
    assert scorer(estimator, X, y) == pytest.approx(expected)
    # Empty masks of two classes agree.
    nothing = np.zeros((2, 4, 4))
    assert scorer(Threshold().fit(X, y), nothing, nothing.astype(int)) == 1.0


class Gain(BaseEstimator):
    """Multiplies images, and takes each by itself as estimators of images do."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y):
        return self

    def predict(self, X):
        return [self.gain * image for image in X]


class Brightness(BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        light = np.array([image.mean() for image in X])
        columns = [light**power for power in range(len(self.classes_))]
        return np.stack(columns, axis=1)


@pytest.fixture
def images():
    X = RNG.random((6, 9, 9))
    return X, 2 * X + 0.1 * RNG.random((6, 9, 9))


def test_image_scorers_give_the_measure_of_the_prediction(images):
    X, y = images
    estimator = Gain(1.5)
    pred = estimator.predict(X)
    assert pearson_scorer(estimator, X, y) == pearson(y, pred, per_image=True).mean()
    assert r2_scorer(estimator, X, y) == r2(y, pred)
    error = mean_absolute_error(y, pred)
    assert neg_mean_absolute_error_scorer(estimator, X, y) == -error
    assert ssim_scorer(estimator, X, y) == ssim(y, pred)


@pytest.mark.parametrize("name", ["r2", "mae", "ssim"])
def test_a_grid_search_finds_the_best_gain(images, name):
    grid = {"gain": [0.5, 2.0, 4.0]}
    search = GridSearchCV(Gain(), grid, scoring=IMAGE_SCORERS[name], cv=2).fit(*images)
    assert search.best_params_ == {"gain": 2.0}


def test_image_scorers_work_in_cross_validate_on_a_collection(images):
    X, y = (ImageCollection(list(each)) for each in images)
    result = cross_validate(Gain(), X, y, scoring=IMAGE_SCORERS, error_score="raise")
    assert all(type(result[f"test_{name}"][0]) is np.float64 for name in IMAGE_SCORERS)


def test_correlation_is_not_raised_by_images_of_different_brightness():
    X, y = RNG.random((2, 4, 16, 16))
    offsets = 100 * np.arange(4)[:, np.newaxis, np.newaxis]
    assert pearson(y + offsets, X + offsets) > 0.99
    assert abs(pearson_scorer(Gain(), X + offsets, y + offsets)) < 0.2


def test_ssim_scorer_asks_the_estimator_for_the_channels():
    X = RNG.random((2, 9, 9, 3))
    estimator = Gain(0.9)
    estimator.spatial_ndim_in_ = 2
    expected = ssim(X, 0.9 * X, spatial_ndim=2)
    assert ssim_scorer(estimator, X, X) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [["dark", "light"], [0, 1, 2], [False, True]])
def test_roc_auc_scorer_gives_the_measure_of_the_probabilities(labels):
    X, y = RNG.random((12, 4, 4)), np.tile(labels, 12)[:12]
    estimator = Brightness().fit(X, y)
    expected = roc_auc(y, estimator.predict_proba(X), labels=labels)
    assert roc_auc_scorer(estimator, X, y) == expected
    scores = cross_validate(Brightness(), X, y, cv=2, scoring=roc_auc_scorer)
    assert np.all((scores["test_score"] >= 0) & (scores["test_score"] <= 1))


def test_roc_auc_scorer_tells_of_classes_that_are_not_there():
    X = RNG.random((6, 4, 4))
    estimator = Brightness().fit(X, list("abcabc"))
    with pytest.warns(InstantDLWarning, match=r"No image is of \['c'\]"):
        roc_auc_scorer(estimator, X, list("ababab"))
