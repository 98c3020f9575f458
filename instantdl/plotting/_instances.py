"""Images with the outlines of true and predicted objects, and what went wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from instantdl.plotting._instance_errors import KINDS, classify_instances
from instantdl.plotting._panels import (
    Outlines,
    Panel,
    Scale,
    draw_rows,
    uncertainty_scale,
)
from instantdl.plotting._rows import Arrays, Maps, Row, cut_rows, read_samples
from instantdl.plotting._style import (
    BLACK,
    GREEN,
    GREY,
    LIGHT_BLUE,
    ORANGE,
    PURPLE,
    VERMILION,
    YELLOW,
)

__all__ = ["plot_instances"]

# In the order of the legend.
KIND_COLOURS = {
    "matched": GREY,
    "missed": LIGHT_BLUE,
    "spurious": VERMILION,
    "split": YELLOW,
    "merged": PURPLE,
}
# Where both lines are at the same place, the predicted one lies on the true one.
LINES = {"truth": (GREEN, 2.2), "prediction": (ORANGE, 1.0)}
BORDERS = {"truth": (BLACK, 0.5), "prediction": (BLACK, 0.5)}
# Lines of larger images, on which objects are small, are thinner.
THICKEST = 500


def plot_instances(
    images: Arrays,
    truths: Arrays | None = None,
    predictions: Arrays | None = None,
    uncertainties: Arrays | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
    threshold: float = 0.5,
) -> Figure:
    """Show images, their true and predicted objects, and what happened to these.

    The panel "errors" tells matched objects from those that were missed, invented,
    torn or joined; the legend counts them over all images. Panels without data are
    left out.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Images, also of different sizes. Of a volume, the middle plane is shown and,
        below it, the section along depth through its middle row.

    truths : sequence of ndarray of shape (height, width) or (depth, height, width), \
default=None
        True label images, one for each image: a number for each object, 0 for the
        background.

    predictions : sequence of ndarray of the shapes of `truths`, default=None
        Predicted label images, one for each image.

    uncertainties : sequence of ndarray of the shapes of `truths`, default=None
        Uncertainty of each pixel, one array for each image, 0 or more; NaN is left
        white.

    names : sequence of str, default=None
        Label at the left of each image; long ones are shortened.

    title : str, default=None
        Text above the figure.

    threshold : float, default=0.5
        Objects match when their intersection over union is greater than this; in
        [0.5, 1).

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ImageError
        If the numbers of images, label images or names differ, or the size of an
        image and its label image.

    ValueError
        If a label image holds anything but whole numbers from 0 on, or the threshold
        is outside.

    See Also
    --------
    plot_predictions : The same for masks of classes.
    instantdl.metrics.match_instances : Which objects match.

    Notes
    -----
    A predicted object lies in a true one that has more than half of its pixels, and
    the other way round. A true object is *split* if two or more predicted ones lie in
    it which, taken as one, would match it. A predicted object is *merged* if two or
    more true ones lie in it which, taken as one, would match it. Other objects are
    *matched*, or else true ones are *missed* and predicted ones *spurious*. Parts that
    share less than a tenth as many pixels with the whole as its largest part does
    count for none. A split has a colour over its true object and all parts, and counts
    once; so has a merge. Volumes are compared as a whole, not plane by plane.

    Where objects of different kinds overlap, split is shown rather than merged, then
    missed, spurious and matched; thin black lines are the borders of all objects.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_instances
    >>> truth = np.zeros((16, 16), int)
    >>> truth[2:6, 2:6], truth[8:14, 8:14] = 1, 2
    >>> prediction = np.where(truth == 1, 1, 0)
    >>> figure = plot_instances([truth], [truth], [prediction])
    >>> [axes.get_title() for axes in figure.axes]
    ['image', 'objects', 'errors']
    >>> [text.get_text() for text in figure.legends[0].get_texts()][2:4]
    ['1 matched', '1 missed']
    """
    maps = {"truth": truths, "prediction": predictions, "uncertainty": uncertainties}
    counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))

    def compare() -> Iterator[tuple[str, Maps]]:
        """Add the errors, which only whole volumes can tell."""
        for name, sample in read_samples(images, maps, names):
            if "truth" in sample and "prediction" in sample:
                pair = sample["truth"], sample["prediction"]
                errors = classify_instances(*pair, threshold=threshold)
                counts.update(errors.counts)
                sample = sample | {"errors": errors.codes(*pair)}
            yield name, sample

    rows = cut_rows(compare())
    scale = uncertainty_scale(rows)
    panels = [_panels(row, scale) for row in rows]
    return draw_rows(rows, panels, _legend(rows[0], counts), title=title)


def _panels(row: Row, scale: Scale) -> dict[str, Panel]:
    maps = row.maps
    panels = {"image": Panel(maps["image"])}
    if "truth" in maps or "prediction" in maps:
        panels["objects"] = Panel(maps["image"], outlines=_outlines(maps, LINES))
    if "errors" in maps:
        coloured = _colour(maps["errors"])
        panels["errors"] = Panel(coloured, outlines=_outlines(maps, BORDERS))
    if "uncertainty" in maps:
        panels["uncertainty"] = Panel(maps["uncertainty"], scale)
    return panels


def _outlines(maps: Maps, lines: dict[str, tuple[str, float]]) -> tuple[Outlines, ...]:
    finer = max(1.0, max(maps["image"].shape) / THICKEST)
    return tuple(
        Outlines(maps[name], colour, points / finer)
        for name, (colour, points) in lines.items()
        if name in maps
    )


def _colour(codes: NDArray[Any]) -> NDArray[np.float64]:
    colours = [(0.0, 0.0, 0.0), *(to_rgb(KIND_COLOURS[kind]) for kind in KINDS)]
    return np.array(colours)[codes]


def _legend(row: Row, counts: Counter[str]) -> list[Artist]:
    entries: list[Artist] = [
        Line2D([], [], color=colour, linewidth=width, label=name)
        for name, (colour, width) in LINES.items()
        if name in row.maps
    ]
    if "errors" in row.maps:
        entries += [
            Patch(color=colour, label=f"{counts[kind]} {kind}")
            for kind, colour in KIND_COLOURS.items()
        ]
    return entries
