"""Quality of predicted images: peak signal-to-noise ratio, structural similarity."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from instantdl.metrics._moments import Moments, measure
from instantdl.metrics._pairs import Images, Scores, as_floats, read_pairs

__all__ = ["psnr", "ssim"]

# Side of the window of `ssim`, that of scikit-image, and the least that has a variance.
_WINDOW = 7
_LEAST = 3
_NUMBERS = (int, float, np.integer, np.floating)


def psnr(
    y_true: Images,
    y_pred: Images,
    *,
    data_range: float | None = None,
    per_image: bool = False,
) -> float | Scores:
    """Measure the peak signal-to-noise ratio of predicted images in decibels.

    Ten times the decimal logarithm of the squared range of the truth over the mean
    squared error.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D. Images of different sizes come as a list, object array
        or `ImageCollection` and are read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    data_range : float or None, default=None
        Distance of the largest from the smallest value that images can have. None
        takes that of the truth: of each image with `per_image`, else of all.

    per_image : bool, default=False
        One value for each image, instead of one over all pixels of all images.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values in decibels, higher is better. inf where the prediction is exact, -inf
        where it is not and the truth, without `data_range`, is constant.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, a value is not finite, or
        `data_range` is not positive.

    See Also
    --------
    mean_squared_error : The error itself, in the squared unit of the images.
    skimage.metrics.peak_signal_noise_ratio : The same for a single image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import psnr
    >>> y_true = np.array([[[0.0, 0.5], [0.5, 1.0]]])
    >>> psnr(y_true, y_true + 0.1)
    20.0
    """
    _check_data_range(data_range)
    value_of = partial(_decibels, data_range=data_range)
    return measure(y_true, y_pred, value_of, per_image)


def ssim(
    y_true: Images,
    y_pred: Images,
    *,
    data_range: float | None = None,
    spatial_ndim: int | None = None,
    per_image: bool = False,
) -> float | Scores:
    """Measure how similar brightness, contrast and structure of images are.

    The structural similarity of Wang et al. [1]_, as scikit-image has it: in windows
    of 7 pixels a side that move over the image, averaged. In images of fewer pixels
    the window has the largest odd side that fits.

    Parameters
    ----------
    y_true : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        True images, 2D or 3D, with 3 pixels or more along each axis of space. Images
        of different sizes come as a list, object array or `ImageCollection` and are
        read one after the other.

    y_pred : array of shape (n_samples, *spatial[, channels]) or sequence of arrays
        Predicted image of each sample, of the same shape as the true one.

    data_range : float or None, default=None
        Distance of the largest from the smallest value that images can have. None
        takes that of each true image.

    spatial_ndim : {2, 3} or None, default=None
        Number of spatial axes. None takes all axes of an image for spatial ones; it
        must be given where images have a channel axis. Channels are then compared
        one by one, and averaged.

    per_image : bool, default=False
        One value for each image, instead of their mean.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Values up to 1, higher is better. Where the truth, without `data_range`, is
        constant, 1.0 if it is predicted exactly and 0.0 if not.

    Raises
    ------
    ValueError
        If an image and its prediction differ in shape, are too small or do not have
        the axes that `spatial_ndim` says, a value is not finite, or `data_range` is
        not positive.

    See Also
    --------
    skimage.metrics.structural_similarity : The same for a single image.

    Notes
    -----
    Variances are taken as differences of squares. Where values are more than about
    100 000 times as large as their range, rounding makes up the result, which may
    then lie outside -1 to 1: subtract the offset from truth and prediction first.

    References
    ----------
    .. [1] Wang, Z., Bovik, A.C., Sheikh, H.R. and Simoncelli, E.P. "Image quality
       assessment: from error visibility to structural similarity." IEEE
       Transactions on Image Processing 13.4 (2004): 600-612.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.metrics import ssim
    >>> y_true = np.tile(np.linspace(0, 1, 8), (2, 8, 1))
    >>> ssim(y_true, y_true)
    1.0
    >>> ssim(y_true, 1 - y_true, per_image=True).round(2)
    array([-0.95, -0.95])
    """
    _check_data_range(data_range)
    if spatial_ndim not in (None, 2, 3):
        raise ValueError(f"`spatial_ndim` must be 2, 3 or None. Got {spatial_ndim!r}.")
    scores = np.array(
        [
            _similarity(
                as_floats(true, f"Image {index} of `y_true`"),
                as_floats(pred, f"Image {index} of `y_pred`"),
                data_range,
                _spatial_shape(true.shape, spatial_ndim, index),
            )
            for index, (true, pred) in enumerate(read_pairs(y_true, y_pred))
        ]
    )
    return scores if per_image else float(scores.mean())


def _check_data_range(data_range: Any) -> None:
    if data_range is None:
        return
    if not (isinstance(data_range, _NUMBERS) and 0 < data_range < np.inf):
        raise ValueError(
            f"`data_range` must be a positive number or None. Got {data_range!r}."
        )


def _decibels(moments: Moments, data_range: float | None) -> float:
    if moments.squared_error == 0:
        return np.inf
    span = data_range or float(moments.high[0] - moments.low[0])
    if span == 0:
        return -np.inf
    error = moments.squared_error / moments.n
    return float(20 * np.log10(span) - 10 * np.log10(error))


def _spatial_shape(
    shape: tuple[int, ...], spatial_ndim: int | None, index: int
) -> tuple[int, ...]:
    """Return the part of a shape that a window moves along."""
    if spatial_ndim is not None and len(shape) - spatial_ndim not in (0, 1):
        raise ValueError(
            f"Each image must have {spatial_ndim} spatial axes and may have a last one"
            f" of channels. Got {shape} for image {index}. Change `spatial_ndim`."
        )
    spatial = shape[:spatial_ndim]
    if min(spatial) < _LEAST:
        raise ValueError(
            f"Each image must have {_LEAST} pixels or more along each spatial axis."
            f" Got {shape} for image {index}. If its last axis is one of channels, set"
            " `spatial_ndim`."
        )
    return spatial


def _similarity(
    true: Scores, pred: Scores, data_range: float | None, spatial: tuple[int, ...]
) -> float:
    span = data_range or float(true.max() - true.min())
    if span == 0:
        return float(np.array_equal(true, pred))
    side = min(_WINDOW, *spatial)
    score = structural_similarity(
        true,
        pred,
        win_size=side if side % 2 else side - 1,
        data_range=span,
        channel_axis=None if true.ndim == len(spatial) else -1,
    )
    return float(score)
