"""Write an array into an image file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from instantdl.exceptions import ImageError
from instantdl.io._read import has_channels

__all__ = ["write_image", "write_whole"]

AnyImage = NDArray[Any]


def write_image(
    path: str | os.PathLike[str],
    image: ArrayLike,
    *,
    channels_last: bool | None = None,
) -> None:
    """Write an image, mask or map into a file that appears whole or not at all.

    The array is written beside `path` under another name first and then renamed, so
    an interrupted or failing write never leaves half a file, nor harms an older one.

    Parameters
    ----------
    path : str or path-like
        File to write, in a folder that exists: ``.tif``, ``.tiff``, ``.png``,
        ``.npy``, ``.bmp``, ``.jpg`` or ``.jpeg``.

    image : array-like of shape (*spatial) or (*spatial, channels)
        2D or 3D image of bool, integer or float values.

    channels_last : bool or None, default=None
        Whether the last axis holds channels. Matters for TIFF only, where channels
        are stored apart from planes. With None, a fourth axis holds channels, and a
        third one does if it has at most four entries.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ImageError
        If the ending is unknown, or such a file cannot hold this array.

    See Also
    --------
    read_image : Read an image file into an array.

    Notes
    -----
    TIFF (zlib compression) takes all arrays; PNG takes 2D images of one or three
    channels, 8 or 16 bits; NPY keeps any array as it is; JPEG and BMP take 8 bits,
    and JPEG changes values.

    Except in NPY, bool becomes 0 and 255, and integers of 32 or 64 bits (label
    images) become uint16 where that holds them, else int32 in TIFF. Floats become
    float32 in TIFF, and are refused elsewhere: rounding them is not ours to decide.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import read_image, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mask.png"
    ...     write_image(path, np.array([[True, False]]))
    ...     read_image(path)
    array([[255,   0]], dtype=uint8)
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in _WRITERS:
        raise ImageError(
            f"{file}: an image can be written to {', '.join(_WRITERS)}."
            f" Got {ending or 'no ending'}. Use .tif for any image."
        )
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"{file}: the folder must exist. Got no folder {file.parent}. Create it"
            " first."
        )
    array = _check(file, np.asarray(image))
    if channels_last is None:
        channels_last = has_channels(array.shape)
    if ending != ".npy":
        array = _to_plain_dtype(file, array)
    _WRITERS[ending](file, array, channels_last)


def _check(path: Path, image: AnyImage) -> AnyImage:
    if image.dtype.kind not in "biuf":
        raise ImageError(
            f"{path}: an image must hold bool, integer or float values."
            f" Got {image.dtype}. Convert it first."
        )
    if not 2 <= image.ndim <= 4 or image.size == 0:
        raise ImageError(
            f"{path}: an image must have two to four axes and at least one pixel."
            f" Got shape {image.shape}. Write each image into a file of its own."
        )
    return image


def _to_plain_dtype(path: Path, image: AnyImage) -> AnyImage:
    """Return the image in a dtype that image viewers read."""
    if image.dtype.kind == "b":
        return image.astype(np.uint8) * np.uint8(255)
    if image.dtype.kind == "f":
        return image.astype(np.float32)
    if image.dtype.itemsize < 4:
        return image
    low, high = int(image.min()), int(image.max())
    for dtype in (np.uint16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return image.astype(dtype)
    raise ImageError(
        f"{path}: integers must fit into 32 bits with sign. Got values from {low} to"
        f" {high}. Write a .npy file, or number the labels anew."
    )


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a file beside `path`, then give it its name.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    write : callable
        Takes the open file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.io import write_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.txt"
    ...     write_whole(path, lambda file: file.write(b"all of it"))
    ...     path.read_text()
    'all of it'
    """
    # Not `tempfile`, whose files only their owner may read. Of a name that is as long
    # as names may be, a part must do.
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            write(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_tiff(path: Path, image: AnyImage, channels_last: bool) -> None:
    is_rgb = (
        channels_last and image.shape[-1] == 3 and image.dtype in (np.uint8, np.uint16)
    )
    axes = "ZYX"[-(image.ndim - channels_last) :]
    if is_rgb:
        axes += "S"
    elif channels_last:
        # Pages of one channel each are what other programs expect.
        image = np.moveaxis(image, -1, -3)
        axes = f"{axes[:-2]}C{axes[-2:]}"
    write_whole(
        path,
        lambda file: tifffile.imwrite(
            file,
            image,
            photometric="rgb" if is_rgb else "minisblack",
            compression="zlib",
            metadata={"axes": axes},
        ),
    )


def _write_png(path: Path, image: AnyImage, channels_last: bool) -> None:
    pixels = _flat_pixels(path, image, (np.uint8, np.uint16))
    write_whole(path, lambda file: file.write(imagecodecs.png_encode(pixels)))


def _write_pillow(path: Path, image: AnyImage, channels_last: bool) -> None:
    pixels = _flat_pixels(path, image, (np.uint8,))
    kind = "BMP" if path.suffix.lower() == ".bmp" else "JPEG"
    options = {} if kind == "BMP" else {"quality": 95}
    picture = Image.fromarray(pixels)
    write_whole(path, lambda file: picture.save(file, format=kind, **options))


def _write_npy(path: Path, image: AnyImage, channels_last: bool) -> None:
    write_whole(path, lambda file: np.save(file, image, allow_pickle=False))


def _flat_pixels(path: Path, image: AnyImage, dtypes: tuple[type, ...]) -> AnyImage:
    """Return a 2D image of one or three channels, or say what takes it."""
    pixels = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    is_flat = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] == 3)
    if not is_flat or pixels.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ImageError(
            f"{path}: a {path.suffix} file holds {names} of shape (height, width) or"
            f" (height, width, 3). Got {image.dtype} of shape {image.shape}. Write a"
            " .tif or .npy file."
        )
    return np.ascontiguousarray(pixels)


_WRITERS: dict[str, Callable[[Path, AnyImage, bool], None]] = {
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".png": _write_png,
    ".npy": _write_npy,
    ".bmp": _write_pillow,
    ".jpg": _write_pillow,
    ".jpeg": _write_pillow,
}
