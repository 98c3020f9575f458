"""Evaluate the classes of whole images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_fscore_support, roc_curve

from instantdl.metrics._calibration import calibration_error_of, reliability_counts
from instantdl.metrics._ranks import auroc_of_groups
from instantdl.metrics._sensitivity import measures_of_counts
from instantdl.pipeline._evaluation._inputs import Inputs, check_probability
from instantdl.pipeline._evaluation._notes import absent_classes, notes_on_metrics
from instantdl.pipeline._evaluation._resampling import (
    Values,
    Weights,
    mean_of_known,
    resample,
)
from instantdl.pipeline._evaluation._result import Evaluation
from instantdl.pipeline._evaluation._semantic import reliability_table
from instantdl.pipeline._evaluation._uncertainty import image_uncertainty

__all__ = ["evaluate_labels"]

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Labels:
    """Classes of images as positions in a list of labels."""

    names: list[str]
    classes: list[Any]
    true: Codes
    pred: Codes
    probability: NDArray[np.float64] | None

    @property
    def judged(self) -> list[int]:
        """Positions of classes whose probability is judged: one of two tells all."""
        return [1] if len(self.classes) == 2 else list(range(len(self.classes)))

    @property
    def of_truth(self) -> Values:
        """Probability of the true class of each image."""
        if self.probability is None:
            return np.full(len(self.true), np.nan)
        return self.probability[np.arange(len(self.true)), self.true]

    def seen(self) -> NDArray[np.bool_]:
        """Return which classes some images have, but not all."""
        numbers = np.bincount(self.true, minlength=len(self.classes))
        return (numbers > 0) & (numbers < len(self.true))


def evaluate_labels(
    inputs: Inputs, classes: ArrayLike | None, random_state: Any
) -> Evaluation:
    """Evaluate the classes of whole images.

    Parameters
    ----------
    inputs : Inputs
        Labels, probabilities and uncertainties.

    classes : array-like of shape (n_classes,) or None
        Labels in the order of the columns of the probability; None takes those found,
        sorted.

    random_state : int, Generator or None
        Seed of the draws.

    Returns
    -------
    Evaluation
        See :func:`evaluate`.
    """
    labels = _check_labels(inputs, classes)
    table = _per_image(labels)
    measure = partial(_measure, labels, _each_image(labels))
    metrics = resample(measure, len(inputs), random_state, {})
    numbers = np.bincount(labels.true, minlength=len(labels.classes))
    consequence = (
        "they are left out of means over classes; but f1 and jaccard of one that is"
        " predicted are 0, and count."
    )
    notes = absent_classes(labels.classes, numbers, "image", consequence)
    notes += notes_on_metrics(metrics, len(inputs))
    figures: dict[str, float] = {}
    curve = None
    if inputs.uncertainty is not None:
        values = _check_uncertainty(inputs)
        table["uncertainty"] = values
        figures, curve, more = image_uncertainty(values, labels.true != labels.pred)
        notes += more
    return Evaluation(
        task="classification",
        metrics=metrics,
        per_image=table,
        per_class=_per_class(labels),
        confusion=_confusion(labels),
        roc=_curves(labels),
        calibration=_calibration(labels),
        risk_coverage=curve,
        uncertainty=figures,
        notes=notes,
    )


def _check_labels(inputs: Inputs, classes: ArrayLike | None) -> _Labels:
    true = _labels_of(inputs, "y_true")
    pred = _labels_of(inputs, "y_pred")
    known = _known_classes(true, pred, classes)
    place = {label: code for code, label in enumerate(known)}
    codes = []
    for part, labels in (("y_true", true), ("y_pred", pred)):
        for index, label in enumerate(labels):
            if label not in place:
                raise ValueError(
                    f"`{part}` must hold labels of {known} only. Got {label!r} for"
                    f" {inputs.say(index)}. Add it to `classes`, or correct it."
                )
        codes.append(np.array([place[label] for label in labels], np.int64))
    probability = _check_probabilities(inputs, known)
    return _Labels(inputs.names, known, codes[0], codes[1], probability)


def _labels_of(inputs: Inputs, part: str) -> list[Any]:
    values = np.asarray(getattr(inputs, part))
    if values.ndim != 1 or values.dtype.kind not in "biufUO":
        raise ValueError(
            f"`{part}` must hold one label for each image: strings, integers or bool."
            f" Got {values.dtype} of shape {values.shape}. For masks the task is"
            " semantic_segmentation."
        )
    labels: list[Any] = values.tolist()
    for index, label in enumerate(labels):
        # NaN is the only value that differs from itself.
        if label is None or label != label:
            raise ValueError(
                f"`{part}` must hold a label for each image. Got {label} for"
                f" {inputs.say(index)}. Leave the image out."
            )
    return labels


def _known_classes(
    true: list[Any], pred: list[Any], classes: ArrayLike | None
) -> list[Any]:
    if classes is None:
        try:
            known = sorted({*true, *pred})
        except TypeError as error:
            raise TypeError(
                "Labels must be all strings or all numbers. Got"
                f" {type(true[0]).__name__} in `y_true` and {type(pred[0]).__name__}"
                " in `y_pred`. Convert one of them."
            ) from error
        return known
    values = np.asarray(classes)
    known = values.tolist() if values.ndim == 1 else []
    if len(known) < 2 or len(set(known)) < len(known):
        raise ValueError(
            "`classes` must be a list of different labels, two or more."
            f" Got {classes!r}."
        )
    return known


def _check_probabilities(
    inputs: Inputs, known: list[Any]
) -> NDArray[np.float64] | None:
    if inputs.probability is None:
        return None
    values = np.asarray(inputs.probability)
    if values.ndim != 2 or values.shape[1] != len(known) or len(known) < 2:
        raise ValueError(
            f"`probability` must have shape ({len(inputs)}, {len(known)}): a column for"
            f" each of {known}. Got {values.shape}. Pass all classes as `classes` if"
            " some have no image."
        )
    if values.dtype.kind not in "biuf":
        raise TypeError(f"`probability` must hold numbers. Got {values.dtype}.")
    for index, row in enumerate(values):
        if not np.isfinite(row).all():
            raise ValueError(
                f"`probability` must hold finite numbers. Got {row.tolist()} for"
                f" {inputs.say(index)}. Leave the image out."
            )
        check_probability(row, inputs.say(index), has_classes=True)
    return values.astype(np.float64)


def _check_uncertainty(inputs: Inputs) -> NDArray[np.float64]:
    values = np.asarray(inputs.uncertainty)
    if values.shape != (len(inputs),) or values.dtype.kind not in "biuf":
        raise ValueError(
            "`uncertainty` must hold one number for each image. Got"
            f" {values.dtype} of shape {values.shape}. Average over other axes first."
        )
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if wrong.size:
        raise ValueError(
            "`uncertainty` must hold finite numbers, 0 or larger. Got"
            f" {values[wrong[0]]} for {inputs.say(wrong[0])}. Leave the image out."
        )
    return values.astype(np.float64)


def _each_image(labels: _Labels) -> Values:
    """Return the reliability counts of each image, of shape (n_images, n_bins, 3)."""
    if labels.probability is None:
        return np.zeros((len(labels.true), 1, 3))
    if len(labels.classes) == 2:
        columns, right = labels.probability[:, 1], labels.true == 1
    else:
        columns = labels.probability.max(axis=1)
        right = labels.probability.argmax(axis=1) == labels.true
    pairs = zip(columns[:, np.newaxis], right[:, np.newaxis], strict=True)
    return np.stack(
        [reliability_counts(value, came_true) for value, came_true in pairs]
    )


def _measure(
    labels: _Labels, reliability: Values, weights: Weights
) -> dict[str, Values]:
    """Return the measures of the images that a draw has."""
    scores = measures_of_counts(
        _count(labels, weights),
        np.arange(len(labels.classes)),
        average="macro",
        empty=np.nan,
    )
    result = {
        "accuracy": scores["accuracy"],
        "balanced_accuracy": scores["sensitivity"],
        "f1": scores["dice"],
        "jaccard": scores["jaccard"],
    }
    numbers = np.asarray(labels.classes)
    if numbers.dtype.kind in "iuf":
        miss = (numbers[labels.pred] - numbers[labels.true]).astype(np.float64)
        total = weights.sum(axis=1)
        result["mean_absolute_error"] = weights @ np.abs(miss) / total
        result["mean_squared_error"] = weights @ np.square(miss) / total
    if labels.probability is not None:
        areas = [_areas(labels, code, weights) for code in labels.judged]
        result["roc_auc"] = mean_of_known(np.stack(areas, axis=-1))
        bins = np.tensordot(weights, reliability, axes=1)
        result["expected_calibration_error"] = calibration_error_of(bins)
    return result


def _count(labels: _Labels, weights: Weights) -> Values:
    """Return the confusion counts of each draw."""
    n_classes = len(labels.classes)
    cells = labels.true * n_classes + labels.pred
    counts = np.array([np.bincount(cells, row, n_classes**2) for row in weights])
    return counts.reshape(-1, n_classes, n_classes)


def _areas(labels: _Labels, code: int, weights: Weights) -> Values:
    """Return the ROC AUC of a class against the rest, of each draw."""
    if labels.probability is None:
        return np.full(len(weights), np.nan)
    scores = labels.probability[:, code]
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-1.0))
    is_class = labels.true[order] == code
    drawn = weights[:, order]
    negative = np.add.reduceat(drawn * ~is_class, starts, axis=1)
    positive = np.add.reduceat(drawn * is_class, starts, axis=1)
    return auroc_of_groups(negative, positive)


def _per_image(labels: _Labels) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "true": [labels.classes[code] for code in labels.true],
            "predicted": [labels.classes[code] for code in labels.pred],
            "correct": labels.true == labels.pred,
        },
        index=pd.Index(labels.names, name="name"),
    )
    if labels.probability is not None:
        table["probability_of_truth"] = labels.of_truth
    return table


def _per_class(labels: _Labels) -> pd.DataFrame:
    codes = range(len(labels.classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels.true, labels.pred, labels=codes, zero_division=np.nan
    )
    table = pd.DataFrame(
        {"precision": precision, "recall": recall, "f1": f1},
        index=pd.Index(labels.classes, name="class"),
    )
    if labels.probability is not None:
        once = np.ones((1, len(labels.true)), np.int64)
        table["roc_auc"] = [float(_areas(labels, code, once)[0]) for code in codes]
    table["support"] = support
    return table


def _confusion(labels: _Labels) -> pd.DataFrame:
    once = np.ones((1, len(labels.true)), np.int64)
    return pd.DataFrame(
        _count(labels, once)[0].astype(np.int64),
        index=pd.Index(labels.classes, name="true"),
        columns=pd.Index(labels.classes, name="predicted"),
    )


def _curves(labels: _Labels) -> dict[Any, pd.DataFrame]:
    """Return the ROC of each class that some images have, but not all."""
    if labels.probability is None:
        return {}
    curves = {}
    seen = labels.seen()
    for code in labels.judged:
        if seen[code]:
            fpr, tpr, thresholds = roc_curve(
                labels.true == code, labels.probability[:, code]
            )
            curves[labels.classes[code]] = pd.DataFrame(
                {
                    "false_positive_rate": fpr,
                    "true_positive_rate": tpr,
                    "threshold": thresholds,
                }
            )
    return curves


def _calibration(labels: _Labels) -> pd.DataFrame | None:
    if labels.probability is None:
        return None
    return reliability_table(_each_image(labels).sum(axis=0))
