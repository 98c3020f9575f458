import numpy as np
import pytest

from instantdl.plotting import plot_uncertainty_distribution


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_without_groups_it_is_a_histogram_of_all_images(rng, check_legible):
    values = rng.random(162)
    figure = plot_uncertainty_distribution(values, label="entropy (nats)")
    check_legible(figure)
    axes = figure.axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 162
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("entropy (nats)", "images")
    assert axes.lines[0].get_xdata()[0] == np.median(values)
    assert axes.get_title() == "162 images"


def test_groups_are_side_by_side(rng, check_legible):
    values, wrong = rng.random(50), np.arange(50) < 10
    figure = plot_uncertainty_distribution(values, wrong)
    check_legible(figure)
    assert names(figure) == ["correct (n = 40)", "wrong (n = 10)"]
    points = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert points[0].get_ydata().tolist() == values[10:].tolist()
    assert points[1].get_ydata().tolist() == values[:10].tolist()
    assert points[0].get_xdata().max() < 0.5 < points[1].get_xdata().min()
    assert len(figure.axes[0].collections) == 2  # violins


@pytest.mark.parametrize(
    ("pvalue", "title"),
    [
        (None, ""),
        (0.0312, "Mann-Whitney p = 0.031"),
        (1e-9, "Mann-Whitney p < 0.001"),
        (1.0, "Mann-Whitney p = 1"),
        (np.nan, ""),
    ],
)
def test_title_has_the_p_value(pvalue, title):
    figure = plot_uncertainty_distribution([0.1, 0.2], [0, 1], pvalue=pvalue)
    assert figure.axes[0].get_title() == title


@pytest.mark.parametrize("wrong", [[False] * 3, [True] * 3])
def test_a_group_may_be_empty(wrong, check_legible):
    figure = plot_uncertainty_distribution([0.1, 0.2, 0.3], wrong)
    check_legible(figure)
    assert "(n = 0)" in " ".join(names(figure))


@pytest.mark.parametrize("values", [[0.0], [0.3, 0.3, 0.3], [0.0, 1e-12], [5e6, 1.0]])
def test_few_and_equal_values_are_drawn(values, check_legible):
    check_legible(plot_uncertainty_distribution(values))
    check_legible(plot_uncertainty_distribution(values, np.zeros(len(values))))


def test_other_input_is_refused():
    with pytest.raises(ValueError, match="`values` must have shape"):
        plot_uncertainty_distribution([])
    with pytest.raises(ValueError, match="`values` must hold finite numbers. Got nan"):
        plot_uncertainty_distribution([0.1, np.nan])
    with pytest.raises(ValueError, match="`wrong` must hold 2 values.* Got 1"):
        plot_uncertainty_distribution([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="`wrong` must hold bool, or 0 and 1"):
        plot_uncertainty_distribution([0.1, 0.2], [1, 2])
    with pytest.raises(ValueError, match="`pvalue` must come with `wrong`"):
        plot_uncertainty_distribution([0.1, 0.2], pvalue=0.5)
