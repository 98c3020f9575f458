"""Measures of whether uncertainty tells right predictions from wrong ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from instantdl.exceptions import InstantDLWarning

__all__ = ["UncertaintyComparison", "compare_uncertainty", "error_auroc"]


@dataclass(frozen=True)
class UncertaintyComparison:
    """The uncertainty of right and of wrong predictions, side by side.

    Made by :func:`compare_uncertainty`.

    Parameters
    ----------
    median_correct : float
        Median uncertainty of the right predictions; nan if there are none.

    median_wrong : float
        Median uncertainty of the wrong predictions; nan if there are none.

    statistic : float
        U of Mann and Whitney: the number of pairs of a wrong and a right prediction
        in which the wrong one is the more uncertain, ties counted half.

    pvalue : float
        Probability of such a statistic, or a larger one, if wrong predictions were
        not the more uncertain ones.

    Examples
    --------
    >>> from instantdl.metrics import compare_uncertainty
    >>> result = compare_uncertainty([0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1])
    >>> result.median_correct, result.median_wrong
    (0.15, 0.8)
    """

    median_correct: float
    median_wrong: float
    statistic: float
    pvalue: float


def error_auroc(uncertainty: ArrayLike, wrong: ArrayLike) -> float:
    """Measure how well uncertainty finds the wrong predictions.

    The probability that of a wrong and a right prediction the wrong one is the more
    uncertain, ties counted half: the area under the receiver operating
    characteristic of an alarm that is raised by high uncertainty.

    Parameters
    ----------
    uncertainty : array-like of shape (n_samples,)
        Uncertainty of each prediction. Any other shape will do, such as that of maps
        of pixels, if `wrong` has it too.

    wrong : array-like of shape (n_samples,)
        Whether each prediction is wrong: bool, or 0 and 1.

    Returns
    -------
    float
        From 0 to 1, higher is better; 0.5 is chance. nan if all predictions are
        right, or all are wrong.

    Raises
    ------
    ValueError
        If the shapes differ, or the values are not as said.

    Warns
    -----
    InstantDLWarning
        If all predictions are right, or all are wrong.

    See Also
    --------
    compare_uncertainty : The test that belongs to this measure.

    Examples
    --------
    >>> from instantdl.metrics import error_auroc
    >>> error_auroc([0.1, 0.4, 0.3, 0.9], [False, False, True, True])
    0.75
    """
    values, is_wrong = _check(uncertainty, wrong)
    if not _has_both(is_wrong):
        return np.nan
    return float(roc_auc_score(is_wrong, values))


def compare_uncertainty(
    uncertainty: ArrayLike, wrong: ArrayLike
) -> UncertaintyComparison:
    """Test whether wrong predictions are more uncertain than right ones.

    The one-sided test of Mann and Whitney, of figure 2D of [1]_.

    Parameters
    ----------
    uncertainty : array-like of shape (n_samples,)
        Uncertainty of each prediction. Any other shape will do if `wrong` has it
        too, but the test takes predictions for independent, and pixels are not.

    wrong : array-like of shape (n_samples,)
        Whether each prediction is wrong: bool, or 0 and 1.

    Returns
    -------
    UncertaintyComparison
        Both medians, U and p of the test. U and p are nan if all predictions are
        right, or all are wrong.

    Raises
    ------
    ValueError
        If the shapes differ, or the values are not as said.

    Warns
    -----
    InstantDLWarning
        If all predictions are right, or all are wrong.

    See Also
    --------
    error_auroc : The same U over the number of pairs.
    scipy.stats.mannwhitneyu : The test itself.

    References
    ----------
    .. [1] Waibel et al. "InstantDL", BMC Bioinformatics 22, 103, 2021.

    Examples
    --------
    >>> from instantdl.metrics import compare_uncertainty
    >>> result = compare_uncertainty([0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1])
    >>> result.statistic, round(result.pvalue, 3)
    (4.0, 0.167)
    """
    values, is_wrong = _check(uncertainty, wrong)
    statistic = pvalue = np.nan
    if _has_both(is_wrong):
        statistic, pvalue = mannwhitneyu(
            values[is_wrong], values[~is_wrong], alternative="greater"
        )
    return UncertaintyComparison(
        median_correct=_median(values[~is_wrong]),
        median_wrong=_median(values[is_wrong]),
        statistic=float(statistic),
        pvalue=float(pvalue),
    )


def _check(
    uncertainty: ArrayLike, wrong: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return both as flat arrays."""
    values, is_wrong = np.asarray(uncertainty), np.asarray(wrong)
    if values.shape != is_wrong.shape:
        raise ValueError(
            "`uncertainty` and `wrong` must have the same shape."
            f" Got {values.shape} and {is_wrong.shape}."
        )
    if values.size == 0:
        raise ValueError("`uncertainty` must hold at least one value. Got 0.")
    if values.dtype.kind not in "biuf":
        raise TypeError(f"`uncertainty` must hold real numbers. Got {values.dtype}.")
    finite = np.isfinite(values)
    if not finite.all():
        raise ValueError(
            f"`uncertainty` must hold finite numbers. Got {values[~finite][0]}."
            " Leave such predictions out."
        )
    if is_wrong.dtype.kind not in "biuf" or not np.isin(is_wrong, (0, 1)).all():
        raise ValueError(
            "`wrong` must hold bool, or 0 and 1. Got other values: compare first, as"
            " in `y_pred != y_true`."
        )
    return values.ravel().astype(np.float64), is_wrong.ravel().astype(bool)


def _has_both(is_wrong: NDArray[np.bool_]) -> bool:
    """Tell whether there are right and wrong predictions, and warn if not."""
    n_wrong = int(is_wrong.sum())
    if 0 < n_wrong < is_wrong.size:
        return True
    warnings.warn(
        "Right and wrong predictions are needed to compare their uncertainty. Got"
        f" {is_wrong.size - n_wrong} right and {n_wrong} wrong ones: the result is"
        " nan.",
        InstantDLWarning,
        stacklevel=3,
    )
    return False


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else np.nan
