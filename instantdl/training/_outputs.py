"""From a network's outputs to what is predicted, and to means over draws."""

from typing import Any

import numpy as np
import tensorflow as tf

from instantdl.networks import split_variance


def class_probabilities(logits: Any) -> Any:
    """Turn a network's output into probabilities of all classes.

    Parameters
    ----------
    logits : tensor of shape (..., n_outputs)
        One output means two classes.

    Returns
    -------
    tensor of shape (..., n_classes)
        Float32, summing to 1 over the last axis.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import class_probabilities
    >>> np.asarray(class_probabilities(np.zeros((1, 1), "float32")))
    array([[0.5, 0.5]], dtype=float32)
    """
    logits = tf.cast(logits, tf.float32)
    if logits.shape[-1] == 1:
        p = tf.sigmoid(logits)
        return tf.concat([1 - p, p], axis=-1)
    return tf.nn.softmax(logits)


def class_summary(probabilities: Any) -> Any:
    """Put the entropy of each pixel's probabilities behind them.

    Parameters
    ----------
    probabilities : tensor of shape (..., n_classes)
        Summing to 1 over the last axis.

    Returns
    -------
    tensor of shape (..., n_classes + 1)
        The entropy is in units of its maximum, so that it lies in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import class_summary
    >>> np.asarray(class_summary(np.array([[0.5, 0.5], [0.0, 1.0]], "float32")))
    array([[0.5, 0.5, 1. ],
           [0. , 1. , 0. ]], dtype=float32)
    """
    terms = tf.math.xlogy(probabilities, probabilities)
    scale = -1 / np.log(probabilities.shape[-1])
    entropy = tf.reduce_sum(terms, axis=-1, keepdims=True) * scale
    return tf.concat([probabilities, tf.abs(entropy)], axis=-1)


def class_votes(probabilities: Any) -> Any:
    """Put entropy and, in ones and zeros, the most probable class behind them.

    Parameters
    ----------
    probabilities : tensor of shape (..., n_classes)
        Summing to 1 over the last axis.

    Returns
    -------
    tensor of shape (..., 2 * n_classes + 1)
        As `class_summary`, then a 1 for the class that a draw votes for.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import class_votes
    >>> np.asarray(class_votes(np.array([[0.0, 1.0]], "float32")))
    array([[0., 1., 0., 0., 1.]], dtype=float32)
    """
    n_classes = probabilities.shape[-1]
    votes = tf.one_hot(tf.argmax(probabilities, axis=-1), n_classes)
    return tf.concat([class_summary(probabilities), votes], axis=-1)


def instance_maps(logits: Any) -> Any:
    """Turn a network's output into maps of foreground, cores and classes.

    Parameters
    ----------
    logits : tensor of shape (..., 2) or (..., 2 + n_classes)
        Without an activation.

    Returns
    -------
    tensor of the same shape
        Float32, each in [0, 1]; the probabilities of classes add up to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import instance_maps
    >>> np.asarray(instance_maps(np.array([0.0, 50.0])))
    array([0.5, 1. ], dtype=float32)
    """
    logits = tf.cast(logits, tf.float32)
    maps = tf.sigmoid(logits[..., :2])
    if logits.shape[-1] == 2:
        return maps
    return tf.concat([maps, tf.nn.softmax(logits[..., 2:])], axis=-1)


def instance_summary(maps: Any) -> Any:
    """Put what tells of uncertainty before the cores.

    Parameters
    ----------
    maps : tensor of shape (..., 2) or (..., 2 + n_classes)
        Foreground, cores and classes.

    Returns
    -------
    tensor of shape (..., 4) or (..., 4 + n_classes)
        Probabilities of background and foreground, their entropy as `class_summary`
        gives it, the cores, and the classes.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import instance_summary
    >>> np.asarray(instance_summary(np.array([1.0, 0.25], "float32")))
    array([0.  , 1.  , 0.  , 0.25], dtype=float32)
    """
    foreground, rest = maps[..., :1], maps[..., 1:]
    classes = tf.concat([1 - foreground, foreground], axis=-1)
    return tf.concat([class_summary(classes), rest], axis=-1)


def real_values(outputs: Any) -> Any:
    """Return a network's outputs in float32.

    Parameters
    ----------
    outputs : tensor of shape (..., n_values)
        Of any float dtype.

    Returns
    -------
    tensor of shape (..., n_values)
        The same.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import real_values
    >>> np.asarray(real_values(np.array([2.0])))
    array([2.], dtype=float32)
    """
    return tf.cast(outputs, tf.float32)


def values_and_variances(outputs: Any) -> Any:
    """Turn outputs, half of them about variances, into values and variances.

    Parameters
    ----------
    outputs : tensor of shape (..., 2 * n_values)
        Without an activation.

    Returns
    -------
    tensor of shape (..., 2 * n_values)
        Values, then their variances, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import values_and_variances
    >>> np.asarray(values_and_variances(np.array([2.0, 0.0]))).round(2)
    array([2.  , 0.69], dtype=float32)
    """
    return tf.concat(split_variance(outputs), axis=-1)


def value_moments(values: Any) -> Any:
    """Put the squares of values behind them.

    Parameters
    ----------
    values : tensor of shape (..., n_values)
        Of one draw.

    Returns
    -------
    tensor of shape (..., 2 * n_values)
        From the means of both over draws follows the variance of draws.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import value_moments
    >>> np.asarray(value_moments(np.array([3.0], "float32")))
    array([3., 9.], dtype=float32)
    """
    return tf.concat([values, values**2], axis=-1)


def value_moments_and_variances(values: Any) -> Any:
    """Put the squares of values between them and their variances.

    Parameters
    ----------
    values : tensor of shape (..., 2 * n_values)
        From `values_and_variances`.

    Returns
    -------
    tensor of shape (..., 3 * n_values)
        Values, squares and variances.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.training import value_moments_and_variances
    >>> np.asarray(value_moments_and_variances(np.array([3.0, 0.5], "float32")))
    array([3. , 9. , 0.5], dtype=float32)
    """
    mean, variance = tf.split(values, 2, axis=-1)
    return tf.concat([mean, mean**2, variance], axis=-1)
