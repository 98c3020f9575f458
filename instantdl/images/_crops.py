"""Parts of images that stand for images of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crops", "split_ends", "whole_of"]

Window = tuple[slice, ...]


class Crops(Sequence[NDArray[Any]]):
    """Parts of images, cut out whenever they are read.

    Parameters
    ----------
    images : CheckedImages, CheckedMasks or CheckedTargets
        What is cut.

    windows : sequence of tuple
        Number of the image, and one slice with start and stop for each spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Crops, check_images
    >>> images = check_images(np.zeros((1, 9, 5)), spatial_ndim=2)
    >>> crops = Crops(images, [(0, (slice(0, 4), slice(0, 5)))])
    >>> crops[0].shape, crops.shape(0)
    ((4, 5, 1), (4, 5))
    """

    def __init__(self, images: Any, windows: Sequence[tuple[int, Window]]):
        self._images = images
        self._windows = list(windows)

    def __len__(self) -> int:
        return len(self._windows)

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> Crops: ...

    def __getitem__(self, key: int | slice) -> NDArray[Any] | Crops:
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        number, window = self._windows[key]
        image: NDArray[Any] = self._images[number]
        return image[window]

    def whole(self, position: int) -> NDArray[Any]:
        """Return the image that a crop is a part of.

        Parameters
        ----------
        position : int
            Of the crop.

        Returns
        -------
        ndarray
            The whole image.
        """
        image: NDArray[Any] = self._images[self._windows[position][0]]
        return image

    def take(self, positions: Iterable[int]) -> Crops:
        """Return some of the crops, without reading them.

        Parameters
        ----------
        positions : iterable of int
            Which, and in which order.

        Returns
        -------
        Crops
            Of the same images.
        """
        return Crops(self._images, [self._windows[int(i)] for i in positions])

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the spatial shape of a crop.

        Parameters
        ----------
        index : int
            Which crop.

        Returns
        -------
        tuple of int
            Without the channels.
        """
        _, window = self._windows[index]
        return tuple(axis.stop - axis.start for axis in window)


def whole_of(images: Any, position: int, image: NDArray[Any]) -> NDArray[Any]:
    """Return the image that an item of a sequence is, or is a part of.

    Parameters
    ----------
    images : sequence of ndarray
        Whole images, or `Crops`.

    position : int
        Of the item.

    image : ndarray
        The item.

    Returns
    -------
    ndarray
        `image` itself where it is not cut out of another.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Crops, check_images, whole_of
    >>> images = check_images(np.zeros((1, 9, 5)), spatial_ndim=2)
    >>> crops = Crops(images, [(0, (slice(0, 4), slice(0, 5)))])
    >>> whole_of(crops, 0, crops[0]).shape, whole_of(images, 0, images[0]).shape
    ((9, 5, 1), (9, 5, 1))
    """
    return images.whole(position) if isinstance(images, Crops) else image


def split_ends(
    shapes: Sequence[Sequence[int]], fraction: float, *, least: int
) -> tuple[list[tuple[int, Window]], list[tuple[int, Window]]] | None:
    """Cut the end off each image, along its longest axis.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Spatial shape of each image.

    fraction : float
        Which part of the axis is cut off.

    least : int
        Pixels that the part cut off must have at least along this axis, and the
        other part twice.

    Returns
    -------
    beginnings, ends : list of tuple
        Windows for `Crops`; None if an image is too small.

    Examples
    --------
    >>> from instantdl.images import split_ends
    >>> beginnings, ends = split_ends([(100, 40)], 0.25, least=16)
    >>> beginnings[0][1][0], ends[0][1][0]
    (slice(0, 75, None), slice(75, 100, None))
    >>> split_ends([(100, 40)], 0.1, least=16) is None
    True
    """
    beginnings: list[tuple[int, Window]] = []
    ends: list[tuple[int, Window]] = []
    for number, shape in enumerate(shapes):
        axis = int(np.argmax(shape))
        length = round(fraction * shape[axis])
        if length < least or shape[axis] - length < 2 * least:
            return None
        whole = [slice(0, size) for size in shape]
        for windows, start, stop in (
            (beginnings, 0, shape[axis] - length),
            (ends, shape[axis] - length, shape[axis]),
        ):
            window = [*whole[:axis], slice(start, stop), *whole[axis + 1 :]]
            windows.append((number, tuple(window)))
    return beginnings, ends
