"""Nuclei of the Data Science Bowl 2018 (BBBC038)."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd
import pooch
from numpy.typing import NDArray
from sklearn.utils import Bunch

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.io import list_images, load_folder, read_image, read_masks

__all__ = ["fetch_dsb2018"]

_URL = "https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip"
_ARCHIVE = "stage1_train.zip"
_N_IMAGES = 670
# The archive unpacks to some hundred megabytes: no honest one is larger than this.
_MOST_BYTES = 2 * 2**30
_MEMBER = re.compile(r"(?:stage1_train/)?([0-9a-f]+)/(images|masks)/([0-9a-f]+)\.png")

_DESCR = """\
Data Science Bowl 2018, stage 1, training images
------------------------------------------------
Microscopic images of nuclei of many kinds (fluorescence, stained tissue, brightfield)
with a mask of each nucleus. BBBC038v1, Broad Bioimage Benchmark Collection, CC0.
Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science
Bowl", Nature Methods 16, 1247-1253 (2019). Images are cut from larger pictures, so a
random split flatters.
"""


def fetch_dsb2018(
    data_home: str | os.PathLike[str] | None = None,
    *,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the nuclei of the Data Science Bowl 2018, downloading them if need be.

    Images are read when they are asked for. The archive (about 80 MB) comes from the
    Broad Institute; its names, sizes and checksums are checked before it is unpacked.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder of the data; with None ``instantdl`` in the user's cache. It may hold the
        archive ``stage1_train.zip``; the folders unpacked from it, each with
        ``images/`` and ``masks/``; or ``image/`` and ``groundtruth/`` with label images
        of the same names, or these two in each of ``train/`` and ``test/``.

    download_if_missing : bool, default=True
        With False, raise an OSError where the data are not there.

    Returns
    -------
    Bunch
        With the attributes

        X : ImageCollection of length n_samples
            Images of shape (height, width, 3), uint8; grey ones have equal channels.
        y : ImageCollection of length n_samples
            Label images of shape (height, width), int32: 0 is background, 1 to n are
            nuclei. Use ``mask > 0`` for the foreground.
        names : list of str
            Names of the images without ending.
        is_test : ndarray of shape (n_samples,)
            Whether an image lies in a folder ``test``, bool.
        frame : DataFrame of length n_samples or None
            What ``index.csv`` tells of each image, where there is such a file with a
            column ``file``.
        DESCR : str
            Source and licence.

    Raises
    ------
    OSError
        If the data are not there and must not or cannot be downloaded.
    ImageError
        If the archive or the folders are not what they must be.

    See Also
    --------
    make_nuclei : Drawn nuclei, without download.

    Notes
    -----
    No checksum of the archive is known to this package, so the download is judged by
    what it holds.

    Examples
    --------
    >>> from instantdl.datasets import fetch_dsb2018
    >>> data = fetch_dsb2018()  # doctest: +SKIP
    >>> data.X[0].shape, data.y[0].dtype  # doctest: +SKIP
    ((256, 320, 3), dtype('int32'))
    """
    home = Path(pooch.os_cache("instantdl") if data_home is None else data_home)
    found = _find(home)
    if found is None:
        _unpack(_archive(home, download_if_missing), home)
        found = _find(home)
    if found is None:
        raise ImageError(
            f"{home}: the archive must hold folders of images. Got none. Remove"
            f" {_ARCHIVE} and fetch it again."
        )
    return found


def _find(home: Path) -> Bunch | None:
    """Return the data in whichever layout they lie there, or None."""
    parts = [
        home / part for part in ("train", "test") if (home / part / "image").is_dir()
    ]
    if (home / "image").is_dir():
        parts = [home]
    if parts:
        return _load_flat(home, parts)
    for folder in (home, home / "stage1_train"):
        if folder.is_dir():
            items = sorted(path.parent for path in folder.glob("*/images"))
            if items:
                return _load_nested(items)
    return None


def _load_flat(home: Path, parts: list[Path]) -> Bunch:
    images: list[Path] = []
    masks: list[Path] = []
    is_test: list[bool] = []
    for part in parts:
        data = load_folder(part)
        if data.y is None:
            raise ImageError(
                f"{part}: label images must lie in `groundtruth/` beside `image/`."
                " Got no such folder. Add it."
            )
        images += map(Path, data.X.names)
        masks += map(Path, data.y.names)
        is_test += [part.name == "test"] * len(data.X)
    return _bunch(
        X=ImageCollection(images, read=_read_rgb),
        y=ImageCollection(masks, read=_read_labels),
        names=[path.stem for path in images],
        is_test=is_test,
        frame=_read_index(home / "index.csv", [path.stem for path in images]),
    )


def _load_nested(items: list[Path]) -> Bunch:
    images = [next(iter(list_images(item / "images")), None) for item in items]
    lacking = [
        item.name
        for item, image in zip(items, images, strict=True)
        if image is None or not (item / "masks").is_dir()
    ]
    if lacking:
        raise ImageError(
            f"{items[0].parent}: each folder must hold an image in `images/` and masks"
            f" in `masks/`. Got {len(lacking)} without: {', '.join(lacking[:5])}."
            " Unpack the archive again."
        )
    return _bunch(
        X=ImageCollection(images, read=_read_rgb),
        y=ImageCollection([item / "masks" for item in items], read=read_masks),
        names=[item.name for item in items],
        is_test=[False] * len(items),
        frame=None,
    )


def _bunch(is_test: list[bool], **parts: Any) -> Bunch:
    return Bunch(is_test=np.array(is_test, bool), DESCR=_DESCR, **parts)


def _read_rgb(path: Path) -> NDArray[Any]:
    image = read_image(path)
    return np.repeat(image[..., np.newaxis], 3, axis=-1) if image.ndim == 2 else image


def _read_labels(path: Path) -> NDArray[np.int32]:
    return read_image(path).astype(np.int32)


def _read_index(path: Path, names: list[str]) -> pd.DataFrame | None:
    """Return the rows of an index in the order of `names`, if there is one."""
    if not path.is_file():
        return None
    frame = pd.read_csv(path, dtype={"file": str})
    if "file" not in frame or frame["file"].duplicated().any():
        return None
    return frame.set_index("file").reindex(names).reset_index()


def _archive(home: Path, download_if_missing: bool) -> Path:
    """Return the path of the archive, downloading it where it is missing."""
    path = home / _ARCHIVE
    if path.is_file():
        return path
    if not download_if_missing:
        raise OSError(
            f"{home}: the nuclei must lie there, or `download_if_missing` be True. Got"
            f" no {_ARCHIVE}, nor folders of images. Download {_URL} to this folder."
        )
    try:
        return Path(pooch.retrieve(_URL, known_hash=None, fname=_ARCHIVE, path=home))
    # requests and urllib3 have errors of their own, most of them OSErrors.
    except Exception as error:
        raise OSError(
            f"{_URL} must be within reach. Got {type(error).__name__}. Download it"
            f" elsewhere and put it into {home}."
        ) from error


def _unpack(archive: Path, home: Path) -> None:
    """Check the archive and unpack it; the folder appears whole or not at all."""
    part = home / f".stage1_train.{secrets.token_hex(4)}.part"
    try:
        with ZipFile(archive) as zipped:
            members = _check_archive(zipped, archive)
            # Reading checks each member's checksum; names were checked before.
            for name, target in members.items():
                path = part / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(zipped.read(name))
        part.rename(home / "stage1_train")
    except (BadZipFile, NotImplementedError, EOFError) as error:
        raise _bad_archive(archive, f"a damaged archive ({error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check_archive(zipped: ZipFile, archive: Path) -> dict[str, str]:
    """Return names in the archive with the paths to unpack them to."""
    infos = [
        info
        for info in zipped.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    if sum(info.file_size for info in infos) > _MOST_BYTES:
        raise _bad_archive(archive, "more bytes than these images have")
    members: dict[str, str] = {}
    sizes: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for info in infos:
        match = _MEMBER.fullmatch(info.filename)
        if match is None:
            raise _bad_archive(archive, f"a member {info.filename!r}")
        size = _png_size(zipped, info.filename)
        if size is None:
            raise _bad_archive(archive, f"{info.filename!r}, which is no PNG file")
        sizes.setdefault(match[1], {"images": [], "masks": []})[match[2]].append(size)
        members[info.filename] = "/".join(match.groups()) + ".png"
    if len(sizes) != _N_IMAGES:
        raise _bad_archive(archive, f"{len(sizes)} images")
    wrong = [name for name, kinds in sizes.items() if not _fits(**kinds)]
    if wrong:
        raise _bad_archive(
            archive, f"{len(wrong)} images whose masks lack or differ ({wrong[0]})"
        )
    return members


def _fits(images: list[Any], masks: Iterable[Any]) -> bool:
    return len(images) == 1 and set(masks) == set(images)


def _png_size(zipped: ZipFile, name: str) -> tuple[int, int] | None:
    with zipped.open(name) as file:
        head = file.read(24)
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return height, width


def _bad_archive(archive: Path, got: str) -> ImageError:
    return ImageError(
        f"{archive}: the archive must hold {_N_IMAGES} folders, each with a PNG image"
        f" in `images/` and masks of its size in `masks/`. Got {got}. Remove it and"
        " fetch it again."
    )
