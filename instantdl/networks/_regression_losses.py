"""Losses of real values per pixel."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Loss = Callable[[Any, Any, Any, Any], Any]

_HUBER_DELTA = 1.0
# Of the standardised target: keeps the logarithm finite where a target is constant.
_LEAST_VARIANCE = 1e-4
_BETA = 0.5


def build_regression_loss(name: str, *, predict_variance: bool = False) -> Loss:
    """Return a loss over standardised values by its name.

    Parameters
    ----------
    name : str
        One of `REGRESSION_LOSSES`.

    predict_variance : bool, default=False
        Whether the second half of the network's outputs says how large the variance
        of the values is. The loss is then the Gaussian negative log-likelihood, and
        `name` must be "mean_squared_error", which it replaces.

    Returns
    -------
    callable
        `loss(target, outputs, class_weight, sample_weight) -> scalar`, with `target`
        float32 `(n_samples, *spatial, n_values)`, `outputs` of as many values or
        twice as many, and `sample_weight` `(n_samples,)`. Values have no classes, so
        `class_weight` is not used.

    Raises
    ------
    ValueError
        If there is no such loss.

    Notes
    -----
    The variance is learnt as in [1]_, each pixel's term weighted by the square root
    of its variance [2]_: without that, pixels that are fitted badly are soon given up.
    Huber's loss turns from squares to absolute values at one standard deviation.

    References
    ----------
    .. [1] Kendall, Gal. "What uncertainties do we need in Bayesian deep learning for
       computer vision?", NeurIPS 2017.
    .. [2] Seitzer et al. "On the pitfalls of heteroscedastic uncertainty estimation
       with probabilistic neural networks", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import build_regression_loss
    >>> loss = build_regression_loss("mean_absolute_error")
    >>> target, found = np.zeros((1, 2, 1)), np.array([[[1.0], [3.0]]])
    >>> float(loss(target, found, None, np.ones(1)))
    2.0
    """
    if name not in _ERRORS:
        raise ValueError(
            f"`loss` must be one of {sorted(_ERRORS)}. Got {name!r}. Choose one of "
            "these names."
        )
    if predict_variance and name != "mean_squared_error":
        raise ValueError(
            "`predict_variance=True` needs loss='mean_squared_error', in whose place "
            f"the Gaussian likelihood comes. Got {name!r}. Change one of the two."
        )
    error = _gaussian if predict_variance else _ERRORS[name]

    def loss(target: Any, outputs: Any, class_weight: Any, sample_weight: Any) -> Any:
        return _mean(error, target, outputs, sample_weight)

    return loss


def judge_variance(
    target: Any, outputs: Any, class_weight: Any, sample_weight: Any
) -> Any:
    """Return the Gaussian negative log-likelihood, by which variances are judged.

    The loss that is learnt by weighs pixels by their variance, and so has no meaning
    as a number: it may rise while predictions get better.

    Parameters
    ----------
    target : tensor of shape (n_samples, *spatial, n_values)
        True values.

    outputs : tensor of shape (n_samples, *spatial, 2 * n_values)
        As for `split_variance`.

    class_weight : tensor
        Not used.

    sample_weight : tensor of shape (n_samples,)
        Weight of each image.

    Returns
    -------
    tensor
        The mean, but for a constant.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import judge_variance
    >>> near, far = np.array([[[0.1, -4.0]]]), np.array([[[1.0, -4.0]]])
    >>> target, one = np.zeros((1, 1, 1)), np.ones(1)
    >>> bool(judge_variance(target, near, None, one)
    ...      < judge_variance(target, far, None, one))
    True
    """
    return _mean(_likelihood, target, outputs, sample_weight)


def split_variance(outputs: Any) -> tuple[Any, Any]:
    """Split a network's outputs into values and their variance.

    Parameters
    ----------
    outputs : tensor of shape (..., 2 * n_values)
        Without an activation.

    Returns
    -------
    values, variance : tensor of shape (..., n_values)
        The variance is positive.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import split_variance
    >>> values, variance = split_variance(np.array([3.0, 0.0], "float32"))
    >>> np.asarray(values), np.asarray(variance).round(2)
    (array([3.], dtype=float32), array([0.69], dtype=float32))
    """
    values, raw = tf.split(tf.cast(outputs, tf.float32), 2, axis=-1)
    return values, tf.nn.softplus(raw) + _LEAST_VARIANCE


def _mean(
    error: Callable[[Any, Any], Any], target: Any, outputs: Any, sample_weight: Any
) -> Any:
    errors = error(tf.cast(target, tf.float32), tf.cast(outputs, tf.float32))
    per_sample = tf.reduce_mean(errors, axis=range(1, len(errors.shape)))
    weight = tf.cast(sample_weight, tf.float32)
    return tf.math.divide_no_nan(
        tf.reduce_sum(weight * per_sample), tf.reduce_sum(weight)
    )


def _likelihood(target: Any, outputs: Any) -> Any:
    values, variance = split_variance(outputs)
    return ((target - values) ** 2 / variance + tf.math.log(variance)) / 2


def _gaussian(target: Any, outputs: Any) -> Any:
    _, variance = split_variance(outputs)
    return tf.stop_gradient(variance) ** _BETA * _likelihood(target, outputs)


def _squared(target: Any, values: Any) -> Any:
    return (target - values) ** 2


def _absolute(target: Any, values: Any) -> Any:
    return tf.abs(target - values)


def _huber(target: Any, values: Any) -> Any:
    distance = tf.abs(target - values)
    near = tf.minimum(distance, _HUBER_DELTA)
    return near * (distance - near / 2)


_ERRORS: dict[str, Callable[[Any, Any], Any]] = {
    "mean_squared_error": _squared,
    "mean_absolute_error": _absolute,
    "huber": _huber,
}

#: Names that `build_regression_loss` knows.
REGRESSION_LOSSES = tuple(_ERRORS)
