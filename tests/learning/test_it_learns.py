"""It really learns: far above chance on images that it has not seen."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from instantdl import ImageClassifier, PixelRegressor, SemanticSegmenter
from instantdl.datasets import make_nuclei
from instantdl.metrics import dice, jaccard

NUCLEI = {"n_nuclei": (4, 8), "radius": (5, 8), "random_state": 0}


def _trained(X, y, n_test, **parameters):
    """Return a segmenter and the images and masks that it has not seen."""
    segmenter = SemanticSegmenter(random_state=0, precision="float32", **parameters)
    return segmenter.fit(X[n_test:], y[n_test:]), X[:n_test], y[:n_test]


def _best_threshold(X, y):
    """Return the best Jaccard index that one threshold on intensities gives."""
    levels = np.quantile(X, np.linspace(0.05, 0.95, 19))
    return max(jaccard(y, level <= X) for level in levels)


def test_nuclei_are_found_within_seconds():
    X, labels = make_nuclei(20, shape=(64, 64), **NUCLEI)
    segmenter, X, y = _trained(
        X, labels > 0, 4, filters=8, levels=2, epochs=12, learning_rate=5e-3
    )
    chance = y.mean()  # the index where everything is called foreground
    assert segmenter.score(X, y) > 0.8 > 2 * chance
    assert segmenter.history_["val_loss"][-1] < 0.6 * segmenter.history_["val_loss"][0]


@pytest.mark.slow
def test_nuclei_are_found_by_the_default_network():
    X, labels = make_nuclei(32, shape=(128, 128), n_nuclei=(8, 16), random_state=0)
    segmenter, X, y = _trained(X, labels > 0, 8, epochs=15)
    assert segmenter.score(X, y) > 0.88
    assert segmenter.score(X, y) > _best_threshold(X, y)


@pytest.mark.slow
def test_nuclei_are_found_in_volumes():
    X, labels = make_nuclei(10, shape=(16, 48, 48), **NUCLEI)
    segmenter, X, y = _trained(X, labels > 0, 2, filters=8, levels=2, epochs=15)
    assert segmenter.score(X, y) > 0.75 > 2 * y.mean()


@pytest.mark.slow
def test_three_classes_are_told_apart():
    X, labels = make_nuclei(24, shape=(64, 64), **NUCLEI)
    y = (labels > 0).astype(int)
    # invert some nuclei: dark ones are a class of their own
    dark = (labels > 0) & (labels % 2 == 0)
    X = np.where(dark, 300 - X.astype(float) / 3, X)
    y[dark] = 2
    segmenter, X, y = _trained(
        X, y, 4, filters=8, levels=3, epochs=30, learning_rate=3e-3
    )
    assert dice(y, segmenter.predict(X), labels=[0, 1, 2], average=None).min() > 0.7


@pytest.mark.slow
def test_uncertainty_is_higher_where_predictions_are_wrong():
    X, labels = make_nuclei(20, shape=(64, 64), noise=2.0, **NUCLEI)
    segmenter, X, y = _trained(
        X, labels > 0, 6, filters=8, levels=2, epochs=12, learning_rate=5e-3
    )
    uncertainty = segmenter.predict_uncertainty(X)
    wrong = segmenter.predict(X) != y
    assert uncertainty[wrong].mean() > 2 * uncertainty[~wrong].mean()


@pytest.mark.slow
def test_pretrained_weights_save_epochs():
    X, labels = make_nuclei(24, shape=(64, 64), **NUCLEI)
    few = {"filters": 8, "levels": 2, "epochs": 2}
    teacher, *_ = _trained(
        X[:16], labels[:16] > 0, 4, **(few | {"epochs": 12, "learning_rate": 5e-3})
    )
    fresh, X_test, y_test = _trained(X[12:], labels[12:] > 0, 4, **few)
    with_start, *_ = _trained(X[12:], labels[12:] > 0, 4, **few, pretrained=teacher)
    assert with_start.score(X_test, y_test) > fresh.score(X_test, y_test) + 0.1


@pytest.mark.slow
def test_digits_are_told_apart_within_seconds():
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    classifier = ImageClassifier(
        network="resnet18",
        filters=8,
        epochs=8,
        learning_rate=5e-3,
        augmentation=None,
        precision="float32",
        random_state=0,
    ).fit(X[600:], y[600:])
    assert np.mean(classifier.predict(X[:600]) == y[:600]) > 0.9
    assert classifier.score(X[:600], y[:600]) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet50", "efficientnet_lite0"])
def test_digits_are_told_apart_by_large_networks(network):
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    classifier = ImageClassifier(
        network=network, time_limit=180, augmentation=None, random_state=0
    ).fit(X[600:], y[600:])
    assert np.mean(classifier.predict(X[:600]) == y[:600]) > 0.9


def test_masked_intensities_are_learnt_within_seconds():
    X, labels = make_nuclei(20, shape=(64, 64), **NUCLEI)
    y = 100 + 50.0 * (labels > 0) * (X / X.max())
    regressor = PixelRegressor(
        filters=8, levels=2, epochs=18, precision="float32", random_state=0
    ).fit(X[4:], y[4:])
    assert regressor.score(X[:4], y[:4]) > 0.9
    assert np.abs(regressor.predict(X[:4]) - y[:4]).mean() < 0.5 * y.std()
