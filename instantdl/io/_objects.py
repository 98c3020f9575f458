"""What the formats of objects share: JSON files, and outlines of label images."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import outline_polygons
from instantdl.io._write import write_whole

# So many objects are named; of the rest the number is given.
_SHOWN = 5


def each_outline(labels: NDArray[Any]) -> list[tuple[int, Any]]:
    """Return label and polygons of each object of an image.

    Parameters
    ----------
    labels : ndarray of shape (height, width)
        Label image.

    Returns
    -------
    list of tuple
        In the order of the labels.

    Raises
    ------
    ImageError
        If `labels` is no 2D image of whole numbers.
    """
    labels = check_plane(labels)
    result = []
    numbers, positions = np.unique(labels, return_inverse=True)
    positions = positions.reshape(labels.shape) + 1
    for label, window in zip(numbers.tolist(), find_objects(positions), strict=True):
        if label:
            corner = np.array([window[1].start, window[0].start])
            polygons = outline_polygons(labels[window] == label)
            shifted = [[ring + corner for ring in rings] for rings in polygons]
            result.append((label, shifted))
    return result


def check_plane(labels: NDArray[Any]) -> NDArray[Any]:
    """Return a 2D label image, or raise ImageError.

    Parameters
    ----------
    labels : ndarray of shape (height, width)
        Label image.

    Returns
    -------
    ndarray of shape (height, width)
        Of integers.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "biu":
        raise ImageError(
            "Objects can be written as polygons or runs for 2D label images of whole"
            f" numbers only. Got shape {labels.shape} and {labels.dtype}."
        )
    return labels


def warn_of_hidden(path: Path, hidden: Sequence[str], n_objects: int) -> None:
    """Warn of objects without a pixel, if there are any, in the name of the reader.

    Parameters
    ----------
    path : Path
        The file.

    hidden : sequence of str
        How messages call these objects.

    n_objects : int
        Objects in all.
    """
    if not hidden:
        return
    more = f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else ""
    warnings.warn(
        f"{path}: {len(hidden)} of {n_objects} objects have no pixel:"
        f" {', '.join(hidden[:_SHOWN])}{more}. They lie outside of the image, behind"
        " earlier ones or between the centres of pixels, and are left out.",
        InstantDLWarning,
        stacklevel=3,
    )


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or raise ImageError.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        Plain lists, dicts, strings and numbers.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path}: this is no valid JSON ({error}).") from None


def write_json(path: Path, content: Any) -> None:
    """Write plain lists, dicts, strings and numbers into a file, whole or not at all.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    content : object
        What JSON can hold.
    """
    text = json.dumps(content, separators=(",", ":"))
    write_whole(path, lambda file: file.write(text.encode()))
