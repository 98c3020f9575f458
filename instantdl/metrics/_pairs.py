"""Pairs of a true and a predicted image, checked and read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Images",
    "Scores",
    "as_floats",
    "check_lengths",
    "check_shapes",
    "read_pairs",
]

Scores = NDArray[np.float64]


class Images(Protocol):
    """An image per sample: an array, a list or an `ImageCollection`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


def read_pairs(
    y_true: Images, y_pred: Images
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Read image after image, each once, and check that their shapes agree.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted images.

    Yields
    ------
    true, pred : ndarray of shape (*spatial[, channels])
        As they came: values are checked by :func:`as_floats`.

    Raises
    ------
    ValueError
        If numbers of images or shapes differ, or an image is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._pairs import read_pairs
    >>> y_true = np.ones((2, 4, 5))
    >>> [true.shape for true, pred in read_pairs(y_true, y_true + 1)]
    [(4, 5), (4, 5)]
    """
    check_lengths(y_true, y_pred, "image")
    for index in range(len(y_true)):
        true, pred = np.asanyarray(y_true[index]), np.asanyarray(y_pred[index])
        check_shapes(true.shape, pred.shape, index, "image")
        yield true, pred


def as_floats(values: NDArray[Any], name: str) -> Scores:
    """Return finite numbers as float64.

    Parameters
    ----------
    values : ndarray of any shape
        Bool, integers or floats.

    name : str
        What a message calls them.

    Returns
    -------
    ndarray of the same shape
        In float64.

    Raises
    ------
    ValueError
        If a value is NaN or infinite.

    TypeError
        If the values are not real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics._pairs import as_floats
    >>> as_floats(np.array([1, 2]), "Image 0 of `y_true`")
    array([1., 2.])
    """
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers. Got {values.dtype}.")
    floats = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(floats)
    if not finite.all():
        raise ValueError(
            f"{name} must hold finite numbers. Got {floats[~finite][0]}."
            " Replace such pixels, or leave the image out."
        )
    return floats


def check_lengths(y_true: Images, y_pred: Images, noun: str) -> None:
    """Raise unless both hold the same number of images, and at least one.

    Parameters
    ----------
    y_true, y_pred : sequence of arrays
        True and predicted images or masks.

    noun : {"image", "mask"}
        What a message calls one of them.

    Raises
    ------
    ValueError
        If their numbers differ, or are 0.

    TypeError
        If one of them is no sequence.
    """
    for name, images in (("y_true", y_true), ("y_pred", y_pred)):
        if not (hasattr(images, "__len__") and hasattr(images, "__getitem__")):
            raise TypeError(
                f"`{name}` must be an array or a sequence of {noun}s."
                f" Got {type(images).__name__}."
            )
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"`y_true` and `y_pred` must hold the same number of {noun}s."
            f" Got {len(y_true)} and {len(y_pred)}."
        )
    if len(y_true) == 0:
        raise ValueError(f"`y_true` must hold at least one {noun}. Got 0.")


def check_shapes(
    true: tuple[int, ...], pred: tuple[int, ...], index: int, noun: str
) -> None:
    """Raise unless a prediction has the shape of its truth, and that of an image.

    Parameters
    ----------
    true, pred : tuple of int
        Their shapes.

    index : int
        Number of the image.

    noun : {"image", "mask"}
        What a message calls it; images may have channels.

    Raises
    ------
    ValueError
        If they differ, or are not such.
    """
    if true != pred:
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape, image by image."
            f" Image {index} is {true} in `y_true`, {pred} in `y_pred`."
        )
    if len(true) < 2:
        channels = ", and may have channels" if noun == "image" else ""
        raise ValueError(
            f"Each {noun} must have shape (height, width) or (depth, height,"
            f" width){channels}. Got {true} for image {index}. For a single {noun}"
            " add an axis: `y_true[np.newaxis]`."
        )
    if 0 in true:
        raise ValueError(
            f"Each {noun} must hold at least one pixel."
            f" Got shape {true} for image {index}."
        )
