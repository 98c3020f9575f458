"""Measures of agreement between predictions and truth, and scorers made of them."""

from instantdl.metrics._scorers import (
    dice_scorer,
    jaccard_scorer,
    pixel_accuracy_scorer,
)
from instantdl.metrics._semantic import (
    confusion_counts,
    dice,
    jaccard,
    pixel_accuracy,
)

__all__ = [
    "confusion_counts",
    "dice",
    "dice_scorer",
    "jaccard",
    "jaccard_scorer",
    "pixel_accuracy",
    "pixel_accuracy_scorer",
]
