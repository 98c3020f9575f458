import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from instantdl.images import ImageCollection
from instantdl.plotting import _agreement, plot_bland_altman, plot_scatter

PLOTS = [plot_scatter, plot_bland_altman]


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


def squares(figure):
    return np.asarray(figure.axes[0].images[0].get_array().filled(0))


def heights(figure):
    return [float(line.get_ydata()[0]) for line in figure.axes[0].lines[-3:]]


def test_title_has_correlation_and_explained_variance(rng):
    truth = rng.random(500)
    prediction = truth + 0.3 * rng.random(500)
    title = plot_scatter(truth, prediction).axes[0].get_title()
    residual = ((truth - prediction) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    expected = [np.corrcoef(truth, prediction)[0, 1], 1 - residual]
    assert numbers(title.replace("R²", ""))[:2] == pytest.approx(expected, abs=5e-4)
    assert "(500 pixels)" in title


def test_few_pixels_are_points(rng):
    truth, prediction = rng.random((2, 5, 200))
    line = plot_scatter(truth, prediction).axes[0].lines[0]
    assert np.array_equal(line.get_xdata(), truth.ravel())
    assert np.array_equal(line.get_ydata(), prediction.ravel())


def test_no_pixel_is_left_out_of_many(rng):
    truth, prediction = rng.normal(size=(2, 3, 90, 70))
    for plot in PLOTS:
        assert squares(plot(truth, prediction)).sum() == truth.size


def test_pixels_are_counted_where_they_lie():
    truth = np.repeat([0.0, 0.0, 10.0], 1000)
    prediction = np.repeat([0.0, 10.0, 5.1], 1000)
    found = np.argwhere(squares(plot_scatter(truth, prediction)))
    # rows from below; the ends have a margin of 3 %
    assert found.tolist() == [[3, 3], [61, 116], [116, 3]]


def test_identity_is_the_diagonal(rng):
    figure = plot_scatter(rng.random(2000), 3 * rng.random(2000))
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1
    line = axes.lines[0]
    assert line.get_slope() == 1
    assert line.get_xy1() == (axes.get_xlim()[0], axes.get_xlim()[0])


def test_limits_of_agreement_are_those_of_the_formula(rng):
    truth = 100 * rng.random((2, 40, 50))
    prediction = truth + rng.normal(3, 2, truth.shape)
    difference = prediction - truth
    reach = 1.96 * difference.std(ddof=1)
    expected = [difference.mean() + step for step in (reach, 0, -reach)]
    figure = plot_bland_altman(truth, prediction)
    assert heights(figure) == pytest.approx(expected)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    shown = [numbers(label)[-1] for label in labels]
    assert shown == pytest.approx(expected, rel=5e-3)


def test_limits_are_exact_for_large_values():
    truth = np.arange(4.0) + 1e9
    figure = plot_bland_altman(truth, truth + np.tile([0, 0.5], 2))
    reach = 1.96 * np.std([0, 0.5, 0, 0.5], ddof=1)
    assert heights(figure) == pytest.approx([0.25 + reach, 0.25, 0.25 - reach])


@pytest.mark.parametrize("plot", PLOTS)
def test_images_of_a_sequence_are_taken_together(rng, plot):
    images = [rng.random((8, 9)), rng.random((20, 5)), rng.random((3, 4, 5))]
    others = [image**2 for image in images]
    whole = [np.concatenate([image.ravel() for image in x]) for x in (images, others)]
    objects = np.empty(3, object)
    objects[:] = images
    expected = plot(*whole).axes[0]
    for truth in (images, tuple(images), objects, ImageCollection(images)):
        axes = plot(truth, others).axes[0]
        assert axes.get_title() == expected.get_title()
        assert axes.get_xlim() == pytest.approx(expected.get_xlim())
        assert np.array_equal(axes.lines[0].get_ydata(), expected.lines[0].get_ydata())


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3],
        [[1, 2], [3, 4]],
        pd.Series([1.0, 2.0], index=["a", "b"]),
        (True, False),
    ],
)
def test_anything_like_an_array_will_do(plot, values):
    assert isinstance(plot(values, values), Figure)


def test_unsigned_integers_have_negative_differences():
    truth = np.array([200, 100], np.uint8)
    figure = plot_bland_altman(truth, np.array([100, 0], np.uint8))
    assert heights(figure)[1] == -100


def test_memory_does_not_grow_with_pixels(monkeypatch):
    monkeypatch.setattr(_agreement, "BLOCK", 2**14)
    truth = [np.eye(200, dtype=np.uint8)] * 200
    tracemalloc.start()
    plot_scatter(truth, truth)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * 8 * 200**3


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("value", [0, 7.0, 1e12])
def test_constant_images_are_drawn(plot, value, check_legible):
    check_legible(plot(np.full((40, 40), value), np.full((40, 40), value)))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("scale", [1e-7, 1.0, 30000.0, 1e9])
@pytest.mark.parametrize("n", [100, 5000])
def test_all_can_be_read(rng, plot, scale, n, check_legible):
    truth = rng.random(n) * scale
    check_legible(plot(truth, truth + rng.normal(0, 0.1, n) * scale, unit="counts"))


def test_axes_have_the_unit():
    axes = plot_scatter([1, 2], [1, 2], unit="µm").axes[0]
    labels = (axes.get_xlabel(), axes.get_ylabel())
    assert labels == ("true value (µm)", "predicted value (µm)")
    axes = plot_bland_altman([1, 2], [1, 2], unit="µm").axes[0]
    assert axes.get_xlabel() == "mean of predicted and true value (µm)"
    assert axes.get_ylabel() == "predicted - true value (µm)"


@pytest.mark.parametrize("plot", PLOTS)
def test_other_input_is_refused(plot):
    image = np.ones((4, 4))
    with pytest.raises(
        ValueError, match="`truth` must hold at least one value. Got no"
    ):
        plot([], [])
    with pytest.raises(ValueError, match=r"one pixel. Got shape \(0, 4\) for image 0"):
        plot(image[:0], image[:0])
    with pytest.raises(ValueError, match="same number of images. Got 1 and 2"):
        plot([image], [image, image])
    with pytest.raises(
        ValueError, match=r"Image 1 is \(4, 4\) in `truth`, \(4, 3\) in"
    ):
        plot([image, image], [image, image[:, :3]])
    with pytest.raises(ValueError, match="Image 0 of `prediction` must hold finite"):
        plot(image, image * np.nan)
    with pytest.raises(TypeError, match="must hold real numbers. Got <U1"):
        plot(["a", "b"], ["a", "b"])
    with pytest.raises(TypeError, match="Got generator. Make it a list"):
        plot((x for x in image), image)


def test_one_value_has_no_limits_of_agreement():
    with pytest.raises(ValueError, match="two values at least.* Got 1"):
        plot_bland_altman([1.0], [2.0])
