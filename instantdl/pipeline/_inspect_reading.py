"""Read one image and its target, and name each file that cannot be read."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.io import list_images, read_image, read_masks

# Private for the same reason as in the module that finds the files.
from instantdl.io._folders import _read_channels
from instantdl.pipeline._inspect_files import Entry
from instantdl.pipeline._inspect_report import Findings

# They write about damaged files to the terminal, where the report names them.
_TALKATIVE = ("tifffile", "nibabel.global")


def read_entry_image(entry: Entry, root: Path, found: Findings) -> NDArray[Any] | None:
    """Read an image, of several files if its channels are.

    Parameters
    ----------
    entry : Entry
        The image.

    root : Path
        Project folder; messages name files from there on.

    found : Findings
        Grows by each file that cannot be read.

    Returns
    -------
    ndarray or None
        As `load_folder` gives it; None if it cannot be read.
    """
    files = entry.files
    read = read_image if len(files) == 1 else _read_channels
    argument: Any = files[0] if len(files) == 1 else files
    return _read_or_note(partial(read, argument), files, read_image, root, found)


def read_entry_target(entry: Entry, root: Path, found: Findings) -> NDArray[Any] | None:
    """Read the target of an image, of several files if there is a mask per object.

    Parameters
    ----------
    entry : Entry
        The image, which has a target.

    root : Path
        Project folder; messages name files from there on.

    found : Findings
        Grows by each file that cannot be read.

    Returns
    -------
    ndarray or None
        As `load_folder` gives it; None if it cannot be read.
    """
    path = entry.target
    if path is None:
        return None
    read_one = partial(read_image, keep_palette=True)
    if not path.is_dir():
        return _read_or_note(partial(read_one, path), (path,), read_one, root, found)
    files = tuple(list_images(path))
    return _read_or_note(partial(read_masks, path), files, read_one, root, found)


def has_alpha(path: Path) -> bool:
    """Tell from the header of a PNG or TIFF file whether it has an alpha channel.

    Parameters
    ----------
    path : Path
        A file that can be read.

    Returns
    -------
    bool
        False for files of other endings.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from instantdl.pipeline._inspect_reading import has_alpha
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.png")
    ...     Image.new("RGBA", (8, 8)).save(path)
    ...     has_alpha(path)
    True
    """
    ending = path.suffix.lower()
    if ending == ".png":
        with path.open("rb") as file:
            # The kind of the colours: 4 is grey, 6 is red, green and blue, with alpha.
            return file.read(26)[25] in (4, 6)
    if ending in (".tif", ".tiff"):
        with _quiet(), tifffile.TiffFile(path) as tiff:
            return any(int(kind) in (1, 2) for kind in tiff.pages.first.extrasamples)
    return False


def _read_or_note(
    read: Callable[[], NDArray[Any]],
    files: tuple[Path, ...],
    read_one: Callable[[Path], NDArray[Any]],
    root: Path,
    found: Findings,
) -> NDArray[Any] | None:
    """Read; if that fails, read each of the files to find all that are at fault."""
    reason = read_or_reason(read, files[0])
    if isinstance(reason, np.ndarray):
        return reason
    reasons = [reason]
    if len(files) > 1:
        each = [read_or_reason(partial(read_one, path), path) for path in files]
        reasons = [one for one in each if isinstance(one, str)] or reasons
    start = f"{root}{os.sep}"
    for text in reasons:
        found.problems.append(text.replace(start, "") if root.parts else text)
    return None


def read_or_reason(read: Callable[[], NDArray[Any]], path: Path) -> NDArray[Any] | str:
    """Return what is read, or else why it cannot be.

    Parameters
    ----------
    read : callable
        Reads an image.

    path : Path
        Its file, for messages.

    Returns
    -------
    ndarray or str
        The image, or a sentence that names the file.
    """
    try:
        with _quiet():
            return read()
    except (ImageError, ImportError) as error:
        return str(error)
    # Whatever it is, the other files must be looked at too.
    except Exception as error:
        return (
            f"{path}: a readable image file is needed. Got: {error}. Copy or export it"
            " again."
        )


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence what decoders write about odd files to the terminal.

    Examples
    --------
    >>> import logging
    >>> from instantdl.pipeline._inspect_reading import quiet_decoders
    >>> with quiet_decoders():
    ...     logging.getLogger("tifffile").error("a tag is odd")
    """
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence decoders, and warnings besides."""
    with quiet_decoders(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
