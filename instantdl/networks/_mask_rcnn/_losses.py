"""The five losses of Mask R-CNN."""

from typing import Any

import tensorflow as tf

from instantdl.networks._mask_rcnn._boxes import encode_boxes


def score_loss(scores: Any, hit: Any, miss: Any, weight: Any) -> Any:
    """Return how badly anchors with and without an object are told apart.

    Parameters
    ----------
    scores : tensor of shape (n_samples, n_anchors)
        Without an activation.

    hit, miss : tensor of shape (n_samples, n_anchors), bool
        Which have an object, and which have none.

    weight : tensor of shape (n_samples,)
        Of each image.

    Returns
    -------
    tensor
        Cross-entropy. Both kinds count the same: what drawing as many of each gives
        on average.
    """
    hit, miss = tf.cast(hit, tf.float32), tf.cast(miss, tf.float32)
    loss = tf.nn.sigmoid_cross_entropy_with_logits(hit, scores)
    return (_mean(loss, hit, weight) + _mean(loss, miss, weight)) / 2


def offset_loss(offsets: Any, boxes: Any, anchors: Any, hit: Any, weight: Any) -> Any:
    """Return by how much boxes miss what they should enclose.

    Parameters
    ----------
    offsets : tensor of shape (n_samples, n_boxes, 4)
        By which anchors become boxes.

    boxes : tensor of shape (n_samples, n_boxes, 4)
        True boxes.

    anchors : tensor of shape (n_samples, n_boxes, 4)
        What the offsets begin with.

    hit : tensor of shape (n_samples, n_boxes)
        1 where there is a true box.

    weight : tensor of shape (n_samples,)
        Of each image.

    Returns
    -------
    tensor
        Huber's loss, added up over the four offsets.
    """
    error = tf.abs(offsets - encode_boxes(boxes, anchors))
    loss = tf.where(error < 1.0, error**2 / 2, error - 0.5)
    return _mean(tf.reduce_sum(loss, axis=-1), hit, weight)


def kind_loss(logits: Any, kinds: Any, used: Any, weight: Any) -> Any:
    """Return the cross-entropy of what is in boxes.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_boxes, n_classes + 1)
        Without an activation, the background first.

    kinds : tensor of shape (n_samples, n_boxes), int32
        True classes, 0 the background.

    used : tensor of shape (n_samples, n_boxes)
        1 where a box counts.

    weight : tensor of shape (n_samples,)
        Of each image.

    Returns
    -------
    tensor
    """
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(kinds, logits)
    return _mean(loss, used, weight)


def mask_loss(logits: Any, masks: Any, hit: Any, weight: Any) -> Any:
    """Return the cross-entropy of masks.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_boxes, height, width)
        Without an activation.

    masks : tensor of shape (n_samples, n_boxes, height, width)
        True ones.

    hit : tensor of shape (n_samples, n_boxes)
        1 where there is an object.

    weight : tensor of shape (n_samples,)
        Of each image.

    Returns
    -------
    tensor
    """
    loss = tf.nn.sigmoid_cross_entropy_with_logits(masks, logits)
    return _mean(tf.reduce_mean(loss, axis=(-2, -1)), hit, weight)


def _mean(loss: Any, counted: Any, weight: Any) -> Any:
    weight = counted * weight[:, tf.newaxis]
    return tf.math.divide_no_nan(tf.reduce_sum(weight * loss), tf.reduce_sum(weight))
