"""Agreement of real-valued images: correlation, explained variance and errors."""

from __future__ import annotations

import numpy as np

from instantdl.metrics._moments import Moments, measure
from instantdl.metrics._pairs import Images, Scores

__all__ = [
    "mean_absolute_error",
    "mean_relative_error",
    "mean_squared_error",
    "pearson",
    "r2",
]


def pearson(
    y_true: Images, y_pred: Images, *, per_image: bool = False
) -> float | Scores:
    """Measure how linearly predicted pixels follow the true ones.

    Pearson's correlation does not change with offset and scale of the prediction:
    contrast must be right, brightness need not. Where that matters use `r2`.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values from -1 to 1, higher is better. 0.0 where the truth or the prediction
        is constant: no linear relation can be seen.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not finite.

    See Also
    --------
    r2 : Also asks for the right offset and scale.
    scipy.stats.pearsonr : The same for flat arrays, with a test.

    Notes
    -----
    Pooled pixels also correlate because some images are brighter than others. The
    mean over `per_image` values looks at the structure within images only.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import pearson
    >>> y_true = np.array([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [1.0, 1.0]]])
    >>> y_pred = np.array([[[2.0, 4.0], [6.0, 8.0]], [[1.0, 0.0], [0.0, 1.0]]])
    >>> round(pearson(y_true, y_pred), 3)
    0.954
    >>> pearson(y_true, y_pred, per_image=True).round(3)
    array([1., 0.])
    """
    return measure(y_true, y_pred, _correlation, per_image)


def r2(y_true: Images, y_pred: Images, *, per_image: bool = False) -> float | Scores:
    """Measure the part of the truth's variance that the prediction explains.

    The coefficient of determination: 1 less the sum of squared errors over the sum
    of squared deviations of the truth from its mean.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values up to 1, higher is better; 0 is that of the mean of the truth. Where
        the truth is constant, 1.0 if it is predicted exactly and 0.0 if not.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not finite.

    See Also
    --------
    pearson : The same for the best offset and scale, if squared.
    sklearn.metrics.r2_score : The same for flat arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import r2
    >>> y_true = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> r2(y_true, y_true + 0.5)
    0.8
    """
    return measure(y_true, y_pred, _explained_variance, per_image)


def mean_absolute_error(
    y_true: Images, y_pred: Images, *, per_image: bool = False
) -> float | Scores:
    """Measure by how much pixels are wrong on average.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values from 0, lower is better, in the unit of the images.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not finite.

    See Also
    --------
    mean_relative_error : The same relative to the size of the true values.
    sklearn.metrics.mean_absolute_error : The same for flat arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import mean_absolute_error
    >>> y_true = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> mean_absolute_error(y_true, y_true + 0.5)
    0.5
    """
    return measure(y_true, y_pred, lambda moments: moments.error / moments.n, per_image)


def mean_squared_error(
    y_true: Images, y_pred: Images, *, per_image: bool = False
) -> float | Scores:
    """Measure the mean square of the pixels' errors.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values from 0, lower is better, in the squared unit of the images.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not finite.

    See Also
    --------
    psnr : The same in decibels, relative to the range of the truth.
    sklearn.metrics.mean_squared_error : The same for flat arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import mean_squared_error
    >>> y_true = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> mean_squared_error(y_true, y_true + 0.5)
    0.25
    """
    return measure(
        y_true, y_pred, lambda moments: moments.squared_error / moments.n, per_image
    )


def mean_relative_error(
    y_true: Images, y_pred: Images, *, per_image: bool = False
) -> float | Scores:
    """Measure the sum of absolute errors relative to that of the true values.

    Pixels near zero are thus not divided by: an error counts the same in dark and in
    bright places.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values from 0, lower is better. 0.0 where truth and prediction are zero
        everywhere, inf where the truth alone is.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, or a value is not finite.

    See Also
    --------
    mean_absolute_error : The same in the unit of the images.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import mean_relative_error
    >>> y_true = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> mean_relative_error(y_true, y_true + 0.5)
    0.2
    """
    return measure(y_true, y_pred, _relative_error, per_image)


def _correlation(moments: Moments) -> float:
    if moments.constant.any():
        return 0.0
    spread = np.sqrt(np.diagonal(moments.scatter))
    return float(np.clip(moments.scatter[0, 1] / spread[0] / spread[1], -1.0, 1.0))


def _explained_variance(moments: Moments) -> float:
    if moments.constant[0]:
        return 1.0 if moments.squared_error == 0 else 0.0
    return float(1.0 - moments.squared_error / moments.scatter[0, 0])


def _relative_error(moments: Moments) -> float:
    if moments.truth == 0:
        return 0.0 if moments.error == 0 else np.inf
    return moments.error / moments.truth
