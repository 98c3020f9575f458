"""Read folders of images and targets, one image at a time."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.io._read import has_channels, image_ending, image_stem, read_image

__all__ = ["list_images", "load_folder"]

_HIDDEN = {"thumbs.db", "desktop.ini"}
# So many problems are written out; of the rest the number is given.
_SHOWN = 20

_read_target = partial(read_image, keep_palette=True)


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """List the image files of a folder in natural order: img2 before img10.

    Parameters
    ----------
    folder : str or path-like
        Folder to look in. Its own folders, hidden files and files whose endings
        `read_image` does not know are left out.

    Returns
    -------
    list of Path
        Paths of the images.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.io import list_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["img10.png", "img2.png", ".DS_Store", "notes.txt"]:
    ...         Path(folder, name).touch()
    ...     [path.name for path in list_images(folder)]
    ['img2.png', 'img10.png']
    """
    return [path for path in _visible_files(Path(folder)) if image_ending(path.name)]


def load_folder(path: str | os.PathLike[str]) -> Bunch:
    """Load images, further channels and targets from folders that lie side by side.

    Names are checked now and all problems reported together; pixels are read when
    they are asked for.

    Parameters
    ----------
    path : str or path-like
        Folder that holds ``image/``; beside it, optionally, ``image1/``, ``image2/``
        and so on with further channels, and ``groundtruth/`` with targets. Files that
        belong together have the same name; their endings may differ.

    Returns
    -------
    Bunch
        With the attributes

        X : ImageCollection of length n_samples
            Images; those of several folders are joined on the channel axis.
        y : ImageCollection of length n_samples or None
            Targets; None without a folder ``groundtruth/``.
        names : list of str
            File names in ``image/``, in natural order.
        channels : list of str
            Folders that the channels come from: ``["image", "image1"]``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no folder ``image/`` in it.
    ImageError
        If a file has no partner, two files have the same name but for their ending,
        an ending is unknown, or a folder is empty. The sizes of images are not
        compared here, since that would read them.

    See Also
    --------
    read_image : Endings, and how each is read.

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
    """
    root = Path(path)
    channels = _channel_folders(root)
    has_target = (root / "groundtruth").is_dir()
    folders = [*channels, *(["groundtruth"] if has_target else [])]
    problems: list[str] = []
    files = {folder: _by_stem(root / folder, problems) for folder in folders}
    problems += _missing_partners(files)
    if problems:
        raise ImageError(_report(root, problems))
    stems = list(files["image"])
    rows = [tuple(files[folder][stem] for folder in channels) for stem in stems]
    if len(channels) == 1:
        X = ImageCollection([row[0] for row in rows], read=read_image)
    else:
        X = ImageCollection(rows, read=_read_channels)
    y = None
    if has_target:
        targets = [files["groundtruth"][stem] for stem in stems]
        y = ImageCollection(targets, read=_read_target)
    return Bunch(X=X, y=y, names=[row[0].name for row in rows], channels=channels)


def _visible_files(folder: Path) -> list[Path]:
    """Return the files of a folder in natural order, without hidden ones."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: there must be a folder. Got"
            f" {'a file' if folder.exists() else 'nothing of this name'}."
            " Check its spelling."
        )
    files = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and path.name.lower() not in _HIDDEN
        and path.is_file()
    ]
    return sorted(files, key=_natural_key)


def _natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Order numbers in names by value; the name itself settles img1 and img01."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name


def _channel_folders(root: Path) -> list[str]:
    """Return the folders image, image1, image2, ... that there are, in order."""
    if not (root / "image").is_dir():
        found = sorted(p.name for p in root.iterdir()) if root.is_dir() else []
        inner = [name for name in found if (root / name / "image").is_dir()]
        advice = (
            f"Load {root / inner[0]} instead."
            if inner
            else "Put the images into it, and masks into `groundtruth/` beside it."
        )
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


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Return the images of a folder by name without ending; note what is wrong."""
    files = _visible_files(folder)
    if not files:
        problems.append(f"{folder.name}/ is empty")
    for path in files:
        if image_ending(path.name) is None:
            problems.append(f"{folder.name}/{path.name} is not a known image file")
    images = [path for path in files if image_ending(path.name)]
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


def _report(root: Path, problems: list[str]) -> str:
    lines = [f"  {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN} more")
    noun = "problem" if len(problems) == 1 else "problems"
    return "\n".join(
        [
            f"{root}: each image must have one partner of the same name in every"
            f" folder. Got {len(problems)} {noun}. Add, rename or remove these files:",
            *lines,
        ]
    )


def _read_channels(paths: tuple[Path, ...]) -> NDArray[Any]:
    """Read the parts of one image and join them on the channel axis."""
    parts = [read_image(path) for path in paths]
    most = max(part.ndim for part in parts)
    # Beside an image with one more axis, the smaller one is grey whatever its shape.
    if len({part.ndim for part in parts}) == 1 and not all(
        has_channels(part.shape) for part in parts
    ):
        most += 1
    parts = [part[..., np.newaxis] if part.ndim == most - 1 else part for part in parts]
    for path, part in zip(paths, parts, strict=True):
        if part.shape[:-1] != parts[0].shape[:-1]:
            raise ImageError(
                "Channels of one image must have the same size."
                f" {paths[0]} is {parts[0].shape[:-1]}, {path} is {part.shape[:-1]}."
                " Crop or resize one of them."
            )
    return np.concatenate(parts, axis=-1)
