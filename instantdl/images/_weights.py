"""How much each image counts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_sample_weight"]


def check_sample_weight(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Check one weight per image.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        None is 1 for each.

    n_samples : int
        Number of images.

    Returns
    -------
    ndarray of shape (n_samples,)
        In float64.

    Raises
    ------
    ValueError
        If they are not one finite number >= 0 per image, or all 0.

    Examples
    --------
    >>> from instantdl.images import check_sample_weight
    >>> check_sample_weight(None, 2)
    array([1., 1.])
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(
            "`sample_weight` must have shape (n_samples,), one number per image. Got "
            f"shape {weight.shape} for {n_samples} images. Weights of classes are "
            "something else: `class_weight`."
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError(
            "`sample_weight` must hold finite numbers >= 0, not zero for all images. "
            f"Got values from {weight.min()} to {weight.max()}."
        )
    return weight
