"""From which probability on a pixel is foreground."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

_HISTOGRAM_BINS = 200


def best_threshold(pairs: Iterable[tuple[NDArray, NDArray]]) -> float:
    """Return the threshold with the best Jaccard index, pooled over all pixels.

    Parameters
    ----------
    pairs : iterable of tuple of ndarray
        Probabilities of the foreground and, of the same shape, whether it is there;
        one pair after the other, so that images of any size fit in memory.

    Returns
    -------
    float
        In steps of 1/200; the middle one of several that are equally good.
    """
    edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
    counts = np.zeros((2, _HISTOGRAM_BINS), np.int64)
    for probability, truth in pairs:
        for row, chosen in zip(counts, (~truth, truth), strict=True):
            row += np.histogram(probability[chosen], edges)[0]
    # from each edge on, what lies above it is called foreground
    false, found = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    index = found / np.maximum(counts[1].sum() + false, 1)
    best = np.flatnonzero(index >= index.max() - 1e-12)
    return float(edges[best[len(best) // 2]])


def guarded_otsu(probability: NDArray) -> float:
    """Return Otsu's threshold, but 0.5 where there is only one side to it.

    Parameters
    ----------
    probability : ndarray
        Of the foreground, for the pixels of one image.

    Returns
    -------
    float
        0.5 if nothing in the image reaches it, or all of it does.
    """
    if probability.max() < 0.5 or probability.min() >= 0.5:
        return 0.5
    return float(threshold_otsu(probability))
