"""Images side by side with a line of text each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from instantdl.plotting._rows import to_rgb
from instantdl.plotting._style import PAGE_INCHES, new_figure, shorten

__all__ = ["plot_gallery"]

_COLUMNS = 5
_LETTERS = 22


def plot_gallery(images: Sequence[NDArray[Any]], titles: Sequence[str]) -> Figure:
    """Show images side by side, each with text above it.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width[, channels])
        Images, also of different sizes.

    titles : sequence of str
        One text for each image, of one line or more.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, five images in a row; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If there is no image, or not a title for each.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_gallery
    >>> figure = plot_gallery(np.zeros((2, 8, 8)), ["a: benign", "b: malignant"])
    >>> [axes.get_title() for axes in figure.axes]
    ['a: benign', 'b: malignant']
    """
    if not len(images) or len(images) != len(titles):
        raise ValueError(
            "`titles` must have a text for each of one or more images. Got"
            f" {len(titles)} for {len(images)}. Leave out what has no partner."
        )
    rows = -(-len(images) // _COLUMNS)
    most = max(title.count("\n") for title in titles) + 1
    figure = new_figure(rows * (PAGE_INCHES / _COLUMNS + 0.16 * most + 0.1))
    for number, (image, title) in enumerate(zip(images, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        axes.imshow(to_rgb(np.asarray(image)), interpolation="nearest")
        lines = [shorten(line, _LETTERS) for line in title.split("\n")]
        axes.set_title("\n".join(lines), fontsize=7.5)
        axes.set_axis_off()
        axes.set_anchor("N")
    return figure
