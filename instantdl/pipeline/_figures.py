"""The figures of a run, each with a title and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from instantdl import plotting
from instantdl.estimators import ImageClassifier, InstanceSegmenter, PixelRegressor
from instantdl.images import ImageCollection
from instantdl.io import write_whole
from instantdl.pipeline._evaluate import Evaluation
from instantdl.pipeline._files import write_json
from instantdl.pipeline._predictions import Predictions, read_predictions
from instantdl.pipeline._project import ProjectPart
from instantdl.pipeline._report_words import metric_name
from instantdl.pipeline._run_folder import RunFolder

__all__ = ["write_figures"]

_N_EXAMPLES = 6
_N_WORST = 10
# Rows of one figure; more would not fit a page.
_ROWS = 3
_DPI = 150
_INDEX = "figures.json"
# Columns of classes, which are no measures though they may be numbers.
_LABELS = ("true", "predicted")
# Measures that share an axis.
_IN_0_TO_1 = {
    "accuracy",
    "jaccard",
    "dice",
    "sensitivity",
    "specificity",
    "roc_auc",
    "average_precision",
    "average_precision_50",
    "average_precision_75",
    "f1",
    "panoptic_quality",
    "aggregated_jaccard",
    "aggregated_jaccard_plus",
    "pearson",
    "ssim",
    "probability_of_truth",
}


@dataclass(frozen=True)
class _Results:
    """All that figures are drawn from."""

    model: Any
    part: ProjectPart
    found: Predictions
    evaluation: Evaluation | None

    def ranked(self) -> list[int]:
        """Return the positions of the images, the worst one first."""
        names = self.part.names
        if self.evaluation is None:
            return list(range(len(names)))
        places = {name: number for number, name in enumerate(names)}
        return [places[name] for name in self.evaluation.worst(len(names))]


class _Sheets:
    """Writes figures, and keeps what is said about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, str]] = []

    def add(
        self, section: str, name: str, title: str, text: str, draw: Any, *, alt: str
    ) -> None:
        """Draw a figure and write it; `alt` is for those who cannot see it."""
        self.folder.mkdir(exist_ok=True)
        figure: Figure = draw()
        file = f"{name}.png"
        write_whole(
            self.folder / file,
            lambda stream: figure.savefig(stream, format="png", dpi=_DPI),
        )
        entry = {"section": section, "file": file, "title": title, "caption": text}
        self.entries.append(entry | {"alt": alt})


def write_figures(
    model: Any, part: ProjectPart, folder: RunFolder, evaluation: Evaluation | None
) -> None:
    """Draw the figures of a run.

    Parameters
    ----------
    model : estimator
        That predicted.

    part : ProjectPart
        Test images and targets.

    folder : RunFolder
        Of the run, with the results; figures go there, and ``figures.json`` that
        tells what they are.

    evaluation : Evaluation or None
        None where there are no targets.
    """
    found = read_predictions(model, part.names, folder.results)
    results = _Results(model, part, found, evaluation)
    sheets = _Sheets(folder.figures)
    _draw_training(model, sheets)
    if evaluation is not None:
        _draw_metrics(results, evaluation, sheets)
    _draw_images(results, sheets)
    if found.uncertainty is not None:
        _draw_uncertainty(results, sheets)
    folder.figures.mkdir(exist_ok=True)
    write_json(folder.figures / _INDEX, {"figures": sheets.entries})


def _draw_training(model: Any, sheets: _Sheets) -> None:
    losses = model.history_.get("loss", [])
    if len(losses):
        sheets.add(
            "training",
            "learning_curves",
            "Learning curves",
            "Loss of the training images and of those held back in each epoch, and the"
            " learning rate.",
            lambda: plotting.plot_learning_curves(model.history_, model.best_epoch_),
            alt=f"Line chart: in {len(losses)} epochs the training loss goes from"
            f" {losses[0]:.3g} to {losses[-1]:.3g}.",
        )


def _draw_metrics(results: _Results, evaluation: Evaluation, sheets: _Sheets) -> None:
    numbers = evaluation.per_image.select_dtypes("number")
    left = [
        name
        for name in numbers
        if name in _LABELS or "uncertainty" in name or name.startswith("n_")
    ]
    numbers = numbers.drop(columns=left)
    numbers = numbers.loc[:, np.isfinite(numbers).any()]
    if len(numbers.columns):
        shared = [metric_name(name) for name in _shared(numbers)]
        numbers = numbers.rename(columns=metric_name)
        medians = [f"{name} {value:.3g}" for name, value in numbers.median().items()]
        sheets.add(
            "metrics",
            "metrics",
            "Metrics of each image",
            "Boxes hold half of the images, whiskers reach 1.5 times as far; points are"
            " single images.",
            lambda: plotting.plot_metric_boxes(numbers, shared=shared),
            alt=f"Box plots. Medians: {', '.join(medians)}.",
        )
    if evaluation.confusion is not None:
        _draw_confusion(evaluation, evaluation.confusion, sheets)
    if evaluation.roc:
        curves = _curves(results, evaluation)
        areas = [f"{name} {curve[2]:.3g}" for name, curve in curves.items() if curve]
        sheets.add(
            "metrics",
            "roc",
            "ROC curves",
            "True against false positives as the threshold falls; the area under a"
            " curve is 1 if all positives come first, 0.5 if they come at random.",
            lambda: plotting.plot_roc_curves(curves),
            alt=f"Line chart. Areas under the curves: {', '.join(areas)}.",
        )
    if isinstance(results.model, PixelRegressor):
        _draw_agreement(results, sheets)
    if evaluation.calibration is not None:
        _draw_calibration(evaluation, sheets)


def _draw_confusion(
    evaluation: Evaluation, table: pd.DataFrame, sheets: _Sheets
) -> None:
    unit = "images" if evaluation.task == "classification" else "pixels"
    counts = table.to_numpy()
    right = np.trace(counts) / max(counts.sum(), 1)
    sheets.add(
        "metrics",
        "confusion",
        "Confusion matrix",
        f"Number of {unit} of each class that were predicted as each.",
        lambda: plotting.plot_confusion_matrix(counts, list(table.index), unit=unit),
        alt=f"Table of {len(counts)} classes; {right:.1%} of the {unit} are on its"
        " diagonal, where both classes are the same.",
    )


def _shared(table: pd.DataFrame) -> list[str]:
    """Return the measures that share an axis; correlations may be negative."""
    return [
        name for name in table if name in _IN_0_TO_1 and not (table[name] < 0).any()
    ]


def _curves(results: _Results, evaluation: Evaluation) -> dict[str, Any]:
    """Return the curve of each class, None of those that the test set lacks."""
    areas = {} if evaluation.per_class is None else evaluation.per_class["roc_auc"]
    curves: dict[str, Any] = {
        str(label): (
            curve["false_positive_rate"],
            curve["true_positive_rate"],
            float(areas[label]),
        )
        for label, curve in evaluation.roc.items()
    }
    classes = [str(label) for label in results.model.classes_]
    if len(classes) > 2:
        curves.update({label: None for label in classes if label not in curves})
    return curves


def _draw_agreement(results: _Results, sheets: _Sheets) -> None:
    y, y_pred = results.part.y, results.found.y_pred
    found = {} if results.evaluation is None else results.evaluation.metrics["value"]
    pearson = f"Pearson correlation {found.get('pearson', np.nan):.3g}"
    sheets.add(
        "metrics",
        "scatter",
        "Predicted against true values",
        "Each pixel of the test images; on the line both are the same.",
        lambda: plotting.plot_scatter(y, y_pred),
        alt=f"Scatter plot, drawn as density; {pearson}.",
    )
    sheets.add(
        "metrics",
        "bland_altman",
        "Differences of predicted and true values",
        "Against the mean of both (Bland and Altman); the outer lines hold 95 % of"
        " normal differences.",
        lambda: plotting.plot_bland_altman(y, y_pred),
        alt="Scatter plot, drawn as density, with lines for the mean difference and its"
        " limits.",
    )


def _draw_calibration(evaluation: Evaluation, sheets: _Sheets) -> None:
    table = evaluation.calibration
    if table is None:
        return
    if "nominal" in table:
        last = table.iloc[-1]
        sheets.add(
            "uncertainty",
            "coverage",
            "Coverage of intervals",
            "How many true values lie in the intervals that the uncertainty gives, if"
            " errors are normal.",
            lambda: plotting.plot_coverage(table["nominal"], table["observed"]),
            alt="Line chart of observed against expected shares: of the true values"
            f" {last['observed']:.0%} lie where {last['nominal']:.0%} are expected.",
        )
        return
    metrics = evaluation.metrics["value"]
    error = metrics.get("expected_calibration_error")
    sheets.add(
        "metrics",
        "calibration",
        "Calibration",
        "How often what is said to be so probable is so; on the line the probability"
        " can be taken at its word.",
        lambda: plotting.plot_calibration(
            table["mean_probability"],
            table["observed"],
            table["n"],
            error=None if error is None else float(error),
        ),
        alt="Line chart of observed shares against probabilities, and below how many"
        " predictions there are of each probability.",
    )


def _draw_images(results: _Results, sheets: _Sheets) -> None:
    """Draw images from the best to the worst, and the worst ones."""
    ranked = results.ranked()
    steps = np.linspace(len(ranked) - 1, 0, min(_N_EXAMPLES, len(ranked)))
    chosen = {"examples": [ranked[round(step)] for step in steps]}
    if results.evaluation is not None:
        chosen["worst"] = ranked[:_N_WORST]
    draw, size, text = _painter(results)
    if (score := _score_column(results)) is not None:
        text += f" In brackets: {metric_name(score)}."
    for section, numbers in chosen.items():
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            sheets.add(
                section,
                f"{section}_{start // size + 1}",
                ", ".join(_name_with_score(results, number) for number in some),
                text,
                lambda some=some: draw(some),
                alt=f"Pictures of {len(some)} test images and of what was found.",
            )


def _score_column(results: _Results) -> str | None:
    """Return the measure that images are ranked by, if each has one."""
    evaluation = results.evaluation
    if evaluation is None or evaluation.main_metric not in evaluation.per_image:
        return None
    return evaluation.main_metric


def _name_with_score(results: _Results, number: int) -> str:
    name, column = results.part.names[number], _score_column(results)
    if results.evaluation is None or column is None:
        return name
    value = results.evaluation.per_image.loc[name, column]
    return f"{name} ({value:.2f})"


def _painter(
    results: _Results,
) -> tuple[Callable[[Sequence[int]], Figure], int, str]:
    """Return what draws images, how many at once, and what is said of them."""
    part, found = results.part, results.found

    def some(source: Any, numbers: Sequence[int]) -> list[Any] | None:
        return None if source is None else [source[number] for number in numbers]

    def layer(source: Any, numbers: Sequence[int]) -> list[Any] | None:
        images = some(source, numbers)
        return images and [_first_channel(image, results.model) for image in images]

    def maps(plot: Callable[..., Figure]) -> Callable[[Sequence[int]], Figure]:
        return lambda numbers: plot(
            [_with_channels(part.X[number], results.model) for number in numbers],
            layer(part.y if results.evaluation is not None else None, numbers),
            layer(found.y_pred, numbers),
            layer(found.uncertainty, numbers),
            names=some(part.names, numbers),
        )

    if isinstance(results.model, ImageClassifier):

        def gallery(numbers: Sequence[int]) -> Figure:
            titles = [_title(results, number) for number in numbers]
            return plotting.plot_gallery(some(part.X, numbers) or [], titles)

        text = "Each image with its predicted and, where known, its true class."
        return gallery, 10, text
    if isinstance(results.model, InstanceSegmenter):
        text = "Outlines of true and of found objects, what went wrong, uncertainty."
        return maps(plotting.plot_instances), _ROWS, text
    if isinstance(results.model, PixelRegressor):
        text = "Image, truth, prediction, their difference, uncertainty."
        if (results.model.n_targets_ or 1) > 1:
            text += " Of several channels the first is shown."
        return maps(plotting.plot_regressions), _ROWS, text
    text = "Image, truth, prediction, where they differ, uncertainty."
    return maps(plotting.plot_predictions), _ROWS, text


def _with_channels(image: Any, model: Any) -> Any:
    """Return an image with an axis of channels: else volumes would be in doubt."""
    return image[..., np.newaxis] if image.ndim == model.spatial_ndim_in_ else image


def _first_channel(values: Any, model: Any) -> Any:
    """Return a map without an axis of channels."""
    return values[..., 0] if values.ndim > model.spatial_ndim_in_ else values


def _title(results: _Results, number: int) -> str:
    found, part = results.found, results.part
    place = list(results.model.classes_).index(found.y_pred[number])
    share = found.probability[number][place]
    lines = [part.names[number], f"{found.y_pred[number]} ({share:.0%})"]
    if results.evaluation is not None:
        lines.append(f"true: {part.y[number]}")
    return "\n".join(lines)


def _draw_uncertainty(results: _Results, sheets: _Sheets) -> None:
    evaluation = results.evaluation
    table = pd.DataFrame() if evaluation is None else evaluation.per_image
    name = next((c for c in ("uncertainty", "mean_uncertainty") if c in table), None)
    values = _means(results.found.uncertainty) if name is None else table[name]
    low, median, high = np.percentile(values, (0, 50, 100))
    sheets.add(
        "uncertainty",
        "uncertainty",
        "Uncertainty of each image",
        "How it is distributed over the test images.",
        lambda: plotting.plot_uncertainty_distribution(values),
        alt=f"Histogram from {low:.3g} to {high:.3g}; median {median:.3g}.",
    )
    if evaluation is None:
        return
    if "correct" in table:
        wrong = ~table["correct"].to_numpy(bool)
        sheets.add(
            "uncertainty",
            "uncertainty_of_errors",
            "Uncertainty of right and wrong images",
            "Uncertainty is of use if wrong images have more of it.",
            lambda: plotting.plot_uncertainty_distribution(
                values, wrong, pvalue=evaluation.uncertainty.get("pvalue")
            ),
            alt="Violin plots of right and of wrong images; the text above has their"
            " medians.",
        )
    curve = evaluation.risk_coverage
    if curve is not None and np.isfinite(curve["error"]).all():
        errors = curve["error"]
        sheets.add(
            "uncertainty",
            "risk_coverage",
            "Error of the most certain predictions",
            "The error that is left when the least certain ones are put aside for"
            " somebody to look at.",
            lambda: plotting.plot_risk_coverage(
                curve["coverage"],
                errors,
                area=evaluation.uncertainty.get("risk_coverage_area"),
                risk_name="error",
            ),
            alt=f"Line chart; the error goes from {errors.iloc[-1]:.3g} for all"
            f" predictions to {errors.iloc[len(errors) // 2 - 1]:.3g} for the more"
            " certain half.",
        )


def _means(uncertainty: Any) -> Any:
    if isinstance(uncertainty, ImageCollection):
        return np.array([float(np.mean(values)) for values in uncertainty])
    return np.asarray(uncertainty)
