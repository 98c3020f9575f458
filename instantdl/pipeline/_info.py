"""What a saved model is."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from instantdl.estimators import load

__all__ = ["describe_model"]


def describe_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a saved model is and was trained with.

    Parameters
    ----------
    path : path-like
        A file that an estimator's `save`, or a run, has written.

    Returns
    -------
    dict
        Plain values: the estimator, what images it takes, its classes, how it was
        trained and its parameters.

    Raises
    ------
    FileNotFoundError, ModelFileError
        If there is no such file, or it cannot be opened.

    Examples
    --------
    >>> from instantdl.pipeline._info import describe_model
    >>> describe_model("model.instantdl")["estimator"]  # doctest: +SKIP
    'SemanticSegmenter'
    """
    model = load(path)
    found: dict[str, Any] = {
        "estimator": type(model).__name__,
        "spatial_ndim": model.spatial_ndim_in_,
        "n_channels": model.n_channels_in_,
    }
    if hasattr(model, "classes_"):
        found["classes"] = model.classes_.tolist()
    settled = ("patch_shape_", "resized_to_", "image_shape_", "threshold_", "min_size_")
    for name in settled:
        if hasattr(model, name):
            value = getattr(model, name)
            found[name.strip("_")] = list(value) if isinstance(value, tuple) else value
    found["n_epochs"] = model.n_epochs_
    found["best_epoch"] = model.best_epoch_
    for name in ("loss", "val_loss"):
        values = model.history_.get(name, [])
        if 0 <= model.best_epoch_ < len(values):
            found[f"best_{name}"] = round(float(values[model.best_epoch_]), 5)
    found["n_weights"] = int(sum(np.size(array) for array in model._weights))
    parameters = model.get_params(deep=False)
    found["parameters"] = {
        name: value if isinstance(value, str | int | float | None) else repr(value)
        for name, value in parameters.items()
    }
    return found
