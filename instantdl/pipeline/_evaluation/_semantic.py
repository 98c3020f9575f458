"""Evaluate masks of classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from instantdl.metrics import confusion_counts
from instantdl.metrics._calibration import calibration_error_of, reliability_counts
from instantdl.metrics._histograms import (
    N_LOG_ODDS_BINS,
    log_odds_bins,
    log_odds_edges,
)
from instantdl.metrics._ranks import auroc_of_groups
from instantdl.metrics._sensitivity import measures_of_counts
from instantdl.pipeline._evaluation._inputs import Inputs, blocks
from instantdl.pipeline._evaluation._notes import absent_classes, notes_on_metrics
from instantdl.pipeline._evaluation._resampling import (
    Values,
    Weights,
    mean_of_known,
    mean_over_images,
    resample,
    weighted_sums,
)
from instantdl.pipeline._evaluation._result import Evaluation
from instantdl.pipeline._evaluation._uncertainty import PixelUncertainty

__all__ = ["evaluate_masks", "reliability_table"]

# More values than this are labels of objects rather than classes.
_MANY = 256
_N_POINTS = 256


@dataclass(frozen=True)
class _Tally:
    """What was counted in one image, or in each.

    The histograms are those of the probability of each class that is judged, for
    pixels that are not of this class, and for those that are; the area is that under
    the ROC.
    """

    counts: Values
    negative: Values
    positive: Values
    reliability: Values
    area: Values
    uncertainty: Values

    @classmethod
    def stack(cls, tallies: list[_Tally]) -> _Tally:
        parts = [vars(tally) for tally in tallies]
        return cls(*(np.stack([part[name] for part in parts]) for name in parts[0]))


@dataclass(frozen=True)
class _Masks:
    """Classes, and which of them have probabilities of their own."""

    inputs: Inputs
    classes: NDArray[np.int64]
    uncertainty: PixelUncertainty | None

    @property
    def judged(self) -> list[int]:
        """Positions of classes whose probability is judged: one of two tells all."""
        if len(self.classes) == 2:
            return [int(np.argmax(self.classes))]
        return list(range(len(self.classes)))

    def look_at(self, index: int) -> _Tally:
        """Read one image and count it."""
        true, pred = self.inputs.pair(index)
        counts = _count(self.inputs, index, true, pred, self.classes)
        negative, positive, reliability = self._look_at_probability(index, true)
        area = mean_of_known(auroc_of_groups(negative, positive))
        mean = np.nan
        if self.uncertainty is not None:
            values = self.inputs.uncertainty_map(index, true.shape)
            for part, a, b in blocks(true.shape, values, true, pred):
                self.uncertainty.add(part, a != b)
            mean = float(values.mean(dtype=np.float64))
        return _Tally(counts, negative, positive, reliability, area, np.array(mean))

    def _look_at_probability(
        self, index: int, true: NDArray[Any]
    ) -> tuple[Values, Values, Values]:
        judged = self.judged
        has_probability = self.inputs.probability is not None
        n_bins = N_LOG_ODDS_BINS if has_probability else 0
        histograms = np.zeros((2, len(judged), n_bins), np.uint32)
        reliability = np.zeros((10, 3))
        if not has_probability:
            return histograms[0], histograms[1], reliability
        maps = self.inputs.probability_map(index, true.shape, len(self.classes))
        for part, labels in blocks(true.shape, maps, true):
            columns = [part] if part.ndim == 1 else [part[:, k] for k in judged]
            for row, k, column in zip(range(len(judged)), judged, columns, strict=True):
                is_class = labels == self.classes[k]
                # Bins of pixels of the class lie behind those of all others.
                bins = log_odds_bins(column) + N_LOG_ODDS_BINS * is_class
                found = np.bincount(bins, minlength=2 * N_LOG_ODDS_BINS)
                histograms[:, row] += found.reshape(2, -1).astype(np.uint32)
            reliability += self._reliability(part, columns, labels)
        return histograms[0], histograms[1], reliability

    def _reliability(
        self, part: NDArray[Any], columns: list[NDArray[Any]], labels: NDArray[Any]
    ) -> Values:
        if len(self.classes) == 2:
            return reliability_counts(columns[0], labels == self.classes.max())
        right = self.classes[part.argmax(axis=1)] == labels
        return reliability_counts(part.max(axis=1), right)


def evaluate_masks(
    inputs: Inputs, classes: ArrayLike | None, random_state: Any
) -> Evaluation:
    """Evaluate masks of classes, image by image.

    Parameters
    ----------
    inputs : Inputs
        Masks, and maps of probability and uncertainty.

    classes : array-like of shape (n_classes,) or None
        Values of the classes; None takes those found, which reads all masks once
        more.

    random_state : int, Generator or None
        Seed of the draws.

    Returns
    -------
    Evaluation
        See :func:`evaluate`.
    """
    values = _find_classes(inputs) if classes is None else _check_classes(classes)
    uncertainty = None if inputs.uncertainty is None else PixelUncertainty()
    masks = _Masks(inputs, values, uncertainty)
    tally = _Tally.stack([masks.look_at(index) for index in range(len(inputs))])
    has_probability = inputs.probability is not None
    scores = _means_of_counts(tally.counts, values)
    if has_probability:
        scores["roc_auc"] = tally.area
    table = pd.DataFrame(scores, index=pd.Index(inputs.names, name="name"))
    known = {f"{name}_per_image": int(table[name].notna().sum()) for name in table}
    measure = partial(_measure, tally, values, has_probability, table)
    metrics = resample(measure, len(inputs), random_state, known)
    total = _Tally(*(part.sum(axis=0) for part in vars(tally).values()))
    notes = _notes(metrics, values, total.counts, len(inputs))
    figures: dict[str, float] = {}
    if uncertainty is not None:
        table["mean_uncertainty"] = tally.uncertainty
        figures = uncertainty.figures(tally.uncertainty)
        notes += uncertainty.notes()
    return Evaluation(
        task="semantic_segmentation",
        metrics=metrics,
        per_image=table,
        per_class=_per_class(total, values, has_probability),
        confusion=_confusion(total.counts, values),
        roc=_curves(total, values[masks.judged]) if has_probability else {},
        calibration=reliability_table(total.reliability) if has_probability else None,
        risk_coverage=uncertainty.risk_coverage() if uncertainty else None,
        uncertainty=figures,
        notes=notes,
    )


def reliability_table(counts: Values) -> pd.DataFrame:
    """Return bins of the probability with what was predicted and observed.

    Parameters
    ----------
    counts : ndarray of shape (n_bins, 3)
        Of :func:`reliability_counts`.

    Returns
    -------
    DataFrame of shape (n_bins, 5)
        Means of empty bins are nan.
    """
    n = counts[:, 0]
    edges = np.linspace(0, 1, len(counts) + 1)
    means = np.full((len(counts), 2), np.nan)
    np.divide(counts[:, 1:], n[:, np.newaxis], out=means, where=n[:, np.newaxis] > 0)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "n": n.astype(np.int64),
            "mean_probability": means[:, 0],
            "observed": means[:, 1],
        }
    )


def _check_classes(classes: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(classes)
    if (
        values.ndim != 1
        or values.dtype.kind not in "biu"
        or not 2 <= len(np.unique(values)) == len(values)
    ):
        raise ValueError(
            "`classes` must be a list of different whole numbers, two or more: the"
            f" values of masks. Got {classes!r}."
        )
    return values.astype(np.int64)


def _find_classes(inputs: Inputs) -> NDArray[np.int64]:
    """Return all values that masks have, which are two at least."""
    found: set[int] = set()
    for index in range(len(inputs)):
        found |= _values_of(inputs, index)
        if len(found) > _MANY:
            raise ValueError(
                f"Masks must hold a few class values. Got {len(found)} up to"
                f" {inputs.say(index)}. For label images the task is"
                " instance_segmentation."
            )
    if len(found) == 1:
        found.add(0 if found != {0} else 1)
    return np.array(sorted(found), np.int64)


def _values_of(inputs: Inputs, index: int) -> set[int]:
    true, pred = inputs.pair(index)
    return _unique(inputs, index, true) | _unique(inputs, index, pred)


def _unique(inputs: Inputs, index: int, mask: NDArray[Any]) -> set[int]:
    found: set[Any] = set()
    for (part,) in blocks(mask.shape, mask):
        found |= set(np.unique(part).tolist())
    broken = [value for value in found if value != int(value)]
    if broken:
        raise ValueError(
            f"Masks must hold whole numbers, values of classes. Got {broken[0]} in"
            f" {inputs.say(index)}. Turn probabilities into classes first:"
            " `probability > 0.5`."
        )
    return {int(value) for value in found}


def _count(
    inputs: Inputs,
    index: int,
    true: NDArray[Any],
    pred: NDArray[Any],
    classes: NDArray[np.int64],
) -> Values:
    try:
        return confusion_counts([true], [pred], labels=classes)
    except ValueError as error:
        found = _unique(inputs, index, true) | _unique(inputs, index, pred)
        unknown = sorted(found - set(classes.tolist()))
        if not unknown:
            raise ValueError(f"{inputs.say(index)}: {error}") from error
        raise ValueError(
            f"Masks must hold values of {classes.tolist()} only. Got {unknown[:10]} in"
            f" {inputs.say(index)}. Add them to `classes`, or correct the masks."
        ) from error


def _means_of_counts(counts: Values, classes: NDArray[np.int64]) -> dict[str, Values]:
    """Return measures of the foreground, or means over the classes that there are."""
    empty = np.nan if len(classes) > 2 else 1.0
    return measures_of_counts(counts, classes, empty=empty)


def _measure(
    tally: _Tally,
    classes: NDArray[np.int64],
    has_probability: bool,
    per_image: pd.DataFrame,
    weights: Weights,
) -> dict[str, Values]:
    """Return the measures of the pixels of all images that a draw has."""
    result = _means_of_counts(weighted_sums(weights, tally.counts), classes)
    if has_probability:
        # Class by class, since the histograms of all draws are large.
        areas = [
            auroc_of_groups(
                weighted_sums(weights, tally.negative[:, row]),
                weighted_sums(weights, tally.positive[:, row]),
            )
            for row in range(tally.negative.shape[1])
        ]
        result["roc_auc"] = mean_of_known(np.stack(areas, axis=-1))
        bins = weighted_sums(weights, tally.reliability)
        result["expected_calibration_error"] = calibration_error_of(bins)
    for name, values in per_image.items():
        means = mean_over_images(weights, values.to_numpy(float))
        result[f"{name}_per_image"] = means
    return result


def _notes(
    metrics: pd.DataFrame, classes: NDArray[np.int64], counts: Values, n_images: int
) -> list[str]:
    consequence = (
        "sensitivity and ROC AUC of such a class are undefined, and left out of means."
    )
    if len(classes) > 2:
        consequence += (
            " Its Jaccard index and Dice coefficient are left out as well, unless it is"
            " predicted: then they count as 0."
        )
    numbers = counts.sum(axis=1)
    notes = absent_classes(classes.tolist(), numbers, "pixel", consequence)
    return notes + notes_on_metrics(metrics, n_images)


def _per_class(
    total: _Tally, classes: NDArray[np.int64], has_probability: bool
) -> pd.DataFrame:
    measures = measures_of_counts(total.counts, classes, average=None)
    del measures["accuracy"]
    if has_probability:
        # Of two classes, one is told from the other as well as the other from it.
        areas = auroc_of_groups(total.negative, total.positive)
        measures["roc_auc"] = np.broadcast_to(areas, classes.shape)
    measures["n_pixels"] = total.counts.sum(axis=1)
    return pd.DataFrame(measures, index=pd.Index(classes.tolist(), name="class"))


def _confusion(counts: Values, classes: NDArray[np.int64]) -> pd.DataFrame:
    labels = classes.tolist()
    return pd.DataFrame(
        counts,
        index=pd.Index(labels, name="true"),
        columns=pd.Index(labels, name="predicted"),
    )


def _curves(total: _Tally, classes: NDArray[np.int64]) -> dict[Any, pd.DataFrame]:
    """Return the ROC of each class that has pixels inside and outside of it."""
    thresholds = log_odds_edges()[:-1]
    curves = {}
    for row, label in enumerate(classes.tolist()):
        negative, positive = total.negative[row], total.positive[row]
        if not negative.any() or not positive.any():
            continue
        fpr, tpr, limits = roc_curve(
            np.repeat([0, 1], len(thresholds)),
            np.tile(thresholds, 2),
            sample_weight=np.concatenate([negative, positive]),
        )
        # Points that lie evenly along the curve draw it as well as thousands.
        steps = np.linspace(0, 2, _N_POINTS)
        kept = np.unique(np.searchsorted(fpr + tpr, steps).clip(0, len(fpr) - 1))
        curves[label] = pd.DataFrame(
            {
                "false_positive_rate": fpr[kept],
                "true_positive_rate": tpr[kept],
                "threshold": limits[kept],
            }
        )
    return curves
