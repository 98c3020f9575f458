"""Moments of the pixels of true and predicted images, merged image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from instantdl.metrics._pairs import Images, Scores, as_floats, read_pairs

__all__ = ["Moments", "measure"]

# Pixels looked at together, so that an image on disk is never held whole.
_BLOCK = 2**20


@dataclass(frozen=True)
class Moments:
    """What the measures of real-valued images need to know of a set of pixels.

    Sums of squares of large values would cancel out in their differences, so the
    squares are of deviations from the mean, merged as by Chan et al. [1]_.

    Parameters
    ----------
    n : int
        Number of pixels.

    mean : ndarray of shape (2,)
        Mean of the truth and of the prediction.

    scatter : ndarray of shape (2, 2)
        Sums of products of the deviations from these means.

    low : ndarray of shape (2,)
        Smallest value of truth and prediction.

    high : ndarray of shape (2,)
        Largest value of truth and prediction.

    error : float
        Sum of absolute errors.

    squared_error : float
        Sum of squared errors.

    truth : float
        Sum of absolute values of the truth.

    References
    ----------
    .. [1] Chan, T.F., Golub, G.H. and LeVeque, R.J. "Algorithms for computing the
       sample variance: analysis and recommendations." The American Statistician
       37.3 (1983): 242-247.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._moments import Moments
    >>> true = np.array([1.0, 2.0, 3.0, 4.0])
    >>> parts = [Moments.of(true[:2], true[:2] + 1), Moments.of(true[2:], true[2:])]
    >>> parts[0].merge(parts[1]).mean
    array([2.5, 3. ])
    """

    n: int
    mean: Scores
    scatter: Scores
    low: Scores
    high: Scores
    error: float
    squared_error: float
    truth: float

    @classmethod
    def of(cls, true: Scores, pred: Scores) -> Moments:
        """Take the moments of some pixels, arrays of one shape."""
        both = np.stack([true.ravel(), pred.ravel()])
        mean = both.mean(axis=1)
        deviations = both - mean[:, np.newaxis]
        errors = np.abs(both[1] - both[0])
        return cls(
            n=both.shape[1],
            mean=mean,
            scatter=deviations @ deviations.T,
            low=both.min(axis=1),
            high=both.max(axis=1),
            error=float(errors.sum()),
            squared_error=float(np.square(errors).sum()),
            truth=float(np.abs(both[0]).sum()),
        )

    def merge(self, other: Moments) -> Moments:
        """Return the moments of the pixels of both."""
        n = self.n + other.n
        step = other.mean - self.mean
        between = np.outer(step, step) * (self.n * (other.n / n))
        return Moments(
            n=n,
            mean=self.mean + step * (other.n / n),
            scatter=self.scatter + other.scatter + between,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            error=self.error + other.error,
            squared_error=self.squared_error + other.squared_error,
            truth=self.truth + other.truth,
        )

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether truth and prediction have one value only, of shape (2,).

        Rounding of the mean leaves a constant image a little scatter, so that it is
        known by its extremes.
        """
        return (self.low == self.high) | (np.diagonal(self.scatter) == 0)


def measure(
    y_true: Images,
    y_pred: Images,
    value_of: Callable[[Moments], float],
    per_image: bool,
) -> float | Scores:
    """Return what follows from the moments of all images, or of each.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted images.

    value_of : callable
        Takes the moments and returns the measure.

    per_image : bool
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        What `value_of` returned.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._moments import measure
    >>> images = np.ones((2, 4, 5))
    >>> measure(images, images, lambda moments: moments.n, per_image=False)
    40.0
    """
    each = _moments_of_images(y_true, y_pred)
    if per_image:
        return np.array([value_of(moments) for moments in each], dtype=np.float64)
    return float(value_of(reduce(Moments.merge, each)))


def _moments_of_images(y_true: Images, y_pred: Images) -> Iterator[Moments]:
    for index, (true, pred) in enumerate(read_pairs(y_true, y_pred)):
        rows = max(1, _BLOCK // true[0].size)
        parts = (
            Moments.of(
                as_floats(true[start : start + rows], f"Image {index} of `y_true`"),
                as_floats(pred[start : start + rows], f"Image {index} of `y_pred`"),
            )
            for start in range(0, len(true), rows)
        )
        yield reduce(Moments.merge, parts)
