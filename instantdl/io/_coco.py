"""Objects of many images in one file, in the format of COCO."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import ImageCollection, fill_polygon
from instantdl.io._objects import (
    check_plane,
    each_outline,
    read_json,
    warn_of_hidden,
    write_json,
)
from instantdl.io._problems import describe_problems
from instantdl.io._read import read_image

__all__ = ["load_coco", "write_coco"]

_MAX_PIXELS = 2**31
# File name, shape and annotations of an image.
_Item = tuple[str, tuple[int, int], list[Any]]


def load_coco(
    path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None
) -> Bunch:
    """Load images and their objects from a COCO file.

    Parameters
    ----------
    path : str or path-like
        JSON with "images", "annotations" and "categories". Segmentations are
        polygons or runs (RLE), compressed or not. Crowds (``iscrowd``) are objects like
        others.

    images : str or path-like, default=None
        Folder of the image files. None is the one of the JSON file.

    Returns
    -------
    Bunch
        With the attributes

        X : ImageCollection of length n_samples
            Images, read when they are asked for, in the order of the file.
        y : ImageCollection of length n_samples
            Label images, int32: objects are 1 to n in the order of the file; where
            they overlap, the first has the pixels. Those without a pixel do not count.
        classes : list of dict of int to str
            For each image the class of each object.
        names : list of str
            File names.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImageError
        If something in it does not fit; all problems are reported together.

    Warns
    -----
    InstantDLWarning
        If objects have no pixel, since they lie outside of the image, behind earlier
        ones or between the centres of pixels; they are left out. If there are crowds.

    See Also
    --------
    write_coco : The way back.

    References
    ----------
    .. [1] https://cocodataset.org/#format-data

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import load_coco, write_coco, write_image
    >>> labels = np.array([[0, 1, 1], [2, 2, 0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder) / "a.png", labels.astype(np.uint8))
    ...     write_coco(Path(folder) / "cells.json", [labels], ["a.png"])
    ...     data = load_coco(Path(folder) / "cells.json")
    ...     data.y[0], data.classes, data.names
    (array([[0, 1, 1],
           [2, 2, 0]], dtype=int32), [{1: 'object', 2: 'object'}], ['a.png'])
    """
    path = Path(path)
    folder = path.parent if images is None else Path(images)
    found = read_json(path)
    try:
        categories = {c["id"]: str(c["name"]) for c in found.get("categories", [])}
        parts: dict[Any, _Item] = {
            image["id"]: (str(image["file_name"]), _shape(image), [])
            for image in found["images"]
        }
        for annotation in found["annotations"]:
            parts[annotation["image_id"]][2].append(annotation)
        ids = Counter(image["id"] for image in found["images"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ImageError(
            f"{path}: there must be `images`, `annotations` and `categories` as COCO"
            f" has them, each annotation of an image that is there. Got {error!r}."
        ) from None
    problems = [f"image id {i} is there {n} times" for i, n in ids.items() if n > 1]
    for name, shape, objects in parts.values():
        if not _is_inside(folder, name) or not (folder / name).is_file():
            problems.append(f"{name}: there is no such file in {folder}")
        for annotation in objects:
            problem = _problem(annotation, shape, categories)
            if problem:
                problems.append(f"{name}: annotation {annotation.get('id')}: {problem}")
    if problems:
        rule = "each image must be there, and each annotation be of the right form"
        raise ImageError(describe_problems(path, rule, problems))
    items, hidden = _without_hidden(list(parts.values()))
    warn_of_hidden(path, hidden, len(found["annotations"]))
    _warn_of_crowds(path, found["annotations"])
    return Bunch(
        X=ImageCollection([folder / name for name, _, _ in items], read=read_image),
        y=ImageCollection(items, read=_labels),
        classes=[
            {
                number: categories.get(annotation.get("category_id"), "object")
                for number, annotation in enumerate(objects, start=1)
            }
            for _, _, objects in items
        ],
        names=[name for name, _, _ in items],
    )


def write_coco(
    path: str | os.PathLike[str],
    labels: Sequence[NDArray[Any]],
    names: Sequence[str],
    *,
    classes: Sequence[Mapping[int, str]] | None = None,
    scores: Sequence[Mapping[int, float]] | None = None,
) -> None:
    """Write the objects of images into a COCO file.

    Parameters
    ----------
    path : str or path-like
        The file; it appears whole or not at all.

    labels : sequence of ndarray of shape (height, width)
        A label image for each image; 0 is the background.

    names : sequence of str
        File name of each image.

    classes : sequence of mapping of int to str, default=None
        For each image the class of each object; those without one are of class
        "object".

    scores : sequence of mapping of int to float, default=None
        For each image how sure each object is, for programs that evaluate such.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ImageError
        If lengths differ, or an image is no 2D image of whole numbers.

    Notes
    -----
    Objects of one part without holes are polygons along the borders of pixels, others
    runs (RLE): either way no pixel is lost.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_coco
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cells.json"
    ...     write_coco(path, [np.array([[0, 7]])], ["a.png"], classes=[{7: "cell"}])
    ...     '"cell"' in path.read_text()
    True
    """
    n = len(labels)
    for given in (names, classes, scores):
        if given is not None and len(given) != n:
            raise ImageError(
                "There must be as many names, classes and scores as label images. Got"
                f" {len(given)} for {n}."
            )
    classes = [{}] * n if classes is None else classes
    known = sorted({str(name) for one in classes for name in one.values()} | {"object"})
    numbers = {name: number for number, name in enumerate(known, start=1)}
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for index, image in enumerate(labels):
        height, width = check_plane(image).shape
        about = {"id": index + 1, "file_name": names[index]}
        images.append(about | {"height": height, "width": width})
        for label, polygons in each_outline(image):
            name = str(classes[index].get(label, "object"))
            annotation = {
                "id": len(objects) + 1,
                "image_id": index + 1,
                "category_id": numbers[name],
                "iscrowd": 0,
                **_region(image, label, polygons),
            }
            if scores is not None and label in scores[index]:
                annotation["score"] = float(scores[index][label])
            objects.append(annotation)
    content = {
        "images": images,
        "annotations": objects,
        "categories": [{"id": i, "name": name} for name, i in numbers.items()],
    }
    write_json(Path(path), content)


def _region(image: NDArray[Any], label: int, polygons: Any) -> dict[str, Any]:
    points = np.concatenate([rings[0] for rings in polygons])
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    inside = np.asarray(image) == label
    simple = len(polygons) == 1 and len(polygons[0]) == 1
    return {
        "bbox": [*low, high[0] - low[0], high[1] - low[1]],
        "area": int(np.count_nonzero(inside)),
        "segmentation": (
            [polygons[0][0].ravel().tolist()] if simple else _runs(inside)
        ),
    }


def _runs(inside: NDArray[Any]) -> dict[str, Any]:
    """Return a mask as lengths of runs, column by column, beginning with zeros."""
    flat = inside.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    lengths = np.diff(changes, prepend=0, append=flat.size)
    return {"size": list(inside.shape), "counts": lengths.tolist()}


def _shape(image: Any) -> tuple[int, int]:
    height, width = int(image["height"]), int(image["width"])
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise ValueError(f"{height} x {width} pixels")
    return height, width


def _is_inside(folder: Path, name: str) -> bool:
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _problem(
    annotation: Any, shape: tuple[int, int], categories: Mapping[Any, str]
) -> str | None:
    """Return what is wrong with an annotation, without drawing it."""
    number = annotation.get("category_id")
    if not isinstance(number, Hashable) or (
        categories and number is not None and number not in categories
    ):
        return f"a category_id of {number}, which no category has"
    segmentation = annotation.get("segmentation")
    if segmentation == []:
        return "a box without a segmentation"
    try:
        if isinstance(segmentation, dict):
            if tuple(segmentation["size"]) != shape:
                return f"a size of {segmentation['size']} in an image of {shape}"
            lengths = _lengths(segmentation["counts"])
            if min(lengths, default=0) < 0 or sum(lengths) != shape[0] * shape[1]:
                return "runs of other lengths than the image has pixels"
        else:
            for ring in segmentation:
                points = np.asarray(ring, float)
                if points.ndim != 1 or len(points) < 6 or len(points) % 2:
                    return "a polygon of less than three points (x, y)"
                if not (np.abs(points) <= _MAX_PIXELS).all():
                    return "points that are not finite, or far outside"
    except (KeyError, TypeError, ValueError, IndexError):
        return "a segmentation that is neither polygons nor runs"
    return None


def _without_hidden(items: list[_Item]) -> tuple[list[_Item], list[str]]:
    """Return images with those objects that have pixels, and names of the others."""
    kept: list[_Item] = []
    hidden: list[str] = []
    for name, shape, objects in items:
        _, has_pixels = _draw(shape, objects)
        kept.append((name, shape, list(compress(objects, has_pixels))))
        hidden += [
            f"annotation {annotation.get('id')} of {name}"
            for annotation, is_seen in zip(objects, has_pixels, strict=True)
            if not is_seen
        ]
    return kept, hidden


def _warn_of_crowds(path: Path, annotations: list[Any]) -> None:
    n_crowds = sum(bool(annotation.get("iscrowd")) for annotation in annotations)
    if n_crowds:
        warnings.warn(
            f"{path}: each annotation should be of one object. Got `iscrowd` in"
            f" {n_crowds} of {len(annotations)}. They are read like others; remove them"
            " if they are no objects.",
            InstantDLWarning,
            stacklevel=3,
        )


def _labels(item: _Item) -> NDArray[np.int32]:
    _, shape, objects = item
    return _draw(shape, objects)[0]


def _draw(
    shape: tuple[int, int], objects: list[Any]
) -> tuple[NDArray[np.int32], list[bool]]:
    """Return a label image, and whether each object has pixels in it."""
    labels = np.zeros(shape, np.int32)
    has_pixels = []
    for number, annotation in enumerate(objects, start=1):
        window, mask = _mask(annotation["segmentation"], shape)
        part = labels[window]
        free = mask & (part == 0)
        part[free] = number
        has_pixels.append(bool(free.any()))
    return labels, has_pixels


def _mask(
    segmentation: Any, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return a window of the image that holds an object, and its pixels in it."""
    if isinstance(segmentation, dict):
        lengths = _lengths(segmentation["counts"])
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return (slice(None), slice(None)), flat.reshape(shape, order="F")
    rings = [np.asarray(ring, float).reshape(-1, 2) for ring in segmentation]
    points, size = np.concatenate(rings), shape[::-1]
    low = np.clip(np.floor(points.min(axis=0)), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)), low, size).astype(int)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), bool)
    for ring in rings:
        fill_polygon(mask, [ring - low])
    return window, mask


def _lengths(counts: Any) -> list[int]:
    """Return the lengths of runs; compressed ones are text with 5 bits a letter."""
    if not isinstance(counts, str):
        return [int(length) for length in counts]
    lengths: list[int] = []
    value, shift = 0, 0
    for letter in counts.encode("ascii"):
        bits = letter - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        if len(lengths) > 2:  # stored as the difference to the one before the last
            value += lengths[-2]
        lengths.append(value)
        value, shift = 0, 0
    return lengths
