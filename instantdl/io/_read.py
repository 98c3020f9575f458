"""Read one image file into an array."""

from __future__ import annotations

import itertools
import math
import os
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ExifTags, Image, JpegImagePlugin, PngImagePlugin

from instantdl.exceptions import ImageError

__all__ = ["image_stem", "read_image"]

AnyImage = NDArray[Any]

# A header may claim any size. Beyond both limits, what it claims is not believed:
# zlib, the commonest compression, makes nothing smaller than by a factor of 1032.
_LARGE = 2**30
_SHRINK = 2000

# What sets a picture upright, by the orientation in its EXIF data.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | os.PathLike[str], *, keep_palette: bool = False) -> AnyImage:
    """Read an image file into an array with channels last.

    Values and dtype stay as they are in the file. Endings are taken in upper or lower
    case.

    Parameters
    ----------
    path : str or path-like
        File to read: ``.tif``, ``.tiff``, ``.png``, ``.jpg``, ``.jpeg``, ``.bmp``,
        ``.npy``, ``.nii`` or ``.nii.gz``.

    keep_palette : bool, default=False
        For PNG and BMP files with a palette, return the numbers that the pixels have
        in it, instead of colours. Many masks are stored in this way.

    Returns
    -------
    ndarray of shape (height, width[, channels]) or (depth, height, width[, channels])
        The image, of a bool, integer or float dtype in native byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImageError
        If the ending is unknown, the file is damaged, cut off or no such image, or
        its header claims a size that it cannot have.
    ImportError
        If the file is NIfTI and nibabel is not installed.

    See Also
    --------
    write_image : Write an array into an image file.
    load_folder : Read images and targets from folders.

    Notes
    -----
    TIFF: all compressions that imagecodecs knows, several pages, OME and ImageJ. Where
    the file names its axes, channels go last, and axes of length one are dropped
    unless they are rows or columns; otherwise pages become the first axis. Of several
    series of pages the first is read. Values of TIFF files with a look-up table stay as
    measured.

    An alpha channel is always dropped. PNG with 16 bits stays 16 bits. JPEG is turned
    upright as its EXIF data say.

    NIfTI (x, y, z) becomes (z, y, x), that is depth, height, width; a fourth axis
    (modality or time) becomes channels, and a single plane a 2D image. Values are
    scaled to float32 as the header says; without scaling their dtype is kept. Spacing
    and orientation are not applied.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import read_image, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cells.tif"
    ...     write_image(path, np.zeros((32, 48, 3), np.uint16))
    ...     image = read_image(path)
    >>> image.shape, image.dtype
    ((32, 48, 3), dtype('uint16'))
    """
    file = Path(path)
    ending = image_ending(file.name)
    if ending is None:
        raise ImageError(
            f"{file}: an image file must end in one of {', '.join(_READERS)}."
            f" Got {file.suffix or 'no ending'}. Convert it to TIFF or PNG."
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"{file}: there must be an image file. Got no file of this name in"
            f" {file.parent}. Check its spelling."
        )
    try:
        image = _READERS[ending](file, keep_palette)
    except (ImageError, ImportError):
        raise
    # Decoders raise whatever they like on damaged bytes, struct.error included.
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise ImageError(
            f"{file}: a readable {ending} file is needed. Got: {reason}. The file may"
            " be damaged or cut off; copy or export it again."
        ) from error
    return _check(file, image)


def image_ending(name: str) -> str | None:
    """Return the ending of a file name that `read_image` knows, or None."""
    lower = name.lower()
    endings = [ending for ending in _READERS if lower.endswith(ending)]
    return max(endings, key=len) if endings else None


def image_stem(name: str) -> str:
    """Return a file name without its ending, be it .tif, .ome.tif or .nii.gz.

    Parameters
    ----------
    name : str
        Of a file; an ending that is not that of images stays.

    Returns
    -------
    str
        What files that belong together have in common. Letters with marks are in their
        composed form (NFC), whichever form the system writes.

    Examples
    --------
    >>> from instantdl.io import image_stem
    >>> image_stem("a.ome.tif"), image_stem("a.1.png"), image_stem("a.txt")
    ('a', 'a.1', 'a.txt')
    """
    stem = name[: len(name) - len(image_ending(name) or "")]
    stem = stem[:-4] if stem.lower().endswith(".ome") else stem
    return composed(stem)


def composed(name: str) -> str:
    """Return a name with letters and their marks in one form, whoever wrote it."""
    return unicodedata.normalize("NFC", name)


def has_channels(shape: tuple[int, ...]) -> bool:
    """Tell whether the last axis of an image holds channels, from its shape alone.

    Three axes are ambiguous: up to four entries in the last one are channels.
    """
    return len(shape) > 3 or (len(shape) == 3 and shape[-1] <= 4)


def names_channels(path: Path) -> bool:
    """Tell whether a TIFF file says itself that one of its axes holds channels."""
    if image_ending(path.name) not in (".tif", ".tiff"):
        return False
    with tifffile.TiffFile(path) as tiff:
        first = tiff.series[0]
        return any(
            axis in "CS" and length > 1
            for axis, length in zip(first.axes, first.shape, strict=True)
        )


def _check(path: Path, image: AnyImage) -> AnyImage:
    if image.dtype.kind not in "biuf":
        raise ImageError(
            f"{path}: an image must hold bool, integer or float values."
            f" Got {image.dtype}. Save its values as plain numbers."
        )
    if image.ndim < 2 or image.size == 0:
        raise ImageError(
            f"{path}: an image must have two or more axes and at least one pixel."
            f" Got shape {image.shape}. Check how it was saved."
        )
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


def _check_size(path: Path, shape: tuple[int, ...], itemsize: int) -> None:
    """Refuse a size that the bytes of the file cannot hold, before allocating it."""
    n_bytes = math.prod(shape) * itemsize
    on_disk = path.stat().st_size
    if n_bytes > _LARGE and n_bytes > _SHRINK * on_disk:
        raise ImageError(
            f"{path}: the size in the header must fit the file. Got shape {shape}, or"
            f" {n_bytes / 2**30:.1f} GiB, in a file of {on_disk} bytes. The file may be"
            " damaged; export it again."
        )


def _read_tiff(path: Path, keep_palette: bool) -> AnyImage:
    with tifffile.TiffFile(path) as tiff:
        series = _planes(tiff)
        shape = (len(series), *series[0].shape)
        _check_size(path, shape, series[0].dtype.itemsize)
        if _lacks_pages(tiff) or _lacks_planes(tiff, series[0]):
            raise ImageError(
                f"{path}: all pages must be in the file. Got the first"
                f" {len(tiff.pages)} only. The file is cut off; copy it again."
            )
        _check_parts(path, series)
        if len(series) > 1:
            image = np.stack([plane.asarray() for plane in series])
            axes = "Q" + series[0].axes
        else:
            image, axes = np.asarray(series[0].asarray()), series[0].axes
        # Kinds 1 and 2 are alpha; kind 0 is a further channel that means something.
        n_alpha = sum(int(kind) in (1, 2) for kind in tiff.pages.first.extrasamples)
    if n_alpha and "S" in axes:
        kept = range(image.shape[axes.index("S")] - n_alpha)
        image = np.take(image, kept, axis=axes.index("S"))
    return _arrange(path, image, axes)


def _planes(tiff: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """Return the first series, or all where they are the planes of one volume."""
    # tifffile makes a series of each page that it wrote by a call of its own.
    first, *others = tiff.series
    alike = all(
        (other.kind, other.shape, other.dtype, other.axes)
        == (first.kind, first.shape, first.dtype, first.axes)
        for other in others
    )
    is_plane = first.kind == "shaped" and first.axes in ("YX", "YXS")
    return [first, *others] if alike and is_plane else [first]


def _check_parts(path: Path, series: list[tifffile.TiffPageSeries]) -> None:
    """Raise if planes, or strips or tiles of them, have no place in the file."""
    # tifffile fills these up with zeros, and says nothing.
    pages = itertools.chain.from_iterable(one.pages for one in series)
    for number, page in enumerate(pages, start=1):
        if page is None:
            raise ImageError(
                f"{path}: all planes of an image must be there. Got none in place of"
                f" plane {number} of {sum(len(one.pages) for one in series)}. Export"
                " the image as one file, or copy what is missing beside it."
            )
        if page.is_contiguous:
            continue
        needed = math.prod(page.chunked)
        got = min(len(page.dataoffsets), len(page.databytecounts))
        if got < needed:
            raise ImageError(
                f"{path}: all parts of an image must be in its file. Got {got} of"
                f" {needed}. The file is damaged; copy or export it again."
            )


def _lacks_pages(tiff: tifffile.TiffFile) -> bool:
    """Tell whether the last page points to a next one beyond the end of the file."""
    # tifffile logs this and returns the pages that are left.
    file, layout = tiff.filehandle, tiff.tiff
    file.seek(tiff.pages[len(tiff.pages) - 1].offset)
    (n_tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(n_tags * layout.tagsize, os.SEEK_CUR)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    return bool(following >= file.size)


def _lacks_planes(tiff: tifffile.TiffFile, first: tifffile.TiffPageSeries) -> bool:
    """Tell whether an ImageJ file should have more planes than there are pages."""
    # Without its planes tifffile logs this, and takes it for another kind of file.
    if not tiff.is_imagej or first.kind != "generic":
        return False
    told = tiff.imagej_metadata or {}
    # Some programs count colours as images, too.
    n_images = told.get("images", 1) / tiff.pages.first.samplesperpixel
    n_planes = told.get("slices", 1) * told.get("frames", 1)
    return bool(max(n_images, n_planes) > len(tiff.pages))


def _arrange(path: Path, image: AnyImage, axes: str) -> AnyImage:
    """Drop axes of length one and move channels last, as the axes' names say."""
    keep = [
        i
        for i, axis in enumerate(axes)
        # A nameless axis (Q) came from an array: its shape is meant as it is.
        if axis in "YXQ" or image.shape[i] > 1 or (axis == "Z" and image.ndim == 3)
    ]
    image = image.reshape([image.shape[i] for i in keep])
    axes = "".join(axes[i] for i in keep)
    if "T" in axes:
        raise ImageError(
            f"{path}: an image must have one time point."
            f" Got {image.shape[axes.index('T')]}. Save each one in a file of its own;"
            " if these are planes of a volume, save them as Z."
        )
    channels = [i for i, axis in enumerate(axes) if axis in "CS"]
    image = np.moveaxis(image, channels, range(-len(channels), 0))
    if len(channels) > 1:
        image = image.reshape(*image.shape[: -len(channels)], -1)
    return image


def _read_png(path: Path, keep_palette: bool) -> AnyImage:
    data = path.read_bytes()
    if data[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    _check_size(path, (height, width), (1, 2)[bits == 16] * (1, 3)[kind == 2])
    if kind == 3:
        with PngImagePlugin.PngImageFile(path) as picture:
            return _from_pillow(picture, keep_palette)
    # Pillow cuts colours of 16 bits down to 8.
    image: AnyImage = imagecodecs.png_decode(data)
    if image.ndim == 3 and image.shape[-1] in (2, 4):
        image = image[..., :-1]
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


# The classes are used, not Image.open: it warns of large images, which are usual here.
def _read_jpeg(path: Path, keep_palette: bool) -> AnyImage:
    with JpegImagePlugin.JpegImageFile(path) as picture:
        _check_size(path, picture.size[::-1], len(picture.getbands()))
        return _from_pillow(_upright(picture), keep_palette)


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF data say; those that are damaged say nothing."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return picture
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _read_bmp(path: Path, keep_palette: bool) -> AnyImage:
    with BmpImagePlugin.BmpImageFile(path) as picture:
        _check_size(path, picture.size[::-1], len(picture.getbands()))
        return _from_pillow(picture, keep_palette)


def _from_pillow(picture: Image.Image, keep_palette: bool) -> AnyImage:
    if picture.mode in ("L", "1") or (picture.mode == "P" and keep_palette):
        return np.array(picture)
    return np.array(picture.convert("RGB"))


def _read_npy(path: Path, keep_palette: bool) -> AnyImage:
    # Mapping compares the header with the size of the file, and never unpickles.
    mapped = np.lib.format.open_memmap(path, mode="r")
    return np.array(mapped)


def _read_nifti(path: Path, keep_palette: bool) -> AnyImage:
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            f"{path}: NIfTI files need nibabel. Got no such package. Install it by"
            " `pip install instantdl[nifti]`."
        ) from error
    file = nibabel.load(path)
    if not isinstance(file, nibabel.Nifti1Pair):
        raise ValueError(f"not a NIfTI file but {type(file).__name__}")
    data: Any = file.dataobj
    _check_size(path, data.shape, data.dtype.itemsize)
    if data.slope == 1 and data.inter == 0:
        image = np.asarray(data.get_unscaled())
    else:
        image = np.asarray(file.get_fdata(dtype=np.float32))
    if image.ndim < 2:
        return image
    volume = image.reshape(*image.shape[:3], -1)
    if image.ndim == 2 or image.shape[2] == 1:
        volume = image.reshape(*image.shape[:2], -1)
    spatial_ndim = volume.ndim - 1
    volume = volume.transpose(*range(spatial_ndim)[::-1], spatial_ndim)
    return volume[..., 0] if volume.shape[-1] == 1 else volume


_READERS: dict[str, Callable[[Path, bool], AnyImage]] = {
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".png": _read_png,
    ".jpg": _read_jpeg,
    ".jpeg": _read_jpeg,
    ".bmp": _read_bmp,
    ".npy": _read_npy,
    ".nii": _read_nifti,
    ".nii.gz": _read_nifti,
}
