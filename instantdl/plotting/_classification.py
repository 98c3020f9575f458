"""How classes were confused, and how well each is told from the rest."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from instantdl.plotting._checks import as_shares
from instantdl.plotting._style import (
    BLACK,
    COLOURS,
    GREY,
    PAGE_INCHES,
    new_figure,
    shorten,
)

__all__ = ["plot_confusion_matrix", "plot_roc_curves"]

LONGEST_CLASS = 24
# A cell has room for four digits in letters of the smallest size.
SMALLEST_CELL, LARGEST_CELL = 0.32, 0.8
LINE_STYLES = ("-", "--", ":", "-.")

# False and true positive rates, and the area under the curve.
Curve: TypeAlias = tuple[ArrayLike, ArrayLike, float | None]


def plot_confusion_matrix(
    counts: ArrayLike, classes: Sequence[Any], *, unit: str = "images"
) -> Figure:
    r"""Show how many images of each class were given each class.

    Rows are true classes. Each cell has the number and its share of the row in
    percent, which also gives the colour. A row without images says "none".

    Parameters
    ----------
    counts : array-like of shape (n_classes, n_classes)
        Numbers, 0 or more: rows are true classes, columns predicted ones.

    classes : sequence of length n_classes
        Their names, or labels. Of about 15 classes on, the figure is larger than a
        page.

    unit : str, default="images"
        What was counted, for the title.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If the table is not square or empty, has not one row for each class, or holds
        anything but whole numbers from 0 on.

    See Also
    --------
    instantdl.metrics.confusion_counts : Such counts of pixels.
    sklearn.metrics.confusion_matrix : Such counts of images.

    Examples
    --------
    >>> from instantdl.plotting import plot_confusion_matrix
    >>> figure = plot_confusion_matrix([[9, 1], [0, 0]], ["ill", "well"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['9\n90 %', '1\n10 %', 'none']
    """
    table = _check_counts(counts, len(classes))
    n, totals = len(table), table.sum(axis=1)
    names = [shorten(str(name), LONGEST_CLASS) for name in classes]
    longest = max(map(len, names))
    margin = 0.5 + 0.065 * longest
    cell = float(np.clip((PAGE_INCHES - margin) / n, SMALLEST_CELL, LARGEST_CELL))
    is_long = longest > 10 * cell
    below = 0.85 + (0.05 * longest if is_long else 0.0)
    figure = new_figure(n * cell + below, max(n * cell + margin, 3.6))
    axes = figure.subplots()
    shares = table / np.maximum(totals, 1)[:, np.newaxis]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    points = min(10.0, 22 * cell)
    for row in range(n):
        if totals[row]:
            _write_row(axes, row, table[row], shares[row], points)
        else:
            _write_none(axes, row, n, points)
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(n), names, fontsize=8, **(slanted if is_long else {}))
    axes.set_yticks(range(n), names, fontsize=8)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(f"{unit}, and share of the true class", fontsize=10)
    return figure


def plot_roc_curves(curves: Mapping[Any, Curve | None]) -> Figure:
    """Show how well each class is told from the rest, at any threshold.

    The receiver operating characteristic (ROC): the share of a class that is found
    against the share of all else that is taken for it. The legend has the area under
    each curve (AUC).

    Parameters
    ----------
    curves : mapping of str to (fpr, tpr, area) or None
        Of each class the false and the true positive rates, array-likes of shape
        (n_points,) from 0 to 1, and the area under the curve. A class without a
        curve, as none of its images were tested, is None or has an area of None or
        NaN; the legend says so.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If there is no class, or the rates of one differ in number or are not in
        [0, 1].

    See Also
    --------
    instantdl.metrics.roc_auc : The mean area over classes.
    sklearn.metrics.roc_curve : Such rates.

    Examples
    --------
    >>> from instantdl.plotting import plot_roc_curves
    >>> figure = plot_roc_curves({"ill": ([0, 0, 1], [0, 0.5, 1], 0.75), "well": None})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['ill: AUC 0.750', 'well: not in the test set', 'chance: AUC 0.500']
    """
    if not curves:
        raise ValueError(
            "`curves` must hold at least one class. Got none. Draw nothing where there"
            " are no classes."
        )
    names = {key: shorten(str(key), LONGEST_CLASS) for key in curves}
    figure = new_figure(max(3.8, 0.6 + 0.215 * len(curves)))
    axes = figure.subplots()
    handles = []
    for number, (key, curve) in enumerate(curves.items()):
        if curve is None or curve[2] is None or np.isnan(curve[2]):
            label = f"{names[key]}: not in the test set"
            handles.append(Line2D([], [], linestyle="none", label=label))
            continue
        fpr = as_shares(curve[0], f"curves[{key!r}][0]")
        tpr = as_shares(curve[1], f"curves[{key!r}][1]", size=len(fpr))
        style = LINE_STYLES[number // len(COLOURS) % len(LINE_STYLES)]
        colour = COLOURS[number % len(COLOURS)]
        label = f"{names[key]}: AUC {curve[2]:.3f}"
        # The best curves run along the frame, where they must not be cut.
        handles += axes.plot(
            fpr,
            tpr,
            style,
            color=colour,
            linewidth=1.8,
            label=label,
            clip_on=False,
            zorder=3,
        )
    handles += axes.plot([0, 1], [0, 1], color=GREY, label="chance: AUC 0.500")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="false positive rate (1 - specificity)",
        ylabel="true positive rate (sensitivity)",
    )
    figure.legend(
        handles=handles, loc="outside right center", frameon=False, fontsize=9
    )
    return figure


def _check_counts(counts: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ValueError(
            "`counts` must have shape (n_classes, n_classes), with one class at least."
            f" Got {table.shape}. Rows are true classes, columns predicted ones."
        )
    if len(table) != n_classes:
        raise ValueError(
            f"`classes` must name each row of `counts`. Got {n_classes} names for"
            f" {len(table)} rows. Name all classes, also those without images."
        )
    if table.dtype.kind not in "biuf" or (table < 0).any() or (table % 1 != 0).any():
        raise ValueError(
            "`counts` must hold whole numbers from 0 on. Got others. Do not normalise"
            " them: shares are computed here."
        )
    return table.astype(np.int64)


def _write_row(
    axes: Axes,
    row: int,
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
    points: float,
) -> None:
    for column, (count, share) in enumerate(zip(counts, shares, strict=True)):
        colour = "white" if share > 0.55 else BLACK if count else "#808080"
        axes.text(
            column,
            row,
            f"{_short_count(int(count))}\n{_percent(float(share))}",
            color=colour,
            fontsize=points,
            ha="center",
            va="center",
        )


def _write_none(axes: Axes, row: int, n: int, points: float) -> None:
    stripes = Rectangle(
        (-0.5, row - 0.5), n, 1, facecolor="#EEEEEE", edgecolor=GREY, linewidth=0
    )
    axes.add_patch(stripes)
    axes.text(
        (n - 1) / 2,
        row,
        "none",
        fontsize=points,
        style="italic",
        ha="center",
        va="center",
    )


def _short_count(count: int) -> str:
    """Give a number at most four digits, as pixels are many."""
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= max(factor, 10**4):
            return f"{count / factor:.3g}{letter}"
    return str(count)


def _percent(share: float) -> str:
    """Round, but not to none or all what is neither."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"
