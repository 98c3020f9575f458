"""Loss of the maps from which objects are grown: foreground and closeness."""

from typing import Any

import tensorflow as tf

from instantdl.networks._losses import Loss

# One pixel: an empty mask answered by an empty prediction costs nothing.
_SMOOTH = 1.0


def build_instance_loss() -> Loss:
    """Return the loss of two maps: foreground and closeness to an object's centre.

    Returns
    -------
    callable
        `loss(target, logits, class_weight, sample_weight) -> scalar`, with `target`
        and `logits` of shape `(n_samples, *spatial, 2)`, the target in [0, 1], and
        `sample_weight` of shape `(n_samples,)`. `class_weight` is not used.

    Notes
    -----
    Cross-entropy of both maps, the mean over all pixels, and the Dice loss of the
    foreground. A closeness between 0 and 1 is taken as a probability, as in [1]_.

    References
    ----------
    .. [1] Schmidt et al. "Cell detection with star-convex polygons", MICCAI 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import build_instance_loss
    >>> target = np.array([[[1.0, 1.0], [0.0, 0.0]]], "float32")
    >>> ones = np.ones(2, "float32"), np.ones(1, "float32")
    >>> abs(round(float(build_instance_loss()(target, 40 * target - 20, *ones)), 4))
    0.0
    """

    def loss(target: Any, logits: Any, class_weight: Any, sample_weight: Any) -> Any:
        target, logits, weight = _prepare(target, logits, sample_weight)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
        total = tf.reduce_sum(weight * tf.ones_like(entropy[..., :1]))
        mean = tf.math.divide_no_nan(tf.reduce_sum(weight * entropy), total)
        return mean + _dice(target[..., :1], tf.sigmoid(logits[..., :1]), weight)

    return loss


def judge_instances(
    target: Any, logits: Any, class_weight: Any, sample_weight: Any
) -> Any:
    """Return by how much two maps are wrong, each in [0, 1] where it is any good.

    Parameters
    ----------
    target, logits : tensor of shape (n_samples, *spatial, 2)
        Foreground and closeness, as for `build_instance_loss`.

    class_weight : tensor
        Not used.

    sample_weight : tensor of shape (n_samples,)
        Weight of each image.

    Returns
    -------
    tensor
        The Dice loss of the foreground and the relative error of the closeness,
        added up. Unlike cross-entropy they do not rise with overconfidence.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import judge_instances
    >>> target = np.array([[[1.0, 1.0], [0.0, 0.0]]], "float32")
    >>> ones = np.ones(2, "float32"), np.ones(1, "float32")
    >>> abs(round(float(judge_instances(target, 40 * target - 20, *ones)), 4))
    0.0
    """
    target, logits, weight = _prepare(target, logits, sample_weight)
    maps = tf.sigmoid(logits)
    truth, closeness = target[..., 1:], maps[..., 1:]
    wrong = tf.reduce_sum(weight * tf.abs(truth - closeness))
    error = wrong / (tf.reduce_sum(weight * truth) + _SMOOTH)
    return _dice(target[..., :1], maps[..., :1], weight) + error


def _prepare(target: Any, logits: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    target, logits = tf.cast(target, tf.float32), tf.cast(logits, tf.float32)
    ones = [1] * (len(target.shape) - 1)
    return target, logits, tf.reshape(tf.cast(sample_weight, tf.float32), [-1, *ones])


def _dice(truth: Any, p: Any, weight: Any) -> Any:
    both = tf.reduce_sum(weight * truth * p)
    total = tf.reduce_sum(weight * (truth + p))
    return 1 - (2 * both + _SMOOTH) / (total + _SMOOTH)
