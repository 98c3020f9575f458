"""The layout of images and maps: a row for each image, a column for each map of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from instantdl.plotting._rows import Row
from instantdl.plotting._style import font_size

__all__ = ["Outlines", "Panel", "Scale", "draw_rows", "uncertainty_scale"]

# All in inches.
PANEL = 2.6
COLUMN_GAP, ROW_GAP, IMAGE_GAP = 0.12, 0.1, 0.25
BAR = 0.13
# Width of a letter and height of a line in parts of the size of the letters.
LETTER, LINE = 0.6, 1.4
# Lines that are drawn as one path, which is much faster; matplotlib lays no longer ones
# on whole pixels.
LINES_OF_PATH = 340
# Letters below a colour bar that have room in a line.
LONGEST_LINE = 24


@dataclass(frozen=True)
class Scale:
    r"""What the colours of a panel's values mean.

    Parameters
    ----------
    colours : str
        Name of the colour map.

    low, high : float
        Values of its first and its last colour.

    label : str, default=""
        Text at the colour bar.

    extend : {"neither", "both", "min", "max"}, default="neither"
        At which ends there are values outside.

    Examples
    --------
    >>> from instantdl.plotting._panels import Scale
    >>> Scale("viridis", 0.0, 2e6, "value (nm)").text
    'value (nm) $\\times 10^{6}$'
    """

    colours: str
    low: float
    high: float
    label: str = ""
    extend: str = "neither"

    @property
    def exponent(self) -> int:
        """Power of ten that is left out of the numbers, which else were too long."""
        largest = max(abs(self.low), abs(self.high))
        return 0 if 1e-3 < largest < 1e5 else floor(log10(largest))

    @property
    def text(self) -> str:
        """The label with that power, beside which matplotlib's own has no room."""
        power = rf"$\times 10^{{{self.exponent}}}$" if self.exponent else ""
        label = self.label
        if len(label) + (8 if power else 0) > LONGEST_LINE:
            label = label.replace(" (", "\n(")
        return f"{label} {power}".strip()


# For pixels that are colours themselves.
UNUSED = Scale("gray", 0.0, 1.0)


@dataclass(frozen=True)
class Outlines:
    """Borders of objects, drawn over a panel.

    Parameters
    ----------
    labels : ndarray of shape (height, width)
        Label image.

    colour : str
        Of the lines.

    points : float
        Their width.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._panels import Outlines
    >>> Outlines(np.array([[1, 0]]), "black", 1.0).segments().tolist()
    [[[0.5, -0.5], [0.5, 0.5]]]
    """

    labels: NDArray[Any]
    colour: str
    points: float

    def segments(self) -> NDArray[np.float64]:
        """Return straight lines between pixels of different labels.

        Returns
        -------
        ndarray of shape (n_lines, 2, 2), float64
            Both ends of each, as `(x, y)`; centres of pixels are whole numbers.
        """
        return np.concatenate([self._along(axis) for axis in (0, 1)])

    def _along(self, axis: int) -> NDArray[np.float64]:
        """Lines across an axis; those that continue one another are joined."""
        differ = np.diff(self.labels, axis=axis) != 0
        lines = np.moveaxis(differ, axis, 0).astype(np.int8)
        turns = np.diff(lines, axis=1, prepend=0, append=0)
        place, start = np.nonzero(turns == 1)
        _, end = np.nonzero(turns == -1)
        ends = np.stack(
            [
                np.stack([place + 0.5, start - 0.5], axis=1),
                np.stack([place + 0.5, end - 0.5], axis=1),
            ],
            axis=1,
        )
        return ends if axis == 1 else ends[..., ::-1]


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3) or (height, width)
        Colours, or values that `scale` gives colours.

    scale : Scale, default=None
        For values.

    outlines : tuple of Outlines, default=()
        Drawn over the picture, the last on top.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._panels import Panel
    >>> Panel(np.zeros((4, 4, 3))).outlines
    ()
    """

    pixels: NDArray[Any]
    scale: Scale | None = None
    outlines: tuple[Outlines, ...] = ()


def uncertainty_scale(rows: Iterable[Row], label: str = "") -> Scale:
    """Return a scale from 0 to the highest uncertainty that is shown.

    Parameters
    ----------
    rows : iterable of Row
        NaN is left out.

    label : str, default=""
        Text at the colour bar.

    Returns
    -------
    Scale
        Also where there is no uncertainty.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._panels import uncertainty_scale
    >>> from instantdl.plotting._rows import Row
    >>> uncertainty_scale([Row("", "", {"uncertainty": np.array([[0.5]])})]).high
    0.5
    """
    maps = [row.maps["uncertainty"] for row in rows if "uncertainty" in row.maps]
    finite = [array[np.isfinite(array)] for array in maps]
    highest = max((float(array.max(initial=0)) for array in finite), default=0.0)
    return Scale("magma", 0.0, highest if highest > 0 else 1.0, label)


def draw_rows(
    rows: Sequence[Row],
    panels: Sequence[Mapping[str, Panel]],
    legend: Sequence[Artist] = (),
    *,
    title: str | None = None,
) -> Figure:
    """Draw panels below and beside each other, with colour bars and a legend.

    Parameters
    ----------
    rows : sequence of Row
        Of them only the labels are read.

    panels : sequence of mapping of str to Panel
        Those of each row by their titles, the same in all rows. Columns of the same
        scale share a colour bar.

    legend : sequence of Artist, default=()
        What is named below the panels, by its label.

    title : str, default=None
        Text above all.

    Returns
    -------
    figure : matplotlib.figure.Figure
        With letters that can be read where it is as wide as a page.

    Notes
    -----
    Everything has a place that is computed here: matplotlib's own layouts give panels
    of fixed proportions too much room, or cut off what stands around them.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._panels import Panel, draw_rows
    >>> from instantdl.plotting._rows import Row
    >>> figure = draw_rows([Row("a", "", {})], [{"image": Panel(np.zeros((4, 4, 3)))}])
    >>> figure.axes[0].get_title(), figure.axes[0].get_ylabel()
    ('image', 'a')
    """
    n_columns, scales = len(panels[0]), _shared_scales(panels[0])
    points = font_size(n_columns * (PANEL + COLUMN_GAP) + 0.4)
    line, letter = LINE * points / 72, LETTER * points / 72
    left = 0.15 + line * max(bool(row.name) + bool(row.place) for row in rows)
    width = left + n_columns * (PANEL + COLUMN_GAP)
    heights = [
        max(_size(shown)[1], letter * len(row.place))
        for row, shown in zip(rows, panels, strict=True)
    ]
    gaps = [ROW_GAP if row.place.startswith("plane") else IMAGE_GAP for row in rows]
    top = 0.1 + line * (1.0 if title is None else 2.6)
    bars = top + sum(heights) + sum(gaps)
    end = bars + _bar_lines(scales) * line
    n_legend = _legend_columns(legend, width / letter)
    height = end + 1.2 * line * ceil(len(legend) / n_legend)
    page = _Page(Figure(figsize=(width, height)), left, points)
    for number, (row, shown) in enumerate(zip(rows, panels, strict=True)):
        y = top + sum(heights[:number]) + sum(gaps[:number])
        page.draw_row(shown, y, heights[number], titles=number == 0)
        label = row.label(int(heights[number] / letter))
        page.figure.axes[number * n_columns].set_ylabel(label, fontsize=points)
    for scale, columns in scales.items():
        page.draw_bar(scale, columns, bars)
    if legend:
        page.figure.legend(
            handles=list(legend),
            loc="lower center",
            ncols=n_legend,
            frameon=False,
            fontsize=points,
            borderaxespad=0.0,
        )
    if title is not None:
        y = 1 - 0.1 / height
        page.figure.suptitle(title, x=0.5, y=y, va="top", fontsize=1.2 * points)
    return page.figure


@dataclass(frozen=True)
class _Page:
    """A figure on which things have places in inches from the upper left corner."""

    figure: Figure
    left: float
    points: float

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        across, down = self.figure.get_size_inches()
        box = (x / across, 1 - (y + height) / down, width / across, height / down)
        return self.figure.add_axes(box)

    def column(self, number: int) -> float:
        return self.left + number * (PANEL + COLUMN_GAP)

    def draw_row(
        self, panels: Mapping[str, Panel], y: float, room: float, *, titles: bool
    ) -> None:
        width, height = _size(panels)
        for column, (title, panel) in enumerate(panels.items()):
            x = self.column(column) + (PANEL - width) / 2
            axes = self.axes(x, y + (room - height) / 2, width, height)
            _draw_panel(axes, panel, self.points / 10)
            if titles:
                axes.set_title(title, fontsize=self.points)

    def draw_bar(self, scale: Scale, columns: Sequence[int], y: float) -> None:
        """Draw a colour bar, narrower than its columns to leave numbers their room."""
        power = 10.0**scale.exponent
        x, end = self.column(columns[0]) + 0.3, self.column(columns[-1]) + PANEL - 0.3
        axes = self.axes(x, y, end - x, BAR)
        bar = self.figure.colorbar(
            self.figure.axes[columns[0]].images[0],
            cax=axes,
            orientation="horizontal",
            extend=scale.extend,
            ticks=MaxNLocator(3 * len(columns)),
            format=FuncFormatter(lambda value, _: f"{value / power:.9g}"),
        )
        size = 0.9 * self.points
        axes.tick_params(labelsize=size)
        bar.set_label(scale.text, fontsize=size)


def _size(panels: Mapping[str, Panel]) -> tuple[float, float]:
    """Return width and height of the panels of a row; tall images get narrower ones."""
    height, width = next(iter(panels.values())).pixels.shape[:2]
    tall = min(PANEL * height / width, 2 * PANEL)
    return tall * width / height, tall


def _bar_lines(scales: Mapping[Scale, Sequence[int]]) -> float:
    """Return the lines of text that colour bars take with numbers and labels."""
    if not scales:
        return 0.0
    lines = [scale.text.count("\n") + bool(scale.text) for scale in scales]
    return 1.8 + max(lines)


def _legend_columns(entries: Sequence[Artist], letters: float) -> int:
    """Choose as many columns as have room; samples and gaps take about 8 letters."""
    longest = max((len(str(entry.get_label())) for entry in entries), default=0)
    return max(1, min(len(entries), int(letters / (longest + 8))))


def _draw_panel(axes: Axes, panel: Panel, enlarged: float) -> None:
    scale = panel.scale or UNUSED
    axes.imshow(
        panel.pixels,
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[])
    for outlines in panel.outlines:
        lines = LineCollection(
            _paths(outlines.segments()),
            colors=outlines.colour,
            linewidths=outlines.points * enlarged,
            capstyle="projecting",
        )
        axes.add_collection(lines, autolim=False)


def _paths(segments: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Join lines to paths, in which they are kept apart by points of nan."""
    apart = np.full((len(segments), 1, 2), np.nan)
    lines = np.concatenate([segments, apart], axis=1)
    starts = range(0, len(lines), LINES_OF_PATH)
    return [lines[start : start + LINES_OF_PATH].reshape(-1, 2) for start in starts]


def _shared_scales(panels: Mapping[str, Panel]) -> dict[Scale, list[int]]:
    """Columns by their scale."""
    columns: dict[Scale, list[int]] = defaultdict(list)
    for column, panel in enumerate(panels.values()):
        if panel.scale is not None:
            columns[panel.scale].append(column)
    return columns
