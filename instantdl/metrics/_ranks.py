"""Measures of ranks, from numbers of cases in groups of equal score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma
from scipy.stats import norm

from instantdl.metrics._pairs import Scores

__all__ = [
    "auroc_of_groups",
    "mann_whitney_of_groups",
    "quantile_of_groups",
    "risk_coverage",
    "risk_coverage_of_groups",
]

Numbers = NDArray[Any]


def auroc_of_groups(negative: Numbers, positive: Numbers) -> Scores:
    """Return the area under the ROC of scores that come in groups.

    Parameters
    ----------
    negative, positive : ndarray of shape (..., n_groups)
        Numbers of cases of either kind, in the order of their score. Those of one
        group have the same score.

    Returns
    -------
    ndarray of shape (...), float64
        The probability that of two cases the positive one has the higher score, ties
        counted half; nan where a kind is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._ranks import auroc_of_groups
    >>> auroc_of_groups(np.array([2, 0, 0]), np.array([0, 1, 1]))
    array(1.)
    >>> auroc_of_groups(np.array([2, 1]), np.array([1, 2]))
    array(0.667)
    """
    n_negative = negative.sum(axis=-1, dtype=np.float64)
    n_positive = positive.sum(axis=-1, dtype=np.float64)
    pairs = np.asarray(n_negative * n_positive)
    area = np.full(pairs.shape, np.nan)
    ahead = np.asarray(_pairs_in_order(negative, positive))
    np.divide(ahead, pairs, out=area, where=pairs > 0)
    return area


def mann_whitney_of_groups(negative: Numbers, positive: Numbers) -> tuple[float, float]:
    """Test whether positive cases have the higher scores, which come in groups.

    The one-sided test by the normal distribution, with correction for ties and for
    continuity.

    Parameters
    ----------
    negative, positive : ndarray of shape (n_groups,)
        Numbers of cases of either kind, in the order of their score.

    Returns
    -------
    statistic, pvalue : float
        As of :func:`~instantdl.metrics.compare_uncertainty`; nan where a kind is
        missing.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._ranks import mann_whitney_of_groups
    >>> statistic, pvalue = mann_whitney_of_groups(np.array([40, 5]), np.array([5, 40]))
    >>> statistic, pvalue < 1e-9
    (1800.0, True)
    """
    n_negative, n_positive = float(negative.sum()), float(positive.sum())
    if not n_negative or not n_positive:
        return np.nan, np.nan
    statistic = float(_pairs_in_order(negative, positive))
    total = n_negative + n_positive
    ties = (negative + positive).astype(np.float64)
    shrink = np.sum(ties**3 - ties) / (total * (total - 1))
    variance = n_negative * n_positive / 12 * (total + 1 - shrink)
    excess = statistic - n_negative * n_positive / 2 - 0.5
    if variance <= 0:  # all scores are equal
        return statistic, 1.0
    return statistic, float(norm.sf(excess / np.sqrt(variance)))


def quantile_of_groups(values: Numbers, counts: Numbers, quantile: float) -> float:
    """Return a quantile of values that come in groups.

    Parameters
    ----------
    values : ndarray of shape (n_groups,)
        Growing.

    counts : ndarray of shape (n_groups,)
        How many cases have each value.

    quantile : float
        From 0 to 1.

    Returns
    -------
    float
        The value between the two cases beside that rank; nan without cases.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._ranks import quantile_of_groups
    >>> quantile_of_groups(np.array([1.0, 2.0, 5.0]), np.array([2, 1, 1]), 0.5)
    1.5
    """
    last = np.cumsum(counts)
    n_cases = int(last[-1])
    if not n_cases:
        return np.nan
    rank = quantile * (n_cases - 1)
    low = values[np.searchsorted(last, np.floor(rank), side="right")]
    high = values[np.searchsorted(last, np.ceil(rank), side="right")]
    return float(low + (high - low) * (rank % 1))


def risk_coverage(
    uncertainty: ArrayLike, error: ArrayLike, *, coverage: ArrayLike = (1.0,)
) -> tuple[Scores, float]:
    """Measure the error among the most certain predictions.

    The curve of risk and coverage of [1]_: predictions are accepted in the order of
    their uncertainty, and the mean error of the accepted ones is looked at. Of equally
    uncertain ones it is the mean over all orders.

    Parameters
    ----------
    uncertainty : array-like of shape (n_samples,)
        Uncertainty of each prediction. Any other shape will do if `error` has it too.

    error : array-like of shape (n_samples,)
        Error of each prediction, 0 or larger: whether it is wrong, or by how much.

    coverage : array-like of shape (n_points,), default=(1.0,)
        Shares of the predictions that are accepted, above 0 and up to 1.

    Returns
    -------
    risk : ndarray of shape (n_points,)
        Mean error of the accepted predictions, lower is better.

    area : float
        Mean risk over all numbers of accepted predictions, lower is better.

    Raises
    ------
    ValueError
        If the shapes differ, values are not finite, or a share is not in (0, 1].

    See Also
    --------
    error_auroc : The same question for predictions that are right or wrong.

    References
    ----------
    .. [1] Geifman, Y. and El-Yaniv, R. "Selective classification for deep neural
       networks", NeurIPS 2017.

    Examples
    --------
    >>> from instantdl.metrics._ranks import risk_coverage
    >>> risk, area = risk_coverage([1, 2, 3, 4], [0, 0, 1, 1], coverage=[0.5, 1.0])
    >>> risk, round(area, 3)
    (array([0. , 0.5]), 0.208)
    """
    values = _finite(uncertainty, "uncertainty")
    errors = _finite(error, "error")
    if np.shape(uncertainty) != np.shape(error) or not values.size:
        raise ValueError(
            "`uncertainty` and `error` must have the same shape, with one value or"
            f" more. Got {np.shape(uncertainty)} and {np.shape(error)}."
        )
    _, place = np.unique(values, return_inverse=True)
    numbers = np.bincount(place)
    return risk_coverage_of_groups(numbers, np.bincount(place, errors), coverage)


def risk_coverage_of_groups(
    numbers: Numbers, errors: Numbers, coverage: ArrayLike
) -> tuple[Scores, float]:
    """Return the curve of risk and coverage of groups of equal uncertainty.

    Parameters
    ----------
    numbers : ndarray of shape (n_groups,)
        How many predictions there are, in the order of their uncertainty.

    errors : ndarray of shape (n_groups,)
        The sums of their errors.

    coverage : array-like of shape (n_points,)
        Shares of the predictions, above 0 and up to 1.

    Returns
    -------
    risk : ndarray of shape (n_points,)
        Mean error of the most certain predictions.

    area : float
        Mean risk over all numbers of predictions, exact for the groups.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._ranks import risk_coverage_of_groups
    >>> risk_coverage_of_groups(np.array([2, 2]), np.array([0, 2]), [0.5, 0.75])[0]
    array([0.  , 0.333])
    """
    shares = np.asarray(coverage, np.float64)
    if not ((shares > 0) & (shares <= 1)).all():
        raise ValueError(
            f"`coverage` must lie above 0 and up to 1. Got {shares.tolist()}."
        )
    there = numbers > 0
    n, wrong = numbers[there].astype(np.float64), errors[there].astype(np.float64)
    last, total = np.cumsum(n), np.cumsum(wrong)
    accepted = shares * last[-1]
    sums = np.interp(accepted, np.append(0, last), np.append(0, total))
    # Within a group errors come evenly, so that the sum of its risks is a harmonic one.
    first, before = last - n, total - wrong
    steps = digamma(last + 1) - digamma(first + 1)
    area = np.sum(wrong + (before - wrong / n * first) * steps) / last[-1]
    return sums / accepted, float(area)


def _pairs_in_order(negative: Numbers, positive: Numbers) -> Any:
    """Return the number of pairs in which the positive case is ahead, ties half."""
    below = np.cumsum(negative, axis=-1, dtype=np.float64) - negative / 2
    return np.sum(positive * below, axis=-1)


def _finite(values: ArrayLike, name: str) -> Scores:
    floats = np.asarray(values, np.float64).ravel()
    if not np.isfinite(floats).all():
        raise ValueError(
            f"`{name}` must hold finite numbers."
            f" Got {floats[~np.isfinite(floats)][0]}. Leave such predictions out."
        )
    return floats
