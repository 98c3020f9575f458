"""Bins for the values of pixels, so fine that ranks and quantiles follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from instantdl.metrics._pairs import Scores

__all__ = [
    "N_LOG_ODDS_BINS",
    "N_SIZE_BINS",
    "log_odds_bins",
    "log_odds_edges",
    "size_bins",
    "size_edges",
    "size_values",
]

Bins = NDArray[np.int64]

N_LOG_ODDS_BINS = 2**12
_MOST = 16.0  # beyond 1.1e-7 from 0 or 1, where float32 has hardly any values
_PER_UNIT = N_LOG_ODDS_BINS / (2 * _MOST)

# A positive float32 grows with its bits, read as an integer. Those of the exponent
# and the first ten of the fraction make bins a thousandth of their value wide.
_DROPPED = 13
N_SIZE_BINS = 0x7F800000 >> _DROPPED


def log_odds_bins(probability: NDArray[Any]) -> Bins:
    """Return the bins of probabilities, in equal steps of the log-odds.

    Networks are mostly sure: equal steps of the probability itself would put most
    pixels into the first and the last bin.

    Parameters
    ----------
    probability : ndarray of any shape
        From 0 to 1; what lies beyond by a rounding error is taken for 0 or 1.

    Returns
    -------
    ndarray of the same shape, int64
        From 0 to ``N_LOG_ODDS_BINS - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._histograms import log_odds_bins
    >>> log_odds_bins(np.array([0.0, 0.5, 0.502, 1.0]))
    array([   0, 2048, 2049, 4095])
    """
    # Beyond 0 or 1 by a rounding error, the log-odds would be nan.
    inside = np.clip(np.asarray(probability, np.float64), 0, 1)
    steps = (logit(inside) + _MOST) * _PER_UNIT
    return np.clip(steps, 0, N_LOG_ODDS_BINS - 1).astype(np.int64)


def log_odds_edges() -> Scores:
    """Return the probabilities at which bins begin, and the last one's end.

    Returns
    -------
    ndarray of shape (N_LOG_ODDS_BINS + 1,), float64
        From 0 to 1.
    """
    edges = np.asarray(expit(np.arange(N_LOG_ODDS_BINS + 1) / _PER_UNIT - _MOST))
    edges[0], edges[-1] = 0.0, 1.0
    return edges


def size_bins(values: NDArray[Any]) -> Bins:
    """Return the bins of values that are not negative, of any scale.

    A bin is about a thousandth of its value wide, so that the range need not be known
    beforehand.

    Parameters
    ----------
    values : ndarray of any shape
        From 0.

    Returns
    -------
    ndarray of the same shape, int64
        From 0 to ``N_SIZE_BINS - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._histograms import size_bins, size_values
    >>> values = np.array([0.0, 1e-6, 0.1, 12345.0])
    >>> size_values()[size_bins(values)] / np.array([1, 1e-6, 0.1, 12345.0])
    array([0. , 1.0, 1.0, 1.0])
    """
    with np.errstate(over="ignore", under="ignore"):
        # The sum turns -0.0, whose first bit is set, into 0.0.
        floats = np.asarray(values).astype(np.float32) + np.float32(0)
    bins = floats.view(np.uint32).astype(np.int64) >> _DROPPED
    return np.minimum(bins, N_SIZE_BINS - 1)


def size_edges() -> Scores:
    """Return the values at which the bins of :func:`size_bins` begin.

    Returns
    -------
    ndarray of shape (N_SIZE_BINS + 1,), float64
        From 0, growing; the last one, at which none begins, is infinite.
    """
    starts = np.arange(N_SIZE_BINS + 1, dtype=np.uint32) << np.uint32(_DROPPED)
    return starts.view(np.float32).astype(np.float64)


def size_values() -> Scores:
    """Return the value that stands for each bin of :func:`size_bins`, its middle.

    Returns
    -------
    ndarray of shape (N_SIZE_BINS,), float64
        From 0, growing.
    """
    edges = size_edges()[:-1]
    middles = edges + np.diff(edges, append=edges[-1]) / 2
    middles[0] = 0.0
    return middles
