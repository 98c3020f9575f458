"""Read folders of images and targets, one image at a time."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import ImageCollection
from instantdl.io._labels import read_labels
from instantdl.io._nested import has_masks, nested_files, nested_folders, read_masks
from instantdl.io._problems import describe_problems
from instantdl.io._read import (
    has_channels,
    image_ending,
    image_stem,
    names_channels,
    read_image,
)
from instantdl.io._visible import (
    image_files,
    lost_links,
    natural_key,
    visible_files,
    visible_folders,
)

__all__ = ["load_folder"]

_TABLE = "groundtruth.csv"
# What may lie beside `image/`.
_PLACES = re.compile(r"image[0-9]*|groundtruth(\.csv)?")
# Folders of these names hold parts of a data set; as classes they would be learnt.
_NOT_CLASSES = re.compile(r"image[s0-9]*|groundtruth|masks?|labels?|train(ing)?")
_PARTNERS = (
    "each image must have one partner of the same name in every folder, or one row in"
    f" {_TABLE}"
)

_read_target = partial(read_image, keep_palette=True)


def load_folder(path: str | os.PathLike[str], *, as_text: bool = False) -> Bunch:
    """Load images with targets, labels or classes from folders.

    Names and labels are checked now and all problems reported together; pixels are
    read when they are asked for.

    Parameters
    ----------
    path : str or path-like
        Folder that holds ``image/``; beside it, optionally, ``image1/``, ``image2/``
        and so on with further channels, and ``groundtruth/`` with targets. Files that
        belong together have the same name; their endings may differ.

        For objects, there may instead be a folder for each image with ``image/``,
        which holds it, and ``mask/``, which holds a mask for each of its objects; or
        none of them has ``mask/``, as for test images.

        For classification, ``groundtruth/groundtruth.csv`` or, without such a folder,
        ``groundtruth.csv`` holds labels instead. Or, without ``image/``, there are two
        or more folders with images, each named after its class.

    as_text : bool, default=False
        Whether labels and groups of a csv file stay as they stand there. Else those
        of one part of a data set may be numbers and those of another strings.

    Returns
    -------
    Bunch
        With the attributes

        X : ImageCollection of length n_samples
            Images; those of several folders are joined on the channel axis.
        y : ImageCollection of length n_samples, ndarray of shape (n_samples,) or None
            Targets, with values and dtype as in their files, or label images where
            there is a mask for each object; or labels, int64 if all are whole
            numbers and not `as_text`, else strings; or names of classes, always
            strings. None if there are neither.
        groups : ndarray of shape (n_samples,) or None
            What images belong to, such as a patient, for scikit-learn's
            ``GroupKFold``: the column ``group`` beside the labels. None without it.
        names : list of str
            File names in ``image/``, in natural order; ``"class/file.png"`` where
            folders are classes; names of folders where each image has one.
        channels : list of str
            Folders that the channels come from: ``["image", "image1"]``. Empty where
            folders are classes or images.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or neither ``image/`` nor classes in it.
    ImageError
        If a file has no partner, two files have the same name but for their ending,
        an ending is unknown, a folder is empty or a link leads nowhere; if labels are
        not readable, an image has none or more than one, or no label has an image. The
        sizes of images are not compared here, since that would read them.

    Warns
    -----
    InstantDLWarning
        If some labels have no image: they are left out.

    See Also
    --------
    read_image : Endings, and how each is read.

    Notes
    -----
    The csv file is text in UTF-8, separated by comma, semicolon or tab. Its first line
    names the columns ``filename``, with or without ending, and ``groundtruth``,
    optionally ``group``; further columns are ignored::

        filename,groundtruth,group
        a.png,basophil,patient 1
        b.png,monocyte,patient 2

    Of images in several folders, those of three axes have channels in the last one if
    it has up to four entries or a TIFF file names it so; else they are volumes.

    Folders named image, groundtruth, mask, label or train are never taken for classes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import load_folder, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ["image", "groundtruth"]:
    ...         Path(folder, part).mkdir()
    ...         write_image(Path(folder, part, "a.png"), np.zeros((8, 8), np.uint8))
    ...     data = load_folder(folder)
    ...     print(data.names, data.X[0].shape, data.y[0].shape)
    ['a.png'] (8, 8) (8, 8)

    With one folder for each class:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["basophil", "monocyte"]:
    ...         Path(folder, name).mkdir()
    ...         write_image(Path(folder, name, "a.png"), np.zeros((8, 8), np.uint8))
    ...     data = load_folder(folder)
    ...     print(data.names, data.y)
    ['basophil/a.png', 'monocyte/a.png'] ['basophil' 'monocyte']
    """
    root = Path(path)
    if items := nested_folders(root):
        return _load_nested(root, items)
    if classes := _class_folders(root):
        return _load_classes(root, classes)
    channels = _channel_folders(root)
    problems: list[str] = []
    table = _label_table(root, problems)
    has_target = table is None and (root / "groundtruth").is_dir()
    folders = [*channels, *(["groundtruth"] if has_target else [])]
    files = {folder: _by_stem(root / folder, problems) for folder in folders}
    problems += _missing_partners(files) + _lost_lines(root, folders)
    left_out: list[str] = []
    labels: dict[str, Any] = {}
    if table:
        labels = read_labels(table, files["image"], problems, left_out, as_text=as_text)
    if problems:
        raise ImageError(describe_problems(root, _PARTNERS, problems))
    if left_out:
        warnings.warn(
            f"{table}: each row should have an image. Got {len(left_out)} without one,"
            f" such as {left_out[0]}. They are left out.",
            InstantDLWarning,
            stacklevel=2,
        )
    stems = list(files["image"])
    rows = [tuple(files[folder][stem] for folder in channels) for stem in stems]
    if len(channels) == 1:
        X = ImageCollection([row[0] for row in rows], read=read_image)
    else:
        X = ImageCollection(rows, read=_read_channels)
    y: Any = labels.get("groundtruth")
    if has_target:
        targets = [files["groundtruth"][stem] for stem in stems]
        y = ImageCollection(targets, read=_read_target)
    names = [row[0].name for row in rows]
    groups = labels.get("group")
    return Bunch(X=X, y=y, groups=groups, names=names, channels=channels)


def _load_nested(root: Path, items: list[Path]) -> Bunch:
    """Load images that have a folder each, with a mask for each object or none."""
    problems: list[str] = []
    masked = has_masks(items)
    pairs = [nested_files(folder, problems, masked=masked) for folder in items]
    if problems:
        rule = "each folder must hold one image and the masks of its objects"
        raise ImageError(describe_problems(root, rule, problems))
    found = [pair for pair in pairs if pair is not None]
    return Bunch(
        X=ImageCollection([image for image, _ in found], read=read_image),
        y=ImageCollection([x for _, x in found], read=read_masks) if masked else None,
        groups=None,
        names=[folder.name for folder in items],
        channels=[],
    )


def _load_classes(root: Path, classes: list[Path]) -> Bunch:
    """Load the images of folders that are named after their class."""
    problems: list[str] = []
    files = [file for folder in classes for file in _images(folder, problems)]
    problems += _lost_lines(root, [folder.name for folder in classes])
    if problems:
        rule = "folders of classes must hold images only"
        raise ImageError(describe_problems(root, rule, problems))
    return Bunch(
        X=ImageCollection(files, read=read_image),
        y=np.array([file.parent.name for file in files], dtype=np.str_),
        groups=None,
        names=[f"{file.parent.name}/{file.name}" for file in files],
        channels=[],
    )


def _class_folders(root: Path) -> list[Path]:
    """Return the folders that hold images if they can only be classes, else none."""
    classes = _possible_classes(root)
    return classes if len(classes) > 1 else []


def _possible_classes(root: Path) -> list[Path]:
    """Return the folders that hold images unless one of them can be no class."""
    if not root.is_dir() or (root / "image").is_dir() or (root / _TABLE).exists():
        return []
    folders = visible_folders(root)
    if any((folder / "image").is_dir() for folder in folders):
        return []
    classes = [
        folder
        for folder in folders
        if image_files(folder) or any(map(image_ending, lost_links(folder)))
    ]
    if any(_NOT_CLASSES.fullmatch(folder.name.lower()) for folder in classes):
        return []
    return sorted(classes, key=natural_key)


def _advice_for_one_class(root: Path) -> str | None:
    """Return what to do about a single folder that might be a class, or None."""
    classes = _possible_classes(root)
    if len(classes) != 1:
        return None
    return (
        f"Folders of classes must be two or more, and {classes[0].name}/ is one: add"
        f" the others, or put the images into `image/` and labels into `{_TABLE}`"
        " beside it."
    )


def _channel_folders(root: Path) -> list[str]:
    """Return the folders image, image1, image2, ... that there are, in order."""
    if not (root / "image").is_dir():
        found = sorted(p.name for p in root.iterdir()) if root.is_dir() else []
        inner = [name for name in found if (root / name / "image").is_dir()]
        advice = _advice_for_one_class(root) or (
            "Put the images into it, and masks into `groundtruth/` beside it; or those"
            " of each class into a folder of its name."
        )
        if inner:
            advice = f"Load {root / inner[0]} instead."
        raise FileNotFoundError(
            f"{root}: the folder must hold a folder `image/`. Got"
            f" {', '.join(found[:5]) or 'nothing'}. {advice}"
        )
    further = [
        int(match[1])
        for path in root.iterdir()
        if path.is_dir() and (match := re.fullmatch(r"image([1-9][0-9]*)", path.name))
    ]
    return ["image", *(f"image{number}" for number in sorted(further))]


def _label_table(root: Path, problems: list[str]) -> Path | None:
    """Return the csv file of labels if there is one; note targets beside it."""
    folder, outside = root / "groundtruth", root / _TABLE
    if not folder.is_dir():
        return outside if outside.is_file() else None
    if outside.is_file():
        problems.append(f"{_TABLE} lies beside groundtruth/, one of them too many")
    if not (folder / _TABLE).is_file():
        return None
    if targets := image_files(folder):
        problems.append(
            f"groundtruth/ has {_TABLE} and images such as {targets[0].name}, one kind"
            " too many"
        )
    return folder / _TABLE


def _images(folder: Path, problems: list[str]) -> list[Path]:
    """Return the images of a folder; note if it is empty or has other files."""
    files = visible_files(folder)
    if not files:
        problems.append(f"{folder.name}/ is empty")
    for path in files:
        if image_ending(path.name) is None:
            problems.append(f"{folder.name}/{path.name} is not a known image file")
    return [path for path in files if image_ending(path.name)]


def _lost_lines(root: Path, folders: list[str]) -> list[str]:
    """Return a line for each link that leads nowhere, in folders or in their place."""
    names = [name for name in lost_links(root) if _PLACES.fullmatch(name)]
    names += [name for folder in folders for name in lost_links(root / folder, root)]
    return [f"{name} is a link that leads nowhere" for name in names]


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Return the images of a folder by name without ending; note what is wrong."""
    images = _images(folder, problems)
    stems = Counter(image_stem(path.name) for path in images)
    for stem in [stem for stem, count in stems.items() if count > 1]:
        names = [path.name for path in images if image_stem(path.name) == stem]
        problems.append(f"{folder.name}/ has {' and '.join(names)}, one name too many")
    return {image_stem(path.name): path for path in images}


def _missing_partners(files: dict[str, dict[str, Path]]) -> list[str]:
    """Return a line for each file that the folder beside it has no partner for."""
    images = files["image"]
    problems = []
    for folder, others in files.items():
        for mine, theirs, lacking in (
            (images, others, folder),
            (others, images, "image"),
        ):
            problems += [
                f"{file.parent.name}/{file.name} has no partner in {lacking}/"
                for stem, file in mine.items()
                if stem not in theirs
            ]
    return problems


def _read_channels(paths: tuple[Path, ...]) -> NDArray[Any]:
    """Read the parts of one image and join them on the channel axis."""
    parts = [read_image(path) for path in paths]
    most = max(part.ndim for part in parts)
    # Beside an image with one more axis, the smaller one is grey whatever its shape.
    if len({part.ndim for part in parts}) == 1:
        has_axis = all(has_channels(part.shape) for part in parts)
        # More than four channels only the file itself can tell.
        if most == 3 and not has_axis:
            has_axis = any(names_channels(path) for path in paths)
        most += not has_axis
    parts = [part[..., np.newaxis] if part.ndim == most - 1 else part for part in parts]
    for path, part in zip(paths, parts, strict=True):
        if part.shape[:-1] != parts[0].shape[:-1]:
            raise ImageError(
                "Channels of one image must have the same size."
                f" {paths[0]} is {parts[0].shape[:-1]}, {path} is {part.shape[:-1]}."
                " Crop or resize one of them."
            )
    return np.concatenate(parts, axis=-1)
