"""Which files of a folder count, and in which order."""

from __future__ import annotations

import os
import re
from pathlib import Path

from instantdl.io._read import image_ending

__all__ = ["list_images"]

_HIDDEN = {"thumbs.db", "desktop.ini"}


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
    return [path for path in visible_files(Path(folder)) if image_ending(path.name)]


def visible_files(folder: Path) -> list[Path]:
    """Return the files of a folder in natural order, without hidden ones.

    Parameters
    ----------
    folder : Path
        Folder to look in.

    Returns
    -------
    list of Path
        Files only.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
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
    return sorted(files, key=natural_key)


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones, in any order.

    Parameters
    ----------
    folder : Path
        Folder to look in.

    Returns
    -------
    list of Path
        Folders only.
    """
    return [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]


def natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Order numbers in names by value; the name itself settles img1 and img01.

    Parameters
    ----------
    path : Path
        Its last part counts.

    Returns
    -------
    tuple
        A key to sort by.
    """
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name
