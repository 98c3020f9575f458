import numpy as np
import pandas as pd
import pytest

import instantdl
from instantdl.io import read_image
from instantdl.pipeline import _demo, run_demo


class InstantSegmenter:
    """Finds what is dark, to test the demo without a training."""

    def __init__(self, **parameters):
        self.parameters = parameters

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X.mean(axis=-1) < 128

    def predict_proba(self, X):
        dark = 1 - X.mean(axis=-1) / 255
        return np.stack([1 - dark, dark], axis=-1)

    def predict_uncertainty(self, X):
        return X.std(axis=-1) / 128

    def save(self, path):
        path.write_bytes(b"")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_demo, "SemanticSegmenter", InstantSegmenter)


def test_results_lie_in_the_folder(quick, tmp_path):
    run_demo(tmp_path / "out", verbose=0)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*_demo.FILES, *_demo.FOLDERS}
    for folder in ("probability", "uncertainty"):
        values = read_image(tmp_path / "out" / folder / "test-1.tif")
        assert values.dtype == np.float32
    mask = read_image(tmp_path / "out" / "masks" / "test-1.png")
    assert set(np.unique(mask)) == {0, 255}


def test_metrics_are_written_as_they_are_returned(quick, tmp_path):
    metrics = run_demo(tmp_path, verbose=0)
    written = pd.read_csv(tmp_path / "metrics.csv", index_col="image")
    assert list(written.index) == ["test-1", "test-2", "all"]
    np.testing.assert_allclose(written, metrics, atol=1e-4)


def test_last_line_says_where_to_look(quick, tmp_path, capsys):
    run_demo(tmp_path / "out")
    last = capsys.readouterr().out.splitlines()[-1]
    assert str(tmp_path / "out" / "figure.png") in last


def test_nothing_is_printed_when_not_asked(quick, tmp_path, capsys):
    run_demo(tmp_path, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_former_demo_is_replaced(quick, tmp_path):
    first = run_demo(tmp_path, verbose=0)
    pd.testing.assert_frame_equal(run_demo(tmp_path, verbose=0), first)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"which holds 'notes.txt'"):
        run_demo(tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError, match="which is a file"):
        run_demo(tmp_path / "out", verbose=0)


def test_training_and_test_images_come_from_different_halves():
    X, _ = _demo._load_half(_demo.TRAINING_TILE, test=False)
    X_test, y_test = _demo._load_half(_demo.TEST_TILE, test=True)
    assert X.shape == (8, 128, 128, 3)
    assert y_test.shape == (2, 256, 256)
    assert not any((tile == X_test[0, :128, :128]).all() for tile in X)
    assert 0 < y_test.mean() < 1


@pytest.mark.slow
def test_demo_finds_the_tissue(tmp_path):
    metrics = run_demo(tmp_path, time_limit=60, verbose=0)
    assert metrics.loc["all", "jaccard"] > 0.8
    model = instantdl.load(tmp_path / "model.instantdl")
    image = read_image(tmp_path / "images" / "test-1.png")
    mask = read_image(tmp_path / "masks" / "test-1.png")
    assert ((model.predict(image[np.newaxis])[0] > 0) == (mask > 0)).mean() > 0.999
