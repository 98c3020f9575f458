"""Images beside their true and predicted values, the errors and the uncertainty."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from instantdl.plotting._panels import Panel, Scale, draw_rows, uncertainty_scale
from instantdl.plotting._rows import Arrays, Row, cut_rows, read_samples
from instantdl.plotting._style import with_unit

__all__ = ["plot_regressions"]

# Percentiles of what is shown that have the first and the last colour.
LOWEST, HIGHEST = 0.5, 99.5


def plot_regressions(
    images: Arrays,
    truths: Arrays | None = None,
    predictions: Arrays | None = None,
    uncertainties: Arrays | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
    unit: str | None = None,
) -> Figure:
    """Show images, their true and predicted values, the errors and the uncertainty.

    Panels without data are left out. All rows share the scales: one of the true and
    predicted values, one of the errors, with white for none, and one of the
    uncertainty.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Images, also of different sizes. Of a volume, the middle plane is shown and,
        below it, the section along depth through its middle row.

    truths : sequence of ndarray of shape (height, width) or (depth, height, width), \
default=None
        True value of each pixel, one array for each image. NaN is left white.

    predictions : sequence of ndarray of the shapes of `truths`, default=None
        Predicted value of each pixel, one array for each image.

    uncertainties : sequence of ndarray of the shapes of `truths`, default=None
        Uncertainty of each pixel, one array for each image, in the unit of the
        values.

    names : sequence of str, default=None
        Label at the left of each image; long ones are shortened.

    title : str, default=None
        Text above the figure.

    unit : str, default=None
        Unit of the values, for the labels of the colour bars.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ImageError
        If the numbers of images, values or names differ, or the size of an image and
        its values.

    See Also
    --------
    plot_predictions : The same for masks of classes.
    plot_scatter : Predicted against true values of all pixels.

    Notes
    -----
    The scale of the values goes from the 0.5th to the 99.5th percentile of the true
    values that are shown, or of the predicted ones where there is no truth; that of
    the errors is symmetric and ends at the 99.5th percentile of their size. Pointed
    ends of a colour bar say that there are values outside. That of the uncertainty
    goes from 0 to its maximum.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_regressions
    >>> images = np.random.default_rng(0).random((2, 32, 32))
    >>> figure = plot_regressions(images, images * 50, images * 40, unit="nm")
    >>> [axes.get_title() for axes in figure.axes[:4]]
    ['image', 'truth', 'prediction', 'error']
    >>> figure.axes[-1].get_xlabel()
    'predicted - true (nm)'
    """
    maps = {"truth": truths, "prediction": predictions, "uncertainty": uncertainties}
    rows = [_with_error(row) for row in cut_rows(read_samples(images, maps, names))]
    scales = {
        **dict.fromkeys(("truth", "prediction"), _value_scale(rows, unit)),
        "error": _error_scale(rows, unit),
        "uncertainty": uncertainty_scale(rows, with_unit("uncertainty", unit)),
    }
    return draw_rows(rows, [_panels(row, scales) for row in rows], title=title)


def _with_error(row: Row) -> Row:
    if "truth" not in row.maps or "prediction" not in row.maps:
        return row
    # In floats, as unsigned integers have no negative differences.
    error = row.maps["prediction"] - row.maps["truth"].astype(np.float64)
    return replace(row, maps=row.maps | {"error": error})


def _panels(row: Row, scales: dict[str, Scale]) -> dict[str, Panel]:
    """Put the image first and the maps in the order of their scales."""
    shown = {
        name: Panel(row.maps[name], scale)
        for name, scale in scales.items()
        if name in row.maps
    }
    return {"image": Panel(row.maps["image"])} | shown


def _value_scale(rows: Sequence[Row], unit: str | None) -> Scale:
    found = {name: _finite(rows, name) for name in ("truth", "prediction")}
    values = found["truth"] if found["truth"].size else found["prediction"]
    low, high = 0.0, 1.0
    if values.size:
        low, high = np.percentile(values, (LOWEST, HIGHEST)).tolist()
    if low == high:
        low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    all_values = np.concatenate(list(found.values()))
    return Scale(
        "viridis", low, high, with_unit("value", unit), _ends(all_values, low, high)
    )


def _error_scale(rows: Sequence[Row], unit: str | None) -> Scale:
    values = _finite(rows, "error")
    limit = float(np.percentile(np.abs(values), HIGHEST)) if values.size else 1.0
    limit = limit or float(np.abs(values).max(initial=0)) or 1.0
    label = with_unit("predicted - true", unit)
    return Scale("RdBu_r", -limit, limit, label, _ends(values, -limit, limit))


def _finite(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """All values of a map that are shown."""
    maps = [row.maps[name].ravel() for row in rows if name in row.maps]
    values = np.concatenate([np.empty(0), *maps])
    return values[np.isfinite(values)]


def _ends(values: NDArray[np.float64], low: float, high: float) -> str:
    """Tell at which ends of a scale there are values outside."""
    below, above = bool((values < low).any()), bool((values > high).any())
    if below and above:
        return "both"
    return "min" if below else "max" if above else "neither"
