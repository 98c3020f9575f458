"""Which run is resumed, and what is removed from it."""

from pathlib import Path

import pytest

from instantdl.pipeline import RunConfig
from instantdl.pipeline._config import resolve_paths
from instantdl.pipeline._run_folder import mark_finished, new_folder, unfinished_folder


@pytest.fixture
def tell(tmp_path):
    def make(**changes):
        return RunConfig(**{"task": "regression", "path": tmp_path, **changes})

    return make


def test_the_newest_run_that_was_told_the_same_goes_on(tell):
    begun = [new_folder(tell(epochs=epochs)) for epochs in (1, 1, 2, 1)]
    mark_finished(begun[3])
    assert unfinished_folder(tell(epochs=1)) == begun[1]
    assert unfinished_folder(tell(epochs=2)) == begun[2]
    with pytest.raises(ValueError, match=r"003: .* Got another epochs, png\."):
        unfinished_folder(tell(epochs=3, png=True))
    for folder in begun[:3]:
        mark_finished(folder)
    with pytest.raises(FileNotFoundError, match=r"004: .* one that is finished"):
        unfinished_folder(tell(epochs=1))


def test_a_run_in_a_folder_of_its_own_goes_on(tell, tmp_path):
    config = tell(output=tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match=r"mine: there must be an interrupted"):
        unfinished_folder(config)
    folder = new_folder(config)
    assert unfinished_folder(config) == folder
    with pytest.raises(ValueError, match=r"mine: .* Got another n_draws\."):
        unfinished_folder(tell(output=tmp_path / "mine", n_draws=3))
    mark_finished(folder)
    with pytest.raises(FileNotFoundError, match=r"mine: .* one that is finished"):
        unfinished_folder(config)


def test_tuples_and_paths_are_as_the_file_has_them(tell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("project").mkdir()
    told = tell(path="project", image_size=(8, 8), estimator={"patch_shape": (8, 8)})
    config = resolve_paths(told, Path())
    folder = new_folder(config)
    assert unfinished_folder(config) == folder


def test_half_files_are_removed(tell):
    folder = new_folder(tell())
    folder.results.mkdir()
    half = folder.results / ".0.tif.0123abcd.part"
    half.write_bytes(b"half")
    whole = folder.results / "0.tif"
    whole.write_bytes(b"whole")
    unfinished_folder(tell())
    assert not half.exists()
    assert whole.exists()
