"""Scorers of predicted classes for ``scoring=`` in scikit-learn's tools."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from instantdl.metrics._classification import roc_auc
from instantdl.metrics._pairs import Images as Masks
from instantdl.metrics._semantic import dice, jaccard, pixel_accuracy

__all__ = [
    "dice_scorer",
    "jaccard_scorer",
    "pixel_accuracy_scorer",
    "roc_auc_scorer",
]


def jaccard_scorer(estimator: Any, X: Any, y: Masks) -> float:
    """Score an estimator of masks by the Jaccard index pooled over all pixels.

    With two classes that of the foreground, with more the mean over those classes that
    are in truth or prediction.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict`` and ``classes_``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image.

    Returns
    -------
    float
        Jaccard index from 0 to 1, higher is better.

    Raises
    ------
    ValueError
        If `y` holds a class that the estimator has not seen in training.

    See Also
    --------
    jaccard : The measure itself, also for each image or class.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import jaccard_scorer
    >>> class Threshold:
    ...     classes_ = np.array([0, 1])
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> round(jaccard_scorer(Threshold(), X, np.array([[[0, 0], [1, 1]]])), 3)
    0.667
    """
    masks, classes = estimator.predict(X), _classes(estimator)
    return float(jaccard(y, masks, labels=classes, empty=_empty(classes)))


def dice_scorer(estimator: Any, X: Any, y: Masks) -> float:
    """Score an estimator of masks by the Dice coefficient pooled over all pixels.

    With two classes that of the foreground, with more the mean over those classes that
    are in truth or prediction.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict`` and ``classes_``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image.

    Returns
    -------
    float
        Dice coefficient from 0 to 1, higher is better.

    Raises
    ------
    ValueError
        If `y` holds a class that the estimator has not seen in training.

    See Also
    --------
    dice : The measure itself, also for each image or class.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import dice_scorer
    >>> class Threshold:
    ...     classes_ = np.array([0, 1])
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> dice_scorer(Threshold(), X, np.array([[[0, 0], [1, 1]]]))
    0.8
    """
    masks, classes = estimator.predict(X), _classes(estimator)
    return float(dice(y, masks, labels=classes, empty=_empty(classes)))


def pixel_accuracy_scorer(estimator: Any, X: Any, y: Masks) -> float:
    """Score an estimator of masks by the fraction of pixels that are right.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image. Classes that the estimator has not seen in training
        count as wrong.

    Returns
    -------
    float
        Fraction of pixels from 0 to 1, higher is better.

    See Also
    --------
    pixel_accuracy : The measure itself, also for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import pixel_accuracy_scorer
    >>> class Threshold:
    ...     classes_ = np.array([0, 1])
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> pixel_accuracy_scorer(Threshold(), X, np.array([[[0, 0], [1, 1]]]))
    0.75
    """
    return float(pixel_accuracy(y, estimator.predict(X)))


def roc_auc_scorer(estimator: Any, X: Any, y: ArrayLike) -> float:
    """Score a classifier of images by the area under the ROC of its probabilities.

    With two classes that of the second one, with more the mean over classes of each
    against the rest.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict_proba`` and ``classes_``.

    X : array or sequence of images
        Images to predict.

    y : array-like of shape (n_samples,)
        True label of each image.

    Returns
    -------
    float
        Area from 0 to 1, higher is better. nan if all images have the same label.

    Raises
    ------
    ValueError
        If `y` holds a label that the estimator has not seen in training.

    Warns
    -----
    InstantDLWarning
        If no image has one of the classes.

    See Also
    --------
    roc_auc : The measure itself.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import roc_auc_scorer
    >>> class Brightness:
    ...     classes_ = np.array(["dark", "light"])
    ...     def predict_proba(self, X):
    ...         light = X.mean(axis=(1, 2))
    ...         return np.stack([1 - light, light], axis=1)
    >>> X = np.full((2, 4, 4), 0.2)
    >>> X[1] = 0.7
    >>> roc_auc_scorer(Brightness(), X, ["dark", "light"])
    1.0
    """
    return roc_auc(y, estimator.predict_proba(X), labels=estimator.classes_)


def _classes(estimator: Any) -> ArrayLike | None:
    """Return the classes of an estimator; None where it does not name them."""
    classes: ArrayLike | None = getattr(estimator, "classes_", None)
    return classes


def _empty(classes: ArrayLike | None) -> float:
    """Return what a class that is nowhere scores: empty masks of two classes agree."""
    return np.nan if classes is not None and np.size(classes) > 2 else 1.0
