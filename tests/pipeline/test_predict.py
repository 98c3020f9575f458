"""New images that a saved model predicts."""

import numpy as np
import pytest

from instantdl import PixelRegressor, SemanticSegmenter
from instantdl.exceptions import ImageError
from instantdl.io import write_image
from instantdl.pipeline import predict_files

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
