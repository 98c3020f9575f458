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
        If there is no such folder, or a link to an image in it leads nowhere.

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
    images = image_files(Path(folder))
    if lost := [name for name in lost_links(Path(folder)) if image_ending(name)]:
        raise FileNotFoundError(
            f"{folder}: links must lead to images. Got {len(lost)} that lead nowhere,"
            f" such as {lost[0]}. Put the files themselves there, or remove the links."
        )
    return images


def image_files(folder: Path) -> list[Path]:
    """Return what `list_images` does, whatever links there are that lead nowhere.

    Parameters
    ----------
    folder : Path
        Folder to look in.

    Returns
    -------
    list of Path
        Paths of the images.
    """
    return [path for path in visible_files(folder) if image_ending(path.name)]


def lost_links(folder: Path, root: Path | None = None) -> list[str]:
    """Return the links in a folder that lead nowhere, without hidden ones.

    Parameters
    ----------
    folder : Path
        Folder to look in.

    root : Path, default=None
        Folder from which on they are named; None is `folder`.

    Returns
    -------
    list of str
        Their names, in natural order.
    """
    links = [
        path
        for path in folder.iterdir()
        if path.is_symlink() and not path.exists() and not is_hidden(path)
    ]
    start = folder if root is None else root
    ordered = sorted(links, key=natural_key)
    return [path.relative_to(start).as_posix() for path in ordered]


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
        path for path in folder.iterdir() if not is_hidden(path) and path.is_file()
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


def is_hidden(path: Path) -> bool:
    """Tell whether a file is one of the system, or hidden by a dot.

    Parameters
    ----------
    path : Path
        Its last part counts.

    Returns
    -------
    bool
        Whether it is left out.
    """
    return path.name.startswith(".") or path.name.lower() in _HIDDEN


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
