"""What the report calls things, in words rather than in names of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FIRST", "MEANING", "TASKS", "metric_name", "uncertainty_lines"]

TASKS = {
    "semantic_segmentation": "Semantic segmentation",
    "instance_segmentation": "Instance segmentation",
    "regression": "Pixel-wise regression",
    "classification": "Classification",
}
# What stands in the summary, in this order.
FIRST = {
    "semantic_segmentation": ("jaccard", "dice", "accuracy", "roc_auc"),
    "instance_segmentation": (
        "average_precision",
        "average_precision_50",
        "f1",
        "panoptic_quality",
    ),
    "regression": ("pearson", "r2", "mean_absolute_error", "ssim"),
    "classification": ("roc_auc", "accuracy", "balanced_accuracy", "f1"),
}
# What the numbers are, for those who meet them for the first time.
MEANING = {
    "accuracy": "share that is right",
    "average_precision": "share of objects that are found, by how well they fit; 1 is"
    " perfect",
    "balanced_accuracy": "share that is right, each class counting alike",
    "average_precision_50": "the same where half an overlap is enough",
    "f1": "balance of what is missed and what is found wrongly; 1 is perfect",
    "mean_absolute_error": "mean difference of prediction and truth",
    "panoptic_quality": "how many objects are found, times how well they fit",
    "r2": "share of the variance that is predicted; 1 is perfect",
    "ssim": "similarity of structures; 1 is perfect",
    "dice": "overlap of what was marked and what was found; 1 is perfect",
    "jaccard": "what both marked by what either marked; 1 is perfect",
    "pearson": "correlation of prediction and truth; 1 is perfect",
    "roc_auc": "chance that a positive case ranks before a negative one; 0.5 is"
    " guessing",
}
# Names that are more than their words without underscores.
_NAMES = {
    "average_precision_50": "average precision at 0.50",
    "average_precision_75": "average precision at 0.75",
    "dice": "Dice coefficient",
    "f1": "F1 score",
    "jaccard": "Jaccard index",
    "aggregated_jaccard": "aggregated Jaccard",
    "aggregated_jaccard_plus": "aggregated Jaccard plus",
    "n_found": "found objects",
    "n_pixels": "pixels",
    "n_predicted": "predicted objects",
    "n_true": "true objects",
    "pearson": "Pearson correlation",
    "psnr": "PSNR",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "roc_auc": "ROC AUC",
    "ssim": "SSIM",
    "support": "images",
}
_PER_IMAGE = "_per_image"
_SPREAD = "image_mean_"


def metric_name(name: str) -> str:
    """Return what a metric is called in a text.

    Parameters
    ----------
    name : str
        Of a column or row of an evaluation.

    Returns
    -------
    str
        Words, which may be broken into lines.

    Examples
    --------
    >>> from instantdl.pipeline._report_words import metric_name
    >>> metric_name("roc_auc_per_image"), metric_name("mean_absolute_error")
    ('ROC AUC, mean over images', 'mean absolute error')
    """
    short = name.removesuffix(_PER_IMAGE)
    words = _NAMES.get(short, short.replace("_", " "))
    return words if short == name else f"{words}, mean over images"


def uncertainty_lines(
    figures: Mapping[str, Any], task: str, number: Callable[[Any], str]
) -> list[tuple[str, str]]:
    """Return what the figures of an uncertainty say.

    Parameters
    ----------
    figures : mapping of str to float or None
        Those of an evaluation.

    task : str
        What was evaluated.

    number : callable
        Writes a number.

    Returns
    -------
    list of tuple of str
        What is told of, and the text.

    Examples
    --------
    >>> from instantdl.pipeline._report_words import uncertainty_lines
    >>> uncertainty_lines({"n_wrong": 12}, "classification", str)
    [('wrong images', '12')]
    """
    names = _uncertainty_names(task)
    lines = []
    for name, value in figures.items():
        if name.startswith(_SPREAD):
            continue
        text = "below 1e-300" if name == "pvalue" and value == 0 else number(value)
        if name == "error_auroc":
            text += (
                f" (chance that {names['n_wrong']} have more of it than"
                f" {names['n_correct']}; 0.5 is guessing, 1 is perfect)"
            )
        lines.append((names.get(name, name.replace("_", " ")), text))
    spread = {
        name.removeprefix(_SPREAD): number(value)
        for name, value in figures.items()
        if name.startswith(_SPREAD)
    }
    if spread:
        text = "{min} to {max}, half of them {q25} to {q75}, median {median}"
        lines.append((names["image"], text.format(**spread)))
    return lines


def _uncertainty_names(task: str) -> dict[str, str]:
    unit = "images" if task == "classification" else "pixels"
    right, wrong = f"right {unit}", f"wrong {unit}"
    if task == "regression":
        right, wrong = "pixels of small errors", "pixels of large errors"
    return {
        "error_auroc": "error AUROC",
        "pvalue": "p-value of Mann and Whitney",
        "median_correct": f"median of {right}",
        "median_wrong": f"median of {wrong}",
        "n_correct": right,
        "n_wrong": wrong,
        "risk_coverage_area": "area under the risk-coverage curve",
        "error_threshold": "an error is large above",
        "image": "of an image" if unit == "images" else "mean of an image",
    }
