"""Metrics of all images side by side."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from instantdl.plotting._boxes import draw_box
from instantdl.plotting._style import BLUE, GREEN, PAGE_INCHES, new_figure, shorten

__all__ = ["plot_metric_boxes"]

LONGEST_NAME = 28
# Small axes beside each other.
N_COLUMNS = 4
# As many letters have room in a line above them.
SMALL_LETTERS = 15


def plot_metric_boxes(
    table: pd.DataFrame, *, shared: Sequence[str] | None = None
) -> Figure:
    """Show how each metric is distributed over images, as boxes.

    Boxes go from the first to the third quartile, with the median in them; whiskers
    reach to the farthest images within 1.5 times the height of the box. Fewer than
    100 images are points too. Metrics from 0 to 1 share an axis, the others have a
    small one each.

    Parameters
    ----------
    table : DataFrame of shape (n_images, n_metrics)
        One row for each image, one column for each metric. Values that are not finite
        are left out of the box, and the label says of how many images it is.

    shared : sequence of str, default=None
        Metrics on the axis from 0 to 1. None takes those of which all values lie
        there; better name them, as an error in the unit of the images may do so too.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If there is no image or no metric, a name comes twice or is not in the table,
        or a shared metric has values outside of [0, 1].

    TypeError
        If a column does not hold numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from instantdl.plotting import plot_metric_boxes
    >>> table = pd.DataFrame({"dice": [0.7, 0.8, 0.9], "psnr": [21.0, 25.0, 30.0]})
    >>> figure = plot_metric_boxes(table)
    >>> figure.get_suptitle(), figure.axes[1].get_title()
    ('3 images', 'psnr')
    """
    metrics = _check_table(table)
    together = _check_shared(metrics, shared)
    alone = [name for name in metrics if name not in together]
    n_rows = -(-len(alone) // N_COLUMNS)
    above = 2.2 + 0.075 * max(map(len, together)) if together else 0.0
    figure = new_figure(above + 2.2 * n_rows)
    ratios = ([above] if together else []) + [2.2] * n_rows
    grid = figure.add_gridspec(len(ratios), N_COLUMNS, height_ratios=ratios)
    if together:
        axes = figure.add_subplot(grid[0, :])
        _draw_shared(axes, {name: metrics[name] for name in together})
    for number, name in enumerate(alone):
        row, column = divmod(number, N_COLUMNS)
        axes = figure.add_subplot(grid[row + bool(together), column])
        draw_box(axes, 0, _finite(metrics[name]), GREEN)
        axes.set(xlim=(-0.6, 0.6), xticks=[])
        title = _label(name, metrics[name], SMALL_LETTERS, break_words=True)
        axes.set_title(title, fontsize=8.5)
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))
        axes.tick_params(labelsize=8)
        axes.yaxis.get_offset_text().set_fontsize(8)
    figure.suptitle(f"{len(table)} images", fontsize=10)
    return figure


def _check_table(table: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    if table.shape[0] == 0 or table.shape[1] == 0:
        raise ValueError(
            "`table` must have one row for each image and one column for each metric."
            f" Got shape {table.shape}. Draw nothing where there are no images."
        )
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        raise ValueError(
            f"Columns of `table` must have different names. Got {names}. Rename those"
            " that come twice."
        )
    metrics = {}
    for name, (_, column) in zip(names, table.items(), strict=True):
        values = column.to_numpy()
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"Columns of `table` must hold numbers. Got {column.dtype} in {name!r}."
                " Leave it out, or make it the index."
            )
        metrics[name] = values.astype(np.float64)
    return metrics


def _check_shared(
    metrics: dict[str, NDArray[np.float64]], shared: Sequence[str] | None
) -> list[str]:
    fitting = [
        name
        for name, values in metrics.items()
        if _finite(values).size
        and ((_finite(values) >= 0) & (_finite(values) <= 1)).all()
    ]
    if shared is None:
        return fitting
    wrong = [name for name in shared if name not in metrics]
    if wrong:
        raise ValueError(
            f"`shared` must name columns of the table. Got {wrong}. There are"
            f" {list(metrics)}."
        )
    outside = [n for n in shared if n not in fitting and _finite(metrics[n]).size]
    if outside:
        raise ValueError(
            f"`shared` must name metrics from 0 to 1. Got {outside}, which have values"
            " outside. Leave them out: they get axes of their own."
        )
    return list(shared)


def _draw_shared(axes: Axes, metrics: dict[str, NDArray[np.float64]]) -> None:
    n = len(metrics)
    # Letters of 10 points that have room below each box.
    room = int((PAGE_INCHES - 0.8) * 72 / 6.2 / n)
    for place, values in enumerate(metrics.values()):
        draw_box(axes, place, _finite(values), BLUE)
    labels = [_label(name, values, room) for name, values in metrics.items()]
    style: dict[str, Any] = {}
    if max(len(line) for label in labels for line in label.split("\n")) > room:
        labels = [
            _label(name, values, LONGEST_NAME) for name, values in metrics.items()
        ]
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(n), labels, **style)
    axes.set(xlim=(-0.6, n - 0.4), ylim=(-0.02, 1.02), ylabel="metric of an image")
    axes.grid(axis="y", alpha=0.4)


def _label(
    name: str, values: NDArray[np.float64], room: int, *, break_words: bool = False
) -> str:
    """Break a name at its underscores, and say of how many images it is known."""
    words = shorten(name, LONGEST_NAME).replace("_", "_ ")
    lines = textwrap.wrap(words, max(room, 1), break_long_words=break_words)
    text = "\n".join(line.replace("_ ", "_") for line in lines)
    n = len(_finite(values))
    if n < len(values):
        text += f"\n({n} of {len(values)})"
    return text


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
