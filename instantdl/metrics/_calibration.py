"""Whether probabilities are as often right as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instantdl.metrics._pairs import Scores

__all__ = [
    "calibration_error_of",
    "expected_calibration_error",
    "reliability_counts",
]


def expected_calibration_error(
    probability: ArrayLike, outcome: ArrayLike, *, n_bins: int = 10
) -> float:
    """Measure by how much probabilities miss the frequencies that are observed.

    Predictions are sorted into bins of equal width; in each, the mean probability is
    compared with the part that came true. The differences are averaged over all
    predictions [1]_.

    Parameters
    ----------
    probability : array-like of shape (n_samples,)
        Of the second of two classes, or of the class that was predicted; from 0 to 1.
        Any other shape will do if `outcome` has it too.

    outcome : array-like of shape (n_samples,)
        Whether it came true: bool, or 0 and 1.

    n_bins : int, default=10
        Number of bins.

    Returns
    -------
    float
        From 0 to 1, lower is better.

    Raises
    ------
    ValueError
        If the shapes differ, or values are not as said.

    See Also
    --------
    sklearn.calibration.calibration_curve : The curve itself.

    References
    ----------
    .. [1] Guo et al. "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> from instantdl.metrics._calibration import expected_calibration_error
    >>> expected_calibration_error([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 0])
    0.25
    """
    values, came_true = np.asarray(probability), np.asarray(outcome)
    if values.shape != came_true.shape or not values.size:
        raise ValueError(
            "`probability` and `outcome` must have the same shape, with one value or"
            f" more. Got {values.shape} and {came_true.shape}."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            "`probability` must lie between 0 and 1. Got values from"
            f" {values.min()} to {values.max()}. Pass `predict_proba`'s."
        )
    if not np.isin(came_true, (0, 1)).all():
        raise ValueError(
            "`outcome` must hold bool, or 0 and 1. Got other values: compare first, as"
            " in `y_true == label`."
        )
    if n_bins < 1:
        raise ValueError(f"`n_bins` must be 1 or more. Got {n_bins}.")
    return float(calibration_error_of(reliability_counts(values, came_true, n_bins)))


def reliability_counts(
    probability: NDArray[Any], outcome: NDArray[Any], n_bins: int = 10
) -> Scores:
    """Count predictions in bins of their probability; parts may be added up.

    Parameters
    ----------
    probability : ndarray of any shape
        From 0 to 1.

    outcome : ndarray of the same shape
        Whether it came true.

    n_bins : int, default=10
        Number of bins of equal width. A probability between two belongs to the upper
        one.

    Returns
    -------
    ndarray of shape (n_bins, 3), float64
        Number of predictions, sum of their probabilities, how many came true.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._calibration import reliability_counts
    >>> reliability_counts(np.array([0.1, 0.9, 0.9]), np.array([0, 1, 0]), n_bins=2)
    array([[1. , 0.1, 0. ], [2. , 1.8, 1. ]])
    """
    values = np.asarray(probability, np.float64).ravel()
    bins = np.clip(values * n_bins, 0, n_bins - 1).astype(np.int64)
    columns = [
        np.bincount(bins, weights, minlength=n_bins).astype(np.float64)
        for weights in (None, values, np.asarray(outcome, np.float64).ravel())
    ]
    return np.stack(columns, axis=-1)


def calibration_error_of(counts: Scores) -> Any:
    """Return the expected calibration error of counts that may have been added up.

    Parameters
    ----------
    counts : ndarray of shape (..., n_bins, 3)
        Of :func:`reliability_counts`.

    Returns
    -------
    ndarray of shape (...)
        From 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._calibration import calibration_error_of
    >>> float(calibration_error_of(np.array([[2.0, 0.2, 0.0], [2.0, 1.8, 1.0]])))
    0.25
    """
    gaps = np.abs(counts[..., 2] - counts[..., 1])
    return gaps.sum(axis=-1) / counts[..., 0].sum(axis=-1)
