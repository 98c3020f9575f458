"""Run a network over images of any size, tile by tile, in constant memory."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from instantdl.images import Normalizer, pad_to, round_up, whole_of
from instantdl.training._network import CompiledNetwork

# About four images of 256 x 256 keep two cores as busy as more would.
_PIXELS_PER_BATCH = 2**18
# TensorFlow convolves a single image on hardly more than one core.
_WINDOWS_PER_BATCH = 2
# What sizes of images that are one window are rounded up to, by the number of axes.
# TensorFlow keeps memory for every shape that it has met, for good; so there are few.
_GRAIN = {1: 64, 2: 64, 3: 8}


class Tile(NamedTuple):
    """A part of an image: what the network sees and what of it is used."""

    window: tuple[slice, ...]
    inner: tuple[slice, ...]
    outer: tuple[slice, ...]


@dataclass(frozen=True)
class Tiling:
    """How images are cut for a network.

    Parameters
    ----------
    stride : tuple of int
        Per axis the number that the network's input must be a multiple of.

    margin : tuple of int
        Pixels around a tile that the network is shown besides. With the network's
        receptive field, tiles give exactly what the whole image would.

    tile_shape : tuple of int
        Size of the part that is predicted at once; rounded up to `stride`.

    patch_shape : tuple of int, default=None
        What the network saw at once when it learnt, a multiple of `stride`. Along an
        axis on which an image is no longer, it is shown no more; where a patch was one
        pixel, neighbours are never shown, since it has not learnt what they mean.

    Examples
    --------
    >>> from instantdl.training import Tiling
    >>> tiling = Tiling(stride=(4, 4), margin=(8, 8), tile_shape=(16, 16))
    >>> for tile in tiling.tiles((20, 40)):
    ...     tile.outer[1], tile.window[1]
    (slice(0, 16, None), slice(0, 32, None))
    (slice(16, 32, None), slice(8, 40, None))
    (slice(32, 40, None), slice(8, 40, None))
    """

    stride: tuple[int, ...]
    margin: tuple[int, ...]
    tile_shape: tuple[int, ...]
    patch_shape: tuple[int, ...] | None = None

    def tiles(self, shape: Sequence[int]) -> list[Tile]:
        """Return the tiles of an image; all windows have one shape.

        Parameters
        ----------
        shape : sequence of int
            Spatial size of the image.

        Returns
        -------
        list of Tile
            `window` lies in the image padded at its end to a multiple of `stride`,
            `inner` in the window, `outer` in the image.
        """
        patch = self.patch_shape or (None,) * len(shape)
        axes = zip(shape, self.stride, self.margin, self.tile_shape, patch, strict=True)
        grain = _GRAIN[len(shape)]
        return [
            Tile(*zip(*parts, strict=True))
            for parts in itertools.product(
                *(_axis_tiles(*axis, grain) for axis in axes)
            )
        ]


def _axis_tiles(
    size: int, stride: int, margin: int, tile: int, patch: int | None, grain: int
) -> list[tuple[slice, slice, slice]]:
    """Return window, inner and outer slices along one axis."""
    if patch == 1:
        margin, tile = 0, 1
    padded, step = round_up(size, stride), round_up(tile, stride)
    margin = round_up(margin, stride)
    length = step + 2 * margin
    if padded <= length:
        window = min(round_up(size, round_up(grain, stride)), length)
        if patch is not None and size <= patch:
            window = min(window, patch)
        return [(slice(0, window), slice(0, size), slice(0, size))]
    parts = []
    for start in range(0, size, step):
        stop = min(start + step, size)
        first = min(max(start - margin, 0), padded - length)
        parts.append(
            (
                slice(first, first + length),
                slice(start - first, stop - first),
                slice(start, stop),
            )
        )
    return parts


class Part(NamedTuple):
    """A predicted tile: number of the image, place in it, values."""

    number: int
    place: tuple[slice, ...]
    values: np.ndarray


class Window(NamedTuple):
    """A tile with what the network sees of it, normalised."""

    number: int
    tile: Tile
    x: np.ndarray


def predict_parts(
    network: CompiledNetwork,
    images: Sequence[np.ndarray],
    normalizer: Normalizer,
    tiling: Tiling,
) -> Iterator[Part]:
    """Predict images part by part, dropout off.

    Parameters
    ----------
    network : CompiledNetwork
        With its weights in.

    images : sequence of ndarray of shape (*spatial, channels)
        Read one after the other.

    normalizer : Normalizer
        Scales each image, by statistics of the whole of it.

    tiling : Tiling
        How to cut.

    Yields
    ------
    Part
        Values of shape (*tile, n_outputs), float32, image by image, in order.
    """
    for batch in batches_of(windows_of(images, normalizer, tiling)):
        values = network.predict(np.stack([window.x for window in batch]))
        for window, value in zip(batch, values, strict=True):
            yield Part(window.number, window.tile.outer, value[window.tile.inner])


def draw_parts(
    network: CompiledNetwork,
    images: Sequence[np.ndarray],
    normalizer: Normalizer,
    tiling: Tiling,
    noise: np.ndarray,
) -> Iterator[Part]:
    """Average the network's summary over Monte Carlo dropout, part by part.

    The layers before the first dropout are computed once for all draws.

    Parameters
    ----------
    network : CompiledNetwork
        With its weights in, and with dropout.

    images, normalizer, tiling
        As in `predict_parts`.

    noise : ndarray of shape (n_draws, n_noise)
        One row is one sampled network, the same for all images and tiles.

    Yields
    ------
    Part
        Means over the draws of what the network's `summarise` gives.
    """
    for window in windows_of(images, normalizer, tiling):
        features = network.features(window.x[np.newaxis])
        pixels = int(np.prod(window.x.shape[:-1]))
        step = max(_WINDOWS_PER_BATCH, _PIXELS_PER_BATCH // pixels)
        total: Any = 0
        for first in range(0, len(noise), step):
            total = total + network.draw(features, noise[first : first + step])
        values = (total[0] / len(noise)).astype(np.float32)
        yield Part(window.number, window.tile.outer, values[window.tile.inner])


def predict_images(
    network: CompiledNetwork, images: Sequence[np.ndarray], normalizer: Normalizer
) -> np.ndarray:
    """Predict whole images of one size, dropout off.

    Parameters
    ----------
    network : CompiledNetwork
        With its weights in.

    images : sequence of ndarray of shape (height, width, channels)
        Read one after the other.

    normalizer : Normalizer
        Scales each image.

    Returns
    -------
    ndarray of shape (n_samples, n_values)
        Activated output.
    """
    batches = _image_batches(images, normalizer)
    values = np.concatenate([network.predict(batch) for batch in batches])
    return values[: len(images)]


def draw_images(
    network: CompiledNetwork,
    images: Sequence[np.ndarray],
    normalizer: Normalizer,
    noise: np.ndarray,
) -> np.ndarray:
    """Average the network's summary of whole images over Monte Carlo dropout.

    Parameters
    ----------
    network : CompiledNetwork
        With its weights in, and with dropout.

    images, normalizer
        As in `predict_images`.

    noise : ndarray of shape (n_draws, n_noise)
        One row is one sampled network, the same for all images.

    Returns
    -------
    ndarray of shape (n_samples, n_values)
        Means over the draws of what the network's `summarise` gives.
    """
    means = []
    for batch in _image_batches(images, normalizer):
        features = network.features(batch)
        draws = (network.draw(features, row[np.newaxis]) for row in noise)
        total = sum(draws, start=np.float32(0))
        means.append(np.asarray(total / len(noise), np.float32))
    return np.concatenate(means)[: len(images)]


def _image_batches(
    images: Sequence[np.ndarray], normalizer: Normalizer
) -> Iterator[np.ndarray]:
    """Yield normalised batches of some 2**18 pixels.

    The last one is filled up to a power of two, so that TensorFlow meets few sizes.
    """
    batch: list[np.ndarray] = []
    for image in images:
        batch.append(normalizer(image))
        if len(batch) * image[..., 0].size >= _PIXELS_PER_BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        missing = 2 ** (len(batch) - 1).bit_length() - len(batch)
        yield np.stack(batch + batch[-1:] * missing)


def windows_of(
    images: Sequence[np.ndarray], normalizer: Normalizer, tiling: Tiling
) -> Iterator[Window]:
    for index, image in enumerate(images):
        statistics = normalizer.statistics(whole_of(images, index, image))
        for tile in tiling.tiles(image.shape[:-1]):
            x = normalizer.apply(image[tile.window], statistics)
            shape = [axis.stop - axis.start for axis in tile.window]
            yield Window(index, tile, pad_to(x, shape))


def batches_of(windows: Iterator[Window]) -> Iterator[list[Window]]:
    """Put windows of one shape together, as many as are worth it."""
    batch: list[Window] = []
    for window in windows:
        pixels = int(np.prod(window.x.shape[:-1]))
        full = (
            len(batch) >= _WINDOWS_PER_BATCH
            and len(batch) * pixels >= _PIXELS_PER_BATCH
        )
        if batch and (full or batch[0].x.shape != window.x.shape):
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch
