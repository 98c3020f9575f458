"""Images that are changed whenever they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

from numpy.typing import NDArray

__all__ = ["MappedImages"]


class MappedImages(Sequence["NDArray[Any]"]):
    """Images, masks or targets that go through a function whenever they are read.

    Parameters
    ----------
    images : CheckedImages, CheckedMasks, CheckedTargets or Crops
        What is read.

    function : callable
        Takes one of them and returns an array of the same spatial shape.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import MappedImages, check_images
    >>> images = check_images(np.zeros((2, 4, 5)), spatial_ndim=2)
    >>> MappedImages(images, lambda image: image + 1)[0].max()
    np.float64(1.0)
    """

    def __init__(self, images: Any, function: Callable[[NDArray[Any]], NDArray[Any]]):
        self._images = images
        self._function = function

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> MappedImages: ...

    def __getitem__(self, key: int | slice) -> NDArray[Any] | MappedImages:
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        return self._function(self._images[key])

    def take(self, positions: Iterable[int]) -> MappedImages:
        """Return some of the images, without reading them.

        Parameters
        ----------
        positions : iterable of int
            Which, and in which order.

        Returns
        -------
        MappedImages
            A view.
        """
        return MappedImages(self._images.take(positions), self._function)
