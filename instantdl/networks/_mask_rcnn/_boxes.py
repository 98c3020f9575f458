"""Boxes: first row, first column, end row, end column, in pixels, ends excluded."""

from typing import Any

import numpy as np
import tensorflow as tf

# By how much the offsets of a box spread: of its place, and of its size's logarithm.
_SPREAD = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
_MOST_GROWTH = 4.0


def box_iou(a: Any, b: Any) -> Any:
    """Return the intersection over union of every box with every other.

    Parameters
    ----------
    a : tensor of shape (..., n, 4)
        Boxes.

    b : tensor of shape (..., m, 4)
        Other boxes.

    Returns
    -------
    tensor of shape (..., n, m)
        In [0, 1]; 0 for boxes without an area.
    """
    sides = []
    for axis in (0, 1):
        first, last = a[..., axis, tf.newaxis], a[..., axis + 2, tf.newaxis]
        begin, end = b[..., tf.newaxis, :, axis], b[..., tf.newaxis, :, axis + 2]
        sides.append(tf.maximum(tf.minimum(last, end) - tf.maximum(first, begin), 0.0))
    both = sides[0] * sides[1]
    either = _area(a)[..., tf.newaxis] + _area(b)[..., tf.newaxis, :] - both
    return tf.math.divide_no_nan(both, either)


def encode_boxes(boxes: Any, anchors: Any) -> Any:
    """Return by which offsets anchors become boxes.

    Parameters
    ----------
    boxes, anchors : tensor of shape (..., 4)
        Of positive size.

    Returns
    -------
    tensor of shape (..., 4)
        Shift of the centre in units of the anchor's size, and logarithm of the
        growth, both divided by what they spread by.
    """
    centre, size = _centre_and_size(boxes)
    origin, scale = _centre_and_size(anchors)
    scale, size = tf.maximum(scale, 1e-3), tf.maximum(size, 1e-3)
    offsets = [(centre - origin) / scale, tf.math.log(size / scale)]
    return tf.concat(offsets, axis=-1) / _SPREAD


def decode_boxes(offsets: Any, anchors: Any) -> Any:
    """Return the boxes that anchors become by offsets.

    Parameters
    ----------
    offsets : tensor of shape (..., 4)
        From `encode_boxes`.

    anchors : tensor of shape (..., 4)
        Boxes.

    Returns
    -------
    tensor of shape (..., 4)
        Boxes.
    """
    offsets = offsets * _SPREAD
    origin, scale = _centre_and_size(anchors)
    centre = origin + offsets[..., :2] * scale
    growth = tf.clip_by_value(offsets[..., 2:], -_MOST_GROWTH, _MOST_GROWTH)
    half = scale * tf.exp(growth) / 2
    return tf.concat([centre - half, centre + half], axis=-1)


def clip_boxes(boxes: Any, shape: Any) -> Any:
    """Return what of boxes lies in an image.

    Parameters
    ----------
    boxes : tensor of shape (..., 4)
        Boxes.

    shape : tensor of shape (2,)
        Height and width of the image.

    Returns
    -------
    tensor of shape (..., 4)
    """
    limit = tf.cast(tf.concat([shape, shape], axis=0), tf.float32)
    return tf.clip_by_value(boxes, 0.0, limit)


def _area(boxes: Any) -> Any:
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)


def _centre_and_size(boxes: Any) -> tuple[Any, Any]:
    first, last = boxes[..., :2], boxes[..., 2:]
    return (first + last) / 2, last - first
