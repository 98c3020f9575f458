"""Bring images of different sizes to one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from instantdl.images._tiling import pad_to, round_up

__all__ = ["ResizedImages", "common_shape", "resize_image"]

_STEP = 16


def common_shape(
    shapes: Sequence[Sequence[int]], *, smallest: int = 1, largest: int = 224
) -> tuple[int, int]:
    """Choose one size for 2D images of any and of different sizes.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Height and width of each image.

    smallest, largest : int, default=1, default=224
        Bounds of each side, in pixels.

    Returns
    -------
    tuple of int
        The size of all images if they have but one, made smaller in proportion where
        it is too large. Else a square: the median of the longer sides, rounded up to a
        multiple of 16 so that parts of a set mostly get the same.

    Examples
    --------
    >>> from instantdl.images import common_shape
    >>> common_shape([(40, 60), (40, 60)]), common_shape([(40, 60), (50, 30)])
    ((40, 60), (64, 64))
    """
    sizes = np.array(shapes)
    shape = sizes[0].astype(float)
    if (sizes != shape).any():
        median = int(np.median(sizes.max(axis=1)))
        shape = np.full(2, float(round_up(median, _STEP)))
    shape = np.rint(shape * min(1, largest / shape.max()))
    height, width = np.maximum(shape, smallest).astype(int).tolist()
    return height, width


def resize_image(image: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Bring an image to another size, keeping its proportions.

    The image is made smaller or larger until it just fits. Along the axis where it
    is still too short it is mirrored at its end.

    Parameters
    ----------
    image : ndarray of shape (*spatial, n_channels)
        Bool, integer or float.

    shape : sequence of int
        The spatial shape wanted.

    Returns
    -------
    ndarray of shape (*shape, n_channels)
        The image itself if it has this shape. Else a new array, of its dtype if that
        is an integer, rounded; of float32, or float64 where the values need it, if
        not.

    Notes
    -----
    Pixels are weighted by a triangle as wide as one new pixel or, if that is more, one
    old one, on either side: linear interpolation, with a blur before pixels are left
    out. So nothing appears that is finer than the new pixels can show.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import resize_image
    >>> image = np.array([[0, 0, 8, 8]], np.uint8)[..., np.newaxis]
    >>> resize_image(image, (2, 8))[..., 0]
    array([[0, 0, 0, 2, 6, 8, 8, 8],
           [0, 0, 0, 2, 6, 8, 8, 8]], dtype=uint8)
    """
    old, new = np.array(image.shape[:-1]), np.array(shape)
    if (old == new).all():
        return image
    sizes = np.clip(np.rint(old * (new / old).min()), 1, new).astype(int)
    result = image.astype(np.result_type(image.dtype, np.float32))
    for axis, size in enumerate(sizes.tolist()):
        if size != old[axis]:
            weights = _weights(int(old[axis]), size).astype(result.dtype)
            moved = np.tensordot(weights, result, (1, axis))
            result = np.moveaxis(moved, 0, axis)
    if image.dtype.kind in "iu":
        result = np.rint(result).astype(image.dtype)
    return np.ascontiguousarray(pad_to(result, shape))


def _weights(old: int, new: int) -> NDArray[np.float64]:
    """Return how much each of the old pixels of a row counts for each new one."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(old) - centres[:, np.newaxis])
    weights = np.maximum(1 - distance / max(scale, 1), 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


class ResizedImages(Sequence[NDArray[Any]]):
    """Images that are brought to one size whenever they are read.

    Parameters
    ----------
    images : CheckedImages
        Of any and of different sizes.

    spatial_shape : tuple of int
        The size wanted; see :func:`resize_image`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import ResizedImages, check_images
    >>> images = check_images([np.zeros((9, 5)), np.zeros((40, 30))], spatial_ndim=2)
    >>> [image.shape for image in ResizedImages(images, (16, 16))]
    [(16, 16, 1), (16, 16, 1)]
    """

    def __init__(self, images: Any, spatial_shape: tuple[int, ...]):
        self._images = images
        self._shape = spatial_shape

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> ResizedImages: ...

    def __getitem__(self, key: int | slice) -> NDArray[Any] | ResizedImages:
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        return resize_image(self._images[key], self._shape)

    def take(self, positions: Iterable[int]) -> ResizedImages:
        """Return some of the images, without reading them.

        Parameters
        ----------
        positions : iterable of int
            Which, and in which order.

        Returns
        -------
        ResizedImages
            A view.
        """
        return ResizedImages(self._images.take(positions), self._shape)

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the spatial shape of an image, which is that of all.

        Parameters
        ----------
        index : int
            Which image.

        Returns
        -------
        tuple of int
            Without the channels.
        """
        return self._shape
