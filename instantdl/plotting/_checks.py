"""Checks of the numbers that figures are made of."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_shares", "as_vector"]


def as_vector(
    values: ArrayLike, name: str, *, size: int | None = None, gaps: bool = False
) -> NDArray[np.float64]:
    """Return numbers as an array of one axis, or raise ValueError.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Bool, integers or floats.

    name : str
        What a message calls them.

    size : int, default=None
        Number of values that there must be. With None there must be one.

    gaps : bool, default=False
        Whether NaN may stand for what is not known.

    Returns
    -------
    ndarray of shape (n_values,), float64
        A new array.

    Raises
    ------
    ValueError
        If the shape is another, or a value is not finite.

    TypeError
        If the values are not real numbers.

    Examples
    --------
    >>> from instantdl.plotting._checks import as_vector
    >>> as_vector([1, 2], "risk")
    array([1., 2.])
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"`{name}` must have shape (n_values,), with one value at least. Got"
            f" {array.shape}. Flatten what has more axes: `numpy.ravel({name})`."
        )
    if size is not None and len(array) != size:
        raise ValueError(
            f"`{name}` must hold {size} values, as many as what it belongs to. Got"
            f" {len(array)}. Leave none out; where one is not known, draw neither."
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"`{name}` must hold real numbers. Got {array.dtype}. Convert them first."
        )
    numbers = array.astype(np.float64)
    wrong = np.isinf(numbers) if gaps else ~np.isfinite(numbers)
    if wrong.any():
        raise ValueError(
            f"`{name}` must hold finite numbers. Got {numbers[wrong][0]}. Leave such"
            " values out."
        )
    return numbers


def as_shares(
    values: ArrayLike, name: str, *, size: int | None = None, gaps: bool = False
) -> NDArray[np.float64]:
    """Return numbers from 0 to 1 as :func:`as_vector` does.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        Such numbers.

    name : str
        What a message calls them.

    size : int, default=None
        Number of values that there must be.

    gaps : bool, default=False
        Whether NaN may stand for what is not known.

    Returns
    -------
    ndarray of shape (n_values,), float64
        In [0, 1]; rounding errors outside are cut off.

    Raises
    ------
    ValueError
        If a value is outside [0, 1], or for the reasons of `as_vector`.

    Examples
    --------
    >>> from instantdl.plotting._checks import as_shares
    >>> as_shares([0, 1], "coverage")
    array([0., 1.])
    """
    numbers = as_vector(values, name, size=size, gaps=gaps)
    outside = (numbers < -1e-9) | (numbers > 1 + 1e-9)
    if outside.any():
        raise ValueError(
            f"`{name}` must be in [0, 1]. Got {numbers[outside][0]:g}. Give shares,"
            " not percentages or counts."
        )
    return np.clip(numbers, 0.0, 1.0)
