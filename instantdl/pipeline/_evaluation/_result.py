"""What an evaluation found, and how it is written down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from instantdl.pipeline._files import plain, write_json, write_table

__all__ = ["Evaluation"]

# The measure that tells how good a task was done, and its column for each image.
_MAIN = {
    "semantic_segmentation": ("jaccard", "jaccard"),
    "instance_segmentation": ("average_precision", "average_precision"),
    "regression": ("pearson", "pearson"),
    "classification": ("roc_auc", "probability_of_truth"),
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Measures of predictions, for each image and overall.

    Made by :func:`evaluate` and :func:`evaluate_folders`, which say what the measures
    are.

    Parameters
    ----------
    task : str
        What was evaluated, such as "regression".

    metrics : DataFrame of shape (n_metrics, 7)
        A row for each measure. In "value" that of all images. "low" and "high" are the
        ends of its 95 % interval: percentiles of 1000 draws of as many images with
        replacement. "half_median", "half_q25" and "half_q75" are median and quartiles
        of 100 draws of half of the images without replacement. "n" is the number of
        images that it is defined for.

    per_image : DataFrame of shape (n_images, n_columns)
        Measures of each image, by its name.

    per_class : DataFrame or None
        Measures of each class, by its label.

    confusion : DataFrame of shape (n_classes, n_classes) or None
        Numbers of pixels or images: true classes in rows, predicted ones in columns.

    roc : dict
        For each class a DataFrame with the columns "false_positive_rate",
        "true_positive_rate" and "threshold"; with two classes for the second only.

    calibration : DataFrame or None
        Bins of the probability, "low" to "high", with the number of predictions "n",
        their mean probability and the observed frequency; for regression the nominal
        and the observed coverage of intervals.

    risk_coverage : DataFrame or None
        The mean error among the most certain share of predictions, "coverage".

    uncertainty : dict of str to float
        Figures of the uncertainty.

    notes : list of str
        What must be known to read the figures: classes that are absent, measures that
        are undefined, images that are too few.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluate import evaluate
    >>> y_true = np.array([[[0, 0, 1]], [[0, 1, 1]]])
    >>> y_pred = np.array([[[0, 1, 1]], [[0, 1, 1]]])
    >>> evaluation = evaluate("semantic_segmentation", y_true, y_pred)
    >>> evaluation.per_image["jaccard"].tolist()
    [0.5, 1.0]
    >>> evaluation.worst(1)
    ['0']
    """

    task: str
    metrics: pd.DataFrame
    per_image: pd.DataFrame
    per_class: pd.DataFrame | None = None
    confusion: pd.DataFrame | None = None
    roc: dict[Any, pd.DataFrame] = field(default_factory=dict)
    calibration: pd.DataFrame | None = None
    risk_coverage: pd.DataFrame | None = None
    uncertainty: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def main_metric(self) -> str:
        """Name of the measure that tells how well the task was done."""
        return _MAIN[self.task][0]

    def worst(self, n: int = 10) -> list[str]:
        """Return the names of the images that were predicted worst.

        They are compared by their Jaccard index, average precision, correlation or,
        for classification, the probability of their true class; without probabilities
        by whether they are right.

        Parameters
        ----------
        n : int, default=10
            How many.

        Returns
        -------
        list of str
            Names, the worst one first; all if there are less than `n`.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"`n` must be a number of images, 0 or more. Got {n!r}.")
        column = _MAIN[self.task][1]
        if column not in self.per_image:
            column = "correct"
        values = self.per_image[column].astype(float)
        return [str(name) for name in values.sort_values(kind="stable").index[:n]]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures in dicts, lists, strings and numbers, ready for JSON.

        Returns
        -------
        dict
            With the names of the attributes, and "main_metric". What is nan or
            infinite is None.
        """
        result = {
            "task": self.task,
            "main_metric": self.main_metric,
            "metrics": _by_row(self.metrics),
            "per_image": _by_row(self.per_image),
            "per_class": _by_row(self.per_class),
            "confusion": _by_row(self.confusion),
            "roc": {label: _by_column(curve) for label, curve in self.roc.items()},
            "calibration": _by_column(self.calibration),
            "risk_coverage": _by_column(self.risk_coverage),
            "uncertainty": self.uncertainty,
            "notes": self.notes,
        }
        content: dict[str, Any] = plain(result)
        return content

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the figures into a folder, each file whole or not at all.

        Writes ``metrics.csv``, ``per_image.csv``, and ``per_class.csv``,
        ``confusion.csv``, ``calibration.csv`` and ``risk_coverage.csv`` as far as there
        are such; and ``metrics.json``, which holds them all.

        Parameters
        ----------
        folder : str or path-like
            Made if it is missing; older files of these names are replaced.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for name in ("metrics", "per_image", "per_class", "confusion"):
            _save(place / f"{name}.csv", getattr(self, name), index=True)
        for name in ("calibration", "risk_coverage"):
            _save(place / f"{name}.csv", getattr(self, name), index=False)
        write_json(place / "metrics.json", self.to_dict())


def _save(path: Path, table: pd.DataFrame | None, index: bool) -> None:
    if table is not None:
        write_table(path, table, index=index)


def _by_row(table: pd.DataFrame | None) -> Any:
    return None if table is None else table.to_dict(orient="index")


def _by_column(table: pd.DataFrame | None) -> Any:
    return None if table is None else table.to_dict(orient="list")
