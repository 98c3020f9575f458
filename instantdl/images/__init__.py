"""Images as arrays: check, normalise, change, tile and label them."""

from instantdl.images._augmentation import Augmentation
from instantdl.images._checks import (
    CheckedImages,
    CheckedMasks,
    check_images,
    check_images_and_masks,
)
from instantdl.images._collection import ImageCollection
from instantdl.images._crops import Crops, split_ends, whole_of
from instantdl.images._detections import DetectedObjects, join_detections
from instantdl.images._instance_maps import grow_instances, object_cores
from instantdl.images._labels import (
    as_spacing,
    label_mask,
    labels_to_masks,
    masks_to_labels,
    relabel,
    remove_small,
)
from instantdl.images._mapped import MappedImages
from instantdl.images._normalization import Normalizer
from instantdl.images._outlines import fill_polygon, outline_polygons
from instantdl.images._resizing import ResizedImages, common_shape, resize_image
from instantdl.images._targets import CheckedTargets, check_images_and_targets
from instantdl.images._tiling import (
    blend_tiles,
    pad_to,
    round_up,
    split_tiles,
    tile_slices,
)
from instantdl.images._weights import check_sample_weight

__all__ = [
    "Augmentation",
    "CheckedImages",
    "CheckedMasks",
    "CheckedTargets",
    "Crops",
    "DetectedObjects",
    "ImageCollection",
    "MappedImages",
    "Normalizer",
    "ResizedImages",
    "as_spacing",
    "blend_tiles",
    "check_images",
    "check_images_and_masks",
    "check_images_and_targets",
    "check_sample_weight",
    "common_shape",
    "fill_polygon",
    "grow_instances",
    "join_detections",
    "label_mask",
    "labels_to_masks",
    "masks_to_labels",
    "object_cores",
    "outline_polygons",
    "pad_to",
    "relabel",
    "remove_small",
    "resize_image",
    "round_up",
    "split_ends",
    "split_tiles",
    "tile_slices",
    "whole_of",
]
