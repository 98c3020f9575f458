"""Images beside their true and predicted masks, the errors and the uncertainty."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from instantdl.exceptions import ImageError

# Colours told apart with any kind of colour vision: Okabe and Ito,
# https://jfly.uni-koeln.de/color. No class has the colour of an error.
FALSE_POSITIVE = ("false positive", "#D55E00")
FALSE_NEGATIVE = ("false negative", "#56B4E9")
OTHER_CLASS = ("wrong class", "#F0E442")
CORRECT = ("correct", "#B8B8B8")
CLASS_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#0072B2", "#882255", "#DDCC77")

PANEL_INCHES = 2.6
LONGEST_NAME = 24

# What belongs to one image, or to one row of the figure, by the title of its panel.
Panels: TypeAlias = dict[str, NDArray]
Arrays: TypeAlias = Sequence[NDArray] | NDArray


def plot_prediction(
    image: NDArray,
    truth: NDArray | None = None,
    prediction: NDArray | None = None,
    uncertainty: NDArray | None = None,
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
    figure = plot_predictions(
        [image],
        None if truth is None else [truth],
        None if prediction is None else [prediction],
        None if uncertainty is None else [uncertainty],
    )
    if title is not None:
        figure.suptitle(title)
    return figure


def plot_predictions(
    images: Arrays,
    truths: Arrays | None = None,
    predictions: Arrays | None = None,
    uncertainties: Arrays | None = None,
    *,
    names: Sequence[str] | None = None,
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
    given = {name: arrays for name, arrays in maps.items() if arrays is not None}
    _check_lengths(len(images), given | ({} if names is None else {"name": names}))
    rows: list[tuple[str, Panels]] = []
    for index, image in enumerate(images):
        panels = {name: np.asarray(arrays[index]) for name, arrays in given.items()}
        sample = _check_sample(index, np.asarray(image), panels)
        rows += _rows(sample, "" if names is None else _shorten(names[index]))
    return _draw([label for label, _ in rows], [panels for _, panels in rows])


def _check_lengths(n_images: int, given: Mapping[str, Sequence | NDArray]) -> None:
    if n_images == 0:
        raise ImageError("`images` must hold at least one image. Got 0.")
    for name, values in given.items():
        if len(values) != n_images:
            raise ImageError(
                f"Each image must have one {name}. Got {len(values)} for {n_images} "
                "images."
            )


def _check_sample(index: int, image: NDArray, maps: Panels) -> Panels:
    """Image as `(*spatial, channels)` and its maps `(*spatial,)`."""
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim not in (3, 4) or not image.size:
        raise ImageError(
            "An image must have shape (height, width[, channels]) or (depth, height, "
            f"width, channels). Got {image.shape} as image {index}."
        )
    for name, array in maps.items():
        if array.shape != image.shape[:-1]:
            raise ImageError(
                f"The {name} must have the size of its image. Image {index} is "
                f"{image.shape[:-1]}, its {name} {array.shape}."
            )
    return {"image": image} | maps


def _shorten(name: str) -> str:
    """Leave out the middle, since the ends of file names differ."""
    if len(name) <= LONGEST_NAME:
        return name
    half = LONGEST_NAME // 2 - 1
    return f"{name[:half]}…{name[-half:]}"


def _rows(sample: Panels, label: str) -> list[tuple[str, Panels]]:
    """One row for an image; the middle plane and the middle section of a volume."""
    sample = sample | {"image": _to_rgb(sample["image"])}
    if sample["image"].ndim == 3:
        return [(label, sample)]
    plane, row = (size // 2 for size in sample["image"].shape[:2])
    start = f"{label}\n" if label else ""
    return [
        (f"{start}plane {plane}", {k: array[plane] for k, array in sample.items()}),
        (f"{start}row {row}", {k: array[:, row] for k, array in sample.items()}),
    ]


def _to_rgb(image: NDArray) -> NDArray[np.float32]:
    """Stretch each channel to 0..1 and give an image of any channels three."""
    spatial = tuple(range(image.ndim - 1))
    image = image.astype(np.float32)
    low, high = np.percentile(image, (0.5, 99.5), axis=spatial).astype(np.float32)
    image = np.clip((image - low) / np.maximum(high - low, 1e-12), 0, 1)
    if image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if image.shape[-1] == 2:
        return image[..., [1, 0, 1]]
    return image[..., :3]


def _draw(labels: list[str], rows: list[Panels]) -> Figure:
    """Lay out the panels that have data and draw them."""
    classes, limit = _classes(rows), _uncertainty_limit(rows)
    coloured = [_colour(row, classes) for row in rows]
    titles = list(coloured[0])
    shapes = [row["image"].shape for row in rows]
    # A thin volume's section would vanish, a tall image would fill the page.
    heights = [min(max(height / width, 0.2), 2.0) for height, width, _ in shapes]
    figure = Figure(
        figsize=(PANEL_INCHES * len(titles) + 0.6, PANEL_INCHES * sum(heights) + 0.8),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), len(titles), squeeze=False, height_ratios=heights)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    for label, row, line in zip(labels, coloured, grid, strict=True):
        line[0].set_ylabel(label)
        for axes, panel in zip(line, row.values(), strict=True):
            shown = axes.imshow(
                panel, cmap="magma", vmin=0, vmax=limit, interpolation="nearest"
            )
            axes.set(xticks=[], yticks=[])
    if "uncertainty" in titles:
        figure.colorbar(shown, ax=grid[:, -1].tolist(), aspect=30)
    if entries := _legend(titles, classes):
        figure.legend(
            handles=[Patch(color=colour, label=label) for label, colour in entries],
            loc="outside lower center",
            ncols=len(entries),
            frameon=False,
        )
    return figure


def _classes(rows: list[Panels]) -> NDArray:
    """Values of all masks, sorted, the background first."""
    masks = [
        row[name] for row in rows for name in ("truth", "prediction") if name in row
    ]
    found = np.unique([value for mask in masks for value in np.unique(mask)])
    # Where one value alone is found, nothing but 0 can be its background.
    return found if found.size > 1 else np.unique([0, *found])


def _uncertainty_limit(rows: list[Panels]) -> float:
    maps = [row["uncertainty"] for row in rows if "uncertainty" in row]
    highest = max((float(np.nanmax(values)) for values in maps), default=0.0)
    return highest if highest > 0 else 1.0


def _colour(row: Panels, classes: NDArray) -> Panels:
    """Turn masks into colours and put the errors between them and the uncertainty."""
    panels = {"image": row["image"]}
    for name in ("truth", "prediction"):
        if name in row:
            panels[name] = _colour_mask(row[name], classes)
    if "truth" in row and "prediction" in row:
        panels["errors"] = _colour_errors(row["truth"], row["prediction"], classes[0])
    if "uncertainty" in row:
        panels["uncertainty"] = row["uncertainty"]
    return panels


def _class_colours(classes: NDArray) -> list[str]:
    """White for a single foreground; else one colour for each class."""
    n_foreground = len(classes) - 1
    if n_foreground == 1:
        return ["white"]
    return [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(n_foreground)]


def _colour_mask(mask: NDArray, classes: NDArray) -> NDArray[np.float64]:
    colours = [(0.0, 0.0, 0.0), *map(to_rgb, _class_colours(classes))]
    return np.array(colours)[np.searchsorted(classes, mask)]


def _colour_errors(
    truth: NDArray, prediction: NDArray, background: np.generic
) -> NDArray[np.float64]:
    is_there, is_found = truth != background, prediction != background
    coloured = np.zeros((*truth.shape, 3))
    coloured[is_there & is_found] = to_rgb(CORRECT[1])
    coloured[is_there & is_found & (truth != prediction)] = to_rgb(OTHER_CLASS[1])
    coloured[is_found & ~is_there] = to_rgb(FALSE_POSITIVE[1])
    coloured[is_there & ~is_found] = to_rgb(FALSE_NEGATIVE[1])
    return coloured


def _legend(titles: list[str], classes: NDArray) -> list[tuple[str, str]]:
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
