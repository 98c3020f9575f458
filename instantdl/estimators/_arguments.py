"""Checks of what `fit` is given and of what a file holds."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

_MAX_LENGTH = 2**20


def check_labels(y: Any, n_samples: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Check one label per image.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Strings, integers or bool.

    n_samples : int
        Number of images.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The different labels, sorted.

    codes : ndarray of shape (n_samples,), int32
        The position of each label among them.

    Raises
    ------
    ValueError
        If there is not one label for each image, one is missing (NaN), or all are the
        same.
    """
    if getattr(y, "ndim", 1) > 2:
        raise ValueError(
            "`y` must hold one label for each image. Got shape "
            f"{y.shape}. For masks there is SemanticSegmenter."
        )
    y = y.to_numpy() if hasattr(y, "to_numpy") else y
    labels = _of_one_type(column_or_1d(y, warn=True))
    if len(labels) != n_samples:
        raise ValueError(
            "`y` must hold one label for each image. Got "
            f"{n_samples} images and {len(labels)} labels."
        )
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            "`y` must hold at least two classes. Got one class: "
            f"{classes.tolist()}. Add images of another."
        )
    return classes, codes.astype(np.int32)


def _of_one_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Turn objects that are numbers into numbers; refuse what cannot be sorted."""
    if labels.dtype.kind == "T":  # numpy's strings of any length
        labels = labels.astype(object)
    if labels.dtype.kind == "S":  # bytes, as HDF5 files have them
        labels = labels.astype(str)
    if labels.dtype.kind != "O" or all(isinstance(label, str) for label in labels):
        return labels
    types = sorted({type(label).__name__ for label in labels})
    if not any(isinstance(label, str) for label in labels):
        plain = np.array(labels.tolist())
        if plain.dtype.kind in "biuf":
            return plain
    raise ValueError(
        "`y` must hold labels of one type, strings or numbers, and none may be "
        f"missing. Got {', '.join(types)}."
    )


def weights_of_classes(
    class_weight: Any, classes: NDArray[Any], counts: NDArray[Any]
) -> NDArray[np.float64]:
    """Return one weight per class, in order.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A dict from classes to weights, or from these as text, as JSON has them; a
        class that is left out has 1. "balanced" is inversely proportional to `counts`,
        and 1 where these are 0. None is 1 for each.

    classes : ndarray of shape (n_classes,)
        Those of the target.

    counts : ndarray of shape (n_classes,)
        How often each is there.

    Returns
    -------
    ndarray of shape (n_classes,)
        In float64.

    Raises
    ------
    ValueError
        If it names other classes, or a weight is not a finite number > 0.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if not isinstance(class_weight, dict):
        weights = np.ones(len(classes))
        seen = counts[counts > 0]
        weights[counts > 0] = seen.sum() / (len(seen) * seen)
        return weights
    known = classes.tolist()
    by_text = {str(one): one for one in known}
    class_weight = {
        by_text.get(key, key) if isinstance(key, str) else key: weight
        for key, weight in class_weight.items()
    }
    unknown = [key for key in class_weight if key not in known]
    if unknown:
        raise ValueError(
            f"`class_weight` must name classes of `y`, which are {known}. Got "
            f"{unknown}. Leave them out."
        )
    weights = np.array([class_weight.get(one, 1.0) for one in known], np.float64)
    if not np.isfinite(weights).all() or (weights <= 0).any():
        raise ValueError(
            "`class_weight` must hold finite numbers > 0. Got "
            f"{class_weight}. Use a small number to count a class for little."
        )
    return weights


def check_groups(groups: Any, n_samples: int) -> NDArray[Any] | None:
    """Check one group per image.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        For example patients.

    n_samples : int
        Number of images.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        As an array.

    Raises
    ------
    ValueError
        If the length is another.
    """
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.shape != (n_samples,):
        raise ValueError(
            "`groups` must have shape (n_samples,), one group per image. Got shape "
            f"{array.shape} for {n_samples} images."
        )
    return array


def check_shape(shape: Sequence[Any], rank: int, name: str) -> list[int]:
    """Check a parameter that holds one length per spatial axis.

    Parameters
    ----------
    shape : sequence of int
        As given.

    rank : int
        Number of spatial axes.

    name : str
        Of the parameter.

    Returns
    -------
    list of int
        The same.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    lengths = list(shape)
    if len(lengths) != rank or not all(
        isinstance(length, int | np.integer)
        and not isinstance(length, bool)
        and length >= 1
        for length in lengths
    ):
        raise ValueError(
            f"`{name}` must hold {rank} ints >= 1, one for each spatial axis of the "
            f"images. Got {tuple(lengths)}."
        )
    return [int(length) for length in lengths]


def is_shape(value: Any, rank: int, least: int) -> bool:
    """Tell whether a fitted attribute holds one length per spatial axis.

    Parameters
    ----------
    value : object
        As it was found in a file.

    rank : int
        Number of spatial axes.

    least : int
        What each length must be at least.

    Returns
    -------
    bool
        True for a tuple of such ints.
    """
    return (
        isinstance(value, tuple)
        and len(value) == rank
        and all(type(one) is int and least <= one <= _MAX_LENGTH for one in value)
    )


def drop_weightless(
    weight: NDArray[np.float64], groups: NDArray[Any] | None, *data: Any
) -> tuple[Any, ...]:
    """Leave images without weight out, as if they were not there.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        Of each image.

    groups : ndarray of shape (n_samples,) or None
        What each belongs to.

    *data : arrays or sequences with `take`
        Images and targets.

    Returns
    -------
    weight, groups, *data
        Of the other images.
    """
    kept = np.flatnonzero(weight)
    if len(kept) == len(weight):
        return weight, groups, *data
    groups = None if groups is None else groups[kept]
    return weight[kept], groups, *(part.take(kept) for part in data)


def function_name(network: Any) -> str:
    """Return what a network is called, in files and where fits are told apart.

    Parameters
    ----------
    network : str or callable
        A name stays as it is.

    Returns
    -------
    str
        Module and name of a function, with the arguments of a partial one; of another
        object those of its class.
    """
    if isinstance(network, str):
        return network
    if isinstance(network, functools.partial):
        given = [*map(repr, network.args)]
        given += [f"{key}={value!r}" for key, value in network.keywords.items()]
        return f"{function_name(network.func)}({', '.join(given)})"
    named = network if hasattr(network, "__qualname__") else type(network)
    return f"{named.__module__}:{named.__qualname__}"
