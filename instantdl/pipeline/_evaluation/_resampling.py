"""Intervals of measures, by drawing images anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["COLUMNS", "mean_of_known", "mean_over_images", "resample", "weighted_sums"]

#: Columns of the table of measures.
COLUMNS = ["value", "low", "high", "half_median", "half_q25", "half_q75", "n"]

N_DRAWS = 1000
N_HALVES = 100
LEAST_IMAGES = 3

# Draws that are looked at together, and numbers that are converted at a time.
_CHUNK = 100
_NUMBERS = 2**20

Weights = NDArray[np.int64]
Values = NDArray[Any]
# From how often each image is taken, of shape (n_draws, n_images), to the measures of
# each draw, each of shape (n_draws,).
Measure = Callable[[Weights], Mapping[str, Values]]


def resample(
    measure: Measure, n_images: int, random_state: Any, n: Mapping[str, int]
) -> pd.DataFrame:
    """Return measures of all images and what becomes of them with other images.

    Parameters
    ----------
    measure : callable
        Takes how often each image is taken, of shape (n_draws, n_images), and returns
        a dict of measures, each of shape (n_draws,).

    n_images : int
        Number of images.

    random_state : int, Generator or None
        Seed of the draws.

    n : mapping of str to int
        Numbers of images that a measure is defined for, where these are not all.

    Returns
    -------
    DataFrame of shape (n_measures, 7)
        The measure; its 2.5 and 97.5 % percentiles over 1000 draws of as many images
        with replacement; its median and quartiles over 100 draws of half of the
        images without replacement; the number of images. Draws for which a measure is
        undefined are left out. With less than three images the intervals are nan.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._resampling import resample
    >>> values = np.arange(9.0)
    >>> def mean(weights):
    ...     return {"mean": weights @ values / weights.sum(axis=1)}
    >>> table = resample(mean, 9, random_state=0, n={})
    >>> table.loc["mean", ["value", "low", "high"]].round(1).tolist()
    [4.0, 2.3, 5.6]
    """
    rng = np.random.default_rng(random_state)
    whole = measure(np.ones((1, n_images), np.int64))
    table = pd.DataFrame(np.nan, index=list(whole), columns=COLUMNS[:-1])
    table.index.name = "metric"
    table["value"] = [float(values[0]) for values in whole.values()]
    table["n"] = [n.get(name, n_images) for name in whole]
    if n_images < LEAST_IMAGES:
        return table
    drawn = _measure_draws(measure, n_images, _with_replacement(n_images, rng))
    halves = _measure_draws(measure, n_images, _half(n_images, rng))
    for name in whole:
        table.loc[name, COLUMNS[1:3]] = _percentiles(drawn[name], (2.5, 97.5))
        table.loc[name, COLUMNS[3:6]] = _percentiles(halves[name], (50, 25, 75))
    return table


def weighted_sums(weights: Weights, parts: Values) -> NDArray[np.float64]:
    """Add up what was counted in each image, as often as the image is taken.

    Parameters
    ----------
    weights : ndarray of shape (n_draws, n_images)
        How often each image is taken.

    parts : ndarray of shape (n_images, ...)
        Counts or sums of each image.

    Returns
    -------
    ndarray of shape (n_draws, ...), float64
        Those of each draw.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._resampling import weighted_sums
    >>> weighted_sums(np.array([[1, 1], [0, 2]]), np.array([[1, 5], [2, 6]]))
    array([[ 3., 11.], [ 4., 12.]])
    """
    flat = parts.reshape(len(parts), -1)
    times = weights.astype(np.float64)
    sums = np.empty((len(weights), flat.shape[1]))
    step = max(1, _NUMBERS // len(parts))
    for start in range(0, flat.shape[1], step):
        columns = slice(start, start + step)
        sums[:, columns] = times @ flat[:, columns].astype(np.float64)
    return sums.reshape(len(weights), *parts.shape[1:])


def mean_over_images(weights: Weights, values: Values) -> NDArray[np.float64]:
    """Return the mean of the values of images, as often as each image is taken.

    Parameters
    ----------
    weights : ndarray of shape (n_draws, n_images)
        How often each image is taken.

    values : ndarray of shape (n_images,)
        Those that are nan are left out; they may be infinite.

    Returns
    -------
    ndarray of shape (n_draws,), float64
        Of each draw; nan where no image has a value.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._resampling import mean_over_images
    >>> mean_over_images(np.array([[1, 1, 1], [2, 1, 0]]), np.array([1.0, 4.0, np.nan]))
    array([2.5, 2. ])
    """
    finite = np.isfinite(values)
    total = weights @ np.where(finite, values, 0.0)
    # A weight of 0 times infinity would be nan.
    high, low = weights @ (values == np.inf), weights @ (values == -np.inf)
    total = np.where(high > 0, np.inf, total)
    total = np.where(low > 0, np.where(high > 0, np.nan, -np.inf), total)
    number = weights @ ~np.isnan(values)
    mean = np.full(len(weights), np.nan)
    return np.divide(total, number, out=mean, where=number > 0)


def mean_of_known(values: Values) -> NDArray[np.float64]:
    """Return the mean over the last axis of what is not nan.

    Parameters
    ----------
    values : ndarray of shape (..., n_values)
        Such as of classes, some of which may be absent.

    Returns
    -------
    ndarray of shape (...), float64
        Means; nan where all values are.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._resampling import mean_of_known
    >>> mean_of_known(np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]]))
    array([1.5, 3. , nan])
    """
    known = ~np.isnan(values)
    mean = np.full(values.shape[:-1], np.nan)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.divide(total, known.sum(axis=-1), out=mean, where=known.any(axis=-1))


def _with_replacement(n_images: int, rng: np.random.Generator) -> Iterator[Values]:
    return (rng.integers(0, n_images, n_images) for _ in range(N_DRAWS))


def _half(n_images: int, rng: np.random.Generator) -> Iterator[Values]:
    n_drawn = n_images // 2
    return (rng.choice(n_images, n_drawn, replace=False) for _ in range(N_HALVES))


def _measure_draws(
    measure: Measure, n_images: int, draws: Iterator[Values]
) -> dict[str, Values]:
    """Return the measures of all draws, some of which are looked at together."""
    found: list[Mapping[str, Values]] = []
    while chunk := list(islice(draws, _CHUNK)):
        weights = [np.bincount(drawn, minlength=n_images) for drawn in chunk]
        found.append(measure(np.array(weights)))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _percentiles(values: Values, wanted: tuple[float, ...]) -> Values:
    known = values[~np.isnan(values)]
    if not known.size:
        return np.full(len(wanted), np.nan)
    # Between two infinite values there is no value.
    if np.isfinite(known).all():
        return np.percentile(known, wanted)
    return np.percentile(known, wanted, method="nearest")
