"""Boxes that show how values are distributed."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from instantdl.plotting._style import BLACK

__all__ = ["draw_box"]

# Of more values, points would cover each other.
MOST_POINTS = 100
# Multiples of it, less whole numbers, fill an interval evenly: a spread of points
# that is the same each time.
GOLDEN_RATIO = (5**0.5 - 1) / 2


def draw_box(
    axes: Axes,
    place: float,
    values: NDArray[np.float64],
    colour: str,
    *,
    width: float = 0.6,
    violin: bool = False,
) -> None:
    """Draw a box from the first to the third quartile, with the median in it.

    Whiskers reach to the farthest values within 1.5 times the height of the box.
    Fewer than 100 values are drawn as points beside each other, of more those beyond
    the whiskers.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Drawn on.

    place : float
        Middle of the box, along x.

    values : ndarray of shape (n_values,), float64
        Finite. Nothing is drawn if there are none.

    colour : str
        Of the box.

    width : float, default=0.6
        Of the box, along x.

    violin : bool, default=False
        Also draw an estimate of the density, behind a narrower box.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._boxes import draw_box
    >>> from instantdl.plotting._style import new_figure
    >>> axes = new_figure(3.0).subplots()
    >>> draw_box(axes, 1, np.array([0.1, 0.2, 0.4]), "blue")
    >>> len(axes.lines)
    6
    """
    if not values.size:
        return
    if violin and np.ptp(values) > 0:
        parts = axes.violinplot([values], [place], widths=width, showextrema=False)
        # One body for one distribution; matplotlib's types do not know it for a list.
        bodies: Any = parts["bodies"]
        bodies[0].set(facecolor=colour, edgecolor=colour, alpha=0.25)
        width = width / 3
    few = len(values) < MOST_POINTS
    axes.boxplot(
        [values],
        positions=[place],
        widths=width,
        whis=1.5,
        showfliers=not few,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": to_rgba(colour, 0.35), "edgecolor": colour},
        medianprops={"color": BLACK, "linewidth": 2},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour},
    )
    if few:
        shift = np.arange(len(values)) * GOLDEN_RATIO % 1 - 0.5
        axes.plot(
            place + 0.7 * width * shift,
            values,
            ".",
            color=BLACK,
            alpha=0.6,
            markersize=4,
            markeredgewidth=0,
        )
