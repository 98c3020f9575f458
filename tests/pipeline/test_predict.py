"""New images that a saved model predicts."""

from types import SimpleNamespace

import numpy as np
import pytest

from instantdl import PixelRegressor, SemanticSegmenter
from instantdl.exceptions import ImageError
from instantdl.io import write_image
from instantdl.pipeline import predict_files
from instantdl.pipeline._predict import _unfit, find_images

TINY = {"filters": 2, "levels": 1, "epochs": 1, "random_state": 0}


@pytest.fixture
def predict(discs_2d, tmp_path):
    """Return a function that predicts a grey image by a model for some channels."""

    def run(kind, n_channels):
        X, masks = discs_2d
        write_image(tmp_path / "grey.tif", X[0, ..., 0])
        y = masks if kind is SemanticSegmenter else masks.astype(np.float32)
        model = kind(**TINY).fit(np.repeat(X, n_channels, axis=-1), y)
        model.save(tmp_path / "model.instantdl")
        given = tmp_path / "model.instantdl", [tmp_path / "grey.tif"], tmp_path / "new"
        return predict_files(*given, n_draws=0, verbose=0)

    return run


def test_grey_images_become_colours(predict):
    folder = predict(SemanticSegmenter, 3)
    assert (folder / "predictions" / "grey.tif").exists()


@pytest.mark.parametrize(
    ("kind", "n_channels"), [(SemanticSegmenter, 2), (PixelRegressor, 3)]
)
def test_one_channel_does_not_stand_for_all(predict, tmp_path, kind, n_channels):
    expected = rf"{n_channels} channels\. Got shape \(16, 16\)"
    with pytest.raises(ImageError, match=expected):
        predict(kind, n_channels)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("shape", "fits"), [((8, 9, 3), False), ((8, 9, 8), True), ((3, 9, 4), True)]
)
def test_a_plane_in_colours_is_no_volume(shape, fits):
    model = SimpleNamespace(spatial_ndim_in_=3, n_channels_in_=1)
    reason = _unfit(np.zeros(shape), model)
    assert reason is None if fits else "a plane in colours" in reason


def test_patterns_leave_out_hidden_files_and_follow_numbers(tmp_path):
    (tmp_path / ".old").mkdir()
    for name in ("img10.png", "img2.png", "._img2.png", "Thumbs.db", ".old/img1.png"):
        (tmp_path / name).touch()
    for pattern in ("*.png", "**/*.png"):
        assert find_images([tmp_path / pattern])[1] == ["img2.png", "img10.png"]
    assert find_images([tmp_path / ".old" / "*.png"])[1] == ["img1.png"]
    with pytest.raises(FileNotFoundError, match="a pattern that fits some"):
        find_images([tmp_path / "T*.db"])
