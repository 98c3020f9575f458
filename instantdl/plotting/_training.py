"""The course of a training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from instantdl.plotting._style import BLACK, BLUE, GREEN, VERMILION, new_figure

__all__ = ["plot_learning_curves"]

LOSSES = {"loss": ("training", BLUE, "-"), "val_loss": ("validation", VERMILION, "--")}


def plot_learning_curves(
    history: Mapping[str, Sequence[float]], best_epoch: int | None = None
) -> Figure:
    """Show how the losses and the learning rate went from epoch to epoch.

    Axes are logarithmic where all values are positive and the largest is more than
    ten times the smallest.

    Parameters
    ----------
    history : mapping of str to sequence of float of length n_epochs
        What an estimator's ``history_`` holds: "loss", "val_loss", "learning_rate",
        of which some may be missing; others are not shown. A value that is not finite
        leaves a gap.

    best_epoch : int, default=None
        Position in these lists of the epoch whose weights were kept, counted from 0;
        the axis counts from 1. None takes the one with the lowest validation loss,
        and marks none where there is no such loss.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If there is neither "loss" nor "val_loss", lists differ in length or are
        empty, or the best epoch is not in them.

    Examples
    --------
    >>> from instantdl.plotting import plot_learning_curves
    >>> history = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.7, 0.9]}
    >>> figure = plot_learning_curves(history)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['training', 'validation', 'best epoch: 2']
    """
    series = _check_history(history)
    n_epochs = len(next(iter(series.values())))
    best = _find_best(series, n_epochs, best_epoch)
    has_rate = "learning_rate" in series
    figure = new_figure(4.6 if has_rate else 3.5)
    ratios = [3.0, 1.0][: 1 + has_rate]
    grid = figure.subplots(
        1 + has_rate, squeeze=False, sharex=True, height_ratios=ratios
    )[:, 0]
    epochs = np.arange(1, n_epochs + 1)
    # A single epoch has no line.
    marker = "o" if n_epochs == 1 else ""
    for name, (label, colour, style) in LOSSES.items():
        if name in series:
            grid[0].plot(
                epochs, series[name], style, marker=marker, color=colour, label=label
            )
    shown = [series[name] for name in LOSSES if name in series]
    _name(grid[0], "loss", np.concatenate(shown))
    if has_rate:
        rates = series["learning_rate"]
        grid[1].plot(epochs, rates, marker=marker, color=GREEN)
        _name(grid[1], "learning\nrate", rates)
    if best is not None:
        for axes in grid:
            label = f"best epoch: {best + 1}" if axes is grid[0] else "_none"
            axes.axvline(best + 1, color=BLACK, linestyle=":", label=label)
    grid[-1].set(xlabel="epoch", xlim=(0.5, n_epochs + 0.5))
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _check_history(
    history: Mapping[str, Sequence[float]],
) -> dict[str, NDArray[np.float64]]:
    """Return what is known and shown, gaps as NaN."""
    known = (*LOSSES, "learning_rate")
    series = {
        name: np.asarray(history[name], np.float64) for name in known if name in history
    }
    lengths = {name: values.shape for name, values in series.items()}
    if not set(LOSSES) & set(series) or not all(map(np.size, series.values())):
        raise ValueError(
            "`history` must hold 'loss' or 'val_loss' of one epoch at least. Got"
            f" {lengths or list(history)}. Pass `history_` of an estimator that was"
            " fitted."
        )
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"`history` must hold one value for each epoch. Got the shapes {lengths}."
            " Pass the lists of one training."
        )
    return {
        name: np.where(np.isfinite(values), values, np.nan)
        for name, values in series.items()
    }


def _find_best(
    series: Mapping[str, NDArray[np.float64]], n_epochs: int, best: int | None
) -> int | None:
    if best is None:
        losses = series.get("val_loss")
        if losses is None or np.isnan(losses).all():
            return None
        return int(np.nanargmin(losses))
    if not 0 <= best < n_epochs:
        raise ValueError(
            f"`best_epoch` must be from 0 to {n_epochs - 1}, a position in `history`."
            f" Got {best}. It is counted from 0."
        )
    return int(best)


def _name(axes: Axes, label: str, values: NDArray[np.float64]) -> None:
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        axes.set_yscale("log")
        label = f"{label} (log)"
    elif finite.size and finite.min() == finite.max() > 0:
        axes.set_ylim(0, 1.5 * finite.max())
    axes.set_ylabel(label)
