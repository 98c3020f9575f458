"""Objects as polygons along the borders of their pixels, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon

__all__ = ["fill_polygon", "outline_polygons"]

# Steps (x, y) along the borders of pixels: what comes after each when turning right.
_RIGHT_TURN = {(1, 0): (0, 1), (0, 1): (-1, 0), (-1, 0): (0, -1), (0, -1): (1, 0)}


def outline_polygons(mask: NDArray[Any]) -> list[list[NDArray[np.int64]]]:
    """Return the outlines of a mask along the borders of its pixels.

    Parameters
    ----------
    mask : ndarray of shape (height, width)
        Pixels other than 0 belong to the object.

    Returns
    -------
    list of list of ndarray of shape (n_points, 2), int64
        For each connected part (by sides, not corners) its outer ring and then its
        holes. Points are `(x, y)`; pixel `(row, column)` reaches from x `column` to
        `column + 1` and from y `row` to `row + 1`. The last point is not the first
        once more.

    See Also
    --------
    fill_polygon : The way back, which gives the same mask.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import outline_polygons
    >>> outline_polygons(np.array([[0, 1, 1]]))[0][0].tolist()
    [[1, 0], [3, 0], [3, 1], [1, 1]]
    """
    parts, _ = ndimage.label(np.asarray(mask) != 0)
    polygons = []
    for number, window in enumerate(ndimage.find_objects(parts), start=1):
        rings = _rings(parts[window] == number)
        rings.sort(key=lambda ring: -abs(_area(ring)))
        corner = np.array([window[1].start, window[0].start])
        polygons.append([ring + corner for ring in rings])
    return polygons


def fill_polygon(
    mask: NDArray[Any], rings: Iterable[Sequence[Sequence[float]] | NDArray[Any]]
) -> None:
    """Set the pixels of a mask whose centres lie in a polygon.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
        Changed in place; what is set stays set.

    rings : iterable of array-like of shape (n_points, 2)
        Points `(x, y)` of the outer ring and of holes, see `outline_polygons`. What
        lies in an even number of rings is outside.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import fill_polygon
    >>> mask = np.zeros((2, 4), bool)
    >>> fill_polygon(mask, [[(1, 0), (3, 0), (3, 1), (1, 1)]])
    >>> mask.astype(int)
    array([[0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    inside = np.zeros_like(mask, dtype=bool)
    for ring in rings:
        points = np.asarray(ring, dtype=float)
        # Centres of pixels are whole numbers to scikit-image.
        inside[polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, mask.shape)] ^= True  # type: ignore[no-untyped-call, unused-ignore]
    mask |= inside


def _rings(inside: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Return all closed borders of one part; the part is to the right of each."""
    leaving: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    padded = np.pad(inside, 1).astype(np.int8)
    below = np.diff(padded, axis=0)[:, 1:-1]
    beside = np.diff(padded, axis=1)[1:-1]
    for table, sign, start, step in (
        (below, 1, (0, 0), (1, 0)),
        (below, -1, (1, 0), (-1, 0)),
        (beside, -1, (0, 0), (0, 1)),
        (beside, 1, (0, 1), (0, -1)),
    ):
        for row, column in np.argwhere(table == sign).tolist():
            leaving[column + start[0], row + start[1]].append(step)
    rings = []
    while leaving:
        begin = next(iter(leaving))
        rings.append(_follow(begin, leaving))
    return rings


def _follow(
    begin: tuple[int, int], leaving: dict[tuple[int, int], list[tuple[int, int]]]
) -> NDArray[np.int64]:
    """Take the edges of one ring out of `leaving` and return its corners."""
    corners = []
    place, last = begin, None
    while place != begin or last is None:
        steps = leaving[place]
        # Where two pixels touch at a corner, staying right keeps to the same pixel.
        step = steps[0]
        if last is not None and len(steps) > 1:
            step = _RIGHT_TURN[last]
        steps.remove(step)
        if not steps:
            del leaving[place]
        if step != last:
            corners.append(place)
        place, last = (place[0] + step[0], place[1] + step[1]), step
    return np.array(corners, np.int64)


def _area(ring: NDArray[np.int64]) -> float:
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
