"""Losses of classes, of pixels or images, from logits; defined on empty masks too."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Loss = Callable[[Any, Any, Any, Any], Any]

_FOCAL_POWER = 2.0
_FALSE_POSITIVE_WEIGHT = 0.3
_FALSE_NEGATIVE_WEIGHT = 0.7
# One pixel: an empty mask answered by an empty prediction costs nothing.
_SMOOTH = 1.0


def build_loss(name: str, *, label_smoothing: float = 0.0) -> Loss:
    """Return a loss over the classes of pixels or images by its name.

    Parameters
    ----------
    name : str
        One of `LOSSES`.

    label_smoothing : float, default=0.0
        Share of the truth, in [0, 1), that cross-entropy spreads evenly over all
        classes [4]_.

    Returns
    -------
    callable
        `loss(target, logits, class_weight, sample_weight) -> scalar`, with
        `target` int32 `(n_samples, *spatial)` class indices, `logits` float32
        `(n_samples, *spatial, n_outputs)` (one output means two classes),
        `class_weight` `(n_classes,)` and `sample_weight` `(n_samples,)`. Whole images
        have no spatial axes.

    Raises
    ------
    ValueError
        If there is no such loss.

    Notes
    -----
    Sums run over all pixels of all images of a batch, so an image without
    foreground counts by its false positives and never divides by zero. The Dice
    loss is that of [1]_, Tversky [2]_ weighs missed pixels 0.7 and false ones 0.3,
    focal [3]_ uses the power 2.

    References
    ----------
    .. [1] Drozdzal et al. "The importance of skip connections in biomedical image
       segmentation", DLMIA 2016.
    .. [2] Salehi et al. "Tversky loss function for image segmentation using 3D
       fully convolutional deep networks", MLMI 2017.
    .. [3] Lin et al. "Focal loss for dense object detection", ICCV 2017.
    .. [4] Szegedy et al. "Rethinking the Inception architecture for computer
       vision", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import build_loss
    >>> target = np.array([[0, 1]])
    >>> logits = np.array([[[-20.0], [20.0]]], "float32")
    >>> ones = np.ones(2, "float32"), np.ones(1, "float32")
    >>> abs(round(float(build_loss("dice")(target, logits, *ones)), 4))
    0.0
    """
    if name not in _TERMS:
        raise ValueError(
            f"`loss` must be one of {sorted(LOSSES)}. Got {name!r}. "
            "Choose one of these names."
        )
    terms = _TERMS[name]

    def loss(target: Any, logits: Any, class_weight: Any, sample_weight: Any) -> Any:
        truth, log_p = _encode(target, tf.cast(logits, tf.float32))
        batch = _Batch(truth, log_p, class_weight, sample_weight, label_smoothing)
        return tf.add_n([term(batch) for term in terms])

    return loss


class _Batch:
    """One batch as truth and probabilities, with the weight of each pixel."""

    def __init__(
        self,
        truth: Any,
        log_p: Any,
        class_weight: Any,
        sample_weight: Any,
        label_smoothing: float,
    ) -> None:
        weight = tf.reshape(
            tf.cast(sample_weight, tf.float32), [-1] + [1] * (len(truth.shape) - 1)
        )
        self.truth = truth
        self.log_p = log_p
        self.class_weight = tf.cast(class_weight, tf.float32)
        self.weighted_truth = truth * weight * self.class_weight
        self.weight = weight
        self.label_smoothing = label_smoothing
        self.total = tf.reduce_sum(self.weighted_truth)

    def class_sums(self) -> tuple[Any, Any, Any]:
        """Return per class the sums of truth and p, of truth, and of p."""
        axes = list(range(len(self.truth.shape) - 1))
        p = tf.exp(self.log_p)
        return (
            tf.reduce_sum(self.weight * self.truth * p, axes),
            tf.reduce_sum(self.weight * self.truth, axes),
            tf.reduce_sum(self.weight * p, axes),
        )

    def class_mean(self, values: Any) -> Any:
        """Return the mean over classes, weighted by `class_weight`."""
        return tf.reduce_sum(values * self.class_weight) / tf.reduce_sum(
            self.class_weight
        )


def _encode(target: Any, logits: Any) -> tuple[Any, Any]:
    """Return one-hot truth and log-probabilities, both over all classes."""
    if logits.shape[-1] == 1:
        log_p = tf.concat(
            [tf.math.log_sigmoid(-logits), tf.math.log_sigmoid(logits)], axis=-1
        )
    else:
        log_p = tf.nn.log_softmax(logits)
    return tf.one_hot(tf.cast(target, tf.int32), log_p.shape[-1]), log_p


def _cross_entropy(batch: _Batch) -> Any:
    log_p, share = batch.log_p, batch.label_smoothing
    if share:
        # The same as smoothing the truth, but each still has its true class's weight.
        spread = tf.reduce_mean(log_p, axis=-1, keepdims=True)
        log_p = (1 - share) * log_p + share * spread
    return tf.math.divide_no_nan(
        -tf.reduce_sum(batch.weighted_truth * log_p), batch.total
    )


def _focal(batch: _Batch) -> Any:
    focus = (1 - tf.exp(batch.log_p)) ** _FOCAL_POWER
    return tf.math.divide_no_nan(
        -tf.reduce_sum(batch.weighted_truth * focus * batch.log_p), batch.total
    )


def _dice(batch: _Batch) -> Any:
    both, truth, p = batch.class_sums()
    return batch.class_mean(1 - (2 * both + _SMOOTH) / (truth + p + _SMOOTH))


def _tversky(batch: _Batch) -> Any:
    both, truth, p = batch.class_sums()
    missed, false = truth - both, p - both
    cost = _FALSE_NEGATIVE_WEIGHT * missed + _FALSE_POSITIVE_WEIGHT * false
    return batch.class_mean(1 - (both + _SMOOTH) / (both + cost + _SMOOTH))


_TERMS: dict[str, tuple[Callable[[_Batch], Any], ...]] = {
    "crossentropy": (_cross_entropy,),
    "binary_crossentropy": (_cross_entropy,),
    "categorical_crossentropy": (_cross_entropy,),
    "dice": (_dice,),
    "dice_crossentropy": (_dice, _cross_entropy),
    "focal": (_focal,),
    "tversky": (_tversky,),
}

#: Names that `build_loss` knows.
LOSSES = tuple(_TERMS)
