"""Measures of agreement between predictions and truth, and scorers made of them."""

from instantdl.metrics._calibration import expected_calibration_error
from instantdl.metrics._classification import roc_auc
from instantdl.metrics._image_quality import psnr, ssim
from instantdl.metrics._instance import (
    aggregated_jaccard,
    aggregated_jaccard_plus,
    average_precision,
    instance_f1,
    panoptic_quality,
)
from instantdl.metrics._instance_scorers import (
    aggregated_jaccard_scorer,
    average_precision_scorer,
    panoptic_quality_scorer,
)
from instantdl.metrics._matching import InstanceMatches, match_instances
from instantdl.metrics._ranks import risk_coverage
from instantdl.metrics._regression import (
    mean_absolute_error,
    mean_relative_error,
    mean_squared_error,
    pearson,
    r2,
)
from instantdl.metrics._regression_scorers import (
    neg_mean_absolute_error_scorer,
    pearson_scorer,
    r2_scorer,
    ssim_scorer,
)
from instantdl.metrics._scorers import (
    dice_scorer,
    jaccard_scorer,
    pixel_accuracy_scorer,
    roc_auc_scorer,
)
from instantdl.metrics._semantic import (
    confusion_counts,
    dice,
    jaccard,
    pixel_accuracy,
)
from instantdl.metrics._sensitivity import sensitivity, specificity
from instantdl.metrics._uncertainty import (
    UncertaintyComparison,
    compare_uncertainty,
    error_auroc,
)

__all__ = [
    "InstanceMatches",
    "UncertaintyComparison",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "aggregated_jaccard_scorer",
    "average_precision",
    "average_precision_scorer",
    "compare_uncertainty",
    "confusion_counts",
    "dice",
    "dice_scorer",
    "error_auroc",
    "expected_calibration_error",
    "instance_f1",
    "jaccard",
    "jaccard_scorer",
    "match_instances",
    "mean_absolute_error",
    "mean_relative_error",
    "mean_squared_error",
    "neg_mean_absolute_error_scorer",
    "panoptic_quality",
    "panoptic_quality_scorer",
    "pearson",
    "pearson_scorer",
    "pixel_accuracy",
    "pixel_accuracy_scorer",
    "psnr",
    "r2",
    "r2_scorer",
    "risk_coverage",
    "roc_auc",
    "roc_auc_scorer",
    "sensitivity",
    "specificity",
    "ssim",
    "ssim_scorer",
]
