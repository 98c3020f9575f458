"""Agreement of class masks: confusion counts, Jaccard, Dice, pixel accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instantdl.images import check_sample_weight
from instantdl.metrics._pairs import Images as Masks
from instantdl.metrics._pairs import Scores, check_lengths, check_shapes

__all__ = ["confusion_counts", "dice", "jaccard", "pixel_accuracy"]

Average = Literal["auto", "macro", "foreground_macro"] | None
Counts = NDArray[np.int64]

_AVERAGES = ("auto", "macro", "foreground_macro", None)
# Class values up to here are counted by their product; larger ones are sorted.
_SMALL = 256
# More different values than this in one image are labels of objects, not classes.
_MANY = 1024
# Pixels counted at a time, so that a mask on disk is never held whole.
_BLOCK = 2**22


def confusion_counts(
    y_true: Masks,
    y_pred: Masks,
    *,
    labels: ArrayLike | None = None,
    per_image: bool = False,
) -> Counts:
    """Count the pixels of each true class that were given each class.

    All other measures of this module follow from these counts. Images are looked at
    one after the other, each once, so collections of files need little memory.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image, 2D or 3D: bool, integers or integral floats. Masks
        of different sizes come as a list, object array or `ImageCollection`.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted mask of each image, of the same shape as the true one.

    labels : array-like of shape (n_labels,), default=None
        Class values, in the order of rows and columns. With None, all values found in
        `y_true` and `y_pred`, sorted. Where all pixels have one and the same value,
        the problem is taken as binary: 0 and that value, or 0 and 1.

    per_image : bool, default=False
        Count in each image, instead of over all images.

    Returns
    -------
    ndarray of shape (n_labels, n_labels) or (n_samples, n_labels, n_labels)
        Numbers of pixels, int64. Rows are true classes, columns predicted ones.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not in `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import confusion_counts
    >>> y_true = np.array([[[0, 0], [1, 1]]])
    >>> y_pred = np.array([[[0, 1], [1, 1]]])
    >>> confusion_counts(y_true, y_pred)
    array([[1, 1],
           [0, 2]])
    """
    return _count(y_true, y_pred, labels, per_image)[0]


def jaccard(
    y_true: Masks,
    y_pred: Masks,
    *,
    labels: ArrayLike | None = None,
    average: Average = "auto",
    per_image: bool = False,
    empty: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> float | Scores:
    r"""Measure the overlap of masks by the Jaccard index.

    For each class, the number of pixels that truth and prediction share, divided by
    the number of pixels that either of them has (intersection over union).

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
        "auto": with two labels, the index of the larger one, the foreground; with
        any other number, as "macro". "macro": mean over all labels.
        "foreground_macro": mean over all labels but the first. None: one value per
        label.

    per_image : bool, default=False
        One value for each image. By default the pixels of all images are pooled, so
        that large objects and large images count for more.

    empty : float, default=1.0
        Value for a class that is neither in truth nor in prediction: 1.0 says that
        they agree. With ``numpy.nan`` such a class is left out of means over labels.

    sample_weight : array-like of shape (n_samples,), default=None
        How much the pixels of each image count where they are pooled. None is 1 for
        each.

    Returns
    -------
    float or ndarray of shape ([n_samples,] [n_labels])
        Values from 0 to 1, higher is better: a float, with `per_image` one for each
        image, without `average` one for each label.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not in `labels`,
        or `sample_weight` comes with `per_image`.

    See Also
    --------
    dice : The same overlap on another scale.
    sklearn.metrics.jaccard_score : The same for flat arrays of labels.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import jaccard
    >>> y_true = np.array([[[0, 0], [1, 1]], [[0, 0], [0, 0]]])
    >>> y_pred = np.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    >>> round(jaccard(y_true, y_pred), 3)
    0.667
    >>> jaccard(y_true, y_pred, per_image=True).round(3)
    array([0.667, 1.   ])
    >>> jaccard(y_true, y_pred, average=None).round(3)
    array([0.833, 0.667])
    """
    _check_average(average)
    counts, values = _count(y_true, y_pred, labels, per_image, sample_weight)
    return _average(_overlap(counts, _union_of, empty), values, average)


def dice(
    y_true: Masks,
    y_pred: Masks,
    *,
    labels: ArrayLike | None = None,
    average: Average = "auto",
    per_image: bool = False,
    empty: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> float | Scores:
    """Measure the overlap of masks by the Dice coefficient.

    For each class, the number of pixels that truth and prediction share, divided by
    the mean of their sizes. It is also known as the F1 score of pixels, and follows
    from the Jaccard index J as 2 J / (1 + J).

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

    empty : float, default=1.0
        Value for a class that is neither in truth nor in prediction: 1.0 says that
        they agree. With ``numpy.nan`` such a class is left out of means over labels.

    sample_weight : array-like of shape (n_samples,), default=None
        How much the pixels of each image count where they are pooled. None is 1 for
        each.

    Returns
    -------
    float or ndarray of shape ([n_samples,] [n_labels])
        Values from 0 to 1, higher is better: a float, with `per_image` one for each
        image, without `average` one for each label.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not in `labels`,
        or `sample_weight` comes with `per_image`.

    See Also
    --------
    jaccard : The same overlap on another scale.
    sklearn.metrics.f1_score : The same for flat arrays of labels.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import dice
    >>> y_true = np.array([[[0, 0], [1, 1]]])
    >>> y_pred = np.array([[[0, 1], [1, 1]]])
    >>> dice(y_true, y_pred)
    0.8
    """
    _check_average(average)
    counts, values = _count(y_true, y_pred, labels, per_image, sample_weight)
    return _average(_overlap(counts, _mean_size_of, empty), values, average)


def pixel_accuracy(
    y_true: Masks,
    y_pred: Masks,
    *,
    per_image: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float | Scores:
    """Measure the fraction of pixels whose class is right.

    Where one class fills most of the image, prefer `jaccard`: a prediction without
    any object is then nearly always right.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True mask of each image, 2D or 3D: bool, integers or integral floats.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted mask of each image, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    sample_weight : array-like of shape (n_samples,), default=None
        How much the pixels of each image count where they are pooled. None is 1 for
        each.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values from 0 to 1, higher is better.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or `sample_weight` comes with
        `per_image`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import pixel_accuracy
    >>> y_true = np.array([[[0, 0], [1, 1]]])
    >>> y_pred = np.array([[[0, 1], [1, 1]]])
    >>> pixel_accuracy(y_true, y_pred)
    0.75
    """
    counts, _ = _count(y_true, y_pred, None, per_image, sample_weight)
    right = np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))
    return right if per_image else float(right)


def _check_average(average: Average) -> None:
    if average not in _AVERAGES:
        raise ValueError(
            '`average` must be one of "auto", "macro", "foreground_macro", None.'
            f" Got {average!r}."
        )


def _union_of(rows: Counts, columns: Counts, shared: Counts) -> Scores:
    return (rows + columns - shared).astype(np.float64)


def _mean_size_of(rows: Counts, columns: Counts, shared: Counts) -> Scores:
    return (rows + columns) / 2


def _overlap(
    counts: Counts, size_of: Callable[[Counts, Counts, Counts], Scores], empty: float
) -> Scores:
    """Return shared pixels over the size that `size_of` gives, for each label."""
    shared = np.diagonal(counts, axis1=-2, axis2=-1)
    size = size_of(counts.sum(axis=-1), counts.sum(axis=-2), shared)
    scores = np.full(size.shape, float(empty))
    np.divide(shared, size, out=scores, where=size > 0)
    return scores


def _average(scores: Scores, labels: Counts, average: Average) -> float | Scores:
    """Reduce scores of shape (..., n_labels) over the labels."""
    if average is None:
        return scores
    if average == "auto" and len(labels) == 2:
        kept = scores[..., [int(np.argmax(labels))]]
    elif average == "foreground_macro" and len(labels) > 1:
        kept = scores[..., 1:]
    else:
        kept = scores
    found = ~np.isnan(kept)
    number = found.sum(axis=-1)
    total = np.where(found, kept, 0.0).sum(axis=-1)
    mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean if mean.ndim else float(mean)


def _count(
    y_true: Masks,
    y_pred: Masks,
    labels: ArrayLike | None,
    per_image: bool,
    sample_weight: ArrayLike | None = None,
) -> tuple[NDArray[Any], Counts]:
    """Return the counts and the label values of their rows and columns."""
    wanted = None if labels is None else _check_labels(labels)
    check_lengths(y_true, y_pred, "mask")
    if per_image and sample_weight is not None:
        raise ValueError(
            "`sample_weight` tells how much each image counts among all. Got it with"
            " per_image=True, where none counts more. Leave one of them out."
        )
    weight = check_sample_weight(sample_weight, len(y_true))
    # Labels may be known only after the last image, so each image keeps its own.
    parts = [_count_image(y_true[i], y_pred[i], i) for i in range(len(y_true))]
    found = np.unique(np.concatenate([values for values, _ in parts]))
    if wanted is None:
        wanted = _complete(found)
    elif len(unknown := np.setdiff1d(found, wanted)):
        raise ValueError(
            f"All masks must hold values of {wanted.tolist()} only."
            f" Got {unknown.tolist()} as well: those classes are not in `labels`, or"
            " were not there in training."
        )
    shape = (len(parts) if per_image else 1, *2 * wanted.shape)
    total = np.zeros(shape, np.int64 if sample_weight is None else np.float64)
    weight = weight.astype(total.dtype)
    order = np.argsort(wanted)
    for i, (values, counts) in enumerate(parts):
        place = order[np.searchsorted(wanted, values, sorter=order)]
        total[i if per_image else 0][np.ix_(place, place)] += weight[i] * counts
    return (total if per_image else total[0]), wanted


def _complete(found: Counts) -> Counts:
    """Give a problem in which one value alone was seen its second label."""
    if len(found) > 1:
        return found
    return np.unique(np.append(found, 0 if found[0] else 1))


def _check_labels(labels: ArrayLike) -> Counts:
    values = np.asarray(labels)
    if values.ndim != 1 or values.size == 0 or len(np.unique(values)) < values.size:
        raise ValueError(
            "`labels` must be a list of different class values, with one or more."
            f" Got {labels!r}."
        )
    return _as_integers(values, "`labels`")


def _count_image(true: Any, pred: Any, index: int) -> tuple[Counts, Counts]:
    """Return the values found in one image, sorted, and their confusion counts."""
    true, pred = np.asanyarray(true), np.asanyarray(pred)
    check_shapes(true.shape, pred.shape, index, "mask")
    rows = max(1, _BLOCK // max(1, true[0].size))
    parts = [
        _count_block(true[start : start + rows], pred[start : start + rows], index)
        for start in range(0, len(true), rows)
    ]
    values = np.unique(np.concatenate([found for found, _ in parts]))
    _check_bool_meets_bool(true.dtype, pred.dtype, values, index)
    counts = np.zeros(2 * values.shape, np.int64)
    for found, part in parts:
        place = np.searchsorted(values, found)
        counts[np.ix_(place, place)] += part
    return values, counts


def _count_block(
    true: NDArray[Any], pred: NDArray[Any], index: int
) -> tuple[Counts, Counts]:
    """Return sorted values and confusion counts of one part of an image."""
    flat_true = _as_integers(true.ravel(), f"Image {index} of `y_true`")
    flat_pred = _as_integers(pred.ravel(), f"Image {index} of `y_pred`")
    low = min(flat_true.min(), flat_pred.min())
    n_values = int(max(flat_true.max(), flat_pred.max())) + 1
    if low < 0 or n_values > _SMALL:
        values, codes = np.unique(
            np.concatenate([flat_true, flat_pred]), return_inverse=True
        )
        flat_true, flat_pred = codes[: flat_true.size], codes[flat_true.size :]
        return values, _table(flat_true, flat_pred, len(values))
    table = _table(flat_true, flat_pred, n_values)
    values = np.flatnonzero(table.any(axis=0) | table.any(axis=1))
    return values, table[np.ix_(values, values)]


def _table(true: Counts, pred: Counts, n_values: int) -> Counts:
    if n_values > _MANY:
        raise ValueError(
            f"Masks must hold a few class values. Got {n_values} different ones, as in"
            " a label image. For foreground and background compare `y > 0`."
        )
    both = np.bincount(true * n_values + pred, minlength=n_values**2)
    return both.reshape(n_values, n_values)


def _as_integers(values: NDArray[Any], name: str) -> Counts:
    """Return bool, integers or integral floats as int64."""
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold bool or integer class values. Got {values.dtype}."
        )
    if values.dtype.kind == "f":
        # NaN and infinity differ from their rounded selves or overflow: ask first.
        wrong = ~np.isfinite(values) | (values != np.round(values))
        if wrong.any():
            raise ValueError(
                f"{name} must hold class values. Got {values[wrong][0]}."
                " Turn probabilities into classes first: `probability > 0.5`."
            )
    return values.astype(np.int64)


def _check_bool_meets_bool(
    true: np.dtype[Any], pred: np.dtype[Any], values: Counts, index: int
) -> None:
    """Refuse False/True beside 0/255: each would count as a class of its own."""
    if "b" in (true.kind, pred.kind) and not set(values.tolist()) <= {0, 1}:
        raise ValueError(
            "A bool mask must be compared with values 0 and 1. Image"
            f" {index} holds {values.tolist()}. Compare with `y == {values.max()}`."
        )
