import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from sklearn.calibration import calibration_curve

from instantdl.plotting import plot_calibration, plot_coverage, plot_risk_coverage
from instantdl.plotting._style import LIGHT_BLUE, VERMILION


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_curve_is_that_of_scikit_learn_without_empty_bins(rng):
    probability = rng.random(500) ** 3 * 0.6
    outcome = rng.random(500) < probability**2
    frequency, confidence = calibration_curve(outcome, probability, n_bins=10)
    bins = np.minimum((probability * 10).astype(int), 9)
    counts = np.bincount(bins, minlength=10)
    full = np.full((2, 10), np.nan)
    full[:, counts > 0] = confidence, frequency
    figure = plot_calibration(full[0], full[1], counts)
    line = figure.axes[0].lines[1]
    assert line.get_xdata() == pytest.approx(confidence)
    assert line.get_ydata() == pytest.approx(frequency)


def test_histogram_shows_the_counts():
    figure = plot_calibration([0.2, 0.9], [0.1, 0.7], [10, 30], unit="pixels")
    bars = figure.axes[1].patches
    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in bars] == [
        (0.0, 0.5, 10.0),
        (0.5, 0.5, 30.0),
    ]
    assert figure.axes[1].get_ylabel() == "pixels"


def test_edges_may_be_given():
    figure = plot_calibration([0.2, 0.3], [0, 1], [1, 1], edges=[0, 0.25, 1])
    assert [bar.get_width() for bar in figure.axes[1].patches] == [0.25, 0.75]


def test_error_is_the_weighted_mean_or_the_one_given():
    arrays = [0.2, 0.9], [0.1, 0.7], [10, 30]
    titles = [
        plot_calibration(*arrays, error=error).axes[0].get_title()
        for error in (None, 0.5)
    ]
    assert titles == [f"expected calibration error {x}" for x in ("0.175", "0.500")]


def test_counts_of_different_orders_are_logarithmic(check_legible):
    figure = plot_calibration([0.2, 0.9], [0.1, 0.7], [10, 3_000_000])
    check_legible(figure)
    assert figure.axes[1].get_yscale() == "log"
    assert figure.axes[1].get_ylabel() == "predictions (log)"
    assert figure.axes[1].get_ylim()[0] < 10


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([], [], []), r"`counts` must have shape \(n_values,\)"),
        (([0.2], [0.1], [1, 2]), "`confidence` must hold 2 values.* Got 1"),
        (([0.2, 0.8], [0.1], [1, 2]), "`frequency` must hold 2 values.* Got 1"),
        (([0.2, 0.8], [0.1, 70], [1, 2]), r"`frequency` must be in \[0, 1\]. Got 70"),
        (([0.2, 0.8], [0.1, 0.7], [0, 0]), "one of them more"),
        (([0.2, 0.8], [0.1, 0.7], [-1, 2]), "must be 0 or more"),
        (([0.2, np.nan], [0.1, 0.7], [1, 2]), "must be known.* Got NaN"),
        (([0.6, 0.8], [0.1, 0.7], [1, 2]), "within its bin. Got 0.6 in bin 0"),
    ],
)
def test_other_bins_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        plot_calibration(*arrays)


def test_edges_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="`edges` must ascend"):
        plot_calibration([0.2, 0.8], [0.1, 0.7], [1, 2], edges=[0, 0.5, 0.5])


def test_coverage_is_drawn_in_order():
    line = plot_coverage([0.9, 0.5, 0.1], [0.8, 0.6, 0.1]).axes[0].lines[1]
    assert line.get_xdata().tolist() == [0.1, 0.5, 0.9]
    assert line.get_ydata().tolist() == [0.1, 0.6, 0.8]


@pytest.mark.parametrize(
    ("observed", "colour", "label"),
    [
        ([0.2, 0.6], VERMILION, "too narrow (overconfident)"),
        ([0.5, 0.98], LIGHT_BLUE, "too wide (underconfident)"),
    ],
)
def test_side_of_the_diagonal_has_the_colour_of_the_legend(
    observed, colour, label, check_legible
):
    figure = plot_coverage([0.4, 0.8], observed)
    pixels = check_legible(figure)[::-1]
    between = (0.6, (0.6 + np.mean(observed)) / 2)
    x, y = figure.axes[0].transData.transform(between).astype(int)
    paler = 255 * (1 - 0.35 * (1 - np.array(to_rgb(colour))))
    assert pixels[y, x, :3] == pytest.approx(paler, abs=2)
    handle = figure.legends[0].legend_handles[entries(figure).index(label)]
    assert to_hex(handle.get_facecolor()) == colour.lower()


def test_other_coverages_are_refused():
    with pytest.raises(ValueError, match=r"`nominal` must have shape \(n_values,\)"):
        plot_coverage([], [])
    with pytest.raises(ValueError, match="`observed` must hold 2 values.* Got 1"):
        plot_coverage([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]. Got 50. Give shares"):
        plot_coverage([50, 95], [50, 90])


def test_risk_is_drawn_in_order_with_that_of_all():
    figure = plot_risk_coverage([1.0, 0.5], [0.3, 0.1])
    by_uncertainty, all_kept = figure.axes[0].lines
    assert by_uncertainty.get_xdata().tolist() == [0.5, 1.0]
    assert by_uncertainty.get_ydata().tolist() == [0.1, 0.3]
    assert all_kept.get_ydata()[0] == 0.3
    assert entries(figure) == ["by uncertainty", "all kept"]


def test_horizontal_line_says_how_many_are_kept():
    assert entries(plot_risk_coverage([0.5, 0.8], [1, 2]))[-1] == "80% kept"


def test_best_order_area_and_unit_are_shown(check_legible):
    figure = plot_risk_coverage(
        [0.5, 1.0],
        [1.0, 3.0],
        best=[0.5, 3.0],
        area=0.1234,
        risk_name="mean absolute error",
        unit="µm",
    )
    check_legible(figure)
    axes = figure.axes[0]
    assert axes.lines[1].get_ydata().tolist() == [0.5, 3.0]
    assert axes.get_title() == "area under the curve 0.123"
    assert axes.get_ylabel() == "mean absolute error (µm)"
    assert axes.get_ylim()[0] == 0


def test_negative_risks_are_seen():
    assert plot_risk_coverage([0.5, 1.0], [-2, -1]).axes[0].get_ylim()[0] < -2


def test_other_risks_are_refused():
    with pytest.raises(ValueError, match="`coverage` must have shape"):
        plot_risk_coverage([], [])
    with pytest.raises(ValueError, match="`risk` must hold 2 values.* Got 1"):
        plot_risk_coverage([0.5, 1.0], [0.1])
    with pytest.raises(ValueError, match="`best` must hold finite numbers. Got inf"):
        plot_risk_coverage([0.5, 1.0], [0.1, 0.2], best=[0.1, np.inf])
    with pytest.raises(TypeError, match="`risk` must hold real numbers. Got <U1"):
        plot_risk_coverage([0.5, 1.0], ["a", "b"])
