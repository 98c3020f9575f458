"""Predict images one by one, write what is found, and read it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from instantdl.estimators import (
    ImageClassifier,
    InstanceSegmenter,
    PixelRegressor,
    SemanticSegmenter,
)
from instantdl.estimators._instance_tables import describe_instances
from instantdl.images import ImageCollection
from instantdl.io import image_stem, read_image, write_image
from instantdl.pipeline._files import write_table
from instantdl.pipeline._project import resized_to

__all__ = [
    "Predictions",
    "file_values",
    "predict_images",
    "read_predictions",
    "result_names",
]

# Images that are classified at once.
_CHUNK = 64
MASKS, PROBABILITY, UNCERTAINTY = "predictions", "probability", "uncertainty"
OBJECTS, TABLE = "objects", "predictions.csv"

Image = NDArray[Any]


class Predictions(NamedTuple):
    """What was predicted for some images, read from its files when asked for.

    Attributes
    ----------
    y_pred : sequence
        Masks, label images, images or labels.

    probability : sequence or None
        Of classes, per pixel or image.

    uncertainty : sequence or None
        Per pixel or image.
    """

    y_pred: Any
    probability: Any
    uncertainty: Any


def result_names(names: Sequence[str]) -> list[str]:
    """Return what the results of images are called: names without ending, each once.

    Parameters
    ----------
    names : sequence of str
        File names, folders included or not.

    Returns
    -------
    list of str
        Names that may stand for a file; doubled ones are numbered.

    Examples
    --------
    >>> from instantdl.pipeline._predictions import result_names
    >>> result_names(["a/1.png", "2.tif", "2.png"])
    ['a_1', '2', '2-2']
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        stem = image_stem(name).replace("\\", "/").strip("/").replace("/", "_")
        number, free = 1, stem
        # Names that differ in their case only are one file on some systems.
        while free.lower() in taken:
            number += 1
            free = f"{stem}-{number}"
        taken.add(free.lower())
        found.append(free)
    return found


def file_values(classes: NDArray[Any]) -> NDArray[Any]:
    """Return by which value each class stands in a mask's file.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Of a `SemanticSegmenter`.

    Returns
    -------
    ndarray of shape (n_classes,), uint8 or uint16
        0 and 255 for False and True; the classes themselves where they are whole
        numbers that fit; else 0, 1 and so on.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._predictions import file_values
    >>> file_values(np.array([False, True])), file_values(np.array([-1, 4]))
    (array([  0, 255], dtype=uint8), array([0, 1], dtype=uint8))
    """
    if classes.dtype == bool:
        return (classes * 255).astype(np.uint8)
    if classes.dtype.kind in "iu" and classes.min() >= 0 and classes.max() < 2**16:
        return classes.astype(np.uint8 if classes.max() < 2**8 else np.uint16)
    return np.arange(len(classes)).astype(np.uint8)


def predict_images(
    model: Any,
    images: Any,
    names: Sequence[str],
    folder: Path,
    *,
    n_draws: int = 20,
    png: bool = False,
    image_size: Sequence[int] | None = None,
) -> Iterator[int]:
    """Predict images and write the results, each file whole or not at all.

    Parameters
    ----------
    model : estimator
        Fitted.

    images : sequence of ndarray
        With the channels of the training images.

    names : sequence of str
        Of the files.

    folder : Path
        Where results go. Images whose results are all there are left out.

    n_draws : int, default=20
        Networks that are sampled for the uncertainty; 0 for none.

    png : bool, default=False
        Whether to write masks and label images of two axes as PNG, too.

    image_size : sequence of int, default=None
        Spatial size that images are resized to; results have their own size.

    Yields
    ------
    int
        Number of images that are done.
    """
    if isinstance(model, ImageClassifier):
        yield from _classify(model, images, names, folder, n_draws)
        return
    results = result_names(names)
    if len(names):
        folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(results):
        wanted = _wanted(model, name, folder, n_draws > 0, png, image_size)
        if not all(path.exists() for path in wanted):
            image = images[number]
            found = _predict_dense(model, image, n_draws, image_size)
            _write_dense(model, found, wanted)
        yield number + 1


def read_predictions(model: Any, names: Sequence[str], folder: Path) -> Predictions:
    """Return what `predict_images` has written.

    Parameters
    ----------
    model : estimator
        That predicted.

    names : sequence of str
        Of the files.

    folder : Path
        Where the results are.

    Returns
    -------
    Predictions
        In the order of `names`.
    """
    if isinstance(model, ImageClassifier):
        return _read_classes(model, folder)

    def maps(part: str, read: Callable[[Path], Image]) -> Any:
        files = [folder / part / f"{name}.tif" for name in result_names(names)]
        there = files and files[0].exists()
        return ImageCollection(files, read=read) if there else None

    read_map: Callable[[Path], Image] = read_image
    if isinstance(model, PixelRegressor) and model.n_targets_ == 1:
        read_map = partial(_read_channel, rank=model.spatial_ndim_in_)
    uncertainty = maps(UNCERTAINTY, read_map)
    if not isinstance(model, SemanticSegmenter):
        return Predictions(maps(MASKS, read_map), None, uncertainty)
    read = partial(_read_mask, classes=model.classes_)
    return Predictions(maps(MASKS, read), maps(PROBABILITY, read_image), uncertainty)


def _wanted(
    model: Any, name: str, folder: Path, uncertain: bool, png: bool, size: Any
) -> list[Path]:
    """Return the files that the results of an image are written to."""
    parts = [MASKS]
    if isinstance(model, SemanticSegmenter):
        parts.append(PROBABILITY)
    if uncertain:
        parts.append(UNCERTAINTY)
    files = [folder / part / f"{name}.tif" for part in parts]
    if isinstance(model, InstanceSegmenter):
        files.append(folder / OBJECTS / f"{name}.csv")
    if png and not isinstance(model, PixelRegressor) and model.spatial_ndim_in_ == 2:
        files.append(folder / MASKS / f"{name}.png")
    return files


def _predict_dense(
    model: Any, image: Image, n_draws: int, image_size: Sequence[int] | None
) -> dict[str, Any]:
    """Return what is found in one image, by the folder that it goes to."""
    rank = model.spatial_ndim_in_
    own = image.shape[:rank]
    if image_size is not None:
        image = resized_to(image, image_size, rank=rank)
    one: list[Image] = [image]
    found: dict[str, Any] = {}
    if isinstance(model, InstanceSegmenter):
        instances = model.predict_instances(one, n_draws=n_draws)[0]
        found[MASKS], found[OBJECTS] = instances.labels, instances.table
    else:
        found[MASKS] = model.predict(one)[0]
    if isinstance(model, SemanticSegmenter):
        found[MASKS] = file_values(model.classes_)[
            np.searchsorted(model.classes_, found[MASKS])
        ]
        probability = model.predict_proba(one)[0]
        binary = probability.shape[-1] == 2
        found[PROBABILITY] = probability[..., 1] if binary else probability
    if n_draws:
        found[UNCERTAINTY] = model.predict_uncertainty(one, n_draws=n_draws)[0]
    if image_size is not None:
        is_mask = not isinstance(model, PixelRegressor)
        for part in {MASKS, PROBABILITY, UNCERTAINTY} & set(found):
            nearest = is_mask and part == MASKS
            found[part] = resized_to(found[part], own, rank=rank, nearest=nearest)
        if OBJECTS in found:
            found[MASKS], found[OBJECTS] = _describe_anew(found[MASKS], found[OBJECTS])
    return found


def _describe_anew(labels: Image, table: pd.DataFrame) -> tuple[Image, pd.DataFrame]:
    """Return labels of another size as 1 to n, and the objects described by them.

    `table` has a row for each object that there was; those that are gone are left out.
    """
    left = np.union1d(0, labels)
    rows = table.iloc[left[1:] - 1].reset_index(drop=True)
    labels = np.searchsorted(left, labels).astype(np.int32)
    found = describe_instances(
        labels, rows["score"].to_numpy(), rows["class"].to_numpy()
    )
    others = rows[[name for name in rows if name not in found]]
    return labels, pd.concat([found, others], axis=1)


def _write_dense(model: Any, found: dict[str, Any], wanted: Sequence[Path]) -> None:
    rank = model.spatial_ndim_in_
    for path in wanted:
        path.parent.mkdir(exist_ok=True)
        content = found[path.parent.name]
        if path.suffix == ".csv":
            write_table(path, content)
        else:
            write_image(path, content, channels_last=content.ndim > rank)


def _classify(
    model: ImageClassifier,
    images: Any,
    names: Sequence[str],
    folder: Path,
    n_draws: int,
) -> Iterator[int]:
    path = folder / TABLE
    if path.exists():
        yield len(names)
        return
    rows = []
    for start in range(0, len(names), _CHUNK):
        part = ImageCollection(images)[start : start + _CHUNK]
        probability = model.predict_proba(part)
        columns: dict[str, Any] = {
            "filename": list(names[start : start + _CHUNK]),
            "prediction": model.classes_[probability.argmax(axis=1)],
        }
        if n_draws:
            columns["uncertainty"] = model.predict_uncertainty(part, n_draws=n_draws)
        for number, label in enumerate(model.classes_):
            columns[f"probability {label}"] = probability[:, number]
        rows.append(pd.DataFrame(columns))
        yield start + len(part)
    if rows:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(path, pd.concat(rows, ignore_index=True))


def _read_classes(model: ImageClassifier, folder: Path) -> Predictions:
    labels = {"filename": str, "prediction": str}
    # Names such as "NA" are names.
    table = pd.read_csv(folder / TABLE, dtype=labels, keep_default_na=False)
    by_text = {str(label): label for label in model.classes_}
    columns = [f"probability {label}" for label in model.classes_]
    uncertainty = table.get("uncertainty")
    return Predictions(
        np.array([by_text[text] for text in table["prediction"]]),
        table[columns].to_numpy(),
        None if uncertainty is None else uncertainty.to_numpy(),
    )


def _read_mask(path: Path, classes: NDArray[Any]) -> Image:
    """Return a mask of classes from the values in its file."""
    values = file_values(classes)
    mask: Image = classes[np.searchsorted(values, read_image(path))]
    return mask


def _read_channel(path: Path, rank: int) -> Image:
    """Return values with their axis of one channel, which TIFF files do not keep."""
    values = read_image(path)
    return values[..., np.newaxis] if values.ndim == rank else values
