"""The ways to find objects: what each learns, and how objects come of it."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from instantdl.estimators._survey import ObjectSizes
from instantdl.estimators._uncertainty import mean_summary
from instantdl.exceptions import ModelFileError
from instantdl.images import (
    CheckedImages,
    DetectedObjects,
    MappedImages,
    grow_instances,
    join_detections,
    object_cores,
    round_up,
)

if TYPE_CHECKING:
    from instantdl.estimators._instance_segmenter import InstanceSegmenter
    from instantdl.training import DetectorSpec, NetworkSpec

_N_LEVELS, _N_ANCHORS = 4, 3
_STRIDES = tuple(((first, first), *((2, 2),) * (_N_LEVELS - 1)) for first in (2, 4))
# An object that is smaller, in pixels, is looked for in maps of twice the resolution.
_SMALL_OBJECT = 24.0
_SLIVER = 4
_MARGINS = 32, 128
# Steps of what depends on the training images: so that folds of a set agree.
_MOST_OBJECTS = (16, 32, 64, 128, 256, 512)
# Augmentation makes objects smaller and so more, and borders cut some in two.
_CROWDED = 1.5
_TILES = (512, 384, 256, 128)


class Watershed:
    """Foreground and cores of objects by a U-Net, then a watershed.

    Parameters
    ----------
    segmenter : InstanceSegmenter
        Whose parameters and fitted attributes are used.
    """

    filters = 16
    nearest = False
    finish = None

    def __init__(self, segmenter: "InstanceSegmenter") -> None:
        self.segmenter = segmenter

    def check(self, spatial_ndim: int) -> None:
        """Raise unless the network is one for this method."""
        network = self.segmenter.network
        if not callable(network) and network not in {"auto", "unet"}:
            raise ValueError(
                "`network` must be 'auto', 'unet' or callable for method='watershed'. "
                f"Got {network!r}. Use it with method='mask_rcnn'."
            )

    def check_fitted(self) -> None:
        """Raise unless the attributes that this method settles are as they must be."""
        if self.segmenter.anchors_ != () or self.segmenter.max_objects_ != 0:
            raise ModelFileError(
                "anchors_ must be () and max_objects_ 0 for the watershed. Got "
                f"{self.segmenter.anchors_!r:.60} and {self.segmenter.max_objects_!r}."
            )

    def geometry(self, sizes: ObjectSizes) -> None:
        """Return None: those of the U-Net, or of a network of the user's."""

    def tile_shape(self) -> None:
        """Return None: tiles are those of any U-Net."""

    def settle(self, sizes: ObjectSizes) -> None:
        """Set the fitted attributes of this method."""
        self.segmenter.anchors_ = ()
        self.segmenter.max_objects_ = 0

    def targets(self, labels: Any) -> Any:
        """Return what the network learns from label images."""
        return MappedImages(labels, self._maps)

    def encode(self, crop: NDArray[Any]) -> NDArray[Any]:
        """Return a crop of a target as the loss takes it."""
        return crop.astype(np.float32) / 255

    def _maps(self, labels: NDArray[Any]) -> NDArray[np.uint8]:
        """Return foreground, cores and classes, as bytes: they are kept."""
        maps = [labels > 0, object_cores(labels, spacing=self.segmenter.spacing)]
        if self.segmenter._n_classes() > 1:
            n = self.segmenter._n_classes()
            maps += [(labels > 0) & (labels % n == kind) for kind in range(n)]
        return np.stack(maps, axis=-1) * np.uint8(255)

    def spec(self) -> "NetworkSpec":
        """Describe the fitted network."""
        from instantdl.networks import build_instance_loss, judge_instances
        from instantdl.training import NetworkSpec, instance_maps, instance_summary

        segmenter = self.segmenter
        n_outputs = segmenter._n_outputs()
        return NetworkSpec(
            key=("instances", *segmenter._network_key(n_outputs)),
            build=segmenter._build_network(n_outputs),
            loss=build_instance_loss(),
            activate=instance_maps,
            summarise=instance_summary,
            optimizer=segmenter.optimizer,
            judge=judge_instances,
            draws_own_weights=callable(segmenter.network),
        )

    def find(self, images: CheckedImages) -> Iterator[tuple[int, Any]]:
        """Yield number and evidence of each image: foreground and cores."""
        yield from self.segmenter._each_image(images)

    def draw(self, image: CheckedImages, noise: NDArray[Any]) -> Iterator[Any]:
        """Yield the evidence that each sampled network finds in one image."""
        for row in noise:
            _, values = next(self.segmenter._each_image(image, row[np.newaxis]))
            yield np.delete(values, [0, 2], axis=-1)

    def summarise(
        self, images: CheckedImages, noise: NDArray[Any]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield number and, per pixel, means over draws of each image.

        These are of the probabilities of background and foreground, and of entropy.
        """
        for number, values in self.segmenter._each_image(images, noise):
            yield number, values[..., :3]

    def foreground(self, evidence: Any) -> NDArray[Any]:
        """Return how probable it is that each pixel belongs to an object."""
        return evidence[..., 0]

    def grow(
        self, evidence: Any, thresholds: tuple[float, float, int]
    ) -> NDArray[np.int32]:
        """Return the label image.

        Thresholds are that of the foreground, that of objects and the least size.
        """
        foreground, start, min_size = thresholds
        return grow_instances(
            evidence[..., 0],
            evidence[..., 1],
            foreground_threshold=foreground,
            seed_threshold=start,
            min_size=min_size,
        )

    def describe(
        self, evidence: Any, thresholds: tuple[float, float, int]
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any]]:
        """Return the label image, and score and class of its objects, from 0 on."""
        labels = self.grow(evidence, thresholds)
        numbers = np.arange(1, labels.max(initial=0) + 1)
        if not len(numbers):
            return labels, np.empty(0), np.empty(0, int)
        scores = ndimage.mean(evidence[..., 0], labels, numbers)
        kinds = np.zeros(len(numbers), int)
        if evidence.shape[-1] > 2:
            means = [
                ndimage.mean(evidence[..., i], labels, numbers)
                for i in range(2, evidence.shape[-1])
            ]
            kinds = np.argmax(means, axis=0)
        return labels, scores, kinds


class MaskRCNN:
    """Boxes around objects, and a mask in each.

    Parameters
    ----------
    segmenter : InstanceSegmenter
        Whose parameters and fitted attributes are used.
    """

    filters = 64
    nearest = True

    def __init__(self, segmenter: "InstanceSegmenter") -> None:
        self.segmenter = segmenter

    def check(self, spatial_ndim: int) -> None:
        """Raise unless network and images are such as this method takes."""
        if spatial_ndim != 2:
            raise ValueError(
                "Images must be 2D for method='mask_rcnn'. Got volumes. Use "
                "method='watershed'."
            )
        network = self.segmenter.network
        if callable(network) or network == "unet":
            raise ValueError(
                "`network` must be 'auto', or 'resnet10', 'resnet18' or 'resnet50' for "
                f"method='mask_rcnn'. Got {network!r}. Use it with method='watershed'."
            )

    def check_fitted(self) -> None:
        """Raise unless the attributes that this method settles are as they must be."""
        anchors, most = self.segmenter.anchors_, self.segmenter.max_objects_
        sides = [
            side
            for level in anchors
            if isinstance(level, tuple) and len(level) == _N_ANCHORS
            for form in level
            if isinstance(form, tuple) and len(form) == 2
            for side in form
        ]
        if (
            len(anchors) != _N_LEVELS
            or len(sides) != _N_LEVELS * _N_ANCHORS * 2
            or not all(isinstance(x, float) and 0 < x < 2**20 for x in sides)
            or most not in _MOST_OBJECTS
            or self.segmenter.strides_ not in _STRIDES
        ):
            raise ModelFileError(
                "anchors_ must hold three heights and widths for each of four levels, "
                f"max_objects_ be one of {_MOST_OBJECTS}, and strides_ halve the "
                f"resolution. Got {anchors!r:.60}, {most!r} and "
                f"{self.segmenter.strides_!r:.60}."
            )

    def geometry(self, sizes: ObjectSizes) -> tuple[Any, Any]:
        """Return by what the levels lower the resolution, and the margin of tiles."""
        if np.median(sizes.areas) < _SLIVER:
            raise ValueError(
                f"Objects must have {_SLIVER} pixels or more for method='mask_rcnn'. "
                f"Got a median of {np.median(sizes.areas):g}. Enlarge images and "
                "labels, or use method='watershed'."
            )
        side = float(np.median(np.sqrt(sizes.areas)))
        strides = _STRIDES[0 if side < _SMALL_OBJECT else 1]
        extent = np.quantile(sizes.boxes, 0.99, axis=0).astype(int)
        margin = [round_up(int(np.clip(length, *_MARGINS)), 32) for length in extent]
        return strides, tuple(margin)

    def settle(self, sizes: ObjectSizes) -> None:
        """Set the fitted attributes of this method."""
        from instantdl.networks import choose_anchors

        segmenter = self.segmenter
        first = segmenter.strides_[0][0]
        strides = [first * 2**level for level in range(_N_LEVELS)]
        segmenter.anchors_ = choose_anchors(sizes.boxes, strides)
        most = _CROWDED * sizes.most_within(segmenter.patch_shape_)
        larger = [step for step in _MOST_OBJECTS if step >= most]
        segmenter.max_objects_ = min(larger, default=_MOST_OBJECTS[-1])

    def targets(self, labels: Any) -> Any:
        """Return what the network learns from label images."""
        return labels

    def encode(self, crop: NDArray[Any]) -> NDArray[Any]:
        """Return a crop of a label image as it is."""
        return crop

    def finish(self, crop: NDArray[Any]) -> NDArray[np.int32]:
        """Return the pieces of a moved crop, numbered, with their class behind."""
        pieces = label(crop, connectivity=crop.ndim)  # type: ignore[no-untyped-call, unused-ignore]
        large = np.bincount(pieces.ravel()) >= _SLIVER
        large[0] = False
        numbers = np.cumsum(large) * large
        labels = numbers[pieces]
        kinds = np.where(labels > 0, 1 + crop % self.segmenter._n_classes(), 0)
        return np.stack([labels, kinds], axis=-1).astype(np.int32)

    def spec(self) -> "DetectorSpec":
        """Describe the fitted network."""
        from instantdl.networks import Detector, build_mask_rcnn
        from instantdl.training import DetectorSpec

        segmenter = self.segmenter
        first = segmenter.strides_[0][0]
        n_channels, dtype = segmenter.n_channels_in_, segmenter.precision_
        network = "resnet18" if segmenter.network == "auto" else segmenter.network
        depth = int(network.removeprefix("resnet"))
        filters, rate = segmenter._n_filters(), segmenter.dropout_rate
        anchors, n_objects = segmenter.anchors_, segmenter.max_objects_
        n_classes = segmenter._n_classes()
        n_pixels = int(np.prod(segmenter.patch_shape_))
        key = segmenter._network_key(n_classes)
        return DetectorSpec(
            key=("mask_rcnn", *key, anchors, n_objects, n_pixels),
            build=lambda: build_mask_rcnn(
                n_channels,
                n_classes,
                n_anchors=len(anchors[0]),
                depth=depth,
                filters=filters,
                first_stride=first,
                dropout_rate=rate,
                dtype=dtype,
            ),
            connect=lambda network: Detector(
                network,
                anchors,
                first_stride=first,
                n_objects=n_objects,
                n_pixels=n_pixels,
            ),
            optimizer=segmenter.optimizer,
        )

    def tile_shape(self) -> list[int]:
        """Return the largest tile that does not hold more objects than can be found."""
        from instantdl.networks import MOST_FOUND

        segmenter = self.segmenter
        density = segmenter.max_objects_ / np.prod(segmenter.patch_shape_)
        margin = np.array(segmenter.margin_)
        fitting = [
            tile
            for tile in _TILES
            if density * np.prod(tile + 2 * margin) <= MOST_FOUND
        ]
        return [max(fitting, default=_TILES[-1])] * 2

    def find(self, images: CheckedImages) -> Iterator[tuple[int, DetectedObjects]]:
        """Yield number and evidence of each image: its detected objects."""
        for number, (found,) in self._join(images, None):
            yield number, found

    def draw(
        self, image: CheckedImages, noise: NDArray[Any]
    ) -> Iterator[DetectedObjects]:
        """Yield the evidence that each sampled network finds in one image."""
        for _, found in self._join(image, noise):
            yield from found

    def summarise(
        self, images: CheckedImages, noise: NDArray[Any]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield number and, per pixel, means over draws of each image.

        These are of the probabilities of background and foreground, and of entropy.
        """
        for number, found in self._join(images, noise):
            yield number, mean_summary(one.foreground() for one in found)

    def foreground(self, evidence: Any) -> NDArray[Any]:
        """Return how probable it is that each pixel belongs to an object."""
        return evidence.foreground()

    def grow(
        self, evidence: Any, thresholds: tuple[float, float, int]
    ) -> NDArray[np.int32]:
        """Return the label image.

        Thresholds are that of the foreground, that of objects and the least size.
        """
        return self.describe(evidence, thresholds)[0]

    def describe(
        self, evidence: Any, thresholds: tuple[float, float, int]
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any]]:
        """Return the label image, and score and class of its objects, from 0 on."""
        foreground, start, min_size = thresholds
        labels, scores, kinds = evidence.draw(
            mask_threshold=foreground, score_threshold=start, min_size=min_size
        )
        return labels, scores, kinds - 1

    def _join(
        self, images: CheckedImages, noise: NDArray[Any] | None
    ) -> Iterator[tuple[int, list[DetectedObjects]]]:
        """Yield number and objects of each image, per draw where there is noise."""
        from instantdl.training import detect_parts

        segmenter = self.segmenter
        with segmenter._borrowed() as network:
            parts = detect_parts(
                network,  # type: ignore[arg-type]
                images,
                segmenter.normalizer_,
                segmenter._tiling(),
                noise,
            )
            for number, group in itertools.groupby(parts, key=lambda part: part.number):
                tiles, shape = list(group), images.shape(number)
                drawn = [
                    [tile.objects] if noise is None else tile.objects for tile in tiles
                ]
                windows = [part.tile.window for part in tiles]
                inner = [part.tile.outer for part in tiles]
                joined = []
                for draw in zip(*drawn, strict=True):
                    found = [
                        DetectedObjects(**one._asdict(), shape=shape) for one in draw
                    ]
                    joined.append(join_detections(found, windows, inner, shape))
                yield number, joined


METHODS: dict[str, Callable[["InstanceSegmenter"], Watershed | MaskRCNN]] = {
    "watershed": Watershed,
    "mask_rcnn": MaskRCNN,
}
