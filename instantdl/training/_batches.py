"""Batches of patches: where they are cut, in which order, and by whom."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from instantdl.images import Augmentation, Normalizer, pad_to, tile_slices, whole_of

_CACHE_BYTES = 2 * 2**30
_VALIDATION_BYTES = 2**28
_PATCHES_PER_IMAGE = 4
_PATCHES_OF_FEW = 64
_PATCHES_PER_EPOCH = 256
_AHEAD = 2


class Batch(NamedTuple):
    """One batch: images, targets, the weight of each image, noise for dropout."""

    x: np.ndarray
    target: np.ndarray
    sample_weight: np.ndarray
    noise: np.ndarray


@dataclass
class PatchSource:
    """Images and dense targets, from which patches are cut.

    Parameters
    ----------
    images : sequence of ndarray of shape (*spatial, channels)
        For example `CheckedImages`.

    targets : sequence of ndarray of shape (*spatial[, channels])
        As many as images.

    encode : callable
        Turns a crop of a target into what the loss takes.

    normalizer : Normalizer
        Scales the images.

    patch_shape : sequence of int
        Spatial size of every patch; smaller images are mirrored at their end.

    sample_weight : ndarray of shape (n_samples,)
        Weight of each image in the loss.

    finish : callable or None, default=None
        Is applied to the target of a patch after augmentation.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Normalizer
    >>> from instantdl.training import PatchSource
    >>> source = PatchSource(
    ...     images=[np.zeros((6, 9, 1))], targets=[np.zeros((6, 9), int)],
    ...     encode=lambda crop: crop, normalizer=Normalizer("minmax"),
    ...     patch_shape=(8, 8), sample_weight=np.ones(1))
    >>> x, target = source.crop(0, (0, 1))
    >>> x.shape, target.shape
    ((8, 8, 1), (8, 8))
    """

    images: Sequence[np.ndarray]
    targets: Sequence[np.ndarray]
    encode: Callable[[np.ndarray], np.ndarray]
    normalizer: Normalizer
    patch_shape: Sequence[int]
    sample_weight: np.ndarray
    finish: Callable[[np.ndarray], np.ndarray] | None = None
    _kept: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _kept_bytes: int = 0
    _statistics: dict[int, Any] = field(default_factory=dict)
    _shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an image and its target; they are kept while memory lasts."""
        if index in self._kept:
            return self._kept[index]
        image, target = self.images[index], self.targets[index]
        if index not in self._statistics:
            whole = whole_of(self.images, index, image)
            self._statistics[index] = self.normalizer.statistics(whole)
        size = _n_bytes(image) + _n_bytes(target)
        if self._kept_bytes + size <= _CACHE_BYTES:
            self._kept[index] = (image, target)
            self._kept_bytes += size
        return image, target

    def starts(self, index: int) -> np.ndarray:
        """Return per axis how many places a patch can begin at, less one."""
        if index not in self._shapes:
            self._shapes[index] = self.read(index)[0].shape
        shape = self._shapes[index]
        pairs = zip(shape, self.patch_shape, strict=False)
        return np.array([max(0, size - length) for size, length in pairs])

    def crop(
        self, index: int, start: Sequence[int] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the normalised image and encoded target of one patch."""
        image, target = self.read(index)
        window = tuple(
            slice(first, first + length)
            for first, length in zip(start, self.patch_shape, strict=True)
        )
        x = self.normalizer.apply(image[window], self._statistics[index])
        return (
            pad_to(x, self.patch_shape),
            _pad_target(self.encode(np.asarray(target[window])), self.patch_shape),
        )

    def finished(self, target: np.ndarray) -> np.ndarray:
        """Return an encoded target, moved or not, as the loss takes it."""
        return target if self.finish is None else self.finish(target)


@dataclass
class LabelledImages(PatchSource):
    """Whole images of one size, each with one number; nothing is cut.

    Parameters
    ----------
    images : sequence of ndarray of shape (*patch_shape, channels)
        For example `ResizedImages`.

    targets : sequence of int
        Class of each image.

    encode, normalizer, patch_shape, sample_weight, finish
        As for `PatchSource`.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Normalizer
    >>> from instantdl.training import LabelledImages
    >>> source = LabelledImages(
    ...     images=[np.zeros((8, 8, 1))], targets=np.array([3]), encode=np.asarray,
    ...     normalizer=Normalizer("minmax"), patch_shape=(8, 8),
    ...     sample_weight=np.ones(1))
    >>> x, target = source.crop(0, (0, 0))
    >>> x.shape, int(target)
    ((8, 8, 1), 3)
    """

    def starts(self, index: int) -> np.ndarray:
        """Return the only place of each axis."""
        return np.zeros(len(self.patch_shape), int)

    def crop(
        self, index: int, start: Sequence[int] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the normalised image and its encoded class."""
        image, target = self.read(index)
        x = self.normalizer.apply(image, self._statistics[index])
        return x, self.encode(target)


@dataclass
class TrainingBatches:
    """Random, augmented patches; batch `step` of an epoch is always the same one.

    Parameters
    ----------
    source : PatchSource
        Where the patches come from.

    batch_size : int
        Patches in a batch.

    augmentation : Augmentation or None
        Changes each patch on its own.

    seed : int
        With epoch and step it settles every random choice, so that an interrupted
        run goes on exactly as it would have.

    n_noise : int
        Random numbers for dropout, per patch.

    places : sequence of sequence of ndarray of shape (n_places, n_axes), default=()
        Per image and class some pixels of that class; a share of the patches
        is cut around one of them.

    place_fraction : float, default=1/3
        That share.

    nearest : bool, default=True
        Whether targets are moved without interpolation (classes) or with (values).

    emphasis : sequence of float, default=()
        Per image, how many times as many patches of it are shown in an epoch as of an
        image of its size; for example more of rare kinds. Empty is 1 for all.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Normalizer
    >>> from instantdl.training import PatchSource, TrainingBatches
    >>> source = PatchSource(
    ...     images=[np.zeros((8, 8, 1))] * 3, targets=[np.zeros((8, 8), int)] * 3,
    ...     encode=lambda crop: crop, normalizer=Normalizer("minmax"),
    ...     patch_shape=(8, 8), sample_weight=np.ones(3))
    >>> batches = TrainingBatches(
    ...     source, batch_size=2, augmentation=None, seed=0, n_noise=5)
    >>> len(batches), batches.make(epoch=0, step=1).x.shape
    (2, (2, 8, 8, 1))
    """

    source: PatchSource
    batch_size: int
    augmentation: Augmentation | None
    seed: int
    n_noise: int
    places: Sequence[Sequence[np.ndarray]] = ()
    place_fraction: float = 1 / 3
    nearest: bool = True
    emphasis: Sequence[float] | np.ndarray = ()

    def __post_init__(self) -> None:
        n_images = len(self.source)
        area = np.prod(self.source.patch_shape, dtype=float)
        room = self.source.starts
        patch = np.asarray(self.source.patch_shape)
        rooms = np.array([room(i) for i in range(n_images)])
        areas = np.prod(rooms + patch, axis=1, dtype=float)
        # Few large images are shown whole; among many, none may dominate.
        most = max(_PATCHES_PER_IMAGE, _PATCHES_OF_FEW // n_images)
        counts = np.clip(np.round(areas / area), 1, most)
        if len(self.emphasis):
            counts = np.maximum(1, np.round(counts * self.emphasis))
        counts = counts.astype(int)
        if rooms.any():
            # Patches are cut at random, so there are others in another round. Without,
            # an epoch of few images would be no more than a few steps.
            counts *= max(1, _PATCHES_PER_EPOCH // counts.sum())
        self._indices = np.repeat(np.arange(n_images), counts)

    def __len__(self) -> int:
        return max(1, -(-len(self._indices) // self.batch_size))

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, the next ones being made in a thread."""
        with ThreadPoolExecutor(1, thread_name_prefix="instantdl-batches") as pool:
            jobs = [
                pool.submit(self.make, epoch, step)
                for step in range(min(_AHEAD, len(self)))
            ]
            try:
                for step in range(len(self)):
                    batch = jobs.pop(0).result()
                    if step + _AHEAD < len(self):
                        jobs.append(pool.submit(self.make, epoch, step + _AHEAD))
                    yield batch
            finally:
                for job in jobs:
                    job.cancel()

    def make(self, epoch: int, step: int) -> Batch:
        """Return one batch."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self._indices)
        chosen = np.take(
            order, step * self.batch_size + np.arange(self.batch_size), mode="wrap"
        )
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        for position, index in enumerate(chosen):
            rng = np.random.default_rng([self.seed, epoch, step, position])
            x, target = self.source.crop(int(index), self._start(int(index), rng))
            if self.augmentation is not None:
                moved = target if target.ndim else None
                x, moved = self.augmentation(x, moved, rng=rng, nearest=self.nearest)
                target = target if moved is None else moved
            pairs.append((x, self.source.finished(target)))
        rng = np.random.default_rng([self.seed, epoch, step, self.batch_size])
        return Batch(
            np.stack([x for x, _ in pairs]),
            np.stack([target for _, target in pairs]),
            self.source.sample_weight[chosen].astype(np.float32),
            rng.random((self.batch_size, self.n_noise), np.float32),
        )

    def _start(self, index: int, rng: np.random.Generator) -> np.ndarray:
        last = self.source.starts(index)
        if not last.any():
            return last
        if self.places and rng.random() < self.place_fraction:
            classes = [places for places in self.places[index] if len(places)]
            if classes:
                places = classes[rng.integers(len(classes))]
                centre = places[rng.integers(len(places))]
                offset = [rng.integers(length) for length in self.source.patch_shape]
                return np.clip(centre - offset, 0, last)
        return rng.integers(0, last + 1)


def validation_batches(
    source: PatchSource, *, batch_size: int, max_patches: int = 48
) -> list[Batch]:
    """Return fixed, unchanged patches that cover the validation images.

    Parameters
    ----------
    source : PatchSource
        The validation images.

    batch_size : int
        Patches in a batch; the last one is filled up with patches of weight 0.

    max_patches : int, default=48
        Where there are more, this many are taken, evenly spread; fewer where they
        would need more than 256 MiB.

    Returns
    -------
    list of Batch
        Without noise.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Normalizer
    >>> from instantdl.training import PatchSource, validation_batches
    >>> source = PatchSource(
    ...     images=[np.zeros((16, 24, 1))], targets=[np.zeros((16, 24), int)],
    ...     encode=lambda crop: crop, normalizer=Normalizer("minmax"),
    ...     patch_shape=(16, 16), sample_weight=np.ones(1))
    >>> [batch.sample_weight.tolist() for batch in
    ...     validation_batches(source, batch_size=4)]
    [[1.0, 1.0, 0.0, 0.0]]
    """
    wanted = []
    for index in range(len(source)):
        shape = source.starts(index) + np.asarray(source.patch_shape)
        windows = tile_slices(shape.tolist(), source.patch_shape)
        wanted += [(index, [axis.start for axis in window]) for window in windows]
    if wanted:
        n_channels = source.read(wanted[0][0])[0].shape[-1]
        n_bytes = 4 * int(np.prod(source.patch_shape)) * n_channels
        max_patches = min(max_patches, max(1, _VALIDATION_BYTES // n_bytes))
    if len(wanted) > max_patches:
        chosen = np.linspace(0, len(wanted) - 1, max_patches).round().astype(int)
        wanted = [wanted[i] for i in chosen]
    batches = []
    for first in range(0, len(wanted), batch_size):
        part = wanted[first : first + batch_size]
        part = part + part[:1] * (batch_size - len(part))
        crops = [source.crop(index, start) for index, start in part]
        weight = source.sample_weight[[index for index, _ in part]].astype(np.float32)
        weight[len(wanted) - first :] = 0
        batches.append(
            Batch(
                np.stack([x for x, _ in crops]),
                np.stack([source.finished(target) for _, target in crops]),
                weight,
                np.zeros((batch_size, 0), np.float32),
            )
        )
    return batches


def _pad_target(target: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Mirror a target without a channel axis, or with one, up to `shape`."""
    if target.ndim == len(shape):
        return pad_to(target[..., np.newaxis], shape)[..., 0]
    return pad_to(target, shape)


def _n_bytes(array: np.ndarray) -> int:
    """Return the memory that keeping an array costs; a memmap costs none."""
    return 0 if isinstance(array, np.memmap) else array.nbytes
