"""Sensitivity and specificity of masks, and all measures of confusion counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instantdl.metrics._pairs import Images as Masks
from instantdl.metrics._pairs import Scores
from instantdl.metrics._semantic import (
    Average,
    _average,
    _check_average,
    _count,
    _mean_size_of,
    _overlap,
    _union_of,
)

__all__ = ["measures_of_counts", "sensitivity", "specificity"]

# Counts of pixels are integers; those of images that are drawn often are floats.
AnyCounts = NDArray[Any]


def sensitivity(
    y_true: Masks,
    y_pred: Masks,
    *,
    labels: ArrayLike | None = None,
    average: Average = "auto",
    per_image: bool = False,
    empty: float = np.nan,
) -> float | Scores:
    """Measure the part of the pixels of a class that are found, also named recall.

    True positives over true positives and false negatives.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image, 2D or 3D: bool, integers or integral floats.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted mask of each image, of the same shape as the true one.

    labels : array-like of shape (n_labels,), default=None
        Class values. With None, all values found in `y_true` and `y_pred`, sorted.
        Where all pixels have one and the same value, the problem is taken as binary:
        0 and that value, or 0 and 1.

    average : {"auto", "macro", "foreground_macro"} or None, default="auto"
        "auto": with two labels, the value of the larger one, the foreground; with
        any other number, as "macro". "macro": mean over all labels.
        "foreground_macro": mean over all labels but the first. None: one value per
        label.

    per_image : bool, default=False
        One value for each image. By default the pixels of all images are pooled.

    empty : float, default=nan
        Value for a class that is not in the truth, of which nothing can be found.
        With ``numpy.nan`` such a class is left out of means over labels.

    Returns
    -------
    float or ndarray of shape ([n_samples,] [n_labels])
        Values from 0 to 1, higher is better: a float, with `per_image` one for each
        image, without `average` one for each label.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not in `labels`.

    See Also
    --------
    specificity : The part of all other pixels that are left alone.
    sklearn.metrics.recall_score : The same for flat arrays of labels.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._sensitivity import sensitivity
    >>> y_true = np.array([[[0, 0], [1, 1]]])
    >>> y_pred = np.array([[[0, 0], [0, 1]]])
    >>> sensitivity(y_true, y_pred)
    0.5
    """
    _check_average(average)
    counts, values = _count(y_true, y_pred, labels, per_image)
    return _average(_sensitivity_of(counts, empty), values, average)


def specificity(
    y_true: Masks,
    y_pred: Masks,
    *,
    labels: ArrayLike | None = None,
    average: Average = "auto",
    per_image: bool = False,
    empty: float = np.nan,
) -> float | Scores:
    """Measure the part of the pixels outside of a class that are not taken for it.

    True negatives over true negatives and false positives.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image, 2D or 3D: bool, integers or integral floats.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted mask of each image, of the same shape as the true one.

    labels : array-like of shape (n_labels,), default=None
        Class values. With None, all values found in `y_true` and `y_pred`, sorted.
        Where all pixels have one and the same value, the problem is taken as binary:
        0 and that value, or 0 and 1.

    average : {"auto", "macro", "foreground_macro"} or None, default="auto"
        "auto": with two labels, the value of the larger one, the foreground; with
        any other number, as "macro". "macro": mean over all labels.
        "foreground_macro": mean over all labels but the first. None: one value per
        label.

    per_image : bool, default=False
        One value for each image. By default the pixels of all images are pooled.

    empty : float, default=nan
        Value for a class that all pixels of the truth have. With ``numpy.nan`` such
        a class is left out of means over labels.

    Returns
    -------
    float or ndarray of shape ([n_samples,] [n_labels])
        Values from 0 to 1, higher is better: a float, with `per_image` one for each
        image, without `average` one for each label.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not in `labels`.

    See Also
    --------
    sensitivity : The part of the pixels of the class that are found.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._sensitivity import specificity
    >>> y_true = np.array([[[0, 0], [0, 1]]])
    >>> y_pred = np.array([[[0, 0], [1, 1]]])
    >>> round(specificity(y_true, y_pred), 3)
    0.667
    """
    _check_average(average)
    counts, values = _count(y_true, y_pred, labels, per_image)
    return _average(_specificity_of(counts, empty), values, average)


def measures_of_counts(
    counts: AnyCounts,
    labels: ArrayLike,
    *,
    average: Average = "auto",
    empty: float = 1.0,
) -> dict[str, Any]:
    """Return what follows from confusion counts, without looking at pixels again.

    Parameters
    ----------
    counts : ndarray of shape (..., n_labels, n_labels)
        Numbers of pixels, or of images. Rows are true classes.

    labels : array-like of shape (n_labels,)
        Class values, numbers.

    average : {"auto", "macro", "foreground_macro"} or None, default="auto"
        As in :func:`~instantdl.metrics.jaccard`.

    empty : float, default=1.0
        Jaccard index and Dice coefficient of a class that is nowhere.

    Returns
    -------
    dict of str to ndarray of shape (...) or (..., n_labels)
        "accuracy" (always of shape (...)), "jaccard", "dice", "sensitivity" and
        "specificity"; the last two are nan where they are undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._sensitivity import measures_of_counts
    >>> measures = measures_of_counts(np.array([[6, 1], [1, 2]]), [0, 1])
    >>> float(measures["accuracy"]), measures["jaccard"]
    (0.8, 0.5)
    """
    values = np.asarray(labels)
    right = np.trace(counts, axis1=-2, axis2=-1)
    scores = {
        "jaccard": _overlap(counts, _union_of, empty),
        "dice": _overlap(counts, _mean_size_of, empty),
        "sensitivity": _sensitivity_of(counts, np.nan),
        "specificity": _specificity_of(counts, np.nan),
    }
    averaged = {name: _average(each, values, average) for name, each in scores.items()}
    return {"accuracy": right / counts.sum(axis=(-2, -1)), **averaged}


def _sensitivity_of(counts: AnyCounts, empty: float) -> Scores:
    return _overlap(counts, lambda rows, columns, shared: rows.astype(float), empty)


def _specificity_of(counts: AnyCounts, empty: float) -> Scores:
    """Return true negatives over all pixels outside of each class."""
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)
    others = counts.sum(axis=(-2, -1))[..., np.newaxis] - rows
    wrong = columns - np.diagonal(counts, axis1=-2, axis2=-1)
    scores = np.full(others.shape, float(empty))
    np.divide(others - wrong, others, out=scores, where=others > 0)
    return scores
