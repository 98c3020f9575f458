"""What happened to each object: found, missed, invented, torn or joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.images import relabel
from instantdl.metrics import match_instances

__all__ = ["KINDS", "InstanceErrors", "classify_instances"]

#: What can happen to an object. Where objects overlap, the later kind is shown.
KINDS = ("matched", "spurious", "missed", "merged", "split")

# A part of fewer pixels than this share of the largest part is none.
_SPECK = 0.1

Labels = NDArray[np.int64]
Kinds = NDArray[np.str_]


@dataclass(frozen=True)
class InstanceErrors:
    """What happened to the objects of one image.

    Made by :func:`classify_instances`.

    Parameters
    ----------
    true_labels, pred_labels : ndarray of shape (n_true,), (n_pred,), int64
        Labels other than 0, sorted.

    true_kinds : ndarray of shape (n_true,), str
        "matched", "missed", "split", or "merged" for each of those that were joined.

    pred_kinds : ndarray of shape (n_pred,), str
        "matched", "spurious", "merged", or "split" for each of the parts.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._instance_errors import classify_instances
    >>> errors = classify_instances(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 0, 0]]))
    >>> errors.true_kinds.tolist(), errors.pred_kinds.tolist()
    (['matched', 'missed'], ['matched'])
    """

    true_labels: Labels
    pred_labels: Labels
    true_kinds: Kinds
    pred_kinds: Kinds

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind came; a split is one, whatever its parts, so a merge."""
        # Of a split the whole is true, of a merge it is predicted.
        pred = ("spurious", "merged")
        return {
            kind: int(
                np.sum((self.pred_kinds if kind in pred else self.true_kinds) == kind)
            )
            for kind in KINDS
        }

    def codes(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> NDArray[np.uint8]:
        """Return what happened at each pixel.

        Parameters
        ----------
        y_true, y_pred : ndarray of shape (*spatial,)
            The label images that were compared.

        Returns
        -------
        ndarray of shape (*spatial,), uint8
            0 where there is no object, else 1 + the position in `KINDS`, of the later
            one where a true and a predicted object differ.
        """
        each = (
            (y_true, self.true_labels, self.true_kinds),
            (y_pred, self.pred_labels, self.pred_kinds),
        )
        return np.maximum(*(_codes_of(*arguments) for arguments in each))


def classify_instances(
    y_true: NDArray[Any], y_pred: NDArray[Any], *, threshold: float = 0.5
) -> InstanceErrors:
    """Tell for each object of an image whether it was found, and if not, why.

    A predicted object *lies in* a true one that has more than half of its pixels, and
    the other way round. Then

    - a true object is *split* if two or more predicted ones lie in it which, taken as
      one, would match it;
    - a predicted object *merges* two or more true ones that lie in it if these, taken
      as one, would match it;
    - of the other objects, those that match are *matched*, the true ones without a
      match are *missed*, and the predicted ones are *spurious*.

    To match is to have an intersection over union greater than the threshold. What
    shares less than a tenth as many pixels with the whole as its largest part does is
    no part: a speck splits nothing. An object that is split is no part of a merge.

    Parameters
    ----------
    y_true : ndarray of shape (*spatial,)
        True label image, 2D or 3D: a number for each object, 0 for the background.

    y_pred : ndarray of shape (*spatial,)
        Predicted label image of the same shape.

    threshold : float, default=0.5
        Of the intersection over union, in [0.5, 1).

    Returns
    -------
    InstanceErrors
        The kind of each object.

    Raises
    ------
    ValueError
        If shapes differ, an image holds anything but whole numbers from 0 on, or the
        threshold is outside.

    Notes
    -----
    A split may well have a part that alone has a match: two parts of 60 and 40 % are
    one match and one false positive to `match_instances`. So counts of matches are
    the same or lower here.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._instance_errors import classify_instances
    >>> y_true = np.array([[1, 1, 1, 1, 0, 2, 2, 3, 3, 0]])
    >>> y_pred = np.array([[4, 4, 5, 5, 0, 6, 6, 6, 6, 0]])
    >>> errors = classify_instances(y_true, y_pred)
    >>> errors.true_kinds.tolist(), errors.pred_kinds.tolist()
    (['split', 'merged', 'merged'], ['split', 'split', 'merged'])
    >>> errors.counts["split"], errors.counts["merged"]
    (1, 1)
    """
    if not 0.5 <= threshold < 1:
        raise ValueError(
            f"`threshold` must be in [0.5, 1). Got {threshold}. Below 0.5 an object"
            " could match several others."
        )
    matches = match_instances(y_true, y_pred, threshold=threshold)
    true_labels = np.union1d(matches.true, matches.missed)
    pred_labels = np.union1d(matches.pred, matches.spurious)
    true_kinds = np.where(np.isin(true_labels, matches.true), "matched", "missed")
    pred_kinds = np.where(np.isin(pred_labels, matches.pred), "matched", "spurious")
    true, pred, shared, true_sizes, pred_sizes = _overlaps(y_true, y_pred)

    torn = _parts(true, pred, shared, true_sizes, pred_sizes, threshold)
    true_kinds[true[torn]] = pred_kinds[pred[torn]] = "split"
    free = (true_kinds[true] != "split") & (pred_kinds[pred] != "split")
    true, pred, shared = true[free], pred[free], shared[free]
    joined = _parts(pred, true, shared, pred_sizes, true_sizes, threshold)
    true_kinds[true[joined]] = pred_kinds[pred[joined]] = "merged"
    return InstanceErrors(true_labels, pred_labels, true_kinds, pred_kinds)


def _overlaps(y_true: NDArray[Any], y_pred: NDArray[Any]) -> tuple[Labels, ...]:
    """Positions and common pixels of objects that overlap, and sizes of all objects."""
    true, pred = relabel(y_true).ravel(), relabel(y_pred).ravel()
    true_sizes, pred_sizes = np.bincount(true)[1:], np.bincount(pred)[1:]
    both = (true > 0) & (pred > 0)
    pairs = (true[both] - 1).astype(np.int64) * len(pred_sizes) + pred[both] - 1
    found, shared = np.unique(pairs, return_counts=True)
    rows, columns = np.divmod(found, max(1, len(pred_sizes)))
    return rows, columns, shared, true_sizes, pred_sizes


def _parts(
    wholes: Labels,
    parts: Labels,
    shared: Labels,
    whole_sizes: Labels,
    part_sizes: Labels,
    threshold: float,
) -> Labels:
    """Positions of the pairs of an object and one of its several parts."""
    n_wholes = len(whole_sizes)
    inside = 2 * shared > part_sizes[parts]
    largest = np.zeros(n_wholes, np.int64)
    np.maximum.at(largest, wholes[inside], shared[inside])
    chosen = np.flatnonzero(inside & (shared >= _SPECK * largest[wholes]))
    whole, common, size = wholes[chosen], shared[chosen], part_sizes[parts[chosen]]
    several = np.bincount(whole, minlength=n_wholes) > 1
    intersection = np.bincount(whole, common, n_wholes)
    union = whole_sizes + np.bincount(whole, size, n_wholes) - intersection
    broken = several & (intersection > threshold * union)
    return chosen[broken[whole]]


def _codes_of(labels: NDArray[Any], known: Labels, kinds: Kinds) -> NDArray[np.uint8]:
    """Position of each pixel's kind, from 1 on."""
    codes = np.array([0, *(1 + KINDS.index(kind) for kind in kinds)], np.uint8)
    numbers = np.searchsorted(known, labels) + 1
    return codes[np.where(np.asarray(labels) == 0, 0, numbers)]
