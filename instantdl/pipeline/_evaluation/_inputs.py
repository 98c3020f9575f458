"""Truth and predictions, checked and read one image at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.images import ImageCollection

__all__ = ["TASKS", "Inputs", "blocks", "check_inputs", "check_task", "refuse"]

TASKS = (
    "semantic_segmentation",
    "instance_segmentation",
    "regression",
    "classification",
)

# Pixels looked at together.
_BLOCK = 2**20


@dataclass(frozen=True)
class Inputs:
    """What is evaluated, of which images are read when they are asked for.

    Made by :func:`check_inputs`.

    Parameters
    ----------
    y_true, y_pred : sequence
        Truth and prediction of each image.

    probability, uncertainty : sequence or None
        Of each image.

    names : list of str
        Of the images.

    named : bool
        Whether these are names, or only numbers.
    """

    y_true: Any
    y_pred: Any
    probability: Any
    uncertainty: Any
    names: list[str]
    named: bool

    def __len__(self) -> int:
        return len(self.names)

    def say(self, index: int) -> str:
        """Return what messages call an image."""
        return f"image {self.names[index]!r}" if self.named else f"image {index}"

    def pair(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read truth and prediction of an image: numbers, of the same shape."""
        true, pred = self._read("y_true", index), self._read("y_pred", index)
        if true.shape != pred.shape:
            raise ValueError(
                "`y_true` and `y_pred` must have the same shape, image by image. Got"
                f" {true.shape} and {pred.shape} for {self.say(index)}."
            )
        if true.ndim < 2 or true.size == 0:
            raise ValueError(
                "Each image must have shape (height, width) or (depth, height, width),"
                f" with one pixel or more. Got {true.shape} for {self.say(index)}. For"
                " a single image add an axis: `y_true[np.newaxis]`."
            )
        return true, pred

    def uncertainty_map(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Read the uncertainty of the pixels of an image, 0 or larger."""
        values = self._read("uncertainty", index)
        if values.shape != shape:
            raise ValueError(
                "`uncertainty` must have the shape of `y_true`, image by image. Got"
                f" {values.shape} instead of {shape} for {self.say(index)}."
            )
        if values.min() < 0:
            raise ValueError(
                f"`uncertainty` must not be negative. Got {values.min()} in"
                f" {self.say(index)}. Pass a standard deviation or an entropy."
            )
        return values

    def probability_map(
        self, index: int, shape: tuple[int, ...], n_classes: int
    ) -> NDArray[Any]:
        """Read the probabilities of the pixels of an image."""
        values = self._read("probability", index)
        allowed = [(*shape, n_classes), *([shape] if n_classes == 2 else [])]
        if values.shape not in allowed:
            raise ValueError(
                f"`probability` must have shape {' or '.join(map(str, allowed))} for"
                f" {self.say(index)}: one for each of {n_classes} classes. Got"
                f" {values.shape}. Pass all classes as `classes` if some are in no"
                " mask."
            )
        check_probability(values, self.say(index), values.shape != shape)
        return values

    def _read(self, part: str, index: int) -> NDArray[Any]:
        values = np.asanyarray(getattr(self, part)[index])
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"Images must hold real numbers. Got {values.dtype} in"
                f" {self._where(part, index)}. Convert it first."
            )
        if values.dtype.kind == "f":
            # Squares of larger numbers are not finite; no model predicts them either.
            finite = np.abs(values) <= np.finfo(np.float32).max
            if not finite.all():
                raise ValueError(
                    "Images must hold finite numbers, also in float32. Got"
                    f" {values[~finite][0]} in {self._where(part, index)}. Replace such"
                    " pixels, or leave the image out."
                )
        return values

    def _where(self, part: str, index: int) -> str:
        """Return the file of an image, whose ending may be its own, or its name."""
        images = getattr(self, part)
        if isinstance(images, ImageCollection) and (
            names := images[index : index + 1].names
        ):
            return f"{names[0]} of `{part}`"
        return f"{self.say(index)} of `{part}`"


def check_task(task: Any) -> None:
    """Raise unless a task is known.

    Parameters
    ----------
    task : str
        What is evaluated.
    """
    if task not in TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}. Got {task!r}.")


def check_inputs(
    y_true: Any,
    y_pred: Any,
    probability: Any,
    uncertainty: Any,
    names: Sequence[str] | None,
) -> Inputs:
    """Check the lengths of all and find names; no image is read.

    Parameters
    ----------
    y_true, y_pred : sequence
        Truth and prediction of each image.

    probability, uncertainty : sequence or None
        Of each image.

    names : sequence of str or None
        Of the images.

    Returns
    -------
    Inputs
        The same, with names.
    """
    given = {"y_true": y_true, "y_pred": y_pred}
    for name, part in (
        ("probability", probability),
        ("uncertainty", uncertainty),
        ("names", names),
    ):
        if part is not None:
            given[name] = part
    for name, part in given.items():
        if not (hasattr(part, "__len__") and hasattr(part, "__getitem__")):
            raise TypeError(
                f"`{name}` must be an array, a list or a collection, with one item for"
                f" each image. Got {type(part).__name__}. Pass `list({name})`."
            )
        if len(part) != len(y_true):
            raise ValueError(
                f"`{name}` must hold as many images as `y_true`. Got {len(part)} and"
                f" {len(y_true)}. Leave out images that are not in both."
            )
    if len(y_true) == 0:
        raise ValueError("`y_true` must hold one image or more. Got 0.")
    chosen = _names(names, y_true)
    numbers = [str(index) for index in range(len(y_true))]
    return Inputs(
        y_true, y_pred, probability, uncertainty, chosen or numbers, bool(chosen)
    )


def check_probability(values: NDArray[Any], where: str, has_classes: bool) -> None:
    """Raise unless probabilities lie between 0 and 1, and add up to 1.

    Parameters
    ----------
    values : ndarray of shape (..., n_classes) or (...)
        Finite numbers.

    where : str
        Which image it is, for messages.

    has_classes : bool
        Whether the last axis is that of classes.
    """
    low, high = values.min(), values.max()
    # Sums of rounded numbers of an exponential function may pass 1 by their last bit.
    if low < 0 or high > 1 + 1e-5:
        raise ValueError(
            "`probability` must lie between 0 and 1. Got values from"
            f" {low} to {high} for {where}. Divide or transform them first."
        )
    if has_classes:
        away = np.abs(values.sum(axis=-1, dtype=np.float64) - 1).max()
        if away > 0.01:
            raise ValueError(
                "`probability` must add up to 1 over the classes. Got a sum that is"
                f" {away:.3g} away for {where}. Pass `predict_proba`'s."
            )


def refuse(value: Any, name: str, task: str) -> None:
    """Raise if something was given that a task does not look at.

    Parameters
    ----------
    value : object or None
        What was given.

    name : str
        Of the parameter.

    task : str
        Of :data:`TASKS`.
    """
    if value is not None:
        raise ValueError(
            f"`{name}` must be None for {task}. Got {type(value).__name__}."
            " Leave it out."
        )


def blocks(
    spatial: tuple[int, ...], *arrays: NDArray[Any]
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Cut images into parts of a million pixels, so that no copy is a large one.

    Parameters
    ----------
    spatial : tuple of int
        Shape that all arrays begin with.

    *arrays : ndarray of shape (*spatial, ...)
        Images, and maps of them.

    Yields
    ------
    tuple of ndarray of shape (n_pixels, ...)
        The same part of each.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._inputs import blocks
    >>> images = np.ones((4, 5)), np.ones((4, 5, 3))
    >>> [[part.shape for part in parts] for parts in blocks((4, 5), *images)]
    [[(20,), (20, 3)]]
    """
    rows = max(1, _BLOCK // max(1, int(np.prod(spatial[1:]))))
    for start in range(0, spatial[0], rows):
        yield tuple(
            array[start : start + rows].reshape(-1, *array.shape[len(spatial) :])
            for array in arrays
        )


def _names(names: Sequence[str] | None, y_true: Any) -> list[str]:
    """Return the names of images, or an empty list if nothing tells them."""
    if names is None:
        paths = y_true.names if isinstance(y_true, ImageCollection) else None
        short = [Path(path).name for path in paths or []]
        return short if len(set(short)) == len(short) else list(paths or [])
    texts = [str(name) for name in names]
    doubled = [text for text, number in Counter(texts).items() if number > 1]
    if doubled:
        raise ValueError(
            f"`names` must be different for all images. Got {doubled[0]!r} more than"
            " once. Add the folder to it, or a number."
        )
    return texts
