"""Look at images one by one, whatever they come in; the checks build on it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from instantdl.exceptions import ImageError
from instantdl.images._collection import ImageCollection

# Pixels looked at together: bounds the memory of a pass over a large memmap.
BLOCK = 2**22
# Classes in a range below this are counted, which is faster than sorting them.
MAX_RANGE = 2**16


def as_sequence(data: Any, name: str) -> tuple[Any, bool]:
    """Return what an int indexes, and whether it is one array of equal items."""
    if issparse(data):
        raise TypeError(
            f"`{name}` must be a dense array; sparse matrices cannot hold images. Got"
            f" {type(data).__name__}. Use `.toarray()` and give it the shape of images."
        )
    if isinstance(data, (ImageCollection, list, tuple)):
        return data, False
    if hasattr(data, "iloc"):  # pandas: an int would mean a label of its index
        data = data.to_numpy()
    if not hasattr(data, "shape") and hasattr(data, "__array__"):
        data = np.asarray(data)
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__getitem__"):
        raise TypeError(
            f"`{name}` must be an array, a list of arrays or an ImageCollection."
            f" Got {type(data).__name__}."
        )
    shape = getattr(data, "shape", None)
    if shape is None:
        return data, False
    if len(shape) == 0:
        raise ImageError(f"`{name}` must hold images. Got a single value: {data!r}.")
    if getattr(data, "dtype", None) != np.dtype(object):
        return data, True
    # An object array of more axes holds single numbers rather than images.
    return (data, False) if len(shape) == 1 else (data.astype(np.float64), True)


def as_plain_array(item: Any) -> NDArray[Any]:
    """Return an item as ndarray, leaving a memmap one: it is read block by block."""
    if type(item) in (np.ndarray, np.memmap):
        return cast("NDArray[Any]", item)
    try:
        return np.asarray(item)
    except ValueError:
        # Nested lists of unequal lengths; the check of the dtype explains it.
        return np.empty(0, dtype=object)


def check_dtype(item: NDArray[Any], label: str) -> None:
    """Raise unless an item holds bool, integers or floats."""
    kind = item.dtype.kind
    if kind in "biuf":
        return
    if kind == "c":
        raise ImageError(
            f"Complex data not supported: {lower(label)} must be bool, integer or"
            f" float. Got {item.dtype}. Take `np.abs` of it."
        )
    hint = ""
    if kind in "US":
        hint = " Read files first, or pass `ImageCollection(paths, read=read_image)`."
    raise TypeError(
        f"{label} must be an array of bool, integers or floats."
        f" Got dtype {item.dtype}.{hint}"
    )


def item_label(items: Any, index: int, name: str, noun: str = "Image") -> str:
    """Return how messages call an item: by its file name too if it has one."""
    # A view of one item: the names of thousands would be listed for each of them.
    one = items[index : index + 1] if isinstance(items, ImageCollection) else None
    file = f" ({one.names[0]})" if one is not None and one.names else ""
    return f"{noun} {index}{file} of `{name}`"


def lower(label: str) -> str:
    """Return a label for the middle of a sentence."""
    return label[0].lower() + label[1:]


def blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array in pieces along its first axis."""
    row_size = max(1, math.prod(array.shape[1:]))
    rows = max(1, BLOCK // row_size)
    for start in range(0, array.shape[0], rows):
        yield np.asarray(array[start : start + rows])


def count_not_finite(block: NDArray[Any]) -> int:
    """Return how many values are not finite, also once they are float32."""
    if block.dtype.itemsize <= 4:
        # Both ends are finite only if all is, and they are the cheaper look.
        if np.isfinite(block.min()) and np.isfinite(block.max()):
            return 0
        return int(block.size - np.count_nonzero(np.isfinite(block)))
    limit = float(np.finfo(np.float32).max)
    return int(block.size - np.count_nonzero(np.abs(block) <= limit))


def mask_values(mask: NDArray[Any]) -> NDArray[Any]:
    """Return the distinct values of a mask, sorted, in its own dtype."""
    if mask.dtype.kind == "b":
        return np.unique(np.concatenate([np.unique(part) for part in blocks(mask)]))
    found = []
    for block in blocks(mask):
        low, high = int(block.min()), int(block.max())
        if high - low < MAX_RANGE and abs(low) < MAX_RANGE:
            counts = np.bincount((block.astype(np.int64) - low).ravel())
            found.append((np.flatnonzero(counts) + low).astype(mask.dtype))
        else:
            found.append(np.unique(block))
    return np.unique(np.concatenate(found))
