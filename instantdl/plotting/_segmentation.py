"""Images beside their true and predicted masks, the errors and the uncertainty."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from instantdl.plotting._panels import Panel, draw_rows, uncertainty_scale
from instantdl.plotting._rows import Arrays, Row, cut_rows, read_samples
from instantdl.plotting._style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_BLUE,
    ORANGE,
    PURPLE,
    VERMILION,
    YELLOW,
)

__all__ = ["plot_prediction", "plot_predictions"]

# No class has the colour of an error.
FALSE_POSITIVE = ("false positive", VERMILION)
FALSE_NEGATIVE = ("false negative", LIGHT_BLUE)
OTHER_CLASS = ("wrong class", YELLOW)
CORRECT = ("correct", GREY)
CLASS_COLOURS = (GREEN, PURPLE, ORANGE, BLUE, "#882255", "#DDCC77")


def plot_prediction(
    image: NDArray[Any],
    truth: NDArray[Any] | None = None,
    prediction: NDArray[Any] | None = None,
    uncertainty: NDArray[Any] | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """Show one image, its true and predicted mask, the errors and the uncertainty.

    Panels without data are left out. The background, which is what the errors are
    counted against, is the smallest value in the masks.

    Parameters
    ----------
    image : ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Image of any dtype. One channel is shown in grey, two in green and magenta,
        of more the first three in red, green and blue. Of a volume, the middle plane
        is shown and, below it, the section along depth through its middle row.

    truth : ndarray of shape (height, width) or (depth, height, width), default=None
        True mask, bool or integer.

    prediction : ndarray of the shape of `truth`, default=None
        Predicted mask, bool or integer.

    uncertainty : ndarray of the shape of `truth`, default=None
        Uncertainty of each pixel, 0 or more.

    title : str, default=None
        Text above the figure.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ImageError
        If the image has another number of axes, or a mask another size.

    See Also
    --------
    plot_predictions : Several images below each other.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_prediction
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> figure = plot_prediction(image, image > 0.5, image > 0.6, title="noise")
    >>> [axes.get_title() for axes in figure.axes]
    ['image', 'truth', 'prediction', 'errors']
    """
    return plot_predictions(
        [image],
        None if truth is None else [truth],
        None if prediction is None else [prediction],
        None if uncertainty is None else [uncertainty],
        title=title,
    )


def plot_predictions(
    images: Arrays,
    truths: Arrays | None = None,
    predictions: Arrays | None = None,
    uncertainties: Arrays | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Show several images below each other, as :func:`plot_prediction` shows one.

    All rows share the colours of the classes and the scale of the uncertainty.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Images, also of different sizes. A volume takes two rows.

    truths : sequence of ndarray of shape (height, width) or (depth, height, width), \
default=None
        True masks, one for each image.

    predictions : sequence of ndarray of the shapes of `truths`, default=None
        Predicted masks, one for each image.

    uncertainties : sequence of ndarray of the shapes of `truths`, default=None
        Uncertainty of each pixel, one array for each image.

    names : sequence of str, default=None
        Label at the left of each image; long ones are shortened.

    title : str, default=None
        Text above the figure.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ImageError
        If the numbers of images, masks or names differ, or the size of an image and
        its mask.

    See Also
    --------
    plot_prediction : One image with a title.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_predictions
    >>> images = np.random.default_rng(0).random((3, 32, 32))
    >>> masks = images > 0.5
    >>> figure = plot_predictions(images, masks, names=["a", "b", "c"])
    >>> len(figure.axes)
    6
    """
    maps = {"truth": truths, "prediction": predictions, "uncertainty": uncertainties}
    rows = cut_rows(read_samples(images, maps, names))
    classes, scale = _classes(rows), uncertainty_scale(rows)
    panels = []
    for row in rows:
        coloured = {name: Panel(pixels) for name, pixels in _colour(row, classes)}
        if "uncertainty" in row.maps:
            coloured["uncertainty"] = Panel(row.maps["uncertainty"], scale)
        panels.append(coloured)
    entries = _legend(list(panels[0]), classes)
    handles = [Patch(color=colour, label=label) for label, colour in entries]
    return draw_rows(rows, panels, handles, title=title)


def _classes(rows: list[Row]) -> NDArray[Any]:
    """Values of all masks, sorted, the background first."""
    masks = [
        row.maps[name]
        for row in rows
        for name in ("truth", "prediction")
        if name in row.maps
    ]
    found = np.unique([value for mask in masks for value in np.unique(mask)])
    # Where one value alone is found, nothing but 0 can be its background.
    return found if found.size > 1 else np.unique([0, *found])


def _colour(row: Row, classes: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Turn masks into colours and put the errors after them."""
    maps = row.maps
    yield "image", maps["image"]
    for name in ("truth", "prediction"):
        if name in maps:
            yield name, _colour_mask(maps[name], classes)
    if "truth" in maps and "prediction" in maps:
        yield "errors", _colour_errors(maps["truth"], maps["prediction"], classes[0])


def _class_colours(classes: NDArray[Any]) -> list[str]:
    """White for a single foreground; else one colour for each class."""
    n_foreground = len(classes) - 1
    if n_foreground == 1:
        return ["white"]
    return [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(n_foreground)]


def _colour_mask(mask: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    colours = [(0.0, 0.0, 0.0), *map(to_rgb, _class_colours(classes))]
    return np.array(colours)[np.searchsorted(classes, mask)]


def _colour_errors(
    truth: NDArray[Any], prediction: NDArray[Any], background: Any
) -> NDArray[np.float64]:
    is_there, is_found = truth != background, prediction != background
    coloured = np.zeros((*truth.shape, 3))
    coloured[is_there & is_found] = to_rgb(CORRECT[1])
    coloured[is_there & is_found & (truth != prediction)] = to_rgb(OTHER_CLASS[1])
    coloured[is_found & ~is_there] = to_rgb(FALSE_POSITIVE[1])
    coloured[is_there & ~is_found] = to_rgb(FALSE_NEGATIVE[1])
    return coloured


def _legend(titles: list[str], classes: NDArray[Any]) -> list[tuple[str, str]]:
    """Labels and colours: of the classes when there are several, and of the errors."""
    entries = []
    if len(classes) > 2 and {"truth", "prediction"} & set(titles):
        colours = _class_colours(classes)
        entries += [
            (f"class {value}", colour)
            for value, colour in zip(classes[1:], colours, strict=True)
        ]
    if "errors" in titles:
        entries += [CORRECT, FALSE_POSITIVE, FALSE_NEGATIVE]
        entries += [OTHER_CLASS] if len(classes) > 2 else []
    return entries
