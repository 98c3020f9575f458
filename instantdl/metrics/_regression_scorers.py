"""Scorers of predicted images for ``scoring=`` in scikit-learn's tools."""

from __future__ import annotations

from typing import Any

import numpy as np

from instantdl.metrics._image_quality import ssim
from instantdl.metrics._pairs import Images
from instantdl.metrics._regression import mean_absolute_error, pearson, r2

__all__ = [
    "neg_mean_absolute_error_scorer",
    "pearson_scorer",
    "r2_scorer",
    "ssim_scorer",
]


def pearson_scorer(estimator: Any, X: Any, y: Images) -> float:
    """Score an estimator of images by the mean of each image's correlation.

    Differences of brightness between images thus do not count as structure that was
    found.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True image for each image of `X`.

    Returns
    -------
    float
        Pearson's correlation from -1 to 1, higher is better.

    Raises
    ------
    ValueError
        If a prediction has not the shape of its target, or a value is not finite.

    See Also
    --------
    pearson : The measure itself, also pooled over all pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import pearson_scorer
    >>> class Double:
    ...     def predict(self, X):
    ...         return 2 * X
    >>> X = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> round(pearson_scorer(Double(), X, X), 3)
    1.0
    """
    return float(np.mean(pearson(y, estimator.predict(X), per_image=True)))


def r2_scorer(estimator: Any, X: Any, y: Images) -> float:
    """Score an estimator of images by the variance that it explains.

    Pooled over all pixels of all images.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True image for each image of `X`.

    Returns
    -------
    float
        Coefficient of determination, up to 1, higher is better.

    Raises
    ------
    ValueError
        If a prediction has not the shape of its target, or a value is not finite.

    See Also
    --------
    r2 : The measure itself, also for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import r2_scorer
    >>> class Brighter:
    ...     def predict(self, X):
    ...         return X + 0.5
    >>> X = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> r2_scorer(Brighter(), X, X)
    0.8
    """
    return float(r2(y, estimator.predict(X)))


def neg_mean_absolute_error_scorer(estimator: Any, X: Any, y: Images) -> float:
    """Score an estimator of images by its mean absolute error, made negative.

    Pooled over all pixels of all images.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True image for each image of `X`.

    Returns
    -------
    float
        Up to 0, higher is better, in the unit of the images.

    Raises
    ------
    ValueError
        If a prediction has not the shape of its target, or a value is not finite.

    See Also
    --------
    mean_absolute_error : The measure itself, also for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import neg_mean_absolute_error_scorer
    >>> class Brighter:
    ...     def predict(self, X):
    ...         return X + 0.5
    >>> X = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> neg_mean_absolute_error_scorer(Brighter(), X, X)
    -0.5
    """
    return -float(mean_absolute_error(y, estimator.predict(X)))


def ssim_scorer(estimator: Any, X: Any, y: Images) -> float:
    """Score an estimator of images by the mean structural similarity.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict``. Its ``spatial_ndim_in_``, where it has one,
        says whether images have a channel axis.

    X : array or sequence of images
        Images to predict.

    y : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True image for each image of `X`.

    Returns
    -------
    float
        Structural similarity up to 1, higher is better.

    Raises
    ------
    ValueError
        If a prediction has not the shape of its target, or a value is not finite.

    See Also
    --------
    ssim : The measure itself, also for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import ssim_scorer
    >>> class Copy:
    ...     def predict(self, X):
    ...         return X
    >>> X = np.tile(np.linspace(0, 1, 8), (2, 8, 1))
    >>> ssim_scorer(Copy(), X, X)
    1.0
    """
    spatial_ndim = getattr(estimator, "spatial_ndim_in_", None)
    return float(ssim(y, estimator.predict(X), spatial_ndim=spatial_ndim))
