"""Label images: one number per object, 0 for the background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from instantdl.exceptions import ImageError

__all__ = [
    "as_spacing",
    "label_mask",
    "labels_to_masks",
    "masks_to_labels",
    "relabel",
    "remove_small",
]

Labels = NDArray[np.int32]


def label_mask(
    mask: NDArray[Any],
    *,
    min_distance: float = 5.0,
    min_size: int = 0,
    spacing: float | Sequence[float] | None = None,
) -> Labels:
    """Give each object of a mask a number, and split objects that touch.

    Each object is grown from its middle, a maximum of the smoothed distance to the
    background, by a watershed; objects meet where they are narrow.

    Parameters
    ----------
    mask : ndarray of shape (*spatial,)
        2D or 3D; pixels other than 0 belong to objects.

    min_distance : float, default=5.0
        Middles of touching objects are farther apart than this along one axis at
        least, in pixels or in units of `spacing`. Raise it when objects are torn.

    min_size : int, default=0
        Objects of fewer pixels are dropped.

    spacing : float or sequence of float, default=None
        Size of a pixel along each axis, for volumes whose planes lie farther apart
        than the pixels within. With None all are 1.

    Returns
    -------
    ndarray of shape (*spatial,), int32
        0 is the background, objects are 1 to n.

    Raises
    ------
    ValueError
        If `mask` is neither 2D nor 3D, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import label_mask
    >>> rows, columns = np.ogrid[:24, :40]
    >>> left = (rows - 12) ** 2 + (columns - 12) ** 2 < 81
    >>> right = (rows - 12) ** 2 + (columns - 27) ** 2 < 81
    >>> label_mask(left | right).max()
    np.int32(2)
    """
    sizes = as_spacing(mask, spacing)
    if min_distance < 0:
        raise ValueError(f"`min_distance` must not be negative. Got {min_distance}.")
    inside = np.asarray(mask) != 0
    parts, n_parts = ndimage.label(inside, structure=np.ones((3,) * mask.ndim))
    if n_parts == 0:
        return np.zeros(mask.shape, dtype=np.int32)
    # A margin of background: an object at the border ends there.
    distance = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=sizes)
    distance = distance[(slice(1, -1),) * mask.ndim]
    # Smoothing over a fifth of the distance levels the steps of the pixels.
    smooth = ndimage.gaussian_filter(distance, [0.2 * min_distance / s for s in sizes])
    seeds = _seeds(smooth, parts, n_parts, [min_distance / size for size in sizes])
    labels = watershed(-smooth, seeds, mask=inside)  # type: ignore[no-untyped-call, unused-ignore]
    return relabel(remove_small(labels, min_size))


def relabel(labels: NDArray[Any]) -> Labels:
    """Renumber the objects of a label image from 1 without gaps, in the same order.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Bool or integer, 0 is the background.

    Returns
    -------
    ndarray of shape (*spatial,), int32
        A new array.

    Raises
    ------
    ImageError
        If `labels` holds other than whole numbers from 0 on.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import relabel
    >>> relabel(np.array([[0, 7, 7], [3, 0, 9]]))
    array([[0, 2, 2],
           [1, 0, 3]], dtype=int32)
    """
    labels = _check_labels(labels)
    values, positions = np.unique(labels, return_inverse=True)
    numbers = np.arange(len(values)) + int(len(values) > 0 and values[0] != 0)
    return numbers[positions].reshape(labels.shape).astype(np.int32)


def remove_small(labels: NDArray[Any], min_size: int) -> NDArray[Any]:
    """Make background of the objects of fewer than `min_size` pixels.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Integer, 0 is the background. Other objects keep their numbers.

    min_size : int
        The fewest pixels of an object that stays.

    Returns
    -------
    ndarray of shape (*spatial,)
        A new array of the same dtype.

    Raises
    ------
    ImageError
        If `labels` holds other than whole numbers from 0 on.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import remove_small
    >>> remove_small(np.array([[1, 1, 0], [0, 0, 2]]), 2)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    labels = _check_labels(labels)
    _, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    small = (counts < min_size)[positions].reshape(labels.shape)
    return np.where(small, np.zeros((), labels.dtype), labels)


def labels_to_masks(labels: NDArray[Any]) -> list[NDArray[np.bool_]]:
    """Return one mask per object of a label image, by rising number.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Integer, 0 is the background.

    Returns
    -------
    list of ndarray of shape (*spatial,), bool
        Empty if there are no objects.

    Raises
    ------
    ImageError
        If `labels` holds other than whole numbers from 0 on.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import labels_to_masks
    >>> [int(mask.sum()) for mask in labels_to_masks(np.array([[0, 2, 2], [5, 0, 0]]))]
    [2, 1]
    """
    labels = _check_labels(labels)
    return [labels == value for value in np.unique(labels) if value != 0]


def masks_to_labels(
    masks: Sequence[NDArray[Any]], shape: Sequence[int] | None = None
) -> Labels:
    """Return the label image in which mask `i` is object `i + 1`.

    Parameters
    ----------
    masks : sequence of ndarray of shape (*spatial,)
        One mask per object, such as an array (n_objects, *spatial); pixels other
        than 0 belong to it. Where masks overlap the first one wins.

    shape : sequence of int or None, default=None
        Shape of the image; needed only if there are no masks.

    Returns
    -------
    ndarray of shape (*spatial,), int32
        A mask that others hide wholly leaves a gap in the numbers; see `relabel`.

    Raises
    ------
    ImageError
        If shapes differ, or there is neither a mask nor a shape.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import masks_to_labels
    >>> masks_to_labels([np.array([[1, 1, 0]]), np.array([[0, 1, 1]])])
    array([[1, 1, 2]], dtype=int32)
    """
    if shape is None and len(masks) == 0:
        raise ImageError(
            "`masks` must hold at least one mask where `shape` is not given. Got 0."
            " Pass `shape`."
        )
    wanted = tuple(np.shape(masks[0]) if shape is None else shape)
    labels = np.zeros(wanted, dtype=np.int32)
    for index, mask in enumerate(masks):
        if np.shape(mask) != wanted:
            raise ImageError(
                f"Every mask must have shape {wanted}."
                f" Got {np.shape(mask)} for mask {index}."
            )
        labels[(labels == 0) & (np.asarray(mask) != 0)] = index + 1
    return labels


def as_spacing(
    mask: NDArray[Any], spacing: float | Sequence[float] | None
) -> list[float]:
    """Return the size of a pixel along each axis of a 2D or 3D mask.

    Parameters
    ----------
    mask : ndarray of shape (*spatial,)
        Mask or label image.

    spacing : float, sequence of float or None
        What a user gave; None is 1.

    Returns
    -------
    list of float
        One size for each axis.

    Raises
    ------
    ValueError
        If the mask is neither 2D nor 3D, or a size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import as_spacing
    >>> as_spacing(np.zeros((4, 4)), 2)
    [2.0, 2.0]
    """
    if np.ndim(mask) not in (2, 3):
        raise ImageError(
            "`mask` must have shape (height, width) or (depth, height, width)."
            f" Got {np.shape(mask)}."
        )
    if spacing is None:
        return [1.0] * mask.ndim
    given: Any = [spacing] * mask.ndim if np.ndim(spacing) == 0 else spacing
    sizes = [float(size) for size in given]
    if len(sizes) != mask.ndim or not all(0 < size < math.inf for size in sizes):
        raise ValueError(
            f"`spacing` must be a positive number or {mask.ndim} of them."
            f" Got {spacing!r}."
        )
    return sizes


def _seeds(
    smooth: NDArray[Any], parts: NDArray[Any], n_parts: int, reach: list[float]
) -> NDArray[Any]:
    """Return a label image with a small seed at the middle of every object."""
    size = [2 * math.floor(pixels) + 1 for pixels in reach]
    highest = ndimage.maximum_filter(smooth, size=size, mode="nearest")
    peaks = (parts > 0) & (smooth == highest)
    # Pixels of equal height that touch are one summit.
    seeds, n_seeds = ndimage.label(peaks, structure=np.ones((3,) * smooth.ndim))
    without = np.setdiff1d(np.arange(1, n_parts + 1), parts[peaks])
    if without.size:
        # A larger neighbour within reach has hidden the maxima of these parts.
        own = ndimage.maximum_position(smooth, parts, without)
        for number, position in enumerate(own, start=n_seeds + 1):
            seeds[position] = number
    return np.asarray(seeds)


def _check_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Return a label image as an array of integers from 0 on."""
    labels = np.asarray(labels)
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        got = labels.dtype if labels.dtype.kind not in "iu" else labels.min()
        raise ImageError(
            f"`labels` must hold whole numbers from 0 (background) on. Got {got}."
        )
    return labels
