import matplotlib
import numpy as np
import pytest

from instantdl.exceptions import ImageError
from instantdl.plotting import plot_regressions


def panels(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def bar_labels(figure):
    return [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]


def colour(axes, row, column):
    """What is seen at a pixel."""
    shown = axes.images[0]
    values = np.asarray(shown.get_array())
    return shown.cmap(shown.norm(values[row, column]))


@pytest.fixture
def image(rng):
    return rng.random((12, 16))


def test_panels_without_data_are_left_out(image):
    assert list(panels(plot_regressions([image]))) == ["image"]
    assert list(panels(plot_regressions([image], [image]))) == ["image", "truth"]
    full = plot_regressions([image], [image], [image], [image])
    names = ["image", "truth", "prediction", "error", "uncertainty"]
    assert list(panels(full)) == names


def test_prediction_has_the_scale_of_the_truth(image):
    figure = plot_regressions([image], [image * 10], [image * 30])
    shown = panels(figure)
    limits = shown["truth"].images[0].get_clim()
    assert shown["prediction"].images[0].get_clim() == limits
    assert limits == tuple(np.percentile(image * 10, (0.5, 99.5)))


def test_all_rows_share_the_scales(rng):
    images = [rng.random((8, 8)), rng.random((6, 10))]
    figure = plot_regressions(
        images, [images[0], images[1] * 9], [images[0] * 0] * 1 + [images[1]]
    )
    for column in range(1, 4):
        rows = [figure.axes[column + 4 * row].images[0].get_clim() for row in (0, 1)]
        assert rows[0] == rows[1]


def test_errors_are_signed_and_none_is_white():
    truth = np.full((4, 4), 100, np.uint8)
    prediction = truth.copy()
    prediction[0], prediction[3] = 90, 130
    figure = plot_regressions([truth], [truth], [prediction])
    axes = panels(figure)["error"]
    assert np.asarray(axes.images[0].get_array())[[0, 1, 3], 0].tolist() == [-10, 0, 30]
    low, high = axes.images[0].get_clim()
    assert low == -high
    below, none, above = (colour(axes, row, 0) for row in (0, 1, 3))
    assert min(none[:3]) > 0.95
    assert below[2] > below[0]  # blue
    assert above[0] > above[2]  # red


def test_colour_bars_have_the_unit_of_the_values(image):
    figure = plot_regressions([image], [image], [image], [image], unit="µm")
    labels = ["value (µm)", "predicted - true (µm)", "uncertainty (µm)"]
    assert bar_labels(figure) == labels
    plain = plot_regressions([image], [image], [image])
    assert bar_labels(plain) == ["value", "predicted - true"]


def test_values_outside_the_scale_point_the_ends_of_its_bar(rng):
    truth = rng.random((20, 20))
    figure = plot_regressions([truth], [truth], [truth * 0 + 0.5])
    assert figure.axes[1].images[0].colorbar.extend == "both"
    inside = plot_regressions(
        [truth], [np.arange(4.0).reshape(2, 2).repeat(10, 0).repeat(10, 1)]
    )
    assert inside.axes[1].images[0].colorbar.extend == "neither"


def test_missing_values_are_left_white(image):
    truth = image.copy()
    truth[2:4] = np.nan
    figure = plot_regressions([image], [truth], [image], [truth])
    for name in ("truth", "error", "uncertainty"):
        axes = panels(figure)[name]
        assert np.isfinite(axes.images[0].get_clim()).all()
        assert np.isnan(np.asarray(axes.images[0].get_array())[2, 0])


@pytest.mark.parametrize("value", [0, 7.5, np.nan])
def test_constant_and_unknown_images_are_drawn(value, check_legible):
    constant = np.full((8, 8), value)
    check_legible(
        plot_regressions([np.zeros((8, 8))], [constant], [constant], [constant])
    )


def test_volume_takes_a_plane_and_a_section(rng):
    volume = rng.random((6, 10, 14))
    figure = plot_regressions([volume[..., None]], [volume], [volume])
    shapes = [axes.images[0].get_array().shape[:2] for axes in figure.axes[:8]]
    assert shapes == [(10, 14)] * 4 + [(6, 14)] * 4
    assert [axes.get_ylabel() for axes in figure.axes[:8:4]] == ["plane 3", "row 5"]
    assert np.array_equal(figure.axes[1].images[0].get_array(), volume[3])
    assert np.array_equal(figure.axes[5].images[0].get_array(), volume[:, 5])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 60000.0, 3e9])
def test_all_can_be_read(rng, scale, check_legible):
    images = [rng.random((30, 40)), rng.random((20, 40))]
    values = [image * scale for image in images]
    names = ["patient-0123456789-slice-000042.tif", "b"]
    figure = plot_regressions(
        images, values, values, values, names=names, unit="counts", title="envelope"
    )
    check_legible(figure)
    assert figure.get_suptitle() == "envelope"


def test_long_units_can_be_read(image, check_legible):
    values = [image * 1e-6]
    unit = "photons per second"
    figure = plot_regressions([image], values, values, values, unit=unit)
    check_legible(figure)
    assert bar_labels(figure)[1].startswith("predicted - true\n(photons per second)")


def test_figures_are_unknown_to_pyplot(image):
    backend = matplotlib.rcParams._get_backend_or_none()
    plot_regressions([image], [image])
    assert matplotlib.rcParams._get_backend_or_none() == backend


def test_other_input_is_refused(image):
    with pytest.raises(ImageError, match="at least one image. Got 0"):
        plot_regressions([])
    with pytest.raises(ImageError, match=r"its prediction \(4, 4\)"):
        plot_regressions([image], [image], [np.zeros((4, 4))])
    with pytest.raises(ImageError, match="one name. Got 2 for 1 images"):
        plot_regressions([image], names=["a", "b"])
