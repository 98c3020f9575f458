"""scikit-learn's whole battery of checks, by an adapter that makes images of tables.

`check_estimator` runs on estimators of tables only. Here each row of a table becomes an
image one pixel high, after the checks that scikit-learn wants of a table; all the rest
is ImageClassifier itself.
"""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from instantdl import ImageClassifier

EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": (
        "an image of weight 0 still takes a place in a batch"
    ),
}


def dense_layers(input_shape, n_outputs):
    """Build a network for rows, which have no neighbourhood to convolve."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(16, activation="relu")(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


class TableClassifier(ClassifierMixin, BaseEstimator):
    """An ImageClassifier whose images are the rows of a table."""

    def __init__(self, class_weight=None, random_state=None):
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        X = validate_data(self, X, ensure_min_samples=2)
        self.images_ = ImageClassifier(
            network=dense_layers,
            epochs=25,
            learning_rate=0.05,
            batch_size=16,
            validation_fraction=0,
            augmentation=None,
            precision="float32",
            class_weight=self.class_weight,
            random_state=self.random_state,
        ).fit(as_images(X), y, sample_weight=sample_weight)
        self.classes_ = self.images_.classes_
        self.n_iter_ = self.images_.n_epochs_
        return self

    def predict(self, X):
        X = self._checked(X)
        return self.images_.predict(X)

    def predict_proba(self, X):
        X = self._checked(X)
        return self.images_.predict_proba(X)

    def _checked(self, X):
        check_is_fitted(self)
        return as_images(validate_data(self, X, reset=False))


def as_images(X):
    return X[:, np.newaxis, :, np.newaxis]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [TableClassifier(random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL,
)
def test_a_table_of_images_passes_the_battery(estimator, check):
    check(estimator)


def test_few_checks_are_expected_to_fail():
    assert len(EXPECTED_TO_FAIL) <= 3
