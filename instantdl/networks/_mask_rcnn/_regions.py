"""Features in boxes, whatever their size: region-of-interest alignment."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from instantdl.networks._mask_rcnn._anchors import box_level


def align_regions(
    pyramid: Sequence[Any], boxes: Any, strides: Sequence[int], size: int
) -> Any:
    """Look features up on a grid in each box.

    Parameters
    ----------
    pyramid : sequence of tensor of shape (n_samples, height, width, channels)
        Features, finest level first.

    boxes : tensor of shape (n_samples, n_boxes, 4)
        In pixels of the image.

    strides : sequence of int
        Pixels of the image in one of each level.

    size : int
        Bins of the grid along each axis.

    Returns
    -------
    tensor of shape (n_samples * n_boxes, size, size, channels)
        Of each box from the level whose pixels are about an eighth of it, at the
        centre of each bin, interpolated between four pixels [1]_. So a bin of the
        coarser grid is about a pixel, and one place in each is enough.

    References
    ----------
    .. [1] He et al. "Mask R-CNN", ICCV 2017.
    """
    n_samples, n_boxes = tf.shape(boxes)[0], tf.shape(boxes)[1]
    n_channels = pyramid[0].shape[-1]
    # All levels in a row: one look-up serves all boxes, and its gradient adds up in
    # the same order every time.
    rows = [tf.reshape(level, [n_samples, -1, n_channels]) for level in pyramid]
    starts = tf.cumsum([tf.shape(row)[1] for row in rows], exclusive=True)
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 1.0)
    level = box_level(tf.sqrt(tf.reduce_prod(sides, axis=-1)), strides)
    shapes = tf.gather(tf.stack([tf.shape(x)[1:3] for x in pyramid]), level)
    scaled = boxes / tf.gather(tf.constant(strides, tf.float32), level)[..., tf.newaxis]
    places, weights = [], []
    for axis in (0, 1):
        steps = (tf.range(size, dtype=tf.float32) + 0.5) / size
        first, last = scaled[..., axis], scaled[..., axis + 2]
        # A pixel's value is that of its centre.
        place = first[..., tf.newaxis] + (last - first)[..., tf.newaxis] * steps - 0.5
        end = tf.cast(shapes[..., axis, tf.newaxis] - 1, tf.float32)
        place = tf.clip_by_value(place, 0.0, end)
        low = tf.floor(place)
        both = tf.stack([low, tf.minimum(low + 1, end)], axis=-1)
        places.append(tf.cast(both, tf.int32))
        weights.append(tf.stack([1 - place + low, place - low], axis=-1))
    down, across = places
    width = shapes[..., 1][..., tf.newaxis, tf.newaxis]
    start = tf.gather(starts, level)[..., tf.newaxis, tf.newaxis]
    down = (down * width + start)[:, :, :, tf.newaxis, :, tf.newaxis]
    index = down + across[:, :, tf.newaxis, :, tf.newaxis, :]
    weight = (
        weights[0][:, :, :, tf.newaxis, :, tf.newaxis]
        * weights[1][:, :, tf.newaxis, :, tf.newaxis, :]
    )
    values = tf.gather(
        tf.cast(tf.concat(rows, axis=1), tf.float32),
        tf.reshape(index, [n_samples, -1]),
        batch_dims=1,
    )
    values *= tf.reshape(weight, [n_samples, -1, 1])
    shape = [n_samples * n_boxes, size, size, 4, n_channels]
    mixed = tf.reduce_sum(tf.reshape(values, shape), axis=3)
    return tf.cast(mixed, pyramid[0].dtype)
