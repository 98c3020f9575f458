"""Pad images, cut them into overlapping tiles and blend the tiles again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError

__all__ = ["blend_tiles", "pad_to", "round_up", "split_tiles", "tile_slices"]

Window = tuple[slice, ...]


def round_up(size: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is not below `size`.

    Parameters
    ----------
    size : int
        A length in pixels.

    multiple : int
        At least 1.

    Returns
    -------
    int
        The rounded length in pixels.

    Raises
    ------
    ValueError
        If `multiple` is below 1.

    Examples
    --------
    >>> from instantdl.images import round_up
    >>> round_up(250, 16)
    256
    """
    if multiple < 1:
        raise ValueError(f"`multiple` must be at least 1. Got {multiple}.")
    return -(-size // multiple) * multiple


def pad_to(
    image: NDArray[Any], shape: Sequence[int], mode: str = "reflect"
) -> NDArray[Any]:
    """Lengthen the spatial axes of an image at their ends.

    Parameters
    ----------
    image : ndarray of shape (*spatial, n_channels) or (*spatial,)
        Any dtype.

    shape : sequence of int
        Wanted lengths of the spatial axes; a further axis of `image` is left alone.

    mode : {'reflect', 'symmetric', 'edge', 'constant', 'wrap'}, default='reflect'
        Where new pixels come from, in the words of :func:`numpy.pad`. ``'reflect'``
        goes back and forth where the padding is longer than the image, and repeats
        the only pixel of an axis of length 1.

    Returns
    -------
    ndarray of shape (*shape, n_channels) or (*shape,)
        `image` itself, not a copy, where nothing is missing.

    Raises
    ------
    ImageError
        If `image` has another number of axes or is longer than `shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import pad_to
    >>> pad_to(np.array([[1, 2, 3]]), (2, 8))
    array([[1, 2, 3, 2, 1, 2, 3, 2],
           [1, 2, 3, 2, 1, 2, 3, 2]])
    """
    wanted = tuple(int(size) for size in shape)
    _check_spatial(image, wanted, "shape")
    if any(size > goal for size, goal in zip(image.shape, wanted, strict=False)):
        raise ImageError(
            "`shape` must not be smaller than the image."
            f" Got {wanted} for an image of shape {image.shape}. Crop it instead."
        )
    for axis, goal in enumerate(wanted):
        size = image.shape[axis]
        if size < goal:
            pads = [(0, goal - size if n == axis else 0) for n in range(image.ndim)]
            alone = size == 1 and mode == "reflect"
            image = np.pad(image, pads, mode="edge" if alone else mode)  # type: ignore[call-overload]
    return image


def tile_slices(
    shape: Sequence[int],
    tile_shape: Sequence[int],
    *,
    overlap: int | Sequence[int] = 0,
) -> list[Window]:
    """Return windows of one size that cover an image.

    Along each axis the windows are as few as the overlap allows and spread evenly;
    the first begins with the image and the last ends with it.

    Parameters
    ----------
    shape : sequence of int
        Lengths of the spatial axes of the image, in pixels.

    tile_shape : sequence of int
        Lengths of the tiles. An axis of the image that is shorter is taken whole.

    overlap : int or sequence of int, default=0
        Pixels that neighbouring tiles share at least, for all axes or for each.

    Returns
    -------
    list of tuple of slice
        The windows, row by row: the last axis runs fastest.

    Raises
    ------
    ValueError
        If the lengths do not fit each other.

    Examples
    --------
    >>> from instantdl.images import tile_slices
    >>> [(rows.start, rows.stop) for rows, _ in tile_slices((10, 4), (4, 4))]
    [(0, 4), (3, 7), (6, 10)]
    """
    if len(shape) != len(tile_shape):
        raise ValueError(
            "`tile_shape` must have one length per axis of the image."
            f" Got {tuple(tile_shape)} for an image of shape {tuple(shape)}."
        )
    given: Any = [overlap] * len(shape) if np.ndim(overlap) == 0 else overlap
    overlaps = [int(length) for length in given]
    if len(overlaps) != len(shape):
        raise ValueError(
            "`overlap` must be an int or have one length per axis of the image."
            f" Got {tuple(overlaps)} for an image of shape {tuple(shape)}."
        )
    lengths = zip(shape, tile_shape, overlaps, strict=True)
    return list(itertools.product(*(_axis_slices(*axis) for axis in lengths)))


def split_tiles(
    image: NDArray[Any],
    tile_shape: Sequence[int],
    *,
    overlap: int | Sequence[int] = 0,
) -> tuple[NDArray[Any], list[Window]]:
    """Cut an image into tiles of one size.

    Parameters
    ----------
    image : ndarray of shape (*spatial, n_channels) or (*spatial,)
        Any dtype.

    tile_shape : sequence of int
        Lengths of the tiles. An axis of the image that is shorter is taken whole.

    overlap : int or sequence of int, default=0
        Pixels that neighbouring tiles share at least, for all axes or for each.

    Returns
    -------
    tiles : ndarray of shape (n_tiles, *tile_shape[, n_channels])
        A copy.

    windows : list of tuple of slice
        Where each tile was: ``image[windows[i]]`` is ``tiles[i]``.

    Raises
    ------
    ValueError
        If the lengths do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import split_tiles
    >>> tiles, windows = split_tiles(np.zeros((100, 60, 3)), (64, 64), overlap=16)
    >>> tiles.shape
    (2, 64, 60, 3)
    """
    _check_spatial(image, tuple(tile_shape), "tile_shape")
    shape = image.shape[: len(tile_shape)]
    windows = tile_slices(shape, tile_shape, overlap=overlap)
    return np.stack([image[window] for window in windows]), windows


def blend_tiles(
    tiles: Iterable[NDArray[Any]], windows: Sequence[Window], shape: Sequence[int]
) -> NDArray[Any]:
    """Put overlapping tiles together, fading each linearly into its neighbours.

    The weights of the tiles sum to one at every pixel. Tiles are added one by one,
    so a generator of tiles needs the memory of the result and of one tile.

    Parameters
    ----------
    tiles : iterable of n_tiles ndarrays of shape (*tile_shape[, n_channels])
        Such as an array of shape (n_tiles, *tile_shape[, n_channels]).

    windows : sequence of tuple of slice
        Where each tile belongs, from :func:`tile_slices` or :func:`split_tiles`.

    shape : sequence of int
        Lengths of the spatial axes of the image.

    Returns
    -------
    ndarray of shape (*shape[, n_channels])
        Of dtype float64 if the tiles are, else float32.

    Raises
    ------
    ValueError
        If the windows leave gaps, or there are not as many tiles as windows.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import blend_tiles, split_tiles
    >>> image = np.arange(10.0).reshape(1, 10)
    >>> tiles, windows = split_tiles(image, (1, 4), overlap=2)
    >>> np.allclose(blend_tiles(tiles, windows, image.shape), image)
    True
    """
    weights = [_axis_weights(windows, axis, size) for axis, size in enumerate(shape)]
    if not windows or len(set(map(_key, windows))) != math.prod(map(len, weights)):
        raise ValueError(
            "`windows` must be a full grid, as `tile_slices` returns it."
            f" Got {len(windows)} windows."
        )
    image: NDArray[Any] | None = None
    n_tiles = 0
    for tile, window in zip(tiles, windows, strict=False):
        n_tiles += 1
        if image is None:
            kind = np.float64 if tile.dtype == np.float64 else np.float32
            image = np.zeros((*shape, *tile.shape[len(shape) :]), dtype=kind)
        image[window] += _weighted(tile, window, weights)
    if image is None or n_tiles != len(windows):
        raise ValueError(
            "`tiles` must hold one tile per window."
            f" Got {n_tiles} tiles for {len(windows)} windows."
        )
    return image


def _check_spatial(image: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Raise unless `image` has the axes of `shape`, or a channel axis more."""
    if image.ndim not in (len(shape), len(shape) + 1):
        raise ImageError(
            f"`{name}` must have one length per spatial axis of the image."
            f" Got {shape} for an image of shape {image.shape}."
        )


def _axis_slices(size: int, tile: int, overlap: int) -> list[slice]:
    """Return the windows along one axis."""
    if size < 1 or tile < 1:
        raise ValueError(
            "`shape` and `tile_shape` must be at least 1 on every axis."
            f" Got a length of {size} and tiles of {tile}."
        )
    if size <= tile:
        return [slice(0, size)]
    if not 0 <= overlap < tile:
        raise ValueError(
            "`overlap` must be at least 0 and smaller than the tiles."
            f" Got {overlap} for tiles of {tile}."
        )
    n_steps = math.ceil((size - tile) / (tile - overlap))
    starts = [step * (size - tile) // n_steps for step in range(n_steps + 1)]
    return [slice(start, start + tile) for start in starts]


def _key(window: Window) -> tuple[tuple[int, int], ...]:
    """Return a window as numbers: slices are not hashable in older Pythons."""
    return tuple((part.start, part.stop) for part in window)


def _axis_weights(
    windows: Sequence[Window], axis: int, size: int
) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Return the weights along one axis of each distinct window on it.

    A window rises linearly over what it shares with the one before it, and falls
    over what it shares with the next; then all are divided by their sum.
    """
    spans = sorted({_key(window)[axis] for window in windows})
    total = np.zeros(size)
    ramps = {}
    for number, (start, stop) in enumerate(spans):
        ramp = np.ones(stop - start)
        if number > 0:
            shared = max(spans[number - 1][1] - start, 0)
            ramp[:shared] = np.arange(1, shared + 1) / (shared + 1)
        if number < len(spans) - 1:
            shared = max(stop - spans[number + 1][0], 0)
            falling = np.arange(shared, 0, -1) / (shared + 1)
            ramp[ramp.size - shared :] = np.minimum(ramp[ramp.size - shared :], falling)
        total[start:stop] += ramp
        ramps[start, stop] = ramp
    if not total.all():
        raise ValueError(
            "`windows` must cover the image."
            f" Got {int(np.sum(total == 0))} uncovered pixels along axis {axis}."
        )
    return {span: ramp / total[span[0] : span[1]] for span, ramp in ramps.items()}


def _weighted(
    tile: NDArray[Any],
    window: Window,
    weights: list[dict[tuple[int, int], NDArray[np.float64]]],
) -> NDArray[Any]:
    """Return a tile times its weights along every spatial axis."""
    result = tile.astype(np.promote_types(np.float32, tile.dtype))
    for axis, span in enumerate(_key(window)):
        ramp = weights[axis][span].astype(result.dtype)
        result *= ramp.reshape((-1,) + (1,) * (tile.ndim - axis - 1))
    return result
