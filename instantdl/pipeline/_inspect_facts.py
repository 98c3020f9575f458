"""What an inspection keeps of an image: a few numbers, never its pixels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.pipeline._inspect_fingerprints import Fingerprint, fingerprint

# Values of each image that its intensities are described from.
_SAMPLE = 2**16
# Pixels looked at together, which bounds the memory beside the image.
_BLOCK = 2**22

QUANTILES = {"5 % quantile": 0.05, "median": 0.5, "95 % quantile": 0.95}
FEATURES = ("mean", "standard deviation", *QUANTILES)


@dataclass(frozen=True)
class ImageFacts:
    """What is kept of an image."""

    where: str
    shape: tuple[int, ...]
    dtype: str
    spatial_ndim: int
    n_channels: int
    # Least and greatest finite value; None if there is none.
    values: tuple[float, float] | None
    n_not_finite: int
    # One row for each channel, one column for each of FEATURES.
    features: NDArray[np.float64]
    digest: bytes
    fingerprint: Fingerprint | None
    constant_channels: tuple[int, ...]
    is_grey_colour: bool
    has_alpha: bool

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """The shape without channels."""
        return self.shape[: self.spatial_ndim]


# Numbers beyond float32 are told of, and need no warning besides.
@np.errstate(over="ignore", invalid="ignore")
def image_facts(
    where: str, image: NDArray[Any], spatial_ndim: int, *, has_alpha: bool = False
) -> ImageFacts:
    """Return what is kept of an image.

    Parameters
    ----------
    where : str
        Its file, for messages.

    image : ndarray of shape (*spatial[, channels])
        The image.

    spatial_ndim : int
        Spatial axes; see `guess_spatial_ndim`.

    has_alpha : bool, default=False
        Whether its file has an alpha channel, which is not in `image`.

    Returns
    -------
    ImageFacts
        A few kilobytes.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_facts import image_facts
    >>> image = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    >>> facts = image_facts("a.tif", image, 2)
    >>> facts.n_channels, facts.values, facts.features[0, 0]
    (1, (0.0, 4095.0), np.float64(2047.5))
    """
    pixels = image[..., np.newaxis] if image.ndim == spatial_ndim else image
    sample = _sample(pixels, spatial_ndim)
    is_grey_colour = _is_grey_colour(pixels, sample)
    low, high, n_bad = _extremes(pixels)
    seen = np.isfinite(low)
    digest = hashlib.blake2b(repr((pixels.shape[:-1], pixels.dtype)).encode())
    shown = pixels[..., :1] if is_grey_colour else pixels
    for block in blocks(shown):
        digest.update(np.ascontiguousarray(block).data)
    return ImageFacts(
        where=where,
        shape=image.shape,
        dtype=str(image.dtype),
        spatial_ndim=spatial_ndim,
        n_channels=pixels.shape[-1],
        values=(float(low[seen].min()), float(high[seen].max())) if any(seen) else None,
        n_not_finite=n_bad,
        features=np.array([_features(channel) for channel in sample.T]),
        digest=digest.digest()[:16],
        fingerprint=None if n_bad else fingerprint(pixels),
        constant_channels=tuple(np.flatnonzero(seen & (low == high)).tolist()),
        is_grey_colour=is_grey_colour,
        has_alpha=has_alpha,
    )


def guess_spatial_ndim(
    shape: tuple[int, ...], target: tuple[int, ...] | None, *, joined: bool = False
) -> int:
    """Return how many axes of an image are spatial, as its target or shape says.

    Parameters
    ----------
    shape : tuple of int
        Of the image.

    target : tuple of int or None
        Shape of its target, if it has one.

    joined : bool, default=False
        Whether the last axis of the image is known to be one of channels.

    Returns
    -------
    int
        Mostly 2 or 3.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_facts import guess_spatial_ndim
    >>> guess_spatial_ndim((64, 64, 3), (64, 64))
    2
    >>> guess_spatial_ndim((16, 64, 64), None)
    3
    """
    alone = len(shape) - (joined or _has_channels(shape))
    if target is None or abs(len(target) - len(shape)) > 1:
        return alone
    if len(target) < len(shape):
        return len(target)
    if len(target) > len(shape):
        return len(shape)
    # Both without channels, or both with them.
    return alone if _has_channels(target) else len(shape)


def blocks(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Return an image in pieces along its first axis.

    Parameters
    ----------
    pixels : ndarray
        The image.

    Yields
    ------
    ndarray
        A view of some of its rows or planes.
    """
    rows = max(1, _BLOCK // max(1, math.prod(pixels.shape[1:])))
    for start in range(0, len(pixels), rows):
        yield pixels[start : start + rows]


def count_not_finite(block: NDArray[Any]) -> int:
    """Return how many values are not finite once they are float32.

    Parameters
    ----------
    block : ndarray
        Any image or part of one.

    Returns
    -------
    int
        Always 0 for integers.
    """
    if block.dtype.kind != "f":
        return 0
    limit = np.finfo(np.float32).max
    return int(block.size - np.count_nonzero(np.abs(block) <= limit))


def _has_channels(shape: tuple[int, ...]) -> bool:
    # The same rule as that of the readers of folders.
    return len(shape) > 3 or (len(shape) == 3 and shape[-1] <= 4)


def _sample(pixels: NDArray[Any], spatial_ndim: int) -> NDArray[np.float64]:
    """Return evenly chosen pixels as rows, finite ones only."""
    shape = pixels.shape[:-1]
    n_wanted = max(1, _SAMPLE // pixels.shape[-1])
    step = max(1, math.ceil((math.prod(shape) / n_wanted) ** (1 / len(shape))))
    chosen = pixels[(slice(None, None, step),) * len(shape)]
    flat = chosen.reshape(-1, pixels.shape[-1]).astype(np.float64)
    return np.asarray(flat[np.isfinite(flat).all(axis=1)])


def _features(values: NDArray[np.float64]) -> list[float]:
    if not len(values):
        return [math.nan] * len(FEATURES)
    quantiles = np.quantile(values, list(QUANTILES.values())).tolist()
    return [float(values.mean()), float(values.std()), *quantiles]


def _is_grey_colour(pixels: NDArray[Any], sample: NDArray[np.float64]) -> bool:
    """Tell whether an image has three channels that are all equal."""
    # Most colours differ in the sample already, which is the cheaper look.
    if pixels.shape[-1] != 3 or (sample != sample[:, :1]).any():
        return False
    return all(bool((block == block[..., :1]).all()) for block in blocks(pixels))


def _extremes(
    pixels: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the least and the greatest finite value of each channel, else NaN."""
    n_channels, n_bad = pixels.shape[-1], 0
    lows, highs = [np.full(n_channels, np.nan)], [np.full(n_channels, np.nan)]
    for block in blocks(pixels):
        rows = block.reshape(-1, n_channels)
        if bad := count_not_finite(block):
            n_bad += bad
            rows = np.where(np.isfinite(rows), rows, np.nan)
        lows.append(np.fmin.reduce(rows, axis=0).astype(np.float64))
        highs.append(np.fmax.reduce(rows, axis=0).astype(np.float64))
    return np.fmin.reduce(lows), np.fmax.reduce(highs), n_bad
