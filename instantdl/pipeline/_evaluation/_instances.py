"""Evaluate label images of objects."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from instantdl.metrics._instance import measure_instances
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

__all__ = ["evaluate_instances"]

_NUMBERS = ("n_true", "n_predicted", "n_found")


def evaluate_instances(inputs: Inputs, random_state: Any) -> Evaluation:
    """Evaluate label images of objects, image by image.

    Parameters
    ----------
    inputs : Inputs
        Label images, and maps of uncertainty.

    random_state : int, Generator or None
        Seed of the draws.

    Returns
    -------
    Evaluation
        See :func:`evaluate`.
    """
    uncertainty = None if inputs.uncertainty is None else PixelUncertainty()
    rows = [_look_at(inputs, index, uncertainty) for index in range(len(inputs))]
    table = pd.DataFrame(rows, index=pd.Index(inputs.names, name="name"))
    scores = table.drop(columns=[*_NUMBERS, "mean_uncertainty"], errors="ignore")
    metrics = resample(partial(_measure, scores), len(inputs), random_state, {})
    notes = notes_on_metrics(metrics, len(inputs))
    for name in _NUMBERS:
        # A number of objects estimates nothing, and has no interval.
        metrics.loc[name, ["value", "n"]] = table[name].sum(), len(inputs)
    metrics["n"] = metrics["n"].astype(np.int64)
    figures: dict[str, float] = {}
    if uncertainty is not None:
        figures = uncertainty.figures(table["mean_uncertainty"])
        notes += uncertainty.notes()
    return Evaluation(
        task="instance_segmentation",
        metrics=metrics,
        per_image=table,
        risk_coverage=uncertainty.risk_coverage() if uncertainty else None,
        uncertainty=figures,
        notes=notes,
    )


def _look_at(
    inputs: Inputs, index: int, uncertainty: PixelUncertainty | None
) -> dict[str, float]:
    """Read one image and return its row of the table."""
    true, pred = inputs.pair(index)
    row = _scores(inputs.say(index), true, pred)
    if uncertainty is not None:
        values = inputs.uncertainty_map(index, true.shape)
        for part, a, b in blocks(true.shape, values, true, pred):
            uncertainty.add(part, (a > 0) != (b > 0))
        row["mean_uncertainty"] = float(values.mean(dtype=np.float64))
    return row


def _scores(where: str, true: NDArray[Any], pred: NDArray[Any]) -> dict[str, float]:
    try:
        return measure_instances(true, pred)
    except ValueError as error:
        raise ValueError(
            "Label images must hold whole numbers from 0 on: 0 for the background, and"
            f" one for each object. Got others in {where} ({error})"
        ) from error


def _measure(scores: pd.DataFrame, weights: Weights) -> dict[str, Values]:
    """Return the means over the images that a draw has."""
    return {
        str(name): mean_over_images(weights, values.to_numpy(float))
        for name, values in scores.items()
    }
