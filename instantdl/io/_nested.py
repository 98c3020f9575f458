"""One folder for each image, with one mask for each of its objects."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.io._read import read_image
from instantdl.io._visible import (
    image_files,
    list_images,
    lost_links,
    natural_key,
    visible_folders,
)

__all__ = ["read_masks"]

_IMAGES, _MASKS = ("image", "images"), ("mask", "masks")
# Folders of these names hold many images, even if it is one for once.
_PARTS = re.compile(r"train(ing)?|test(ing)?|val(idation)?")


def read_masks(folder: str | os.PathLike[str]) -> NDArray[np.int32]:
    """Read one mask for each object of an image into a label image.

    Parameters
    ----------
    folder : str or path-like
        Folder of mask files of one size; pixels other than 0 belong to the object. Of
        files with a palette the numbers count, not the colours.

    Returns
    -------
    ndarray of shape (*spatial,), int32
        Objects are 1 to n in the natural order of the names; where they overlap, the
        first has the pixels.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a link to a mask leads nowhere.
    ImageError
        If there is no mask in it, or they differ in size.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import read_masks, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder) / "1.png", np.array([[1, 1, 0]], np.uint8))
    ...     write_image(Path(folder) / "2.png", np.array([[0, 0, 1]], np.uint8))
    ...     read_masks(folder)
    array([[1, 1, 2]], dtype=int32)
    """
    paths = list_images(folder)
    if not paths:
        raise ImageError(
            f"{folder}: there must be a mask of each object. Got no image. Put one"
            " there, black where there are no objects."
        )
    masks = [_read_mask(path) for path in paths]
    labels = np.zeros(masks[0].shape, np.int32)
    for number, (path, mask) in enumerate(zip(paths, masks, strict=True), start=1):
        if mask.shape != labels.shape:
            raise ImageError(
                f"{path}: masks of one image must have the same size. Got"
                f" {mask.shape} after {labels.shape}."
            )
        labels[mask & (labels == 0)] = number
    return labels


def nested_folders(root: Path) -> list[Path]:
    """Return the folders of images, each with its masks, in natural order.

    Parameters
    ----------
    root : Path
        Where they lie.

    Returns
    -------
    list of Path
        Empty if there is none with both an image and masks, unless each holds nothing
        but one image.
    """
    if not root.is_dir() or (root / "image").is_dir():
        return []
    folders = sorted(visible_folders(root), key=natural_key)
    items = [p for p in folders if _inner(p, _IMAGES) or _inner(p, _MASKS)]
    paired = any(_inner(p, _IMAGES) and _inner(p, _MASKS) for p in items)
    return items if paired or all(_is_image(p) for p in items) else []


def has_masks(items: list[Path]) -> bool:
    """Tell whether there are masks in any of the folders of images."""
    return any(_inner(folder, _MASKS) for folder in items)


def nested_files(
    folder: Path, problems: list[str], *, masked: bool
) -> tuple[Path, Path | None] | None:
    """Return the image and the folder of masks; note what is wrong.

    Parameters
    ----------
    folder : Path
        Of one image.

    problems : list of str
        Grows by a line for what is lacking.

    masked : bool
        Whether there must be masks.

    Returns
    -------
    image : Path
        Its file.

    masks : Path or None
        None without masks. Instead of both, None if something is wrong.
    """
    inner, masks = _inner(folder, _IMAGES), _inner(folder, _MASKS)
    images = image_files(inner) if inner else []
    if len(images) != 1:
        problems.append(f"{folder.name}/image/ must hold one image, not {len(images)}")
    if masked and (masks is None or not image_files(masks)):
        problems.append(f"{folder.name}/mask/ must hold a mask of each object")
    for beside in (inner, masks):
        lost = lost_links(beside, folder.parent) if beside else []
        problems += [f"{name} is a link that leads nowhere" for name in lost]
    if len(images) != 1 or (masked and masks is None):
        return None
    return images[0], masks


def _read_mask(path: Path) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.asarray(read_image(path, keep_palette=True) > 0)
    # A colour, whichever.
    if mask.ndim > 2 and mask.shape[-1] == 3:
        mask = np.asarray(mask.any(axis=-1))
    return mask


def _is_image(folder: Path) -> bool:
    """Tell whether a folder is that of one image, and not one of many images."""
    inner = visible_folders(folder)
    if len(inner) != 1 or inner[0].name not in _IMAGES:
        return False
    return not _PARTS.fullmatch(folder.name.lower()) and len(image_files(inner[0])) == 1


def _inner(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)
