"""Every example runs, and what it says of itself holds."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


def test_objects_from_binary_masks_are_mostly_those_that_were_drawn():
    found = runpy.run_path(str(EXAMPLES[0].with_name("plot_instance_labels.py")))
    precision, truth = found["average_precision"], found["y"]
    parted = precision(truth, found["parted"], thresholds=0.5)
    assert parted > 0.95
    assert parted > precision(truth, found["connected"], thresholds=0.5) + 0.1
