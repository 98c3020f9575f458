import numpy as np
import pytest

from instantdl.plotting import plot_gallery


def test_each_image_has_its_title_above_it(rng):
    images = [rng.random((8, 8)), rng.random((6, 10, 3)), rng.random((9, 4, 1))]
    figure = plot_gallery(images, ["a", "b", "c"])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    shapes = [axes.images[0].get_array().shape for axes in figure.axes]
    assert shapes == [(8, 8, 3), (6, 10, 3), (9, 4, 3)]


def test_a_photograph_keeps_its_hues(rng):
    pink = rng.integers(0, 60, (20, 20, 1), np.uint8) + np.array(
        [190, 90, 140], np.uint8
    )
    shown = plot_gallery([pink], ["slide"]).axes[0].images[0].get_array()
    assert (shown[..., 0] > shown[..., 2]).mean() > 0.95
    assert (shown[..., 2] > shown[..., 1]).mean() > 0.95
    assert (shown.min(), shown.max()) == (0, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_channels_of_other_images_are_stretched_each_on_its_own(rng, dtype):
    stains = rng.integers(0, 1000, (20, 20, 3)) // np.array([1, 10, 100])
    shown = (
        plot_gallery([stains.astype(dtype)], ["stains"]).axes[0].images[0].get_array()
    )
    assert shown.max(axis=(0, 1)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("n", [1, 5, 11])
def test_titles_can_be_read(rng, n, check_legible):
    title = "patient-0123456789-000042.tif\nmalignant (98%)\ntrue: benign"
    check_legible(plot_gallery(rng.random((n, 16, 16)), [title] * n))


def test_a_title_for_each_image_is_asked_for(rng):
    with pytest.raises(ValueError, match="Got 1 for 2"):
        plot_gallery(rng.random((2, 8, 8)), ["a"])
    with pytest.raises(ValueError, match="Got 0 for 0"):
        plot_gallery([], [])
