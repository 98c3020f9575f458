"""Predicted against true values of all pixels: scatter plot and Bland-Altman plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from instantdl.metrics import pearson, r2
from instantdl.plotting._style import BLACK, BLUE, VERMILION, new_figure, with_unit

__all__ = ["plot_bland_altman", "plot_scatter"]

# Up to so many pixels, each is a point; of more, the number in each square is shown.
MOST_POINTS = 1000
N_SQUARES = 120
# Pixels looked at together.
BLOCK = 2**20

Images: TypeAlias = ArrayLike | Sequence[ArrayLike]
Span: TypeAlias = tuple[float, float]
# Horizontal and vertical places of some pixels, and how to get those of all.
Places: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
ReadPlaces: TypeAlias = Callable[[], Iterator[Places]]


def plot_scatter(
    truth: Images, prediction: Images, *, unit: str | None = None
) -> Figure:
    """Show predicted against true values, of all pixels of all images.

    No pixel is left out: up to 1000 are points, of more the number in each of 120 x
    120 squares is shown. The title has Pearson's correlation and R², over all pixels.

    Parameters
    ----------
    truth : array-like of any shape, or sequence of such
        True values. Images of different sizes come as a list, object array or
        `ImageCollection` and are read one after the other, each four times.

    prediction : array-like of the shape of `truth`, or sequence of such
        Predicted values.

    unit : str, default=None
        Unit of the values, for the labels of the axes.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If numbers or shapes differ, there is no value, or one is not finite.

    See Also
    --------
    plot_bland_altman : Differences, which tell more where the correlation is high.
    instantdl.metrics.pearson : The correlation, also image by image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting import plot_scatter
    >>> truth = np.random.default_rng(0).random((2, 64, 64))
    >>> figure = plot_scatter(truth, truth**2, unit="µm")
    >>> figure.axes[0].get_title()
    'Pearson 0.968, R² 0.604 (8,192 pixels)'
    """
    pairs = _Pairs.of(truth, prediction)
    survey = _Survey.of(pairs.places())
    ends = _with_margin(*survey.across, *survey.up)
    figure = new_figure(4.6, 5.2)
    axes = figure.subplots()
    _draw_places(axes, pairs.places, survey.n, ends, ends)
    axes.axline(
        (ends[0], ends[0]), slope=1, color=BLACK, linestyle="--", label="identity"
    )
    axes.set(
        aspect="equal",
        xlabel=with_unit("true value", unit),
        ylabel=with_unit("predicted value", unit),
    )
    correlation = pearson(pairs.truth, pairs.prediction)
    explained = r2(pairs.truth, pairs.prediction)
    axes.set_title(
        f"Pearson {correlation:.3f}, R² {explained:.3f} ({survey.n:,} pixels)",
        fontsize=10,
    )
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def plot_bland_altman(
    truth: Images, prediction: Images, *, unit: str | None = None
) -> Figure:
    """Show differences of predicted and true values against their means.

    The lines are the mean difference and the limits of agreement, 1.96 standard
    deviations (SD) below and above it, between which 95 % of normally distributed
    differences lie [1]_. No pixel is left out, as by `plot_scatter`.

    Parameters
    ----------
    truth : array-like of any shape, or sequence of such
        True values, two or more. Images of different sizes come as a list, object
        array or `ImageCollection` and are read one after the other, each three times.

    prediction : array-like of the shape of `truth`, or sequence of such
        Predicted values.

    unit : str, default=None
        Unit of the values, for the labels of the axes.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; nothing is drawn on the screen.

    Raises
    ------
    ValueError
        If numbers or shapes differ, there are fewer than two values, or one is not
        finite.

    See Also
    --------
    plot_scatter : Predicted against true values.

    Notes
    -----
    Pixels of an image are not independent, so the limits tell of the spread of
    pixels, not of that of other images.

    References
    ----------
    .. [1] Bland and Altman. "Statistical methods for assessing agreement between two
       methods of clinical measurement", The Lancet 327, 307, 1986.

    Examples
    --------
    >>> from instantdl.plotting import plot_bland_altman
    >>> figure = plot_bland_altman([1.0, 2.0, 3.0, 4.0], [1.5, 2.4, 3.6, 4.5])
    >>> for text in figure.legends[0].get_texts():
    ...     print(text.get_text())
    upper limit of agreement, mean + 1.96 SD: 0.66
    mean difference: 0.5
    lower limit of agreement, mean - 1.96 SD: 0.34
    """
    pairs = _Pairs.of(truth, prediction)
    survey = _Survey.of(pairs.differences())
    if survey.n < 2:
        raise ValueError(
            "`truth` must hold two values at least, as one has no standard deviation."
            " Got 1. Give all pixels of an image, or of all images."
        )
    mean = survey.total / survey.n
    squares = sum(float(np.square(y - mean).sum()) for _, y in pairs.differences())
    reach = float(1.96 * np.sqrt(squares / (survey.n - 1)))
    figure = new_figure(4.6)
    axes = figure.subplots()
    up = _with_margin(*survey.up, mean - reach, mean + reach)
    _draw_places(axes, pairs.differences, survey.n, _with_margin(*survey.across), up)
    for name, height, colour, style in (
        ("upper limit of agreement, mean + 1.96 SD", mean + reach, VERMILION, "-."),
        ("mean difference", mean, BLUE, "-"),
        ("lower limit of agreement, mean - 1.96 SD", mean - reach, VERMILION, "--"),
    ):
        label = f"{name}: {height:.3g}"
        axes.axhline(height, color=colour, linestyle=style, linewidth=2, label=label)
    axes.set(
        xlabel=with_unit("mean of predicted and true value", unit),
        ylabel=with_unit("predicted - true value", unit),
    )
    axes.set_title(f"Bland-Altman plot ({survey.n:,} pixels)", fontsize=10)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    return figure


@dataclass(frozen=True)
class _Columns:
    """Images as columns of pixels, each read when it is asked for."""

    images: Sequence[Any]

    @classmethod
    def of(cls, values: Any, name: str) -> _Columns:
        """Take a sequence of arrays for images, and anything else for one array."""
        is_array = hasattr(values, "__array__") and np.asarray(values).dtype.kind != "O"
        if is_array or (hasattr(values, "__len__") and _holds_numbers(values)):
            values = [np.asarray(values)]
        elif not (hasattr(values, "__getitem__") and hasattr(values, "__len__")):
            raise TypeError(
                f"`{name}` must be an array or a sequence of arrays. Got"
                f" {type(values).__name__}. Make it a list: it is read several times."
            )
        if len(values) == 0:
            raise ValueError(
                f"`{name}` must hold at least one value. Got none. Draw nothing where"
                " there are no images."
            )
        return cls(values)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> NDArray[Any]:
        return np.asarray(self.images[index]).reshape(-1, 1)


@dataclass(frozen=True)
class _Pairs:
    """True and predicted images of the same shapes."""

    truth: _Columns
    prediction: _Columns

    @classmethod
    def of(cls, truth: Any, prediction: Any) -> _Pairs:
        pairs = cls(_Columns.of(truth, "truth"), _Columns.of(prediction, "prediction"))
        if len(pairs.truth) != len(pairs.prediction):
            raise ValueError(
                "`truth` and `prediction` must hold the same number of images. Got"
                f" {len(pairs.truth)} and {len(pairs.prediction)}. Give one prediction"
                " for each true image."
            )
        return pairs

    def places(self) -> Iterator[Places]:
        """Yield true and predicted values, not too many at once."""
        for index in range(len(self.truth)):
            true = np.asarray(self.truth.images[index])
            predicted = np.asarray(self.prediction.images[index])
            if true.shape != predicted.shape:
                raise ValueError(
                    "`truth` and `prediction` must have the same shape, image by image."
                    f" Image {index} is {true.shape} in `truth`, {predicted.shape} in"
                    " `prediction`."
                )
            if not true.size:
                raise ValueError(
                    f"Each image must hold at least one pixel. Got shape {true.shape}"
                    f" for image {index}. Leave it out."
                )
            true, predicted = true.ravel(), predicted.ravel()
            for start in range(0, len(true), BLOCK):
                block = slice(start, start + BLOCK)
                yield (
                    _as_floats(true[block], f"Image {index} of `truth`"),
                    _as_floats(predicted[block], f"Image {index} of `prediction`"),
                )

    def differences(self) -> Iterator[Places]:
        """Yield means of both and differences, not too many at once."""
        for true, predicted in self.places():
            yield true / 2 + predicted / 2, predicted - true


@dataclass(frozen=True)
class _Survey:
    """Number and extreme values of places, and the sum of the vertical ones."""

    n: int
    across: Span
    up: Span
    total: float

    @classmethod
    def of(cls, places: Iterator[Places]) -> _Survey:
        blocks = [
            (len(x), x.min(), x.max(), y.min(), y.max(), y.sum()) for x, y in places
        ]
        n, x_low, x_high, y_low, y_high, totals = np.array(blocks).T
        return cls(
            n=int(n.sum()),
            across=(float(x_low.min()), float(x_high.max())),
            up=(float(y_low.min()), float(y_high.max())),
            total=float(totals.sum()),
        )


def _holds_numbers(values: Any) -> bool:
    return len(values) > 0 and np.ndim(values[0]) == 0


def _as_floats(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers. Got {values.dtype}. Convert it first."
        )
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    if not finite.all():
        raise ValueError(
            f"{name} must hold finite numbers. Got {numbers[~finite][0]}. Replace such"
            " pixels, or leave the image out."
        )
    return numbers


def _with_margin(*values: float) -> Span:
    """Return the ends of an axis on which all values are seen whole."""
    low, high = min(values), max(values)
    margin = 0.03 * (high - low) or 0.05 * abs(low) or 1.0
    return low - margin, high + margin


def _draw_places(axes: Axes, read: ReadPlaces, n: int, across: Span, up: Span) -> None:
    if n <= MOST_POINTS:
        x, y = (np.concatenate(parts) for parts in zip(*read(), strict=True))
        axes.plot(x, y, ".", color="black", alpha=0.5, markeredgewidth=0)
        axes.set(xlim=across, ylim=up)
        return
    squares = _count(read(), across, up)
    shown = axes.imshow(
        np.ma.masked_equal(squares, 0),
        norm=LogNorm(1, max(2, squares.max())),
        cmap="viridis",
        origin="lower",
        extent=(*across, *up),
        aspect="auto",
        interpolation="nearest",
    )
    figure = axes.get_figure()
    if isinstance(figure, Figure):
        figure.colorbar(shown, ax=axes, label="pixels in a square", aspect=30)


def _count(places: Iterator[Places], across: Span, up: Span) -> NDArray[np.int64]:
    """Count the pixels in each square, so that memory does not grow with them."""
    counts = np.zeros(N_SQUARES * N_SQUARES, np.int64)
    for x, y in places:
        column, row = (
            np.minimum(N_SQUARES * ((z - low) / (high - low)), N_SQUARES - 1)
            for z, (low, high) in ((x, across), (y, up))
        )
        numbers = row.astype(np.int64) * N_SQUARES + column.astype(np.int64)
        counts += np.bincount(numbers, minlength=counts.size)
    return counts.reshape(N_SQUARES, N_SQUARES)
