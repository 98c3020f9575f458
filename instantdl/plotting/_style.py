"""Size, colours and letters that the figures have in common."""

from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "LIGHT_BLUE",
    "ORANGE",
    "PAGE_INCHES",
    "PURPLE",
    "VERMILION",
    "YELLOW",
    "font_size",
    "new_figure",
    "shorten",
    "with_unit",
]

# Width of the text on a page, about 17 cm.
PAGE_INCHES = 6.7
# Letters of a figure that is shrunk to this width are not smaller than this.
SMALLEST_POINTS = 7.5

# Colours told apart with any kind of colour vision: Okabe and Ito,
# https://jfly.uni-koeln.de/color.
BLACK, GREY = "#000000", "#B8B8B8"
BLUE, LIGHT_BLUE, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, VERMILION, YELLOW, PURPLE = "#E69F00", "#D55E00", "#F0E442", "#CC79A7"
# For lines on white, on which yellow is hard to see.
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, LIGHT_BLUE, BLACK)


def new_figure(height: float, width: float = PAGE_INCHES) -> Figure:
    """Make an empty figure whose parts find their places themselves.

    Parameters
    ----------
    height, width : float
        In inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot.

    Examples
    --------
    >>> from instantdl.plotting._style import new_figure
    >>> new_figure(3.0).get_size_inches()
    array([6.7, 3. ])
    """
    return Figure(figsize=(width, height), layout="constrained")


def font_size(width: float) -> float:
    """Return a size of letters that can be read when the figure fills a page.

    Parameters
    ----------
    width : float
        Of the figure, in inches.

    Returns
    -------
    float
        In points, 10 or more.

    Examples
    --------
    >>> from instantdl.plotting._style import font_size
    >>> font_size(6.7), font_size(13.4)
    (10.0, 15.0)
    """
    return max(10.0, SMALLEST_POINTS * width / PAGE_INCHES)


def shorten(name: str, longest: int) -> str:
    r"""Leave out the middle of a long name, since the ends of file names differ.

    Parameters
    ----------
    name : str
        Of a file or a class.

    longest : int
        Number of letters that have room.

    Returns
    -------
    str
        Of this length at most, as it is drawn: what stands between two dollars is not
        taken for a formula.

    Examples
    --------
    >>> from instantdl.plotting._style import shorten
    >>> shorten("patient-0123456789.tif", 13)
    'patien…89.tif'
    >>> print(shorten("US$ and A$", 20))
    US\$ and A\$
    """
    if len(name) > longest:
        kept = max(longest, 3) - 1
        name = f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"
    return name.replace("$", r"\$")


def with_unit(label: str, unit: str | None) -> str:
    """Return a label with its unit in brackets.

    Parameters
    ----------
    label : str
        What is shown.

    unit : str or None
        What it is measured in.

    Returns
    -------
    str
        The label alone where there is no unit.

    Examples
    --------
    >>> from instantdl.plotting._style import with_unit
    >>> with_unit("truth", "µm"), with_unit("truth", None)
    ('truth (µm)', 'truth')
    """
    return f"{label} ({unit})" if unit else label
