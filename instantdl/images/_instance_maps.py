"""Label images as maps that a network can learn, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from instantdl.images._labels import as_spacing, relabel, remove_small

__all__ = ["grow_instances", "object_cores"]

# From which depth on a pixel is in the core, as a part of the greatest one; the lower
# one where the core would fall into parts.
_LEVELS = (0.4, 0.2)


def object_cores(
    labels: NDArray[Any], *, spacing: float | Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Return the core of each object: what lies well within it.

    Where objects touch, their cores do not, so each core is one seed.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Label image, 2D or 3D: a number for each object, 0 for the background.

    spacing : float or sequence of float, default=None
        Size of a pixel along each axis. With None all are 1.

    Returns
    -------
    ndarray of shape (*spatial,), bool
        True in the cores.

    Raises
    ------
    ValueError
        If `labels` is neither 2D nor 3D or holds other than whole numbers from 0 on.

    Notes
    -----
    A pixel's depth is its distance to the next one that is not in the object. From 0.4
    of the greatest depth on it is in the core, if it is not on the border and touches
    no other object. Where a thin place would cut the core into parts, 0.2 and then all
    but the border are tried, and at last the largest part is taken: a core is always
    one part. Objects of no depth are all core, but for pixels that touch other objects
    as long as any are left. What is cut off by the image's border goes on beyond it.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import object_cores
    >>> object_cores(np.array([[0, 3, 3, 3, 3, 3, 7, 7, 7, 0]])).astype(int)
    array([[0, 0, 1, 1, 1, 0, 0, 1, 0, 0]])
    """
    sizes = as_spacing(labels, spacing)
    numbers = relabel(labels)
    result = np.zeros(numbers.shape, bool)
    for number, window in enumerate(ndimage.find_objects(numbers), start=1):
        wide = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in window)
        result[wide] |= _core(numbers[wide], number, sizes)
    return result


def grow_instances(
    foreground: NDArray[Any],
    cores: NDArray[Any],
    *,
    foreground_threshold: float = 0.5,
    seed_threshold: float = 0.5,
    min_size: int = 0,
) -> NDArray[np.int32]:
    """Grow objects from their cores over the foreground, by a watershed.

    Parameters
    ----------
    foreground : ndarray of shape (*spatial,)
        How probable it is that a pixel belongs to an object.

    cores : ndarray of shape (*spatial,)
        How probable it is that a pixel is in the core of one, see `object_cores`.

    foreground_threshold : float, default=0.5
        Pixels of the foreground from this on belong to objects.

    seed_threshold : float, default=0.5
        Each connected part of cores from this on is the seed of an object. Where a
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
    >>> cores = np.array([[0.4, 0.9, 0.3, 0.2, 0.8, 0.3, 0.0]])
    >>> grow_instances(cores > 0, cores)
    array([[1, 1, 1, 2, 2, 2, 0]], dtype=int32)
    """
    inside = np.asarray(foreground) >= foreground_threshold
    height = np.asarray(cores, np.float32)
    within = inside & (height >= seed_threshold)
    seeds, _ = ndimage.label(within, structure=np.ones((3,) * within.ndim))
    grown = watershed(-height, seeds, mask=inside)  # type: ignore[no-untyped-call, unused-ignore]
    return relabel(remove_small(grown, min_size))


def _core(labels: NDArray[Any], number: int, sizes: list[float]) -> NDArray[np.bool_]:
    """Return the core of one object in the window around it."""
    inside = labels == number
    if inside.all():
        return inside
    core = _deepest(inside, sizes)
    others = (labels > 0) & ~inside
    if others.any():
        # Where planes are far apart, one that another object touches may be deep.
        apart = core & ~ndimage.binary_dilation(others, np.ones((3,) * labels.ndim))
        core = _largest_part(apart) if apart.any() else core
    return core


def _deepest(inside: NDArray[np.bool_], sizes: list[float]) -> NDArray[np.bool_]:
    """Return the pixels that are far from the border, in one part."""
    depth = ndimage.distance_transform_edt(inside, sampling=sizes)
    # The border is as deep as a pixel is wide, along the axis where it is narrowest.
    deepest, border = depth.max(), min(sizes) * (1 + 1e-6)
    core = inside
    if deepest > border:
        for level in (*_LEVELS, 0):
            core = depth > max(level * deepest, border)
            _, n_parts = ndimage.label(core, np.ones((3,) * inside.ndim))
            if n_parts == 1:
                return np.asarray(core)
    return _largest_part(core)


def _largest_part(core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, _ = ndimage.label(core, np.ones((3,) * core.ndim))
    return np.asarray(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))
