"""Evaluate images of real values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from instantdl.io._read import has_channels
from instantdl.metrics import ssim
from instantdl.metrics._histograms import N_SIZE_BINS, size_bins, size_edges
from instantdl.metrics._moments import Moments
from instantdl.metrics._pooled_moments import (
    MEASURES_OF_MOMENTS,
    moments_of_images,
    pool_moments,
)
from instantdl.pipeline._evaluation._inputs import Inputs, blocks
from instantdl.pipeline._evaluation._notes import notes_on_metrics
from instantdl.pipeline._evaluation._resampling import (
    Values,
    Weights,
    mean_over_images,
    resample,
)
from instantdl.pipeline._evaluation._result import Evaluation
from instantdl.pipeline._evaluation._uncertainty import PixelUncertainty

__all__ = ["evaluate_values"]

# Of intervals around the prediction, if errors had a normal distribution.
NOMINAL = (0.5, 0.8, 0.9, 0.95)
# Errors above this quantile are those that uncertainty should find.
LARGE = 0.9
_LEAST_SIDE = 3


class _Errors:
    """Errors of all pixels beside their uncertainty, filled image by image."""

    def __init__(self) -> None:
        self.pixels = PixelUncertainty()
        self.errors = np.zeros(N_SIZE_BINS, np.int64)
        self.inside = np.zeros(len(NOMINAL), np.int64)
        self._widths = norm.ppf((1 + np.array(NOMINAL)) / 2)

    def add(self, error: NDArray[np.float64], deviation: NDArray[Any]) -> None:
        """Count the pixels of a first pass."""
        self.errors += np.bincount(size_bins(error), minlength=N_SIZE_BINS)
        self.pixels.add_errors(deviation, error)
        for row, width in enumerate(self._widths):
            self.inside[row] += np.count_nonzero(error <= width * deviation)

    def first_large(self) -> int:
        """Return the bin from which on there are a tenth of the pixels at most."""
        below = np.cumsum(self.errors)
        return int(np.searchsorted(below, LARGE * below[-1])) + 1

    def calibration(self) -> pd.DataFrame:
        """Return how often values lay within intervals."""
        n = int(self.errors.sum())
        return pd.DataFrame({"nominal": NOMINAL, "observed": self.inside / n, "n": n})


@dataclass(frozen=True)
class _Image:
    """Figures of one image."""

    moments: Moments
    similarity: float
    uncertainty: float


def evaluate_values(
    inputs: Inputs, spatial_ndim: int | None, random_state: Any
) -> Evaluation:
    """Evaluate images of real values, image by image.

    Parameters
    ----------
    inputs : Inputs
        Images, and maps of standard deviations.

    spatial_ndim : {2, 3} or None
        Number of spatial axes; None takes a fourth axis, and a third one of up to
        four entries, for channels.

    random_state : int, Generator or None
        Seed of the draws.

    Returns
    -------
    Evaluation
        See :func:`evaluate`.
    """
    errors = None if inputs.uncertainty is None else _Errors()
    numbers = range(len(inputs))
    images = [_look_at(inputs, index, spatial_ndim, errors) for index in numbers]
    table = pd.DataFrame(
        {
            name: [value_of(image.moments) for image in images]
            for name, value_of in MEASURES_OF_MOMENTS.items()
        },
        index=pd.Index(inputs.names, name="name"),
    )
    table["ssim"] = [image.similarity for image in images]
    known = {f"{name}_per_image": int(table[name].notna().sum()) for name in table}
    known["ssim"] = known.pop("ssim_per_image")
    measure = partial(_measure, [image.moments for image in images], table)
    metrics = resample(measure, len(inputs), random_state, known)
    notes = notes_on_metrics(metrics, len(inputs))
    if missing := len(inputs) - known["ssim"]:
        notes.append(
            f"The structural similarity needs {_LEAST_SIDE} pixels along each axis:"
            f" it is undefined for {missing} of {len(inputs)} images."
        )
    figures: dict[str, float] = {}
    if errors is not None:
        first = errors.first_large()
        for index in numbers:
            _mark_large_errors(inputs, index, errors.pixels, first)
        table["mean_uncertainty"] = [image.uncertainty for image in images]
        figures = errors.pixels.figures(table["mean_uncertainty"])
        figures["error_threshold"] = float(size_edges()[first])
        notes += errors.pixels.notes()
    return Evaluation(
        task="regression",
        metrics=metrics,
        per_image=table,
        calibration=errors.calibration() if errors else None,
        risk_coverage=errors.pixels.risk_coverage() if errors else None,
        uncertainty=figures,
        notes=notes,
    )


def _look_at(
    inputs: Inputs, index: int, spatial_ndim: int | None, errors: _Errors | None
) -> _Image:
    true, pred = inputs.pair(index)
    (moments,) = moments_of_images([true], [pred])
    similarity = _similarity(inputs.say(index), true, pred, spatial_ndim)
    if errors is None:
        return _Image(moments, similarity, np.nan)
    deviations = inputs.uncertainty_map(index, true.shape)
    for a, b, part in blocks(true.shape, true, pred, deviations):
        errors.add(_absolute_error(a, b), part)
    return _Image(moments, similarity, float(deviations.mean(dtype=np.float64)))


def _mark_large_errors(
    inputs: Inputs, index: int, pixels: PixelUncertainty, first: int
) -> None:
    """Read an image once more, now that it is known which errors are large."""
    true, pred = inputs.pair(index)
    deviations = inputs.uncertainty_map(index, true.shape)
    for a, b, part in blocks(true.shape, true, pred, deviations):
        pixels.add(part, size_bins(_absolute_error(a, b)) >= first)


def _absolute_error(true: NDArray[Any], pred: NDArray[Any]) -> NDArray[np.float64]:
    return np.abs(pred.astype(np.float64) - true.astype(np.float64))


def _similarity(
    where: str, true: NDArray[Any], pred: NDArray[Any], spatial_ndim: int | None
) -> float:
    if spatial_ndim is None:
        spatial_ndim = true.ndim - has_channels(true.shape)
    if true.ndim - spatial_ndim not in (0, 1):
        raise ValueError(
            f"Each image must have {spatial_ndim} spatial axes and may have a last one"
            f" of channels. Got {true.shape} for {where}. Change `spatial_ndim`."
        )
    if min(true.shape[:spatial_ndim]) < _LEAST_SIDE:
        return np.nan
    return float(ssim([true], [pred], spatial_ndim=spatial_ndim))


def _measure(
    moments: list[Moments], per_image: pd.DataFrame, weights: Weights
) -> dict[str, Values]:
    """Return measures of all pixels of a draw, and means over its images."""
    pooled = pool_moments(moments, weights)
    result = {
        name: np.array([value_of(each) for each in pooled])
        for name, value_of in MEASURES_OF_MOMENTS.items()
    }
    means = {
        f"{name}_per_image": mean_over_images(weights, values.to_numpy(float))
        for name, values in per_image.items()
    }
    result["ssim"] = means.pop("ssim_per_image")
    return result | means
