"""Mask R-CNN: boxes around objects, and a mask in each.

He, Gkioxari, Dollar, Girshick. "Mask R-CNN", ICCV 2017.
"""

from instantdl.networks._mask_rcnn._anchors import choose_anchors
from instantdl.networks._mask_rcnn._detector import MOST_FOUND, Detections, Detector
from instantdl.networks._mask_rcnn._model import build_mask_rcnn

__all__ = ["MOST_FOUND", "Detections", "Detector", "build_mask_rcnn", "choose_anchors"]
