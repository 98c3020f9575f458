"""Loss of the maps from which objects are grown: foreground and cores."""

from typing import Any

import tensorflow as tf

from instantdl.networks._losses import Loss

# One pixel: an empty mask answered by an empty prediction costs nothing.
_SMOOTH = 1.0


def build_instance_loss() -> Loss:
    """Return the loss of two maps: foreground and cores of objects.

    Returns
    -------
    callable
        `loss(target, logits, class_weight, sample_weight) -> scalar`, with `target`
        and `logits` of shape `(n_samples, *spatial, 2)`, or of `2 + n_classes` maps
        where objects have classes, the target in [0, 1], and `sample_weight` of shape
        `(n_samples,)`. `class_weight` is not used.

    Notes
    -----
    Cross-entropy of both maps, the mean over all pixels, and the Dice loss of each. For
    classes the cross-entropy in the foreground is added.

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
        added = _class_entropy(target[..., 2:], logits[..., 2:], weight)
        target, logits = target[..., :2], logits[..., :2]
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
        total = tf.reduce_sum(weight * tf.ones_like(entropy[..., :1]))
        mean = tf.math.divide_no_nan(tf.reduce_sum(weight * entropy), total)
        return mean + _dice_of_both(target, tf.sigmoid(logits), weight) + added

    return loss


def judge_instances(
    target: Any, logits: Any, class_weight: Any, sample_weight: Any
) -> Any:
    """Return by how much two maps are wrong, each in [0, 1] where it is any good.

    Parameters
    ----------
    target, logits : tensor of shape (n_samples, *spatial, 2) or (..., 2 + n_classes)
        Foreground, cores and classes, as for `build_instance_loss`.

    class_weight : tensor
        Not used.

    sample_weight : tensor of shape (n_samples,)
        Weight of each image.

    Returns
    -------
    tensor
        The Dice loss of the foreground, that of the cores, and the improbability of
        the classes, added up. Unlike cross-entropy they do not rise
        with overconfidence.

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
    kinds = target[..., 2:]
    missed = kinds * (1 - tf.nn.softmax(logits[..., 2:])) if kinds.shape[-1] else kinds
    total = tf.reduce_sum(weight * kinds)
    unlike = tf.math.divide_no_nan(tf.reduce_sum(weight * missed), total)
    return _dice_of_both(target, maps, weight) + unlike


def _prepare(target: Any, logits: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    target, logits = tf.cast(target, tf.float32), tf.cast(logits, tf.float32)
    ones = [1] * (len(target.shape) - 1)
    return target, logits, tf.reshape(tf.cast(sample_weight, tf.float32), [-1, *ones])


def _class_entropy(kinds: Any, logits: Any, weight: Any) -> Any:
    """Return the mean cross-entropy of classes over the pixels that have one."""
    if not kinds.shape[-1]:
        return 0.0
    entropy = -tf.reduce_sum(kinds * tf.nn.log_softmax(logits), -1, keepdims=True)
    total = tf.reduce_sum(weight * kinds)
    return tf.math.divide_no_nan(tf.reduce_sum(weight * entropy), total)


def _dice_of_both(target: Any, maps: Any, weight: Any) -> Any:
    return sum(
        _dice(target[..., i : i + 1], maps[..., i : i + 1], weight) for i in range(2)
    )


def _dice(truth: Any, p: Any, weight: Any) -> Any:
    both = tf.reduce_sum(weight * truth * p)
    total = tf.reduce_sum(weight * (truth + p))
    return 1 - (2 * both + _SMOOTH) / (total + _SMOOTH)
