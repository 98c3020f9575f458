"""The uncertainty of images: its distribution, and that of right and wrong ones."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from instantdl.plotting._boxes import draw_box
from instantdl.plotting._checks import as_vector
from instantdl.plotting._style import BLACK, BLUE, LIGHT_BLUE, VERMILION, new_figure

__all__ = ["plot_uncertainty_distribution"]


def plot_uncertainty_distribution(
    values: ArrayLike,
    wrong: ArrayLike | None = None,
    *,
    pvalue: float | None = None,
    label: str = "uncertainty of an image",
) -> Figure:
    """Show how uncertain the predictions are, or right and wrong ones side by side.

    As figures 2A and 2D of [1]_: a histogram, or else two violins with boxes in them,
    and points where there are fewer than 100.

    Parameters
    ----------
    values : array-like of shape (n_images,)
        Uncertainty of each image.

    wrong : array-like of shape (n_images,), default=None
        Whether each prediction is wrong: bool, or 0 and 1.

    pvalue : float, default=None
        Of the test of Mann and Whitney, see
        `instantdl.metrics.compare_uncertainty`, for the title. NaN, as of one group
        alone, is left out. Needs `wrong`.

    label : str, default="uncertainty of an image"
        What the values are, with their unit.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If shapes differ, there is no value, or one is not as said.

    See Also
    --------
    plot_risk_coverage : What is gained by leaving uncertain predictions out.

    References
    ----------
    .. [1] Waibel et al. "InstantDL", BMC Bioinformatics 22, 103, 2021.

    Examples
    --------
    >>> from instantdl.plotting import plot_uncertainty_distribution
    >>> figure = plot_uncertainty_distribution(
    ...     [0.1, 0.2, 0.7, 0.9], [0, 0, 0, 1], pvalue=0.25
    ... )
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['correct (n = 3)', 'wrong (n = 1)']
    >>> figure.axes[0].get_title()
    'Mann-Whitney p = 0.25'
    """
    numbers = as_vector(values, "values")
    if wrong is None:
        if pvalue is not None:
            raise ValueError(
                "`pvalue` must come with `wrong`, whose groups it compares. Got no"
                " `wrong`. Give both or neither."
            )
        return _draw_histogram(numbers, label)
    return _draw_groups(numbers, _check_wrong(wrong, len(numbers)), pvalue, label)


def _check_wrong(wrong: ArrayLike, n: int) -> NDArray[np.bool_]:
    flags = as_vector(wrong, "wrong", size=n)
    if not np.isin(flags, (0, 1)).all():
        raise ValueError(
            "`wrong` must hold bool, or 0 and 1. Got other values. Compare first, as in"
            " `y_pred != y_true`."
        )
    return flags.astype(bool)


def _draw_histogram(values: NDArray[np.float64], label: str) -> Figure:
    figure = new_figure(3.2, 5.2)
    axes = figure.subplots()
    n_bins = int(np.clip(3 * np.cbrt(len(values)), 5, 50))
    axes.hist(values, n_bins, color=LIGHT_BLUE, edgecolor=BLACK)
    median = float(np.median(values))
    axes.axvline(median, color=VERMILION, linewidth=2, label=f"median {median:.3g}")
    axes.set(xlabel=label, ylabel="images")
    axes.set_title(f"{len(values)} images", fontsize=10)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def _draw_groups(
    values: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    pvalue: float | None,
    label: str,
) -> Figure:
    figure = new_figure(3.8, 4.4)
    axes = figure.subplots()
    groups = (("correct", ~wrong, BLUE), ("wrong", wrong, VERMILION))
    for place, (_, chosen, colour) in enumerate(groups):
        draw_box(axes, place, values[chosen], colour, width=0.7, violin=True)
    axes.set_xticks(
        (0, 1), [f"{name} (n = {chosen.sum()})" for name, chosen, _ in groups]
    )
    axes.set(xlim=(-0.6, 1.6), xlabel="prediction", ylabel=label)
    if pvalue is not None and not np.isnan(pvalue):
        shown = "p < 0.001" if pvalue < 0.001 else f"p = {pvalue:.2g}"
        axes.set_title(f"Mann-Whitney {shown}", fontsize=10)
    return figure
