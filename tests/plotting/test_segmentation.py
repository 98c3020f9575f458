import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from instantdl.exceptions import ImageError
from instantdl.plotting import plot_prediction, plot_predictions
from instantdl.plotting._segmentation import FALSE_NEGATIVE, FALSE_POSITIVE


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def panel(figure, title):
    axes = next(axes for axes in figure.axes if axes.get_title() == title)
    return np.asarray(axes.images[0].get_array())


@pytest.fixture
def image(rng):
    return rng.random((12, 16, 3))


def test_panels_without_data_are_left_out(image):
    mask = image[..., 0] > 0.5
    assert titles(plot_prediction(image)) == ["image"]
    assert titles(plot_prediction(image, mask)) == ["image", "truth"]
    assert titles(plot_prediction(image, None, mask, image[..., 0])) == [
        "image",
        "prediction",
        "uncertainty",
    ]


def test_errors_have_the_colours_of_the_legend(image):
    truth = np.zeros((12, 16), bool)
    truth[:, :8] = True
    prediction = np.zeros((12, 16), bool)
    prediction[:6] = True
    errors = panel(plot_prediction(image, truth, prediction), "errors")
    assert (errors[:6, 8:] == to_rgb(FALSE_POSITIVE[1])).all()
    assert (errors[6:, :8] == to_rgb(FALSE_NEGATIVE[1])).all()
    assert (errors[6:, 8:] == 0).all()


def test_legend_names_classes_when_there_are_several(image):
    truth = np.zeros((12, 16), int)
    truth[:, 4:], truth[:, 8:] = 1, 7
    figure = plot_prediction(image, truth, truth)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["class 1", "class 7"]
    assert labels[-1] == "wrong class"


def test_a_mask_full_of_one_value_is_foreground(image):
    full = np.full((12, 16), 255)
    assert (panel(plot_prediction(image, full), "truth") == 1).all()


def test_empty_masks_are_drawn_black(image):
    empty = np.zeros((12, 16), bool)
    assert (panel(plot_prediction(image, empty, empty), "errors") == 0).all()


def test_volume_takes_a_plane_and_a_section(rng):
    volume = rng.random((6, 10, 14, 1))
    figure = plot_prediction(volume, uncertainty=volume[..., 0])
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes[:4]]
    assert shapes == [(10, 14), (10, 14), (6, 14), (6, 14)]
    assert [axes.get_ylabel() for axes in figure.axes[:4:2]] == ["plane 3", "row 5"]


def test_rows_may_have_different_sizes_and_share_one_uncertainty_scale(rng):
    images = [rng.random((8, 8)), rng.random((20, 10))]
    figure = plot_predictions(images, uncertainties=[images[0] * 0.2, images[1]])
    limits = {axes.images[0].get_clim() for axes in figure.axes[1:4:2]}
    assert limits == {(0.0, images[1].max())}


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.float64])
def test_any_channels_and_dtype_give_an_rgb_panel(rng, n_channels, dtype):
    image = (rng.random((8, 8, n_channels)) * 255).astype(dtype)
    shown = panel(plot_prediction(image), "image")
    assert shown.shape == (8, 8, 3)
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_constant_image_and_no_uncertainty_are_drawn():
    plot_prediction(np.full((8, 8), 7), uncertainty=np.zeros((8, 8))).savefig("a.png")


def test_long_names_are_shortened_in_the_middle(image):
    name = "patient-0123456789-slice-000042.tif"
    figure = plot_predictions([image], names=[name])
    label = figure.axes[0].get_ylabel()
    assert len(label) < len(name)
    assert label.startswith("patient-")
    assert label.endswith("42.tif")


def test_figures_are_unknown_to_pyplot(image):
    backend = matplotlib.rcParams._get_backend_or_none()
    plot_prediction(image)
    assert matplotlib.rcParams._get_backend_or_none() == backend


def test_title_is_above_the_figure(image):
    assert plot_prediction(image, title="tissue").get_suptitle() == "tissue"


def test_mask_of_another_size_names_both(image):
    with pytest.raises(ImageError, match=r"Image 0 is \(12, 16\), its truth \(4, 4\)"):
        plot_prediction(image, np.zeros((4, 4)))


def test_other_axes_are_refused():
    with pytest.raises(ImageError, match=r"Got \(4,\) as image 0"):
        plot_prediction(np.zeros(4))


def test_different_numbers_are_refused(image):
    with pytest.raises(ImageError, match="one prediction. Got 1 for 2 images"):
        plot_predictions([image, image], predictions=[image[..., 0]])
    with pytest.raises(ImageError, match="one name. Got 1 for 2 images"):
        plot_predictions([image, image], names=["a"])


def test_no_images_are_refused():
    with pytest.raises(ImageError, match="at least one image. Got 0"):
        plot_predictions([])
