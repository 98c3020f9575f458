"""From which values on pixels are foreground, and objects are begun."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from instantdl.metrics import average_precision

_FOREGROUND = (0.3, 0.4, 0.5, 0.6, 0.7)
_OBJECTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def tune_thresholds(
    grow: Callable[[Any, float, float], NDArray[Any]],
    evidence: Sequence[Any],
    labels: Sequence[NDArray[Any]],
    *,
    foreground: float | None = None,
    start: float | None = None,
) -> tuple[float, float]:
    """Choose the thresholds of the best mean average precision.

    Parameters
    ----------
    grow : callable
        Takes the evidence of an image, the threshold of the foreground and that of
        objects, and returns a label image.

    evidence : sequence
        Of each image.

    labels : sequence of ndarray of shape (*spatial,)
        Its true objects.

    foreground, start : float, default=None
        A threshold that is given and only to be gone with; None is to be chosen.

    Returns
    -------
    foreground_threshold, object_threshold : float
        That of objects is chosen first, for a foreground of 0.5 if none is given; of
        several that are equally good the one next to 0.5.
    """

    def score(*thresholds: float) -> float:
        grown = [grow(one, *thresholds) for one in evidence]
        return float(average_precision(labels, grown))

    def best(values: Sequence[float], judge: Callable[[float], float]) -> float:
        return max(values, key=lambda value: (judge(value), -abs(value - 0.5)))

    if start is None:
        first = 0.5 if foreground is None else foreground
        start = best(_OBJECTS, lambda value: score(first, value))
    if foreground is None:
        chosen = start
        foreground = best(_FOREGROUND, lambda value: score(value, chosen))
    return foreground, start
