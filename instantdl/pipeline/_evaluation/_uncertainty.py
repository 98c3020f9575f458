"""Whether uncertainty finds errors, of pixels by histograms and of images exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from instantdl.metrics import compare_uncertainty, error_auroc
from instantdl.metrics._histograms import N_SIZE_BINS, size_bins, size_values
from instantdl.metrics._ranks import (
    auroc_of_groups,
    mann_whitney_of_groups,
    quantile_of_groups,
    risk_coverage,
    risk_coverage_of_groups,
)

__all__ = ["PixelUncertainty", "image_uncertainty"]

COVERAGE = np.arange(1, 101) / 100

Figures = dict[str, float]


class PixelUncertainty:
    """Histograms of the uncertainty of right and wrong pixels, filled bit by bit.

    Medians and ranks are exact to a thousandth of the uncertainty.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._uncertainty import PixelUncertainty
    >>> pixels = PixelUncertainty()
    >>> pixels.add(np.array([0.1, 0.2, 0.7]), np.array([False, False, True]))
    >>> pixels.figures([0.333])["error_auroc"]
    1.0
    """

    def __init__(self) -> None:
        self.correct = np.zeros(N_SIZE_BINS, np.int64)
        self.wrong = np.zeros(N_SIZE_BINS, np.int64)
        self.errors: NDArray[np.float64] | None = None

    def add(self, uncertainty: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
        """Count pixels that are right or wrong."""
        bins = size_bins(uncertainty)
        self.wrong += np.bincount(bins[wrong], minlength=N_SIZE_BINS)
        self.correct += np.bincount(bins[~wrong], minlength=N_SIZE_BINS)

    def add_errors(self, uncertainty: NDArray[Any], error: NDArray[Any]) -> None:
        """Add up the errors of pixels, where they are numbers."""
        if self.errors is None:
            self.errors = np.zeros(N_SIZE_BINS)
        bins = size_bins(uncertainty)
        self.errors += np.bincount(bins, error, minlength=N_SIZE_BINS)

    def figures(self, image_means: Any) -> Figures:
        """Return how well uncertainty finds errors, and how it is distributed."""
        values = size_values()
        return {
            "error_auroc": float(auroc_of_groups(self.correct, self.wrong)),
            "pvalue": mann_whitney_of_groups(self.correct, self.wrong)[1],
            "median_correct": quantile_of_groups(values, self.correct, 0.5),
            "median_wrong": quantile_of_groups(values, self.wrong, 0.5),
            "n_correct": int(self.correct.sum()),
            "n_wrong": int(self.wrong.sum()),
            "risk_coverage_area": self._curve()[1],
            **_distribution(image_means),
        }

    def risk_coverage(self) -> pd.DataFrame:
        """Return the mean error of the most certain pixels."""
        return _table(self._curve()[0])

    def notes(self) -> list[str]:
        """Return what must be known of the figures."""
        if not self.correct.any() or not self.wrong.any():
            return [_one_kind("pixels", bool(self.wrong.any()))]
        return [
            "The p-value of the uncertainty takes pixels for independent of each"
            " other, which neighbours are not: rather look at error_auroc."
        ]

    def _curve(self) -> tuple[NDArray[np.float64], float]:
        errors = self.wrong if self.errors is None else self.errors
        return risk_coverage_of_groups(self.correct + self.wrong, errors, COVERAGE)


def image_uncertainty(
    uncertainty: NDArray[Any], wrong: NDArray[np.bool_]
) -> tuple[Figures, pd.DataFrame, list[str]]:
    """Return how well the uncertainty of whole images finds wrong ones.

    Parameters
    ----------
    uncertainty : ndarray of shape (n_images,)
        Of each image.

    wrong : ndarray of shape (n_images,), bool
        Whether its class is wrong.

    Returns
    -------
    figures : dict of str to float
        As of :meth:`PixelUncertainty.figures`, exact.

    risk_coverage : DataFrame of shape (100, 2)
        Error of the most certain images.

    notes : list of str
        What must be known of them.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._uncertainty import image_uncertainty
    >>> wrong = np.array([False, False, True])
    >>> figures, _, _ = image_uncertainty(np.array([0.1, 0.2, 0.7]), wrong)
    >>> figures["error_auroc"], figures["median_correct"]
    (1.0, 0.15)
    """
    risk, area = risk_coverage(uncertainty, wrong, coverage=COVERAGE)
    has_both = 0 < wrong.sum() < len(wrong)
    figures: Figures = {
        "error_auroc": error_auroc(uncertainty, wrong) if has_both else np.nan,
        "pvalue": compare_uncertainty(uncertainty, wrong).pvalue
        if has_both
        else np.nan,
        "median_correct": _median(uncertainty[~wrong]),
        "median_wrong": _median(uncertainty[wrong]),
        "n_correct": int((~wrong).sum()),
        "n_wrong": int(wrong.sum()),
        "risk_coverage_area": area,
        **_distribution(uncertainty),
    }
    notes = [] if has_both else [_one_kind("images", bool(wrong.any()))]
    return figures, _table(risk), notes


def _distribution(image_means: Any) -> Figures:
    values = np.percentile(np.asarray(image_means), (0, 25, 50, 75, 100))
    names = ("min", "q25", "median", "q75", "max")
    return {
        f"image_mean_{name}": float(value)
        for name, value in zip(names, values, strict=True)
    }


def _table(risk: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({"coverage": COVERAGE, "error": risk})


def _one_kind(noun: str, all_wrong: bool) -> str:
    return (
        f"All {noun} are {'wrong' if all_wrong else 'right'}: whether uncertainty finds"
        " errors cannot be seen, and error_auroc is undefined."
    )


def _median(values: NDArray[Any]) -> float:
    return float(np.median(values)) if values.size else np.nan
