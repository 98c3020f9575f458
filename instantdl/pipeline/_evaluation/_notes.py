"""Sentences about figures that could be misread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from instantdl.pipeline._evaluation._resampling import LEAST_IMAGES

__all__ = ["absent_classes", "notes_on_metrics"]


def notes_on_metrics(metrics: pd.DataFrame, n_images: int) -> list[str]:
    """Say which measures are undefined or infinite, and if images are too few.

    Parameters
    ----------
    metrics : DataFrame
        Of :func:`resample`.

    n_images : int
        Number of images.

    Returns
    -------
    list of str
        Sentences.
    """
    notes = []
    values = metrics["value"].to_numpy(float)
    if np.isnan(values).any():
        names = ", ".join(metrics.index[np.isnan(values)])
        notes.append(f"Undefined for these images, and nan: {names}.")
    if np.isinf(values).any():
        names = ", ".join(metrics.index[np.isinf(values)])
        notes.append(
            f"Infinite, since an image is predicted exactly or is constant: {names}."
        )
    if n_images < LEAST_IMAGES:
        notes.append(
            f"Intervals need {LEAST_IMAGES} images or more. Got {n_images}: they are"
            " nan."
        )
    return notes


def absent_classes(
    classes: Sequence[Any], numbers: Any, noun: str, consequence: str
) -> list[str]:
    """Say which classes the truth does not have.

    Parameters
    ----------
    classes : sequence
        Labels.

    numbers : ndarray of shape (n_classes,)
        How often each is in the truth.

    noun : {"pixel", "image"}
        What has a class.

    consequence : str
        What follows for the figures.

    Returns
    -------
    list of str
        A sentence, or none.
    """
    absent = [
        label for label, number in zip(classes, numbers, strict=True) if not number
    ]
    if not absent:
        return []
    return [f"No {noun} of `y_true` is of {absent}: {consequence}"]
