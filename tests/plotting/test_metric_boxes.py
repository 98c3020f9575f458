import numpy as np
import pandas as pd
import pytest

from instantdl.plotting import plot_metric_boxes


def names(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def table(rng, n, **columns):
    return pd.DataFrame({name: rng.random(n) * top for name, top in columns.items()})


def test_metrics_up_to_one_share_an_axis_and_others_have_their_own(rng):
    figure = plot_metric_boxes(table(rng, 30, dice=1, psnr=40, jaccard=1, mae=900))
    shared, *alone = figure.axes
    assert names(shared) == ["dice", "jaccard"]
    assert [axes.get_title() for axes in alone] == ["psnr", "mae"]
    assert shared.get_ylim() == (-0.02, 1.02)
    assert figure.get_suptitle() == "30 images"


def test_shared_metrics_may_be_named(rng):
    figure = plot_metric_boxes(table(rng, 30, dice=1, mae=0.5), shared=["dice"])
    assert names(figure.axes[0]) == ["dice"]
    assert figure.axes[1].get_title() == "mae"
    none = plot_metric_boxes(table(rng, 30, dice=1), shared=[])
    assert [axes.get_title() for axes in none.axes] == ["dice"]


def test_boxes_are_quartiles_and_whiskers_reach_to_one_and_a_half(rng):
    values = np.append(rng.random(99) * 0.3, 0.95)
    axes = plot_metric_boxes(pd.DataFrame({"dice": values})).axes[0]
    first, median, third = np.percentile(values, (25, 50, 75))
    box = axes.patches[0].get_path().vertices[:, 1]
    assert (box.min(), box.max()) == pytest.approx((first, third))
    heights = [line.get_ydata() for line in axes.lines]
    assert any(np.allclose(height, median) for height in heights)
    inside = values[values <= third + 1.5 * (third - first)]
    assert any(np.max(height) == inside.max() for height in heights)
    assert any(0.95 in height for height in heights)


@pytest.mark.parametrize(("n", "shown"), [(1, 1), (99, 99), (100, 1)])
def test_few_images_are_points(n, shown):
    values = np.append(np.linspace(0.4, 0.5, n - 1), 0.9)
    axes = plot_metric_boxes(pd.DataFrame({"dice": values})).axes[0]
    points = [line for line in axes.lines if line.get_marker() == "."]
    assert [len(line.get_ydata()) for line in points] == [shown]


def test_points_lie_within_their_box(rng):
    axes = plot_metric_boxes(table(rng, 50, a=1, b=1)).axes[0]
    points = [line for line in axes.lines if line.get_marker() == "."]
    for place, line in enumerate(points):
        assert np.abs(line.get_xdata() - place).max() < 0.3


def test_label_says_of_how_many_images_a_metric_is():
    values = pd.DataFrame({"dice": [0.5, np.nan, 0.7], "psnr": [np.inf, 20.0, 30.0]})
    figure = plot_metric_boxes(values)
    assert names(figure.axes[0]) == ["dice\n(2 of 3)"]
    assert figure.axes[1].get_title() == "psnr\n(2 of 3)"


def test_a_metric_without_values_has_a_place(check_legible):
    figure = plot_metric_boxes(pd.DataFrame({"a": [0.1, 0.2], "b": [np.nan, np.nan]}))
    check_legible(figure)
    assert figure.axes[1].get_title() == "b\n(0 of 2)"
    shared = plot_metric_boxes(pd.DataFrame({"b": [np.nan]}), shared=["b"])
    assert names(shared.axes[0]) == ["b\n(0 of 1)"]


@pytest.mark.parametrize(
    ("n_shared", "n_alone"), [(1, 0), (0, 1), (4, 3), (12, 0), (9, 9)]
)
def test_all_can_be_read(rng, n_shared, n_alone, check_legible):
    shared = {f"aggregated_jaccard_plus_{i}": 1 for i in range(n_shared)}
    alone = {f"mean_absolute_error_{i}": 10.0 ** (i - 1) * 30 for i in range(n_alone)}
    check_legible(plot_metric_boxes(table(rng, 20, **shared, **alone)))


@pytest.mark.parametrize("shape", [(0, 2), (2, 0)])
def test_empty_tables_are_refused(shape):
    with pytest.raises(
        ValueError, match=rf"one row for each.*Got shape \({shape[0]}, "
    ):
        plot_metric_boxes(pd.DataFrame(np.zeros(shape)))


def test_other_columns_are_refused(rng):
    with pytest.raises(TypeError, match="must hold numbers.* in 'name'. Leave it out"):
        plot_metric_boxes(pd.DataFrame({"name": ["a.tif"], "dice": [0.5]}))
    with pytest.raises(ValueError, match=r"different names. Got \['a', 'a'\]"):
        plot_metric_boxes(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(ValueError, match=r"columns of the table. Got \['iou'\]"):
        plot_metric_boxes(table(rng, 3, dice=1), shared=["iou"])
    with pytest.raises(ValueError, match=r"from 0 to 1. Got \['psnr'\]"):
        plot_metric_boxes(table(rng, 3, psnr=90), shared=["psnr"])
