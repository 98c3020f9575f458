import pytest

from instantdl.plotting import plot_gallery


def test_each_image_has_its_title_above_it(rng):
    images = [rng.random((8, 8)), rng.random((6, 10, 3)), rng.random((9, 4, 1))]
    figure = plot_gallery(images, ["a", "b", "c"])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    shapes = [axes.images[0].get_array().shape for axes in figure.axes]
    assert shapes == [(8, 8, 3), (6, 10, 3), (9, 4, 3)]


@pytest.mark.parametrize("n", [1, 5, 11])
def test_titles_can_be_read(rng, n, check_legible):
    title = "patient-0123456789-000042.tif\nmalignant (98%)\ntrue: benign"
    check_legible(plot_gallery(rng.random((n, 16, 16)), [title] * n))


def test_a_title_for_each_image_is_asked_for(rng):
    with pytest.raises(ValueError, match="Got 1 for 2"):
        plot_gallery(rng.random((2, 8, 8)), ["a"])
    with pytest.raises(ValueError, match="Got 0 for 0"):
        plot_gallery([], [])
