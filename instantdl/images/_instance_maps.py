"""Label images as maps that a network can learn, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric
from skimage.segmentation import watershed

from instantdl.images._labels import as_spacing, relabel, remove_small

__all__ = ["centre_closeness", "grow_instances"]

# How much longer than a straight line a path of steps to neighbouring pixels can be,
# by the number of axes.
_DETOUR = {2: 1.083, 3: 1.129}


def centre_closeness(
    labels: NDArray[Any], *, spacing: float | Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Return how close each pixel is to the centre of its object.

    1 at the centre, falling with the distance to it until just above 0 at the farthest
    pixel of the object, 0 in the background. Distances are measured within the object,
    so what lies above any value is one connected part of each, whatever its form.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Label image, 2D or 3D: a number for each object, 0 for the background.

    spacing : float or sequence of float, default=None
        Size of a pixel along each axis. With None all are 1.

    Returns
    -------
    ndarray of shape (*spatial,), float32
        In [0, 1].

    Raises
    ------
    ValueError
        If `labels` is neither 2D nor 3D or holds other than whole numbers from 0 on.

    Notes
    -----
    The centre is the pixel that lies deepest in the object; of several, the one next
    to the mean place of all. Parts of an object that do not touch the one with the
    centre, as where it is cut off by the image's border, are 0.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import centre_closeness
    >>> centre_closeness(np.array([[3, 3, 3, 0, 7]])).round(2)
    array([[0.5, 1. , 0.5, 0. , 1. ]], dtype=float32)
    """
    sizes = as_spacing(labels, spacing)
    numbers = relabel(labels)
    result = np.zeros(numbers.shape, np.float32)
    for number, window in enumerate(ndimage.find_objects(numbers), start=1):
        inside = numbers[window] == number
        result[window][inside] = _closeness(inside, sizes)[inside]
    return result


def grow_instances(
    foreground: NDArray[Any],
    closeness: NDArray[Any],
    *,
    foreground_threshold: float = 0.5,
    seed_threshold: float = 0.5,
    min_size: int = 0,
) -> NDArray[np.int32]:
    """Grow objects from their centres over the foreground, by a watershed.

    Parameters
    ----------
    foreground : ndarray of shape (*spatial,)
        How probable it is that a pixel belongs to an object.

    closeness : ndarray of shape (*spatial,)
        How close each pixel is to the centre of its object, see `centre_closeness`.

    foreground_threshold : float, default=0.5
        Pixels of the foreground from this on belong to objects.

    seed_threshold : float, default=0.5
        Each connected part of closeness from this on is the seed of an object. Where a
        part of the foreground has no seed, there is no object.

    min_size : int, default=0
        Objects of fewer pixels are dropped.

    Returns
    -------
    ndarray of shape (*spatial,), int32
        Label image: 0 is the background, objects are 1 to n.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import grow_instances
    >>> closeness = np.array([[0.4, 0.9, 0.3, 0.2, 0.8, 0.3, 0.0]])
    >>> grow_instances(closeness > 0, closeness)
    array([[1, 1, 1, 2, 2, 2, 0]], dtype=int32)
    """
    inside = np.asarray(foreground) >= foreground_threshold
    cores = inside & (np.asarray(closeness) >= seed_threshold)
    seeds, _ = ndimage.label(cores, structure=np.ones((3,) * cores.ndim))
    grown = watershed(-np.asarray(closeness), seeds, mask=inside)  # type: ignore[no-untyped-call, unused-ignore]
    return relabel(remove_small(grown, min_size))


def _closeness(inside: NDArray[Any], sizes: list[float]) -> NDArray[np.float32]:
    """Return the closeness to the centre of one object."""
    if inside.size == 1:
        return np.ones(inside.shape, np.float32)
    centre = _centre(inside, sizes)
    places = np.ogrid[tuple(slice(0, length) for length in inside.shape)]
    squares = [
        ((place - middle) * size) ** 2
        for place, middle, size in zip(places, centre, sizes, strict=True)
    ]
    distance = np.sqrt(sum(squares))
    if not inside.all():  # else all straight lines are inside
        costs = np.where(inside, 1.0, -1.0)
        paths, _ = MCP_Geometric(costs, sampling=sizes).find_costs([centre])  # type: ignore[no-untyped-call, unused-ignore]
        distance = np.maximum(distance, paths / _DETOUR[inside.ndim])
    reached = inside & np.isfinite(distance)
    farthest = distance[reached].max() + min(sizes)
    return np.where(reached, 1 - distance / farthest, 0).astype(np.float32)


def _centre(inside: NDArray[Any], sizes: list[float]) -> tuple[int, ...]:
    """Return the deepest pixel of an object; the border of its box is outside."""
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=sizes)
    depth = depth[(slice(1, -1),) * inside.ndim]
    deepest = np.argwhere(depth >= depth.max() - 1e-6)
    mean = np.argwhere(inside).mean(axis=0)
    nearest = np.argmin((((deepest - mean) * sizes) ** 2).sum(axis=1))
    return tuple(int(place) for place in deepest[nearest])
