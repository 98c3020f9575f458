"""Agreement of the classes of whole images with predicted probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from instantdl.exceptions import InstantDLWarning
from instantdl.images import check_sample_weight

__all__ = ["roc_auc"]


def roc_auc(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Measure how well probabilities tell the classes of images apart.

    The area under the receiver operating characteristic: the probability that of two
    images, one of the class and one not, the first has the higher probability. It
    does not depend on a threshold, nor on how frequent the classes are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True label of each image: strings, integers or bool.

    proba : array-like of shape (n_samples, n_labels)
        Probability of each label, or any other score that is higher for likelier
        ones.

    labels : array-like of shape (n_labels,)
        The labels, in the order of the columns of `proba`: ``classes_`` of the
        estimator. Two or more.

    sample_weight : array-like of shape (n_samples,), default=None
        How much each image counts; of 0 is as if it were not there. None is 1 for
        each.

    Returns
    -------
    float
        From 0 to 1, higher is better; 0.5 is chance. With two labels that of the
        second one, with more the mean over labels of each against the rest. Labels
        of no image are left out of it; nan if all images have the same one.

    Raises
    ------
    ValueError
        If `y_true` holds a value that is not in `labels`, the shapes do not fit, or
        `proba` is not finite.

    Warns
    -----
    InstantDLWarning
        If no image has one of the labels.

    See Also
    --------
    sklearn.metrics.roc_auc_score : The same where every label is in `y_true`.

    Examples
    --------
    >>> from instantdl.metrics import roc_auc
    >>> y_true = ["ill", "well", "ill", "well"]
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]]
    >>> roc_auc(y_true, proba, labels=["ill", "well"])
    0.75
    """
    known = _check_labels(labels)
    scores = _check_proba(proba, len(known))
    codes = _codes(y_true, known, len(scores))
    weight = check_sample_weight(sample_weight, len(scores))
    counted = weight > 0
    codes, scores, weight = codes[counted], scores[counted], weight[counted]
    seen = np.unique(codes)
    if len(seen) < len(known):
        _warn_of_absent(known, seen)
    if len(seen) < 2:
        return np.nan
    judged = [1] if len(known) == 2 else seen
    areas = [
        roc_auc_score(codes == code, scores[:, code], sample_weight=weight)
        for code in judged
    ]
    return float(np.mean(areas))


def _check_labels(labels: ArrayLike) -> list[Any]:
    values = np.asarray(labels)
    known: list[Any] = values.tolist() if values.ndim == 1 else []
    if len(known) < 2 or len(set(known)) < len(known):
        raise ValueError(
            "`labels` must be a list of different labels, with two or more."
            f" Got {labels!r}."
        )
    return known


def _check_proba(proba: ArrayLike, n_labels: int) -> NDArray[np.float64]:
    scores = np.asarray(proba)
    if scores.ndim != 2 or scores.shape[1] != n_labels or len(scores) == 0:
        raise ValueError(
            f"`proba` must have shape (n_samples, {n_labels}): a column for each label."
            f" Got {scores.shape}."
        )
    if scores.dtype.kind not in "biuf":
        raise TypeError(f"`proba` must hold real numbers. Got {scores.dtype}.")
    finite = np.isfinite(scores)
    if not finite.all():
        raise ValueError(
            f"`proba` must hold finite numbers. Got {scores[~finite][0]} in row"
            f" {np.argwhere(~finite)[0, 0]}. Leave such images out."
        )
    return scores.astype(np.float64)


def _codes(y_true: ArrayLike, known: list[Any], n_samples: int) -> NDArray[np.intp]:
    """Return the column of each image's label."""
    values = np.asarray(y_true)
    if values.shape != (n_samples,):
        raise ValueError(
            "`y_true` must hold one label for each row of `proba`."
            f" Got shape {values.shape} for {n_samples} rows."
        )
    columns = {label: column for column, label in enumerate(known)}
    unknown = [
        value for value in dict.fromkeys(values.tolist()) if value not in columns
    ]
    if unknown:
        raise ValueError(
            f"`y_true` must hold values of {known} only. Got {unknown} as well: those"
            " labels are not in `labels`, or were not there in training."
        )
    return np.array([columns[value] for value in values.tolist()], dtype=np.intp)


def _warn_of_absent(known: list[Any], seen: NDArray[np.intp]) -> None:
    absent = [label for code, label in enumerate(known) if code not in seen]
    outcome = (
        "They are left out of the mean."
        if len(seen) > 1
        else f"With {known[seen[0]]!r} alone the area under the ROC is nan."
    )
    warnings.warn(
        f"`y_true` should hold all labels. No image is of {absent}. {outcome}",
        InstantDLWarning,
        stacklevel=3,
    )
