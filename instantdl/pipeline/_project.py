"""A project's images as an estimator takes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from instantdl.exceptions import InstantDLWarning
from instantdl.images import ImageCollection
from instantdl.io import load_folder
from instantdl.io._labels import are_whole
from instantdl.pipeline._inspect_report import ProjectReport
from instantdl.pipeline._text import showable

__all__ = [
    "ProjectPart",
    "find_cuts",
    "labels_are_text",
    "load_part",
    "map_images",
    "resized_to",
    "with_channels",
]

Image = NDArray[Any]


@dataclass(frozen=True)
class ProjectPart:
    """The images of ``train/`` or ``test/``.

    Attributes
    ----------
    X : ImageCollection
        Images, as they are in their files but for the number of channels.

    y : ImageCollection, ndarray or None
        Targets, as the estimator takes them; None if there are none.

    groups : ndarray or None
        What images belong to.

    names : list of str
        File names, as they can be shown.
    """

    X: ImageCollection
    y: Any
    groups: NDArray[Any] | None
    names: list[str]


def load_part(
    folder: str | Path,
    task: str,
    *,
    n_channels: int | None = None,
    cut: float | None = None,
    as_text: bool = False,
) -> ProjectPart:
    """Load one part of a project.

    Parameters
    ----------
    folder : str or Path
        Its folder, see `instantdl.io.load_folder`.

    task : str
        As in a `RunConfig`.

    n_channels : int, default=None
        Grey images are repeated to so many channels; None leaves them.

    cut : float, default=None
        Values of masks above it are the foreground, True; None leaves them.

    as_text : bool, default=False
        Whether labels stay as they stand in the csv file.

    Returns
    -------
    ProjectPart
        Images are read when they are asked for.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_image
    >>> from instantdl.pipeline._project import load_part
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ["image", "groundtruth"]:
    ...         Path(folder, part).mkdir()
    ...         write_image(Path(folder, part, "a.png"), np.eye(8) > 0)
    ...     part = load_part(folder, "semantic_segmentation", n_channels=3, cut=127)
    ...     print(part.X[0].shape, part.y[0].dtype)
    (8, 8, 3) bool
    """
    with warnings.catch_warnings():
        # What is wrong with a table has been told of when the project was inspected.
        warnings.simplefilter("ignore", InstantDLWarning)
        data = load_folder(folder, as_text=as_text)
    X, y = data.X, data.y
    if n_channels is not None and task != "regression":
        X = map_images(X, partial(with_channels, n_channels=n_channels))
    if cut is not None:
        y = map_images(y, partial(_above, cut=cut))
    # Figures, tables and the report cannot hold all that the name of a file can.
    names = [showable(name) for name in data.names]
    return ProjectPart(X, y, data.groups, names)


def find_cuts(report: ProjectReport, n_classes: int | None) -> dict[str, float]:
    """Return what divides masks in two, where masks of two classes have more values.

    Parameters
    ----------
    report : ProjectReport
        Of the project.

    n_classes : int or None
        As in a `RunConfig`.

    Returns
    -------
    dict of str to float
        For each part that has masks the middle between its own least and greatest
        value; of one value, that between it and 0. Empty if no part has more than
        two values.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import PartSummary, ProjectReport
    >>> from instantdl.pipeline._project import find_cuts
    >>> parts = {"train": PartSummary(classes={0: {}, 1: {}})}
    >>> parts["test"] = PartSummary(classes={0: {}, 3: {}, 255: {}})
    >>> report = ProjectReport("cells", "semantic_segmentation", [], [], parts)
    >>> find_cuts(report, 2)
    {'train': 0.5, 'test': 127.5}
    """
    if report.task != "semantic_segmentation" or n_classes != 2:
        return {}
    values = {
        name: [float(value) for value in part.classes]
        for name, part in report.parts.items()
        if part.classes
    }
    if all(len(found) <= 2 for found in values.values()):
        return {}
    return {
        name: ((min(found) if len(found) > 1 else 0) + max(found)) / 2
        for name, found in values.items()
    }


def labels_are_text(model: Any, report: ProjectReport | None = None) -> bool:
    """Tell whether labels stay as they stand in csv files, the same for all parts.

    Parameters
    ----------
    model : estimator or None
        Whose classes decide.

    report : ProjectReport or None, default=None
        Of the project, which decides before there is a model: labels are whole numbers
        only if those of all parts are.

    Returns
    -------
    bool
        False if nothing is known.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_report import PartSummary, ProjectReport
    >>> from instantdl.pipeline._project import labels_are_text
    >>> parts = {"train": PartSummary(classes={"0": {}, "unknown": {}})}
    >>> parts["test"] = PartSummary(classes={"0": {}})
    >>> labels_are_text(None, ProjectReport("cells", "classification", [], [], parts))
    True
    """
    if model is not None:
        return any(isinstance(label, str) for label in getattr(model, "classes_", ()))
    parts = list(report.parts.values()) if report else []
    # Folders of classes, whose names are text, stand before the names of images.
    named = any("/" in name for part in parts for name in part.names)
    return named or not are_whole(str(x) for part in parts for x in part.classes)


def map_images(images: Any, function: Callable[[Image], Image]) -> ImageCollection:
    """Return images that are changed when they are asked for.

    Parameters
    ----------
    images : sequence of ndarray
        As they are.

    function : callable
        Takes an image and returns one.

    Returns
    -------
    ImageCollection
        Of the same length.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._project import map_images
    >>> map_images([np.zeros((2, 2))], np.ravel)[0].shape
    (4,)
    """
    return ImageCollection(range(len(images)), read=partial(_apply, images, function))


def with_channels(image: Image, n_channels: int) -> Image:
    """Return a grey image of two axes with equal channels, others as they are.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, n_channels)
        The image.

    n_channels : int
        How many are wanted.

    Returns
    -------
    ndarray of shape (height, width, n_channels)
        With `n_channels` of 1, or if `image` has three axes, the image as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._project import with_channels
    >>> with_channels(np.zeros((4, 4)), 3).shape
    (4, 4, 3)
    """
    if n_channels == 1 or image.ndim != 2:
        return image
    return np.repeat(image[..., np.newaxis], n_channels, axis=-1)


def resized_to(
    image: Image, shape: Sequence[int], *, rank: int, nearest: bool = False
) -> Image:
    """Return an image of another size, stretched where proportions differ.

    Parameters
    ----------
    image : ndarray of shape (*spatial[, n_channels])
        The image, or a mask.

    shape : sequence of int
        Spatial shape that is wanted.

    rank : int
        Number of spatial axes.

    nearest : bool, default=False
        Take the value of the next pixel, as for masks, instead of a mean.

    Returns
    -------
    ndarray of shape (*shape[, n_channels])
        The image itself if it has this shape; of its dtype with `nearest`, else of
        float32.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._project import resized_to
    >>> resized_to(np.array([[0, 5]]), (1, 4), rank=2, nearest=True)
    array([[0, 0, 5, 5]])
    """
    if image.shape[:rank] == tuple(shape):
        return image
    whole = (*shape, *image.shape[rank:])
    if nearest:
        kept = image.astype(np.uint8) if image.dtype == bool else image
        moved = resize(  # type: ignore[no-untyped-call, unused-ignore]
            kept, whole, order=0, preserve_range=True, anti_aliasing=False
        )
        return np.asarray(moved).astype(image.dtype)
    plain = image.astype(np.float32)
    moved = resize(plain, whole, order=1, preserve_range=True, anti_aliasing=True)  # type: ignore[no-untyped-call, unused-ignore]
    return np.asarray(moved, np.float32)


def _apply(images: Any, function: Callable[[Image], Image], index: int) -> Image:
    return function(images[index])


def _above(mask: Image, cut: float) -> Image:
    return np.asarray(mask > cut)
