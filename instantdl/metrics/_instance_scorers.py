"""Scorers of label images for ``scoring=`` in scikit-learn's tools."""

from __future__ import annotations

from typing import Any

from instantdl.metrics._instance import (
    aggregated_jaccard,
    average_precision,
    panoptic_quality,
)
from instantdl.metrics._pairs import Images as LabelImages

__all__ = [
    "aggregated_jaccard_scorer",
    "average_precision_scorer",
    "panoptic_quality_scorer",
]


def average_precision_scorer(estimator: Any, X: Any, y: LabelImages) -> float:
    """Score an estimator of label images by the average precision at an IoU of 0.5.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image. Of pairs with the classes of objects, as
        ``InstanceSegmenter.fit`` takes them, the classes do not count.

    Returns
    -------
    float
        Mean over images, from 0 to 1, higher is better.

    See Also
    --------
    average_precision : The measure itself, also for other thresholds; their mean is
        what ``InstanceSegmenter.score`` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import average_precision_scorer
    >>> class Threshold:
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> average_precision_scorer(Threshold(), X, np.array([[[0, 1], [1, 1]]]))
    1.0
    """
    return float(average_precision(_labels(y), estimator.predict(X), thresholds=0.5))


def panoptic_quality_scorer(estimator: Any, X: Any, y: LabelImages) -> float:
    """Score an estimator of label images by the panoptic quality.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image. Of pairs with the classes of objects, as
        ``InstanceSegmenter.fit`` takes them, the classes do not count.

    Returns
    -------
    float
        Mean over images, from 0 to 1, higher is better.

    See Also
    --------
    panoptic_quality : The measure itself.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import panoptic_quality_scorer
    >>> class Threshold:
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> panoptic_quality_scorer(Threshold(), X, np.array([[[0, 1], [1, 1]]]))
    1.0
    """
    return float(panoptic_quality(_labels(y), estimator.predict(X)))


def aggregated_jaccard_scorer(estimator: Any, X: Any, y: LabelImages) -> float:
    """Score an estimator of label images by the aggregated Jaccard index.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image. Of pairs with the classes of objects, as
        ``InstanceSegmenter.fit`` takes them, the classes do not count.

    Returns
    -------
    float
        Mean over images, from 0 to 1, higher is better.

    See Also
    --------
    aggregated_jaccard : The measure itself.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import aggregated_jaccard_scorer
    >>> class Threshold:
    ...     def predict(self, X):
    ...         return (X > 0.5).astype(int)
    >>> X = np.array([[[0.1, 0.6], [0.9, 0.7]]])
    >>> aggregated_jaccard_scorer(Threshold(), X, np.array([[[0, 1], [1, 1]]]))
    1.0
    """
    return float(aggregated_jaccard(_labels(y), estimator.predict(X)))


def _labels(y: Any) -> LabelImages:
    """Return label images without the classes of their objects."""
    if isinstance(y, list | tuple):
        return [item[0] if isinstance(item, tuple) else item for item in y]
    labels: LabelImages = y
    return labels
