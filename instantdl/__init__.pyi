from . import datasets, images, io, metrics, networks, plotting
from ._version import __version__
from .estimators import (
    ImageClassifier,
    InstanceSegmenter,
    PixelRegressor,
    SemanticSegmenter,
    load,
)
from .images import Augmentation, ImageCollection

__all__ = [
    "Augmentation",
    "ImageClassifier",
    "ImageCollection",
    "InstanceSegmenter",
    "PixelRegressor",
    "SemanticSegmenter",
    "__version__",
    "datasets",
    "images",
    "io",
    "load",
    "metrics",
    "networks",
    "plotting",
]
