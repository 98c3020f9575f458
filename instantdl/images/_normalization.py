"""Bring images of any dtype and brightness to float32 values of one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError

__all__ = ["Normalizer"]

Method = Literal["percentile", "minmax", "standard", "dataset", "none"]
Statistics = tuple[NDArray[np.float64], NDArray[np.float64]]

# Percentiles of more pixels than these say nothing new and cost time and memory.
MAX_PIXELS = 2**22
PERCENTILES = (1, 99.8)
# A spread below this part of the whole range is rounding noise, not contrast.
MIN_SPREAD = 1e-12
# From here on, differences of two float32 numbers may not be float32 any more.
LARGE = 1e37


@dataclass(frozen=True)
class Normalizer:
    """Turn an image into float32: subtract an offset, divide by a scale.

    Every channel has its own offset and scale. All methods but ``'dataset'`` take
    them from the image itself, so an image gives the same result alone as among
    others. A channel that is constant becomes exactly 0.

    Parameters
    ----------
    method : {'percentile', 'minmax', 'standard', 'dataset', 'none'}, \
default='percentile'
        ``'percentile'`` maps the 1st percentile to 0 and the 99.8th to 1, without
        clipping what lies outside; where the two are equal (few bright pixels on
        an even background) minimum and maximum take their place. ``'minmax'``
        maps minimum and maximum to 0 and 1, ``'standard'`` gives mean 0 and
        standard deviation 1, ``'dataset'`` uses `offset` and `scale`, and
        ``'none'`` only converts to float32.

    offset, scale : tuple of float of length n_channels or None, default=None
        Mean and standard deviation of each channel over the training images;
        for ``'dataset'`` only, see :meth:`fit`.

    Notes
    -----
    Images above 2**22 pixels are judged by a regular subsample of their pixels
    (but ``'minmax'`` looks at all): the same at each call, in bounded memory.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Normalizer
    >>> image = np.array([[0, 50], [100, 200]], dtype=np.uint8)[..., np.newaxis]
    >>> Normalizer("minmax")(image)[..., 0]
    array([[0.  , 0.25],
           [0.5 , 1.  ]], dtype=float32)
    """

    method: Method = "percentile"
    offset: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_method(self.method)
        known = self.offset is not None and self.scale is not None
        if self.method == "dataset" and not known:
            raise ValueError(
                "`offset` and `scale` must be given for the method 'dataset'."
                " Got None. Use `Normalizer.fit(images, 'dataset')`."
            )
        if len(self.offset or ()) != len(self.scale or ()):
            raise ValueError(
                "`offset` and `scale` must have a number for each channel."
                f" Got {self.offset} and {self.scale}."
            )

    @classmethod
    def fit(
        cls, images: Sequence[NDArray[Any]], method: str | None = "percentile"
    ) -> Normalizer:
        """Return the normalizer for `method`, learning from `images` if it must.

        Parameters
        ----------
        images : sequence of ndarray of shape (*spatial, n_channels)
            Training images; read, one after the other, for ``'dataset'`` only.

        method : str or None, default='percentile'
            One of the methods of the class; None means ``'none'``.

        Returns
        -------
        Normalizer
            With `offset` and `scale` for ``'dataset'``.

        Raises
        ------
        ValueError
            If `method` is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from instantdl.images import Normalizer
        >>> images = [np.zeros((4, 4, 1)), np.full((4, 4, 1), 10.0)]
        >>> Normalizer.fit(images, "dataset")
        Normalizer(method='dataset', offset=(5.0,), scale=(5.0,))
        """
        name = _check_method("none" if method is None else method)
        if name != "dataset":
            return cls(name)
        mean, deviation = _pooled_moments(images)
        # A scale of 1 keeps a channel finite that was constant while training.
        deviation[deviation <= MIN_SPREAD * np.abs(mean)] = 1.0
        return cls(name, tuple(mean.tolist()), tuple(deviation.tolist()))

    def __call__(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return `image`, of shape (*spatial, n_channels), normalised."""
        return self.apply(image, self.statistics(image))

    def statistics(self, image: NDArray[Any]) -> Statistics:
        """Return offset and scale of each channel of an image.

        Parameters
        ----------
        image : ndarray of shape (*spatial, n_channels)
            The whole image: its parts are then normalised alike by :meth:`apply`.

        Returns
        -------
        offset : ndarray of shape (n_channels,), float64
            What is subtracted.

        scale : ndarray of shape (n_channels,), float64
            What is divided by; infinite for a constant channel, which becomes 0.

        Raises
        ------
        ImageError
            If the number of channels is not that of the training images.
        """
        n_channels = image.shape[-1]
        if self.method == "none":
            return np.zeros(n_channels), np.ones(n_channels)
        if self.offset is not None and self.scale is not None:
            if len(self.offset) != n_channels:
                raise ImageError(
                    f"Images must have {len(self.offset)} channels, as those that"
                    f" were learnt from. Got {n_channels}."
                )
            return np.array(self.offset), np.array(self.scale)
        offset, scale = _image_statistics(image, self.method)
        largest = float(np.finfo(np.float32).max)
        scale = np.where(np.isinf(scale), scale, np.minimum(scale, largest))
        return offset, scale

    def apply(self, image: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Return an image, or a part of one, normalised with known statistics.

        Parameters
        ----------
        image : ndarray of shape (*spatial, n_channels)
            Bool, integer or float.

        statistics : tuple of two ndarrays of shape (n_channels,)
            From :meth:`statistics`.

        Returns
        -------
        ndarray of shape (*spatial, n_channels), float32
            A new array.
        """
        offset, scale = statistics
        wide = image.dtype.itemsize > 4 or image.dtype in (np.int32, np.uint32)
        finite = scale[np.isfinite(scale)]
        wide |= bool((np.abs(offset) > LARGE).any() or (finite > LARGE).any())
        # Rows of pixels instead of pixels: numpy is slow over a short last axis.
        length = image.shape[-2]
        rows = image.reshape(*image.shape[:-2], -1)
        dtype = np.float64 if wide else np.float32
        offset, scale = offset.astype(dtype), scale.astype(dtype)
        result = np.subtract(rows, np.tile(offset, length), dtype=dtype)
        result *= np.tile(1 / scale, length)
        result = result.reshape(image.shape).astype(np.float32, copy=False)
        return cast("NDArray[np.float32]", result)

    def invert(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return normalised values in the units that they had before.

        Parameters
        ----------
        values : ndarray of shape (..., n_channels)
            What `'dataset'` made, or a network's answer in the same units.

        Returns
        -------
        ndarray of shape (..., n_channels), float32
            A new array.

        Raises
        ------
        ValueError
            If the method is another one, which needs the image itself.

        Examples
        --------
        >>> import numpy as np
        >>> from instantdl.images import Normalizer
        >>> normalizer = Normalizer("dataset", offset=(5.0,), scale=(2.0,))
        >>> normalizer.invert(normalizer(np.array([[[9.0]]])))
        array([[[9.]]], dtype=float32)
        """
        if self.offset is None or self.scale is None:
            raise ValueError(
                "Only the method 'dataset' can be inverted. Got"
                f" {self.method!r}. Normalise with 'dataset'."
            )
        return values * _float32(self.scale) + _float32(self.offset)

    def to_dict(self) -> dict[str, Any]:
        """Return the normalizer as a dict that JSON can hold.

        Returns
        -------
        dict
            With the keys ``'method'``, ``'offset'`` and ``'scale'``.

        Examples
        --------
        >>> from instantdl.images import Normalizer
        >>> Normalizer("minmax").to_dict()
        {'method': 'minmax', 'offset': None, 'scale': None}
        """
        values = asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Normalizer:
        """Return the normalizer that :meth:`to_dict` described.

        Parameters
        ----------
        values : dict
            From :meth:`to_dict`, also after a way through JSON.

        Returns
        -------
        Normalizer
            Equal to the one described.

        Examples
        --------
        >>> from instantdl.images import Normalizer
        >>> Normalizer.from_dict({"method": "minmax", "offset": None, "scale": None})
        Normalizer(method='minmax', offset=None, scale=None)
        """
        numbers = {
            key: None if values.get(key) is None else tuple(map(float, values[key]))
            for key in ("offset", "scale")
        }
        return cls(_check_method(values["method"]), **numbers)


def _check_method(method: object) -> Method:
    """Return `method` if it is one of the known ones."""
    if method not in get_args(Method):
        choices = ", ".join(repr(choice) for choice in get_args(Method))
        raise ValueError(f"`method` must be one of {choices}. Got {method!r}.")
    return cast("Method", method)


def _float32(values: tuple[float, ...]) -> NDArray[np.float32]:
    """Return numbers as a float32 array."""
    return np.asarray(values, dtype=np.float32)


def _image_statistics(
    image: NDArray[Any], method: Method
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return offset and scale of each channel, from the image itself."""
    sample = _sample(image)
    low, high = _extremes(sample)
    if sample.shape != image.shape and (method == "minmax" or (low == high).any()):
        low, high = _extremes(image)
    if method == "minmax":
        offset, scale = low, high - low
    else:
        if method == "percentile":
            offset, upper = _percentiles(sample, PERCENTILES)
            scale = upper - offset
        else:
            pixels = _as_float(sample).reshape(-1, image.shape[-1])
            offset = pixels.mean(axis=0, dtype=np.float64)
            scale = pixels.std(axis=0, dtype=np.float64)
        flat = (scale <= MIN_SPREAD * (high - low)) | (high == low)
        offset, scale = np.where(flat, low, offset), np.where(flat, high - low, scale)
    return offset, np.where(scale < np.finfo(np.float32).tiny, np.inf, scale)


def _sample(image: NDArray[Any]) -> NDArray[Any]:
    """Return a view of every k-th pixel of an image along each spatial axis."""
    spatial = image.shape[:-1]
    step = 1
    while math.prod(-(-size // step) for size in spatial) > MAX_PIXELS:
        step += 1
    return image[(slice(None, None, step),) * len(spatial)]


def _percentiles(image: NDArray[Any], q: Sequence[float]) -> NDArray[np.float64]:
    """Return percentiles of each channel, of shape (len(q), n_channels)."""
    pixels = image.reshape(-1, image.shape[-1])
    if image.dtype.kind not in "biu" or image.dtype.itemsize > 2:
        return np.percentile(_as_float(pixels), q, axis=0).astype(np.float64)
    # Counting the few possible values is several times faster than sorting pixels.
    lowest = 0 if image.dtype == bool else int(np.iinfo(image.dtype).min)
    ranks = np.asarray(q) / 100 * (len(pixels) - 1)
    columns = []
    for channel in pixels.T:
        counts = np.bincount(channel.astype(np.intp) - lowest)
        below, above = (
            np.searchsorted(np.cumsum(counts), rank, side="right") + lowest
            for rank in (np.floor(ranks), np.ceil(ranks))
        )
        columns.append(below + (above - below) * (ranks - np.floor(ranks)))
    return np.stack(columns, axis=1)


def _as_float(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as float32 where that holds them exactly, else as float64."""
    small = values.dtype.itemsize <= 2 or values.dtype == np.float32
    return np.asarray(values, dtype=np.float32 if small else np.float64)


def _extremes(image: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return minimum and maximum of each channel without a copy of the image."""
    # Channel by channel: numpy is slow over a short last axis.
    channels = np.moveaxis(image, -1, 0)
    low = [channel.min() for channel in channels]
    high = [channel.max() for channel in channels]
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def _pooled_moments(
    images: Sequence[NDArray[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each channel over all images.

    Images are weighted by their number of pixels. Moments are merged image by
    image, which stays exact where a sum of squares would cancel.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for image in images:
        pixels = _as_float(_sample(image)).reshape(-1, image.shape[-1])
        size = math.prod(image.shape[:-1])
        difference = pixels.mean(axis=0, dtype=np.float64) - mean
        squares = squares + pixels.var(axis=0, dtype=np.float64) * size
        squares = squares + difference**2 * (count * size / (count + size))
        mean = mean + difference * (size / (count + size))
        count += size
    if count == 0:
        raise ImageError("`images` must hold at least one image. Got 0.")
    return mean, np.sqrt(squares / count)
