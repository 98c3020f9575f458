import numpy as np
import pytest

from instantdl.plotting import plot_learning_curves


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture
def history():
    return {
        "loss": [1.0, 0.6, 0.5, 0.4],
        "val_loss": [1.1, 0.7, 0.6, 0.65],
        "learning_rate": [1e-3, 1e-3, 5e-4, 1e-5],
    }


def test_losses_are_above_the_learning_rate(history):
    losses, rates = plot_learning_curves(history).axes
    assert losses.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
    assert losses.lines[0].get_ydata().tolist() == history["loss"]
    assert losses.lines[1].get_ydata().tolist() == history["val_loss"]
    assert rates.lines[0].get_ydata().tolist() == history["learning_rate"]
    assert rates.get_position().y1 <= losses.get_position().y0
    assert (losses.get_xlabel(), rates.get_xlabel()) == ("", "epoch")


def test_best_epoch_is_that_of_the_lowest_validation_loss(history):
    figure = plot_learning_curves(history)
    assert entries(figure) == ["training", "validation", "best epoch: 3"]
    assert figure.axes[0].lines[-1].get_xdata()[0] == 3
    assert figure.axes[1].lines[-1].get_xdata()[0] == 3


def test_best_epoch_that_is_given_counts_from_zero(history):
    assert entries(plot_learning_curves(history, 0))[-1] == "best epoch: 1"
    del history["val_loss"]
    assert entries(plot_learning_curves(history, 3)) == ["training", "best epoch: 4"]


def test_without_validation_loss_no_epoch_is_best(history):
    del history["val_loss"]
    assert entries(plot_learning_curves(history)) == ["training"]
    history["val_loss"] = [np.nan] * 4
    assert entries(plot_learning_curves(history)) == ["training", "validation"]


@pytest.mark.parametrize("missing", ["loss", "val_loss", "learning_rate"])
def test_series_may_be_missing(history, missing, check_legible):
    del history[missing]
    figure = plot_learning_curves(history)
    check_legible(figure)
    assert len(figure.axes) == (1 if missing == "learning_rate" else 2)


def test_other_series_are_not_shown(history):
    history["accuracy"] = [1.0]
    assert len(plot_learning_curves(history).axes[0].lines) == 3


def test_wide_ranges_are_logarithmic(history):
    losses, rates = plot_learning_curves(history).axes
    assert (losses.get_yscale(), losses.get_ylabel()) == ("linear", "loss")
    assert (rates.get_yscale(), rates.get_ylabel()) == ("log", "learning\nrate (log)")
    history["loss"][-1] = -3.0
    assert plot_learning_curves(history).axes[0].get_yscale() == "linear"


def test_values_that_are_not_finite_leave_gaps(check_legible):
    history = {"loss": [1.0, np.inf, 0.5], "val_loss": [np.nan, np.inf, 2.0]}
    figure = plot_learning_curves(history)
    check_legible(figure)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[1])
    assert entries(figure)[-1] == "best epoch: 3"


@pytest.mark.parametrize("n_epochs", [1, 2, 7, 500])
def test_all_can_be_read(n_epochs, check_legible):
    series = np.exp(-np.arange(n_epochs) / 30) * 1e-4
    history = {"loss": series, "val_loss": 2 * series, "learning_rate": series}
    figure = plot_learning_curves(history)
    check_legible(figure)
    ticks = figure.axes[-1].get_xticks()
    assert (ticks == np.round(ticks)).all()


def test_a_constant_learning_rate_is_drawn(check_legible):
    history = {"loss": [2.0, 1.0], "learning_rate": [1e-3, 1e-3]}
    figure = plot_learning_curves(history)
    check_legible(figure)
    assert figure.axes[1].get_ylim() == pytest.approx((0, 1.5e-3))


@pytest.mark.parametrize(
    "history", [{}, {"learning_rate": [1.0]}, {"loss": []}, {"accuracy": [1.0]}]
)
def test_histories_without_a_loss_are_refused(history):
    with pytest.raises(ValueError, match="must hold 'loss' or 'val_loss' of one epoch"):
        plot_learning_curves(history)


def test_series_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"one value for each epoch.*\(1,\).*\(2,\)"):
        plot_learning_curves({"loss": [1.0], "val_loss": [1.0, 2.0]})


@pytest.mark.parametrize("best", [-1, 4])
def test_best_epoch_outside_is_refused(history, best):
    with pytest.raises(ValueError, match=f"must be from 0 to 3.* Got {best}"):
        plot_learning_curves(history, best)
