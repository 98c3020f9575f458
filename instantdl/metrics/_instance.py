"""Agreement of label images: average precision, F1, panoptic quality, AJI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.metrics._matching import (
    LabelOverlaps,
    assign,
    check_threshold,
    matches_above,
    read_overlaps,
)
from instantdl.metrics._pairs import Images, Scores

__all__ = [
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "average_precision",
    "instance_f1",
    "measure_instances",
    "panoptic_quality",
]

#: Thresholds of the Data Science Bowl 2018: 0.50, 0.55, ..., 0.95.
THRESHOLDS = tuple(np.arange(50, 100, 5) / 100)

# Numerator and denominator of one image's measure.
Fraction = tuple[float, float]
Fractions = Callable[[LabelOverlaps], list[Fraction]]


def average_precision(
    y_true: Images,
    y_pred: Images,
    *,
    thresholds: float | Sequence[float] = THRESHOLDS,
    per_threshold: bool = False,
    per_image: bool = False,
    pooled: bool = False,
    empty: float = 1.0,
) -> float | Scores:
    """Measure found objects by TP / (TP + FP + FN), mean over thresholds.

    A predicted object is a true positive when its intersection over union with a
    true one is greater than the threshold. With the default thresholds and the mean
    over images this is the measure of the Data Science Bowl 2018 [1]_.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image, 2D or 3D: a number for each object, 0 for the
        background.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted label image of each image, of the same shape.

    thresholds : float or sequence of float, default=(0.5, 0.55, ..., 0.95)
        Of the intersection over union, each in [0, 1).

    per_threshold : bool, default=False
        One value for each threshold instead of their mean.

    per_image : bool, default=False
        One value for each image instead of their mean.

    pooled : bool, default=False
        Count the objects of all images together, so that images of many objects
        count for more, instead of taking the mean over images.

    empty : float, default=1.0
        Value of an image that has neither true nor predicted objects: 1.0 says that
        they agree. With ``numpy.nan`` it is left out of means.

    Returns
    -------
    float or ndarray of shape ([n_samples,] [n_thresholds])
        From 0 to 1, higher is better.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, a label is negative or no
        whole number, or a threshold is not in [0, 1).

    See Also
    --------
    match_instances : Which objects were found, in one image.
    sklearn.metrics.average_precision_score : Another measure of that name, the area
        under a curve of precision and recall.

    Notes
    -----
    The competition did not define images without objects, of which it has none.
    Other implementations count an intersection over union equal to the threshold
    as a match; the competition did not.

    References
    ----------
    .. [1] Caicedo et al. "Nucleus segmentation across imaging experiments: the 2018
       Data Science Bowl", Nature Methods 16, 1247, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import average_precision
    >>> y_true = np.array([[[1, 1, 1, 0, 2, 2]]])
    >>> y_pred = np.array([[[1, 1, 0, 0, 2, 2]]])
    >>> average_precision(y_true, y_pred, thresholds=0.5)
    1.0
    >>> round(average_precision(y_true, y_pred), 3)
    0.6
    """
    limits = [check_threshold(limit) for limit in np.atleast_1d(thresholds).tolist()]
    fractions = _precision_fractions(limits)
    values = _measure(y_true, y_pred, fractions, per_image, pooled, empty)
    return _as_result(values if per_threshold else values.mean(axis=-1))


def instance_f1(
    y_true: Images,
    y_pred: Images,
    *,
    threshold: float = 0.5,
    per_image: bool = False,
    pooled: bool = False,
    empty: float = 1.0,
) -> float | Scores:
    """Measure found objects by the F1 score, 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image, 2D or 3D: a number for each object, 0 for the
        background.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted label image of each image, of the same shape.

    threshold : float, default=0.5
        A predicted object is found when its intersection over union with a true one
        is greater than this; in [0, 1).

    per_image : bool, default=False
        One value for each image instead of their mean.

    pooled : bool, default=False
        Count the objects of all images together instead of taking the mean.

    empty : float, default=1.0
        Value of an image that has neither true nor predicted objects. With
        ``numpy.nan`` it is left out of the mean.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        From 0 to 1, higher is better.

    Raises
    ------
    ValueError
        As for `average_precision`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import instance_f1
    >>> y_true = np.array([[[1, 1, 1, 0, 2, 2]]])
    >>> round(instance_f1(y_true, np.array([[[1, 1, 0, 0, 0, 0]]])), 3)
    0.667
    """
    fractions = _f1_fractions(check_threshold(threshold))
    values = _measure(y_true, y_pred, fractions, per_image, pooled, empty)
    return _as_result(values[..., 0])


def panoptic_quality(
    y_true: Images,
    y_pred: Images,
    *,
    threshold: float = 0.5,
    per_image: bool = False,
    pooled: bool = False,
    empty: float = 1.0,
) -> float | Scores:
    """Measure found objects and their outlines at once, by the panoptic quality.

    The sum of the intersections over unions of matched objects, divided by
    TP + FP / 2 + FN / 2 [1]_.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image, 2D or 3D: a number for each object, 0 for the
        background.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted label image of each image, of the same shape.

    threshold : float, default=0.5
        A predicted object is found when its intersection over union with a true one
        is greater than this; in [0, 1).

    per_image : bool, default=False
        One value for each image instead of their mean.

    pooled : bool, default=False
        Add up the objects of all images, as in the reference, instead of taking the
        mean over images.

    empty : float, default=1.0
        Value of an image that has neither true nor predicted objects. With
        ``numpy.nan`` it is left out of the mean.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        From 0 to 1, higher is better.

    Raises
    ------
    ValueError
        As for `average_precision`.

    References
    ----------
    .. [1] Kirillov et al. "Panoptic segmentation", CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import panoptic_quality
    >>> y_true = np.array([[[1, 1, 1, 1, 2, 2]]])
    >>> panoptic_quality(y_true, np.array([[[1, 1, 1, 0, 2, 2]]]))
    0.875
    """
    fractions = _quality_fractions(check_threshold(threshold))
    values = _measure(y_true, y_pred, fractions, per_image, pooled, empty)
    return _as_result(values[..., 0])


def aggregated_jaccard(
    y_true: Images,
    y_pred: Images,
    *,
    per_image: bool = False,
    pooled: bool = False,
    empty: float = 1.0,
) -> float | Scores:
    """Measure label images by the aggregated Jaccard index (AJI).

    Each true object is compared with the predicted one of the greatest intersection
    over union, which may serve several. Intersections are added up and divided by
    the sum of unions, missed true objects and predicted ones that never served [1]_.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image, 2D or 3D: a number for each object, 0 for the
        background.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted label image of each image, of the same shape.

    per_image : bool, default=False
        One value for each image instead of their mean.

    pooled : bool, default=False
        Add up over all images instead of taking the mean over images.

    empty : float, default=1.0
        Value of an image that has neither true nor predicted objects. With
        ``numpy.nan`` it is left out of the mean.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        From 0 to 1, higher is better.

    Raises
    ------
    ValueError
        As for `average_precision`.

    See Also
    --------
    aggregated_jaccard_plus : The variant in which a prediction serves once.

    References
    ----------
    .. [1] Kumar et al. "A dataset and a technique for generalized nuclear
       segmentation for computational pathology", IEEE TMI 36, 1550, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import aggregated_jaccard
    >>> y_true = np.array([[[1, 1, 1, 0, 2, 2]]])
    >>> round(aggregated_jaccard(y_true, np.array([[[1, 1, 0, 0, 2, 2]]])), 3)
    0.8
    """
    fractions = _aggregated_fractions(_best_partners)
    values = _measure(y_true, y_pred, fractions, per_image, pooled, empty)
    return _as_result(values[..., 0])


def aggregated_jaccard_plus(
    y_true: Images,
    y_pred: Images,
    *,
    per_image: bool = False,
    pooled: bool = False,
    empty: float = 1.0,
) -> float | Scores:
    """Measure label images by AJI+, in which objects are compared one to one.

    As `aggregated_jaccard`, but each predicted object serves at most one true one;
    the pairs are those of the greatest sum of intersections over unions [1]_.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial) or sequence of arrays
        True label image of each image, 2D or 3D: a number for each object, 0 for the
        background.

    y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        Predicted label image of each image, of the same shape.

    per_image : bool, default=False
        One value for each image instead of their mean.

    pooled : bool, default=False
        Add up over all images instead of taking the mean over images.

    empty : float, default=1.0
        Value of an image that has neither true nor predicted objects. With
        ``numpy.nan`` it is left out of the mean.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        From 0 to 1, higher is better.

    Raises
    ------
    ValueError
        As for `average_precision`.

    References
    ----------
    .. [1] Graham et al. "HoVer-Net: simultaneous segmentation and classification of
       nuclei in multi-tissue histology images", Medical Image Analysis 58, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import aggregated_jaccard_plus
    >>> y_true = np.array([[[1, 1, 1, 0, 2, 2]]])
    >>> round(aggregated_jaccard_plus(y_true, np.array([[[1, 1, 1, 1, 1, 1]]])), 3)
    0.375
    """
    fractions = _aggregated_fractions(_single_partners)
    values = _measure(y_true, y_pred, fractions, per_image, pooled, empty)
    return _as_result(values[..., 0])


def measure_instances(y_true: NDArray[Any], y_pred: NDArray[Any]) -> dict[str, float]:
    """Return all measures of one image, whose objects are compared once.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (*spatial,)
        True and predicted label image.

    Returns
    -------
    dict of str to float
        "average_precision", the same at 0.5 and 0.75 as "average_precision_50" and
        "average_precision_75", "f1" and "panoptic_quality" at 0.5,
        "aggregated_jaccard", "aggregated_jaccard_plus", and numbers of objects as
        "n_true", "n_predicted" and "n_found".

    Raises
    ------
    ValueError
        As for `average_precision`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._instance import measure_instances
    >>> y_true = np.array([[1, 1, 1, 0, 2, 2]])
    >>> found = measure_instances(y_true, np.array([[1, 1, 0, 0, 0, 0]]))
    >>> found["average_precision_50"], found["n_true"], found["n_found"]
    (0.5, 2, 1)
    """
    (overlaps,) = read_overlaps([y_true], [y_pred])

    def values(fractions: Fractions) -> Scores:
        return _divide(np.array(fractions(overlaps), float), empty=1.0)

    precisions = values(_precision_fractions(THRESHOLDS))
    n_true, n_predicted = overlaps.shape
    return {
        "average_precision": float(precisions.mean()),
        "average_precision_50": float(precisions[THRESHOLDS.index(0.5)]),
        "average_precision_75": float(precisions[THRESHOLDS.index(0.75)]),
        "f1": float(values(_f1_fractions(0.5))[0]),
        "panoptic_quality": float(values(_quality_fractions(0.5))[0]),
        "aggregated_jaccard": float(values(_aggregated_fractions(_best_partners))[0]),
        "aggregated_jaccard_plus": float(
            values(_aggregated_fractions(_single_partners))[0]
        ),
        "n_true": n_true,
        "n_predicted": n_predicted,
        "n_found": len(matches_above(overlaps, 0.5)[0]),
    }


def _precision_fractions(limits: Sequence[float]) -> Fractions:
    def fractions(overlaps: LabelOverlaps) -> list[Fraction]:
        total = sum(overlaps.shape)
        found = [len(matches_above(overlaps, limit)[0]) for limit in limits]
        return [(n, total - n) for n in found]

    return fractions


def _f1_fractions(limit: float) -> Fractions:
    def fractions(overlaps: LabelOverlaps) -> list[Fraction]:
        return [(2 * len(matches_above(overlaps, limit)[0]), sum(overlaps.shape))]

    return fractions


def _quality_fractions(limit: float) -> Fractions:
    def fractions(overlaps: LabelOverlaps) -> list[Fraction]:
        iou = matches_above(overlaps, limit)[2]
        return [(float(iou.sum()), sum(overlaps.shape) / 2)]

    return fractions


def _aggregated_fractions(pairs: Callable[[LabelOverlaps], Any]) -> Fractions:
    """Add up intersections and unions of the pairs, and sizes of all others."""

    def fractions(overlaps: LabelOverlaps) -> list[Fraction]:
        chosen = pairs(overlaps)
        total = overlaps.unions[chosen].sum()
        for sizes, used in (
            (overlaps.true_sizes, overlaps.rows[chosen]),
            (overlaps.pred_sizes, overlaps.columns[chosen]),
        ):
            total += sizes.sum() - sizes[np.unique(used)].sum()
        return [(float(overlaps.shared[chosen].sum()), float(total))]

    return fractions


def _best_partners(overlaps: LabelOverlaps) -> Any:
    """Choose the best pair of each true object."""
    # Of equal pairs the first is taken, as sorted by label.
    order = np.lexsort((overlaps.columns, -overlaps.iou, overlaps.rows))
    rows = overlaps.rows[order]
    return order[np.unique(rows, return_index=True)[1]]


def _single_partners(overlaps: LabelOverlaps) -> Any:
    """Choose the best pairs such that none has an object of another one."""
    return assign(overlaps.rows, overlaps.columns, overlaps.iou)


def _measure(
    y_true: Images,
    y_pred: Images,
    fractions: Fractions,
    per_image: bool,
    pooled: bool,
    empty: float,
) -> Scores:
    """Return the fractions of each image, of their sums, or their mean.

    The last axis is that of the fractions an image has.
    """
    if per_image and pooled:
        raise ValueError("per_image and pooled cannot both be True.")
    parts = np.array(
        [fractions(overlaps) for overlaps in read_overlaps(y_true, y_pred)], float
    )
    if pooled:
        parts = parts.sum(axis=0)
    values = _divide(parts, empty)
    if per_image or pooled:
        return values
    known = values[~np.isnan(values[:, 0])]
    return known.mean(axis=0) if len(known) else values[0]


def _divide(parts: Scores, empty: float) -> Scores:
    above, below = parts[..., 0], parts[..., 1]
    return np.divide(above, below, out=np.full_like(above, empty), where=below > 0)


def _as_result(values: Any) -> float | Scores:
    return values if np.ndim(values) else float(values)
