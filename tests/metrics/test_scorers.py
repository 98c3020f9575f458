import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, cross_validate

from instantdl.metrics import (
    dice,
    dice_scorer,
    jaccard,
    jaccard_scorer,
    pixel_accuracy,
    pixel_accuracy_scorer,
)

RNG = np.random.default_rng(0)
SCORERS = {
    "jaccard": jaccard_scorer,
    "dice": dice_scorer,
    "accuracy": pixel_accuracy_scorer,
}


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


def test_scorers_work_in_cross_validate(data):
    result = cross_validate(Threshold(), *data, scoring=SCORERS, error_score="raise")
    assert all(np.all(result[f"test_{name}"] > 0) for name in SCORERS)


def test_a_grid_search_finds_the_best_threshold(data):
    grid = {"level": [0.2, 0.4, 0.6]}
    search = GridSearchCV(Threshold(), grid, scoring=jaccard_scorer, cv=2).fit(*data)
    assert search.best_params_ == {"level": 0.4}
    assert search.best_score_ == 1.0


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_can_be_pickled(name):
    assert pickle.loads(pickle.dumps(SCORERS[name])) is SCORERS[name]


@pytest.mark.parametrize("name", ["jaccard", "dice"])
def test_a_class_that_training_has_not_seen_is_named(data, name):
    X, y = data
    with pytest.raises(ValueError, match=r"Got \[2\] as well.*not there in training"):
        SCORERS[name](Threshold().fit(X, y), X, y * 2)


def test_an_estimator_without_classes_is_scored_by_the_values_found(data):
    X, y = data
    assert jaccard_scorer(Threshold(0.4), X, y) == 1.0
