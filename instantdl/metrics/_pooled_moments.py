"""Measures of images that were drawn often, seldom or never, from their moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from instantdl.metrics._image_quality import _decibels
from instantdl.metrics._moments import Moments, _moments_of_images
from instantdl.metrics._pairs import Images, Scores
from instantdl.metrics._regression import (
    _correlation,
    _explained_variance,
    _relative_error,
)

__all__ = ["MEASURES_OF_MOMENTS", "moments_of_images", "pool_moments"]

#: What follows from moments, by the name of the function in `instantdl.metrics`.
MEASURES_OF_MOMENTS: dict[str, Callable[[Moments], float]] = {
    "mean_absolute_error": lambda moments: moments.error / moments.n,
    "mean_relative_error": _relative_error,
    "r2": _explained_variance,
    "pearson": _correlation,
    "psnr": lambda moments: _decibels(moments, None),
}


def moments_of_images(y_true: Images, y_pred: Images) -> list[Moments]:
    """Return the moments of each image, which are read one after the other.

    Parameters
    ----------
    y_true, y_pred : array of shape (n_samples, *spatial[, channels]) or sequence
        True and predicted images.

    Returns
    -------
    list of Moments
        One for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._pooled_moments import moments_of_images
    >>> y_true = np.ones((2, 4, 5))
    >>> [moments.error for moments in moments_of_images(y_true, y_true + 1)]
    [20.0, 20.0]
    """
    return list(_moments_of_images(y_true, y_pred))


def pool_moments(parts: Sequence[Moments], weights: NDArray[np.int64]) -> list[Moments]:
    """Return the moments of all pixels of images that are taken several times.

    Parameters
    ----------
    parts : sequence of Moments
        Of each image.

    weights : ndarray of shape (n_draws, n_images), int64
        How often a draw has each image; once at least for one of them.

    Returns
    -------
    list of Moments
        One for each draw, as of merging the parts one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._moments import Moments
    >>> from instantdl.metrics._pooled_moments import pool_moments
    >>> true = np.array([1.0, 2.0, 3.0, 4.0])
    >>> parts = [Moments.of(true[:2], true[:2] + 1), Moments.of(true[2:], true[2:])]
    >>> pool_moments(parts, np.array([[1, 1], [0, 2]]))[1].mean
    array([3.5, 3.5])
    """
    n = weights * np.array([part.n for part in parts])
    total = n.sum(axis=1)
    means = np.array([part.mean for part in parts])
    mean = n @ means / total[:, np.newaxis]
    away = means - mean[:, np.newaxis]  # of shape (n_draws, n_images, 2)
    between = np.einsum("di,dij,dik->djk", n.astype(np.float64), away, away)
    within = _weighted(weights, [part.scatter for part in parts])
    errors = _weighted(
        weights, [[part.error, part.squared_error, part.truth] for part in parts]
    )
    low = _extreme(np.minimum, weights, [part.low for part in parts], np.inf)
    high = _extreme(np.maximum, weights, [part.high for part in parts], -np.inf)
    return [
        Moments(
            int(total[draw]),
            mean[draw],
            within[draw] + between[draw],
            low[draw],
            high[draw],
            *errors[draw].tolist(),
        )
        for draw in range(len(weights))
    ]


def _weighted(weights: NDArray[np.int64], values: Sequence[object]) -> Scores:
    return np.tensordot(weights.astype(np.float64), np.array(values, float), axes=1)


def _extreme(
    choose: np.ufunc, weights: NDArray[np.int64], values: Sequence[Scores], none: float
) -> Scores:
    """Return the smallest or largest value of the images that were drawn."""
    drawn = np.where(weights[..., np.newaxis] > 0, np.array(values), none)
    return np.asarray(choose.reduce(drawn, axis=1))
