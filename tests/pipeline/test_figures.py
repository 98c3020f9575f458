"""Figures of a run: what is drawn, and what those are told who cannot see it."""

from types import SimpleNamespace

import numpy as np
import pytest

from instantdl.estimators import ImageClassifier, InstanceSegmenter, PixelRegressor
from instantdl.pipeline import _figures
from tests.pipeline.report_runs import NAMES, evaluation_of


class Sheets:
    """Draws, but writes nothing."""

    def __init__(self):
        self.figures, self.alts = {}, {}

    def add(self, section, name, title, text, draw, *, alt):
        self.figures[name], self.alts[name] = draw(), alt


def results_of(task, model):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (4, 12, 12))
    part = SimpleNamespace(X=rng.random((4, 12, 12)), y=labels, names=NAMES)
    found = SimpleNamespace(y_pred=labels, uncertainty=rng.random((4, 12, 12)))
    return _figures._Results(model, part, found, evaluation_of(task))


def test_classes_that_are_numbers_are_no_metrics():
    model = ImageClassifier()
    model.classes_ = np.array([0, 7])
    results, sheets = results_of("classification", model), Sheets()
    _figures._draw_metrics(results, results.evaluation, sheets)
    (axes,) = sheets.figures["metrics"].axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["probability of truth"]
    median = results.evaluation.per_image["probability_of_truth"].median()
    expected = f"Medians: probability of truth {median:.3g}."
    assert sheets.alts["metrics"].endswith(expected)
    assert "75.0% of the images" in sheets.alts["confusion"]
    assert "7 1." in sheets.alts["roc"]


def test_a_regression_tells_how_both_agree():
    results, sheets = results_of("regression", PixelRegressor()), Sheets()
    _figures._draw_metrics(results, results.evaluation, sheets)
    pearson = results.evaluation.metrics.loc["pearson", "value"]
    assert f"Pearson correlation {pearson:.3g}" in sheets.alts["scatter"]
    last = results.evaluation.calibration.iloc[-1]
    coverage = f"{last['observed']:.0%} lie where {last['nominal']:.0%} are expected"
    assert coverage in sheets.alts["coverage"]


def test_pictures_are_named_with_their_scores():
    model = InstanceSegmenter()
    model.spatial_ndim_in_ = 2
    results = results_of("instance_segmentation", model)
    scores = results.evaluation.per_image["average_precision"]
    assert _figures._name_with_score(results, 1) == f"b.png ({scores['b.png']:.2f})"
    titles, texts = [], []

    def add(section, name, title, text, draw, *, alt):
        if section == "worst":
            titles.append(title)
            texts.append(text)

    _figures._draw_images(results, SimpleNamespace(add=add))
    worst = scores.sort_values(kind="stable")
    found = ", ".join(f"{name} ({value:.2f})" for name, value in worst.items())
    assert ", ".join(titles) == found
    assert all(text.endswith("In brackets: average precision.") for text in texts)


def test_without_targets_pictures_have_names_alone():
    model = InstanceSegmenter()
    results = results_of("instance_segmentation", model)
    bare = _figures._Results(model, results.part, results.found, None)
    assert _figures._name_with_score(bare, 2) == "c.png"


@pytest.mark.parametrize("task", ["classification", "instance_segmentation"])
def test_uncertainty_is_told_in_numbers(task):
    results, sheets = results_of(task, None), Sheets()
    _figures._draw_uncertainty(results, sheets)
    table = results.evaluation.per_image
    values = table.get("uncertainty", table.get("mean_uncertainty"))
    assert sheets.alts["uncertainty"] == (
        f"Histogram from {values.min():.3g} to {values.max():.3g}; median"
        f" {values.median():.3g}."
    )
    curve = results.evaluation.risk_coverage.set_index("coverage")["error"]
    assert f"{curve[1.0]:.3g} for all" in sheets.alts["risk_coverage"]
    assert f"{curve[0.5]:.3g} for the more certain" in sheets.alts["risk_coverage"]
    assert ("uncertainty_of_errors" in sheets.alts) == (task == "classification")
