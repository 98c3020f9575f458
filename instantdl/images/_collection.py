"""A lazy sequence of images that scikit-learn's tools can cut into folds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any, Protocol, cast, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["ImageCollection"]

Image = NDArray[Any]
Selection = (
    slice | list[int] | list[bool] | NDArray[Any] | EllipsisType | tuple[Any, ...]
)


class _Source(Protocol):
    """Anything with a length that an int can index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ImageCollection:
    """A sequence of images that are read only when they are asked for.

    An int gives an image; a slice, a list of ints, an integer array or a bool
    mask gives a smaller collection over the same source, and nothing is read.
    So ``cross_val_score``, ``GridSearchCV`` and ``train_test_split`` cut it into
    folds like an array, in as little memory as the list of file names needs.

    Parameters
    ----------
    source : sequence of length n_samples
        What an int indexes: a list of paths, of tuples of paths, of arrays, a
        zarr array, an h5py dataset.

    read : callable or None, default=None
        Turns one item of `source` into an ndarray. To be sent to other processes
        (``n_jobs=2``) it must be picklable: a function of a module rather than a
        lambda. With None the items are arrays already.

    Attributes
    ----------
    shape : tuple of int
        ``(n_samples,)``: what scikit-learn asks an array for.

    names : list of str or None
        The file names, where the items of `source` are paths.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import ImageCollection
    >>> def read(path):
    ...     return np.full((4, 4), int(path[0]))
    >>> images = ImageCollection(["0.png", "1.png", "2.png"], read=read)
    >>> images[1].shape
    (4, 4)
    >>> images[[2, 0]].names
    ['2.png', '0.png']
    """

    ndim = 1

    def __init__(self, source: _Source, read: Callable[[Any], Image] | None = None):
        if read is not None and not callable(read):
            raise TypeError(
                "`read` must be a callable that turns an item into an array, or None."
                f" Got {type(read).__name__}."
            )
        if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise TypeError(
                "`source` must be a sequence with a length that an int indexes."
                f" Got {type(source).__name__}. Pass `list(source)`."
            )
        self._source = source
        self._read = read
        self._indices = np.arange(len(source))

    @property
    def shape(self) -> tuple[int]:
        """Number of images, as the shape of a one-dimensional array."""
        return (len(self._indices),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always object: each image has its own shape and dtype."""
        return np.dtype(object)

    @property
    def names(self) -> list[str] | None:
        """File names in order, or None where the source holds no paths."""
        # Without a reader the items are images, and looking at one would read it.
        if self._read is None or len(self) == 0:
            return None
        names = [_path_name(self._source[int(index)]) for index in self._indices]
        return None if None in names else cast("list[str]", names)

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Image]:
        return (self[position] for position in range(len(self)))

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Image: ...

    @overload
    def __getitem__(self, key: Selection) -> ImageCollection: ...

    def __getitem__(
        self, key: int | np.integer[Any] | Selection
    ) -> Image | ImageCollection:
        plain = _strip_ellipsis(key)
        if isinstance(plain, (int, np.integer)) and not isinstance(plain, bool):
            return self._image(int(plain))
        return self._view(_positions(plain, len(self)))

    def __repr__(self) -> str:
        noun = "image" if len(self) == 1 else "images"
        return f"<ImageCollection of {len(self)} {noun}>"

    def _image(self, position: int) -> Image:
        if not -len(self) <= position < len(self):
            raise IndexError(
                f"The index must lie between 0 and {len(self) - 1} for a collection of"
                f" {len(self)} images. Got {position}."
            )
        item = self._source[int(self._indices[position])]
        return np.asarray(item if self._read is None else self._read(item))

    def _view(self, positions: NDArray[np.intp]) -> ImageCollection:
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._indices = self._indices[positions]
        return view


def _strip_ellipsis(key: Any) -> Any:
    """Return the index of the first axis: scikit-learn asks for ``(index, ...)``."""
    if not isinstance(key, tuple):
        return slice(None) if key is Ellipsis else key
    rest = [part for part in key if part is not Ellipsis]
    if len(rest) > 1:
        raise IndexError(
            "A collection of images has one axis and takes one index."
            f" Got {len(rest)}. Index the image itself: `collection[i][row, column]`."
        )
    return rest[0] if rest else slice(None)


def _positions(key: Any, length: int) -> NDArray[np.intp]:
    """Return the positions that a slice, list, array or bool mask selects."""
    if isinstance(key, slice):
        return np.arange(length)[key]
    wanted = np.asarray(key)
    if wanted.ndim == 1 and wanted.size == 0:
        return np.empty(0, dtype=np.intp)
    if wanted.ndim != 1 or wanted.dtype.kind not in "biu":
        raise IndexError(
            "The index of a collection must be an int, a slice, a list of ints or a"
            f" bool mask. Got {type(key).__name__}: {key!r}."
        )
    if wanted.dtype.kind == "b":
        if len(wanted) != length:
            raise IndexError(
                "A bool mask must have one value per image."
                f" Got {len(wanted)} values for {length} images."
            )
        return np.flatnonzero(wanted)
    outside = wanted[(wanted < -length) | (wanted >= length)]
    if outside.size:
        raise IndexError(
            f"Indices must lie between 0 and {length - 1} for a collection of {length}"
            f" images. Got {outside[0]}."
        )
    return wanted.astype(np.intp) % length


def _path_name(item: Any) -> str | None:
    """Return the path that an item is, the first one of a tuple, or None."""
    if isinstance(item, (tuple, list)) and item:
        item = item[0]
    return os.fspath(item) if isinstance(item, (str, os.PathLike)) else None
