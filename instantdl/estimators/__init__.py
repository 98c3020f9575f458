"""scikit-learn estimators for images."""

from instantdl.estimators._image_classifier import ImageClassifier
from instantdl.estimators._instance_segmenter import InstanceSegmenter
from instantdl.estimators._instance_tables import Instances
from instantdl.estimators._pixel_regressor import PixelRegressor
from instantdl.estimators._saving import load
from instantdl.estimators._semantic_segmenter import SemanticSegmenter

__all__ = [
    "ImageClassifier",
    "InstanceSegmenter",
    "Instances",
    "PixelRegressor",
    "SemanticSegmenter",
    "load",
]
