import numpy as np
import pytest
import skimage.data
from scipy import ndimage as ndi

from instantdl.datasets import load_coins, load_faces, load_ihc


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args):
        raise OSError("no network in tests")

    monkeypatch.setattr("socket.socket.connect", refuse)


def test_ihc_comes_as_a_left_and_a_right_half():
    data = load_ihc()
    assert data.X.shape == (2, 512, 256, 3)
    assert data.y.shape == (2, 512, 256)
    assert data.y.dtype == bool
    assert data.is_test.tolist() == [False, True]
    np.testing.assert_array_equal(
        np.hstack(data.X), skimage.data.immunohistochemistry()
    )


def test_tiles_of_ihc_are_cut_from_the_halves():
    halves, tiles = load_ihc(), load_ihc(tile_shape=(256, 128))
    assert tiles.X.shape == (8, 256, 128, 3)
    assert tiles.is_test.tolist() == [False] * 4 + [True] * 4
    np.testing.assert_array_equal(tiles.X[1], halves.X[0, :256, 128:])
    np.testing.assert_array_equal(tiles.y[6], halves.y[1, 256:, :128])


def test_stained_tissue_is_browner_than_the_rest():
    X, y = load_ihc(return_X_y=True)
    for image, mask in zip(X.astype(float), y, strict=True):
        brown = image[..., 0] - image[..., 2]
        assert 0.2 < mask.mean() < 0.8
        assert brown[mask].mean() > 30 + brown[~mask].mean()


@pytest.mark.parametrize("tile_shape", [(100, 128), (128, 512), (0, 8)])
def test_tiles_that_do_not_fill_the_halves_are_refused(tile_shape):
    with pytest.raises(ValueError, match=r"'tile_shape' .* divisor of 512 .* Got \("):
        load_ihc(tile_shape=tile_shape)


def test_faces_come_first_and_are_half_of_the_images():
    data = load_faces()
    assert data.X.shape == (200, 25, 25)
    assert data.y.tolist() == [1] * 100 + [0] * 100
    assert data.target_names[data.y[0]] == "face"


def test_each_of_24_coins_has_a_label():
    X, y = load_coins(return_X_y=True)
    assert X.shape == y.shape == (1, 303, 384)
    assert y.dtype == np.int32
    assert ndi.label(y[0] > 0)[1] == y.max() == 24
    assert np.bincount(y.ravel())[1:].min() > 800


@pytest.mark.parametrize("load", [load_ihc, load_faces, load_coins])
def test_descriptions_name_the_source_and_arrays_can_be_had_alone(load):
    data = load()
    assert "`skimage.data." in data.DESCR
    X, y = load(return_X_y=True)
    np.testing.assert_array_equal(X, data.X)
    np.testing.assert_array_equal(y, data.y)
