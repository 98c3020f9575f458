"""Figures of images, predictions and uncertainty, without any window or global state.

Every function returns a :class:`matplotlib.figure.Figure`: a notebook shows it, and
``figure.savefig("name.png")`` writes it.
"""

from instantdl.plotting._agreement import plot_bland_altman, plot_scatter
from instantdl.plotting._calibration import (
    plot_calibration,
    plot_coverage,
    plot_risk_coverage,
)
from instantdl.plotting._classification import plot_confusion_matrix, plot_roc_curves
from instantdl.plotting._gallery import plot_gallery
from instantdl.plotting._instances import plot_instances
from instantdl.plotting._metric_boxes import plot_metric_boxes
from instantdl.plotting._regression import plot_regressions
from instantdl.plotting._segmentation import plot_prediction, plot_predictions
from instantdl.plotting._training import plot_learning_curves
from instantdl.plotting._uncertainty import plot_uncertainty_distribution

__all__ = [
    "plot_bland_altman",
    "plot_calibration",
    "plot_confusion_matrix",
    "plot_coverage",
    "plot_gallery",
    "plot_instances",
    "plot_learning_curves",
    "plot_metric_boxes",
    "plot_prediction",
    "plot_predictions",
    "plot_regressions",
    "plot_risk_coverage",
    "plot_roc_curves",
    "plot_scatter",
    "plot_uncertainty_distribution",
]
