"""From which values on pixels are foreground, and the seeds of objects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instantdl.images import grow_instances
from instantdl.metrics import average_precision

_FOREGROUND = (0.3, 0.4, 0.5, 0.6, 0.7)
_SEEDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def tune_thresholds(
    maps: Sequence[NDArray], labels: Sequence[NDArray], *, min_size: int
) -> tuple[float, float]:
    """Choose the thresholds of the best mean average precision.

    Parameters
    ----------
    maps : sequence of ndarray of shape (*spatial, 2)
        Foreground and closeness of each image.

    labels : sequence of ndarray of shape (*spatial,)
        Its true objects.

    min_size : int
        Objects of fewer pixels are dropped.

    Returns
    -------
    foreground_threshold, seed_threshold : float
        That of the seeds is chosen first, for a foreground of 0.5; of several that
        are equally good the one next to 0.5.
    """

    def score(foreground: float, seed: float) -> float:
        grown = [
            grow_instances(
                values[..., 0],
                values[..., 1],
                foreground_threshold=foreground,
                seed_threshold=seed,
                min_size=min_size,
            )
            for values in maps
        ]
        return float(average_precision(labels, grown))

    seed = max(_SEEDS, key=lambda value: (score(0.5, value), -abs(value - 0.5)))
    foreground = max(
        _FOREGROUND, key=lambda value: (score(value, seed), -abs(value - 0.5))
    )
    return foreground, seed


def smallest_size(labels: Sequence[NDArray], *, quantile: float = 0.01) -> int:
    """Return half the size below which hardly any object is.

    Parameters
    ----------
    labels : sequence of ndarray of shape (*spatial,)
        True label images.

    quantile : float, default=0.01
        Part of the objects that may be smaller.

    Returns
    -------
    int
        In pixels; 0 if there are no objects.
    """
    sizes = [np.unique(image[image > 0], return_counts=True)[1] for image in labels]
    every = np.concatenate(sizes)
    return int(np.quantile(every, quantile) / 2) if every.size else 0
