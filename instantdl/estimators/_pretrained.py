"""Weights of another estimator, or of ImageNet, as the beginning of one."""

import difflib
import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted


def transfer_weights(
    pretrained: Any, weights: Sequence[NDArray[Any]], names: Sequence[str]
) -> tuple[list[NDArray[Any]], list[str]]:
    """Replace weights by those of a fitted estimator wherever the shapes agree.

    Parameters
    ----------
    pretrained : estimator or path-like
        A fitted estimator, or a file that `save` wrote.

    weights : sequence of ndarray
        Weights of the new network, in its order.

    names : sequence of str
        Their names.

    Returns
    -------
    weights : list of ndarray
        With the arrays that fit taken over.

    taken : list of str
        Names of these.

    Raises
    ------
    TypeError
        If `pretrained` is no estimator of this library.

    ValueError
        If nothing fits at all.
    """
    from instantdl.estimators._base import BaseImageEstimator
    from instantdl.estimators._saving import load

    source = pretrained
    if isinstance(pretrained, str | os.PathLike):
        source = load(pretrained)
    if not isinstance(source, BaseImageEstimator):
        raise TypeError(
            "`pretrained` must be a fitted estimator of instantdl or the path of a "
            f"saved one. Got {type(source).__name__}."
        )
    check_is_fitted(source)
    old = [array.shape for array in source._weights]
    new = [array.shape for array in weights]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    result, taken = list(weights), []
    for i, j, size in matcher.get_matching_blocks():
        for k in range(size):
            result[j + k] = source._weights[i + k].copy()
            taken.append(names[j + k])
    if not taken:
        raise ValueError(
            "The pretrained network must share layers with the new one. Got none "
            "that fit. Use the same `network`, `filters` and `levels`."
        )
    return result, taken


def transfer_imagenet(
    network: str,
    n_channels: int,
    weights: Sequence[NDArray[Any]],
    names: Sequence[str],
) -> tuple[list[NDArray[Any]], list[str]]:
    """Replace weights by those that a network of this name has learnt from ImageNet.

    Parameters
    ----------
    network : str
        Its name.

    n_channels : int
        Channels of the images.

    weights : sequence of ndarray
        Weights of the new network, in its order.

    names : sequence of str
        Their names.

    Returns
    -------
    weights : list of ndarray
        With the arrays that fit taken over, but for the last layer, which tells
        other classes apart.

    taken : list of str
        Names of these.

    Raises
    ------
    ValueError
        If no layer fits.
    """
    from instantdl.networks import imagenet_weights

    known = imagenet_weights(network, n_channels)
    shapes = {name: array.shape for name, array in zip(names, weights, strict=True)}
    # Scales and statistics of a layer mean nothing without its kernel.
    layers = {
        name.removesuffix("/kernel")
        for name, shape in shapes.items()
        if name.endswith("/kernel") and known[name].shape == shape
    } - {"head"}
    if not layers:
        raise ValueError(
            "ImageNet weights need layers of the published width. Got none that fit. "
            "Use filters='auto'."
        )
    taken = [name for name in names if name.rpartition("/")[0] in layers]
    result = [
        known[name] if name in set(taken) else array
        for name, array in zip(names, weights, strict=True)
    ]
    return result, taken
