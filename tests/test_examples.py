"""Every example runs, shows a figure, and what it says of itself holds."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
# These train nothing, so they run always.
QUICK = {"plot_augmentation", "plot_instance_labels"}


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures that are made, those that pyplot does not know included."""
    from matplotlib.figure import Figure

    made, initialise = [], Figure.__init__

    def remember(self, *args, **kwargs):
        initialise(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Figure, "__init__", remember)
    return made


def check_3d(found):
    assert found["segmenter"].spatial_ndim_in_ == 3
    assert found["precision"] > 0.6
    assert found["precision"] > found["of_connected"] + 0.1


def check_augmentation(found):
    shown = found["shown"]
    assert len(shown) == 16
    for title, (image, mask) in shown.items():
        assert (title == "as it was") == np.array_equal(image, found["image"])
        moves = title.split("=")[0] in {
            "flip",
            "rotate90",
            "rotation",
            "zoom",
            "shift",
            "shear",
            "elastic",
        }
        assert moves != np.array_equal(mask, found["mask"])


def check_classification(found):
    assert np.mean(found["wrong"]) < 0.07
    assert found["comparison"].pvalue < 0.001


def check_cross_validation(found):
    assert found["by_image"].mean() > 0.65
    assert 0.3 < found["by_patient"].mean() < 0.6


def check_instance_labels(found):
    precision, truth = found["average_precision"], found["y"]
    parted = precision(truth, found["parted"], thresholds=0.5)
    assert parted > 0.95
    assert parted > precision(truth, found["connected"], thresholds=0.5) + 0.1


def check_instance_segmentation(found):
    precision, truth = found["average_precision"], found["y_test"]
    predicted = precision(truth, found["y_pred"], thresholds=0.5)
    assert predicted > 0.8
    assert predicted > precision(truth, found["connected"], thresholds=0.5) + 0.2
    assert found["table"]["existence"].between(0, 1).all()


def check_large_image(found):
    assert np.abs(found["tiled"] - found["whole"]).max() < 1e-5
    assert np.abs(found["by_hand"] - found["whole"]).max() > 0.1


def check_pipeline(found):
    assert found["metrics"].loc["jaccard", "value"] > 0.85
    assert len(found["per_image"]) == 8
    assert not found["run"].exists()


def check_pixel_regression(found):
    truth, pearson = found["y_test"], found["pearson"]
    assert pearson(truth, found["y_pred"]) > 0.9 > pearson(truth, found["X_test"]) + 0.2


def check_semantic_segmentation(found):
    score = found["segmenter"].score(found["X_test"], found["y_test"])
    assert score > 0.9 > found["y_test"].mean() + 0.3


def check_uncertainty(found):
    figures = found["figures"]
    assert figures["error_auroc"] > 0.9
    assert figures["median_wrong"] > figures["median_correct"] + 0.3
    error = found["curve"].set_index("coverage")["error"]
    assert error[0.9] < 0.3 * error[1.0]


CASES = [
    pytest.param(
        path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow
    )
    for path in EXAMPLES
]


@pytest.mark.parametrize("path", CASES)
def test_an_example_runs_and_tells_the_truth(path, figures):
    found = runpy.run_path(str(path), run_name="__main__")
    assert figures
    for figure in figures:
        figure.savefig("figure.png", dpi=50)
    check = globals()[path.stem.replace("plot_", "check_")]
    check(found)


def test_an_example_has_a_title_and_says_what_it_is():
    assert len(EXAMPLES) >= 11
    for path in EXAMPLES:
        lines = path.read_text("utf-8").splitlines()
        assert lines[0] == '"""'
        assert lines[2] == "=" * len(lines[1])
        assert lines[3] == ""
        assert lines[4]
