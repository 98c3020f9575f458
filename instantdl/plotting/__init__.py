"""Figures of images, predictions and uncertainty, without any window or global state.

Every function returns a :class:`matplotlib.figure.Figure`: a notebook shows it, and
``figure.savefig("name.png")`` writes it.
"""

from instantdl.plotting._segmentation import plot_prediction, plot_predictions

__all__ = ["plot_prediction", "plot_predictions"]
