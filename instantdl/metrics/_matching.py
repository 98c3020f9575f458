"""Which predicted object is which true one: overlaps of label images and matching."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from instantdl.metrics._pairs import Images, Scores, check_lengths, check_shapes

__all__ = ["InstanceMatches", "LabelOverlaps", "assign", "match_instances"]

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class InstanceMatches:
    """Objects of one image that were found, missed and invented.

    Parameters
    ----------
    true, pred : ndarray of shape (n_matches,), int64
        Labels of true objects and of the predicted ones that match them.

    iou : ndarray of shape (n_matches,), float64
        Their intersections over unions.

    missed : ndarray of shape (n_missed,), int64
        Labels of true objects without a match, the false negatives.

    spurious : ndarray of shape (n_spurious,), int64
        Labels of predicted objects without a match, the false positives.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import match_instances
    >>> matches = match_instances(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 0, 0]]))
    >>> matches.true, matches.pred, matches.iou, matches.missed
    (array([1]), array([5]), array([1.]), array([2]))
    """

    true: Labels
    pred: Labels
    iou: Scores
    missed: Labels
    spurious: Labels


@dataclass(frozen=True)
class LabelOverlaps:
    """Sizes of the objects of two label images, and what pairs of them share.

    Parameters
    ----------
    true_labels, pred_labels : ndarray of shape (n_true,), (n_pred,), int64
        Labels other than 0, sorted.

    true_sizes, pred_sizes : ndarray of shape (n_true,), (n_pred,), int64
        Their numbers of pixels.

    rows, columns : ndarray of shape (n_pairs,), int64
        Positions of true and predicted objects that share pixels.

    shared : ndarray of shape (n_pairs,), int64
        Numbers of these pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._matching import LabelOverlaps
    >>> overlaps = LabelOverlaps.of(np.array([[1, 1, 0]]), np.array([[7, 0, 0]]))
    >>> overlaps.shared, overlaps.unions, overlaps.iou
    (array([1]), array([2]), array([0.5]))
    """

    true_labels: Labels
    pred_labels: Labels
    true_sizes: Labels
    pred_sizes: Labels
    rows: Labels
    columns: Labels
    shared: Labels

    @classmethod
    def of(cls, true: NDArray[Any], pred: NDArray[Any]) -> LabelOverlaps:
        """Return the overlaps of two label images of the same shape."""
        true_labels, true_sizes, rows = _positions(true)
        pred_labels, pred_sizes, columns = _positions(pred)
        n_pred = max(1, len(pred_labels))
        pairs = np.where((rows >= 0) & (columns >= 0), rows * n_pred + columns, -1)
        # Neighbours mostly belong to the same pair, and there are far fewer runs.
        starts = np.flatnonzero(np.diff(pairs, prepend=-2))
        lengths = np.diff(starts, append=pairs.size)
        found, run = np.unique(pairs[starts], return_inverse=True)
        shared = np.bincount(run, lengths).astype(np.int64)
        shared, found = shared[found >= 0], found[found >= 0]
        return cls(
            true_labels,
            pred_labels,
            true_sizes,
            pred_sizes,
            found // n_pred,
            found % n_pred,
            shared,
        )

    @property
    def unions(self) -> Labels:
        """Pixels of each pair of objects that either of them has."""
        total = self.true_sizes[self.rows] + self.pred_sizes[self.columns]
        return np.asarray(total - self.shared)

    @property
    def iou(self) -> Scores:
        """Intersection over union of each pair."""
        return np.asarray(self.shared / self.unions)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of true and of predicted objects."""
        return len(self.true_labels), len(self.pred_labels)


def match_instances(
    y_true: NDArray[Any], y_pred: NDArray[Any], *, threshold: float = 0.5
) -> InstanceMatches:
    """Match the predicted objects of one image with the true ones, one to one.

    Parameters
    ----------
    y_true : ndarray of shape (*spatial,)
        True label image, 2D or 3D: a number for each object, 0 for the background.

    y_pred : ndarray of shape (*spatial,)
        Predicted label image of the same shape.

    threshold : float, default=0.5
        Objects can match when their intersection over union is greater than this.
        Below 0.5 an object may have several candidates; then as many as possible are
        matched, and among such ways that of the greatest sum is taken.

    Returns
    -------
    InstanceMatches
        What was found, missed and invented, sorted by true label.

    Raises
    ------
    ValueError
        If shapes differ, or an image holds anything but whole numbers from 0 on.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import match_instances
    >>> y_true = np.array([[1, 1, 1, 0, 2, 2]])
    >>> y_pred = np.array([[0, 4, 4, 0, 9, 0]])
    >>> matches = match_instances(y_true, y_pred)
    >>> matches.true, matches.missed, matches.spurious
    (array([1]), array([2]), array([9]))
    """
    threshold = check_threshold(threshold)
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    check_shapes(true.shape, pred.shape, 0, "mask")
    overlaps = LabelOverlaps.of(as_labels(true, 0), as_labels(pred, 0))
    rows, columns, iou = matches_above(overlaps, threshold)
    n_true, n_pred = overlaps.shape
    return InstanceMatches(
        overlaps.true_labels[rows],
        overlaps.pred_labels[columns],
        iou,
        overlaps.true_labels[np.setdiff1d(np.arange(n_true), rows)],
        overlaps.pred_labels[np.setdiff1d(np.arange(n_pred), columns)],
    )


def matches_above(
    overlaps: LabelOverlaps, threshold: float
) -> tuple[Labels, Labels, Scores]:
    """Match objects whose intersection over union is greater than a threshold.

    Parameters
    ----------
    overlaps : LabelOverlaps
        Of one image.

    threshold : float
        From 0 to 1.

    Returns
    -------
    rows, columns : ndarray of shape (n_matches,), int64
        Positions of true and predicted objects.

    iou : ndarray of shape (n_matches,), float64
        Of each pair.
    """
    good = overlaps.iou > threshold
    rows, columns, iou = overlaps.rows[good], overlaps.columns[good], overlaps.iou[good]
    if threshold < 0.5:  # else an object has one candidate at most
        # Any match is worth more than all that could be gained by better ones.
        chosen = assign(rows, columns, 1 + iou / (2 * min(overlaps.shape, default=1)))
        rows, columns, iou = rows[chosen], columns[chosen], iou[chosen]
    return rows, columns, iou


def assign(rows: Labels, columns: Labels, worth: Scores) -> Labels:
    """Choose pairs such that none is in two of them and the sum is greatest.

    Parameters
    ----------
    rows, columns : ndarray of shape (n_pairs,), int64
        Members of each pair that could be chosen; no pair comes twice.

    worth : ndarray of shape (n_pairs,), float64
        Greater than 0.

    Returns
    -------
    ndarray of shape (n_chosen,), int64
        Positions of the chosen pairs, sorted by row.
    """
    if not len(rows):
        return np.empty(0, np.int64)
    row_numbers, row = np.unique(rows, return_inverse=True)
    column_numbers, column = np.unique(columns, return_inverse=True)
    n_rows, n_columns = len(row_numbers), len(column_numbers)
    # Each row may also be paired with a column of its own, which is worth nothing: 1
    # is added to all, since the sparse solver takes 0 for what cannot be.
    own = np.arange(n_rows)
    table = sparse.csr_array(
        (
            np.concatenate([1 + worth, np.ones(n_rows)]),
            (np.concatenate([row, own]), np.concatenate([column, n_columns + own])),
        ),
        shape=(n_rows, n_columns + n_rows),
    )
    _, partners = min_weight_full_bipartite_matching(table, maximize=True)
    return np.flatnonzero(partners[row] == column)


def read_overlaps(y_true: Images, y_pred: Images) -> list[LabelOverlaps]:
    """Return the overlaps of each pair of label images, each read once.

    Parameters
    ----------
    y_true, y_pred : array of shape (n_samples, *spatial) or sequence of arrays
        True and predicted label images.

    Returns
    -------
    list of LabelOverlaps
        One for each image.

    Raises
    ------
    ValueError
        If numbers of images or shapes differ, or labels are none.
    """
    check_lengths(y_true, y_pred, "mask")
    overlaps = []
    for index in range(len(y_true)):
        true, pred = np.asarray(y_true[index]), np.asarray(y_pred[index])
        check_shapes(true.shape, pred.shape, index, "mask")
        pair = as_labels(true, index), as_labels(pred, index)
        overlaps.append(LabelOverlaps.of(*pair))
    return overlaps


def as_labels(labels: NDArray[Any], index: int) -> NDArray[Any]:
    """Return a label image as integers from 0 on.

    Parameters
    ----------
    labels : ndarray of any shape
        Bool (one object), integers, or floats that are whole numbers.

    index : int
        Number of the image, for messages.

    Returns
    -------
    ndarray of the same shape
        Of an integer dtype.

    Raises
    ------
    ValueError
        If a value is negative or no whole number.
    """
    kind = labels.dtype.kind
    if kind == "b":
        return labels.astype(np.uint8)
    if kind == "f" and np.array_equal(labels, np.trunc(labels)):
        labels = labels.astype(np.int64)
    elif kind not in "iu":
        raise ValueError(
            "Label images must hold whole numbers: 0 for the background, and one for "
            f"each object. Got {labels.dtype} in image {index}."
        )
    if labels.size and labels.min() < 0:
        raise ValueError(
            f"Labels must not be negative. Got {labels.min()} in image {index}."
        )
    return labels


def check_threshold(threshold: Any) -> float:
    """Return a threshold of intersection over union, or raise ValueError.

    Parameters
    ----------
    threshold : float
        In [0, 1).

    Returns
    -------
    float
        The same.
    """
    if isinstance(threshold, bool | np.bool_) or not isinstance(threshold, Real):
        raise TypeError(f"A threshold must be a number. Got {threshold!r}.")
    value = float(threshold)
    if not 0 <= value < 1:
        raise ValueError(f"A threshold must be in [0, 1). Got {value}.")
    return value


def _positions(labels: NDArray[Any]) -> tuple[Labels, Labels, Labels]:
    """Return labels, sizes, and for each pixel the position of its label, or -1."""
    flat = labels.ravel()
    highest = int(flat.max())
    if highest <= 4 * flat.size:
        counts = np.bincount(flat.astype(np.int64, copy=False), minlength=1)
        counts[0] = 0
        known = np.flatnonzero(counts)
        places = np.full(len(counts), -1)
        places[known] = np.arange(len(known))
        return known, counts[known], places[flat]
    known, positions, counts = np.unique(flat, return_inverse=True, return_counts=True)
    if known[0] == 0:
        return known[1:].astype(np.int64), counts[1:], positions.ravel() - 1
    return known.astype(np.int64), counts, positions.ravel()
