"""Detectors: trained as other networks are, but what they find are objects."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from instantdl.images import Normalizer
from instantdl.networks import Detections, Detector, dropout_noise
from instantdl.training._network import CompiledNetwork, trace
from instantdl.training._predict import Tile, Tiling, batches_of, windows_of

# Sampled networks that look at a window at a time.
_DRAWS_PER_BATCH = 4


@dataclass(frozen=True)
class DetectorSpec:
    """What a compiled detector depends on.

    Parameters
    ----------
    key : hashable
        Tells networks apart: equal keys, equal networks.

    build : callable
        Takes nothing and returns the `keras.Model`.

    connect : callable
        Takes that model and returns the `instantdl.networks.Detector`.

    optimizer : str, default="adam"
        Name of a Keras optimizer.

    draws_own_weights : bool, default=True
        Whether training begins with the weights that `build` gives.

    Examples
    --------
    >>> from instantdl.networks import Detector, build_mask_rcnn
    >>> from instantdl.training import DetectorSpec
    >>> spec = DetectorSpec(
    ...     key=("tiny",),
    ...     build=lambda: build_mask_rcnn(1, 1, depth=10, filters=2),
    ...     connect=lambda model: Detector(
    ...         model, [[(8, 8)] * 3] * 4, first_stride=4, n_objects=4),
    ... )
    >>> spec.optimizer
    'adam'
    """

    key: Hashable
    build: Callable[[], keras.Model]
    connect: Callable[[keras.Model], Detector]
    optimizer: str = "adam"
    draws_own_weights: bool = True

    def compiled(self) -> "CompiledDetector":
        """Build the network and return it with its optimizer and functions."""
        return CompiledDetector(self)


class CompiledDetector(CompiledNetwork):
    """A detector, its optimizer and its traced functions.

    Parameters
    ----------
    spec : DetectorSpec
        What to build.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import Detector, build_mask_rcnn
    >>> from instantdl.training import CompiledDetector, DetectorSpec
    >>> network = CompiledDetector(DetectorSpec(
    ...     key=("tiny",),
    ...     build=lambda: build_mask_rcnn(1, 1, depth=10, filters=2),
    ...     connect=lambda model: Detector(
    ...         model, [[(8, 8)] * 3] * 4, first_stride=4, n_objects=4),
    ... ))
    >>> network.detect(np.zeros((2, 64, 64, 1), "float32")).boxes.shape[0]
    2
    """

    def __init__(self, spec: DetectorSpec) -> None:
        super().__init__(spec)  # type: ignore[arg-type]

    def _make_functions(self) -> None:
        self._detector = self.spec.connect(self.model)  # type: ignore[attr-defined]
        image = tf.TensorSpec(self.model.inputs[0].shape, tf.float32)
        self._train = trace(self._train_step)
        self._train_frozen = trace(self._frozen_train_step)
        self._evaluate = trace(self._loss_step)
        self._detect = trace(self._detect_step, [image])
        self._propose = trace(self._propose_step, [image])
        if self.n_noise:
            noise = tf.TensorSpec((None, self.n_noise), tf.float32)
            boxes = tf.TensorSpec((None, None, 4), tf.float32)
            pyramid = [
                tf.TensorSpec(level.shape, level.dtype)
                for level in self._detector.backbone.outputs[
                    : len(self._detector.strides)
                ]
            ]
            self._draw = trace(self._draw_step, [(pyramid, boxes), noise])

    def _loss(
        self, x: Any, target: Any, class_weight: Any, sample_weight: Any, training: bool
    ) -> Any:
        # Any numbers that differ from batch to batch and are the same for the same.
        seed = tf.reduce_sum(target, axis=(0, 1, 2))
        return self._detector.loss(
            x, target, sample_weight, seed=seed, training=training
        )

    def _loss_step(
        self, x: Any, target: Any, class_weight: Any, sample_weight: Any
    ) -> Any:
        self.n_traces += 1
        return self._loss(x, target, class_weight, sample_weight, False)

    def _propose_step(self, x: Any) -> Any:
        self.n_traces += 1
        return self._detector.propose(x)

    def _detect_step(self, x: Any) -> Any:
        self.n_traces += 1
        return self._detector.detect(*self._detector.propose(x))

    def _draw_step(self, features: Any, noise: Any) -> Any:
        self.n_traces += 1
        pyramid, proposals = tf.nest.map_structure(
            lambda values: tf.repeat(values, tf.shape(noise)[0], axis=0), features
        )
        with dropout_noise(noise):
            return self._detector.detect(pyramid, proposals)

    def detect(self, x: np.ndarray) -> Detections:
        """Return what is found in a batch of images, dropout off."""
        return _as_arrays(self._detect(tf.convert_to_tensor(x)))

    def draw_detections(self, x: np.ndarray, noise: np.ndarray) -> list[Detections]:
        """Return what each network that a row of noise samples finds in one image."""
        features = self._propose(tf.convert_to_tensor(x[np.newaxis]))
        found = []
        for first in range(0, len(noise), _DRAWS_PER_BATCH):
            rows = tf.convert_to_tensor(noise[first : first + _DRAWS_PER_BATCH])
            batch = _as_arrays(self._draw(features, rows))
            found += [_one(batch, number) for number in range(len(rows))]
        return found


class Found(NamedTuple):
    """What is found in a tile: number of the image, the tile, its objects.

    Examples
    --------
    >>> from instantdl.training import Found, Tiling
    >>> tile, = Tiling((8, 8), (8, 8), (16, 16)).tiles((16, 16))
    >>> Found(0, tile, []).number
    0
    """

    number: int
    tile: Tile
    objects: Any


def detect_parts(
    network: CompiledDetector,
    images: Sequence[np.ndarray],
    normalizer: Normalizer,
    tiling: Tiling,
    noise: np.ndarray | None = None,
) -> Iterator[Found]:
    """Look for objects in images, tile by tile.

    Parameters
    ----------
    network : CompiledDetector
        With its weights in.

    images : sequence of ndarray of shape (height, width, channels)
        Read one after the other.

    normalizer : Normalizer
        Scales each image, by statistics of the whole of it.

    tiling : Tiling
        How to cut.

    noise : ndarray of shape (n_draws, n_noise), default=None
        A row for each sampled network; None leaves dropout off.

    Yields
    ------
    Found
        With `Detections` of one window, or with noise a list of them, one per row.
    """
    windows = windows_of(images, normalizer, tiling)
    if noise is not None:
        for window in windows:
            found = network.draw_detections(window.x, noise)
            yield Found(window.number, window.tile, found)
        return
    for batch in batches_of(windows):
        objects = network.detect(np.stack([window.x for window in batch]))
        for position, window in enumerate(batch):
            yield Found(window.number, window.tile, _one(objects, position))


def _as_arrays(found: Detections) -> Detections:
    return Detections(*(values.numpy() for values in found))


def _one(found: Detections, position: int) -> Detections:
    """Return the objects of one image, without places that are not needed."""
    n_found = int(np.count_nonzero(found.scores[position]))
    return Detections(*(values[position, :n_found] for values in found))
