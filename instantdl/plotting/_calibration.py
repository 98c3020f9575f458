"""Whether probabilities, intervals and uncertainties keep what they promise."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from instantdl.plotting._checks import as_shares, as_vector
from instantdl.plotting._style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LIGHT_BLUE,
    VERMILION,
    new_figure,
    with_unit,
)

__all__ = ["plot_calibration", "plot_coverage", "plot_risk_coverage"]


def plot_calibration(
    confidence: ArrayLike,
    frequency: ArrayLike,
    counts: ArrayLike,
    *,
    error: float | None = None,
    edges: ArrayLike | None = None,
    unit: str = "predictions",
) -> Figure:
    """Show how often predictions come true, against how probable they were.

    A reliability diagram: below the diagonal predictions are overconfident, above it
    they are underconfident. The histogram beneath shows how many there are in each
    bin, the title the expected calibration error.

    Parameters
    ----------
    confidence : array-like of shape (n_bins,)
        Mean predicted probability in each bin; NaN where there is none.

    frequency : array-like of shape (n_bins,)
        Share of predictions that came true in each bin; NaN where there is none.

    counts : array-like of shape (n_bins,)
        Number of predictions in each bin. Bins without any are not drawn.

    error : float, default=None
        Expected calibration error. None takes the mean of the differences between
        `frequency` and `confidence`, weighted with `counts`.

    edges : array-like of shape (n_bins + 1,), default=None
        Where bins begin and end, in ascending order. None takes bins of equal width
        from 0 to 1.

    unit : str, default="predictions"
        What was counted, for the label of the histogram.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If shapes differ, all bins are empty, a value is not in [0, 1], or a mean
        probability lies outside its bin.

    See Also
    --------
    plot_coverage : The same question of intervals.
    sklearn.calibration.calibration_curve : The curve, without empty bins.

    Examples
    --------
    >>> from instantdl.plotting import plot_calibration
    >>> figure = plot_calibration([0.2, 0.9], [0.1, 0.7], [10, 30])
    >>> figure.axes[0].get_title()
    'expected calibration error 0.175'
    """
    numbers = as_vector(counts, "counts")
    n_bins = len(numbers)
    means = as_shares(confidence, "confidence", size=n_bins, gaps=True)
    shares = as_shares(frequency, "frequency", size=n_bins, gaps=True)
    ends = _check_edges(edges, n_bins)
    used = numbers > 0
    _check_bins(means, shares, numbers, ends)
    if error is None:
        gaps = np.abs(shares[used] - means[used])
        error = float(np.average(gaps, weights=numbers[used]))
    figure = new_figure(5.4, 4.4)
    top, bottom = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color=GREY, label="ideal")
    top.plot(
        means[used],
        shares[used],
        "o-",
        color=BLUE,
        clip_on=False,
        zorder=3,
        label="observed",
    )
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that came true")
    top.set_title(f"expected calibration error {error:.3f}", fontsize=10)
    bottom.bar(
        ends[:-1],
        numbers,
        np.diff(ends),
        align="edge",
        color=LIGHT_BLUE,
        edgecolor=BLACK,
    )
    bottom.set(xlabel="predicted probability", ylabel=unit)
    if numbers.max() > 100 * numbers[used].min():
        bottom.set_yscale("log")
        bottom.set_ylim(bottom=0.5 * numbers[used].min())
        bottom.set_ylabel(f"{unit} (log)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_coverage(nominal: ArrayLike, observed: ArrayLike) -> Figure:
    """Show how many true values lie in prediction intervals, against how many should.

    Below the diagonal intervals are too narrow: the model is overconfident. Above it
    they are too wide.

    Parameters
    ----------
    nominal : array-like of shape (n_levels,)
        Share of true values that the intervals should hold, from 0 to 1.

    observed : array-like of shape (n_levels,)
        Share that they do hold.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If shapes differ, there is no value, or one is not in [0, 1].

    See Also
    --------
    plot_calibration : The same question of probabilities.

    Examples
    --------
    >>> from instantdl.plotting import plot_coverage
    >>> figure = plot_coverage([0.5, 0.9], [0.4, 0.8])
    >>> figure.axes[0].get_xlabel()
    'nominal coverage of the intervals'
    """
    should = as_shares(nominal, "nominal")
    does = as_shares(observed, "observed", size=len(should))
    order = np.argsort(should, kind="stable")
    should, does = should[order], does[order]
    figure = new_figure(4.8, 4.4)
    axes = figure.subplots()
    for below, colour, label in (
        (True, VERMILION, "too narrow (overconfident)"),
        (False, LIGHT_BLUE, "too wide (underconfident)"),
    ):
        axes.fill_between(
            should,
            should,
            does,
            where=(does < should) if below else (does > should),
            interpolate=True,
            color=colour,
            alpha=0.35,
            linewidth=0,
            label=label,
        )
    axes.plot([0, 1], [0, 1], color=GREY, label="ideal")
    axes.plot(should, does, "o-", color=BLUE, clip_on=False, zorder=3, label="observed")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="nominal coverage of the intervals",
        ylabel="observed coverage (share of true values inside)",
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def plot_risk_coverage(
    coverage: ArrayLike,
    risk: ArrayLike,
    *,
    best: ArrayLike | None = None,
    area: float | None = None,
    risk_name: str = "risk",
    unit: str | None = None,
) -> Figure:
    """Show the error that is left when only the most certain predictions are kept.

    Where uncertainty finds errors, the curve falls towards small coverage; where it
    does not, the curve follows the horizontal line, the risk when all are kept.

    Parameters
    ----------
    coverage : array-like of shape (n_points,)
        Share of predictions that are kept, the most certain ones, from 0 to 1.

    risk : array-like of shape (n_points,)
        Mean error of those, or share of them that is wrong.

    best : array-like of shape (n_points,), default=None
        Risk if predictions were kept in the order of their true errors, which is the
        lowest possible.

    area : float, default=None
        Area under the curve, for the title.

    risk_name : str, default="risk"
        What the risk is, such as "share of wrong images".

    unit : str, default=None
        Unit of the risk.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If shapes differ, there is no value, one is not finite, or a coverage is not
        in [0, 1].

    See Also
    --------
    instantdl.metrics.error_auroc : One number for how well errors are found.

    Examples
    --------
    >>> from instantdl.plotting import plot_risk_coverage
    >>> figure = plot_risk_coverage([0.5, 1.0], [0.1, 0.3], area=0.2)
    >>> figure.axes[0].get_title()
    'area under the curve 0.2'
    """
    kept = as_shares(coverage, "coverage")
    order = np.argsort(kept, kind="stable")
    kept, left = kept[order], as_vector(risk, "risk", size=len(kept))[order]
    figure = new_figure(3.8, 5.2)
    axes = figure.subplots()
    axes.plot(
        kept,
        left,
        "o-",
        color=BLUE,
        markersize=4,
        clip_on=False,
        zorder=3,
        label="by uncertainty",
    )
    if best is not None:
        lowest = as_vector(best, "best", size=len(kept))[order]
        axes.plot(
            kept,
            lowest,
            "--",
            color=GREEN,
            clip_on=False,
            zorder=3,
            label="by true error",
        )
    axes.axhline(left[-1], color=GREY, label=_all_kept(float(kept[-1])))
    axes.set(xlim=(0, 1), xlabel="coverage (share of predictions kept)")
    axes.set_ylabel(with_unit(risk_name, unit))
    if left.min() >= 0:
        axes.set_ylim(bottom=0)
    if area is not None:
        axes.set_title(f"area under the curve {area:.3g}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _check_edges(edges: ArrayLike | None, n_bins: int) -> NDArray[np.float64]:
    if edges is None:
        return np.linspace(0, 1, n_bins + 1)
    ends = as_shares(edges, "edges", size=n_bins + 1)
    if (np.diff(ends) <= 0).any():
        raise ValueError(
            f"`edges` must ascend. Got {ends.tolist()}. Sort them, and leave out"
            " those that are double."
        )
    return ends


def _check_bins(
    means: NDArray[np.float64],
    shares: NDArray[np.float64],
    counts: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> None:
    used = counts > 0
    if (counts < 0).any() or not used.any():
        raise ValueError(
            "`counts` must be 0 or more, and one of them more. Got"
            f" {counts.tolist()}. Draw nothing where there are no predictions."
        )
    if np.isnan(means[used]).any() or np.isnan(shares[used]).any():
        raise ValueError(
            "`confidence` and `frequency` must be known in bins that hold predictions."
            " Got NaN. Set the count of such bins to 0."
        )
    outside = used & ((means < edges[:-1] - 1e-6) | (means > edges[1:] + 1e-6))
    if outside.any():
        number = int(np.flatnonzero(outside)[0])
        raise ValueError(
            f"`confidence` must lie within its bin. Got {means[number]:.4g} in bin"
            f" {number}, from {edges[number]:.4g} to {edges[number + 1]:.4g}. Pass the"
            " `edges` of your bins, and empty bins too."
        )


def _all_kept(coverage: float) -> str:
    return "all kept" if coverage == 1 else f"{coverage:.0%} kept"
