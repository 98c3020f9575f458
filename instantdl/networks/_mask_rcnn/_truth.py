"""True boxes, which anchors and proposals mean which, and their masks."""

from typing import Any, NamedTuple

import tensorflow as tf

from instantdl.networks._mask_rcnn._boxes import box_iou

# An anchor holds an object from the first on, and none below the second.
_ANCHOR_HIT, _ANCHOR_MISS = 0.6, 0.3
_REGION_HIT = 0.5


class Truth(NamedTuple):
    """The objects of a batch; places that are not needed have an area of 0.

    Attributes
    ----------
    boxes : tensor of shape (n_samples, n_objects, 4)
        Around object 1, 2 and so on.

    kinds : tensor of shape (n_samples, n_objects), int32
        Class of each, from 1 on.

    labels : tensor of shape (n_samples, height, width), int32
        Their pixels.
    """

    boxes: Any
    kinds: Any
    labels: Any


class Regions(NamedTuple):
    """Proposals to learn from; the first ones may hold an object.

    Attributes
    ----------
    boxes : tensor of shape (n_samples, n_regions, 4)
        Where.

    objects : tensor of shape (n_samples, n_regions), int32
        Number of the object in each, counted from 0; meaningless where `hit` is 0.

    hit : tensor of shape (n_samples, n_regions), float32
        1 where there is an object.

    used : tensor of shape (n_samples, n_regions), float32
        0 for places that could not be filled.
    """

    boxes: Any
    objects: Any
    hit: Any
    used: Any


def find_truth(target: Any, n_objects: int) -> Truth:
    """Return boxes and classes of the objects of label images.

    Parameters
    ----------
    target : tensor of shape (n_samples, height, width, 2), int32
        Number of the object, 0 for the background, and its class.

    n_objects : int
        Objects of higher numbers are left out.

    Returns
    -------
    Truth
    """
    labels, kinds = target[..., 0], target[..., 1]
    labels = tf.where(labels <= n_objects, labels, 0)
    shape = tf.shape(labels)
    n_samples, height, width = shape[0], shape[1], shape[2]
    first = tf.range(n_samples)[:, tf.newaxis, tf.newaxis] * (n_objects + 1)
    segments = tf.reshape(labels + first, [-1])
    total = n_samples * (n_objects + 1)
    rows, columns = (
        tf.reshape(tf.broadcast_to(places, shape), [-1])
        for places in (tf.range(height)[:, tf.newaxis], tf.range(width))
    )
    sides = [
        tf.math.unsorted_segment_min(rows, segments, total),
        tf.math.unsorted_segment_min(columns, segments, total),
        tf.math.unsorted_segment_max(rows, segments, total) + 1,
        tf.math.unsorted_segment_max(columns, segments, total) + 1,
    ]
    boxes = tf.reshape(tf.stack(sides, axis=-1), [n_samples, n_objects + 1, 4])[:, 1:]
    there = boxes[..., 2] > 0
    boxes = tf.cast(tf.where(there[..., tf.newaxis], boxes, 0), tf.float32)
    found = tf.math.unsorted_segment_max(tf.reshape(kinds, [-1]), segments, total)
    found = tf.reshape(found, [n_samples, n_objects + 1])[:, 1:]
    return Truth(boxes, tf.where(there, found, 0), labels)


def match_anchors(anchors: Any, boxes: Any) -> tuple[Any, Any, Any]:
    """Tell which anchors hold an object of one image.

    Parameters
    ----------
    anchors : tensor of shape (n_anchors, 4)
        Boxes.

    boxes : tensor of shape (n_objects, 4)
        Of the objects; those without an area do not count.

    Returns
    -------
    hit, miss : tensor of shape (n_anchors,), bool
        Whether there surely is one, and whether there surely is none. The best anchor
        of an object is a hit however little they overlap, unless it is another's.

    objects : tensor of shape (n_anchors,), int32
        The object that a hit means.
    """
    iou = box_iou(anchors, boxes)
    best = tf.reduce_max(iou, axis=1)
    objects = tf.argmax(iou, axis=1, output_type=tf.int32)
    highest = tf.reduce_max(iou, axis=0)
    favourites = tf.where((iou == highest) & (iou > 0), iou, 0.0)
    forced = (tf.reduce_max(favourites, axis=1) > 0) & (best < _ANCHOR_HIT)
    owners = tf.argmax(favourites, axis=1, output_type=tf.int32)
    hit = (best >= _ANCHOR_HIT) | forced
    miss = (best < _ANCHOR_MISS) & ~hit
    return hit, miss, tf.where(forced, owners, objects)


def choose_regions(
    proposals: Any, boxes: Any, chance: Any, *, n_hits: int, n_regions: int
) -> Regions:
    """Choose from proposals and true boxes what the heads learn from.

    Parameters
    ----------
    proposals : tensor of shape (n_samples, n_proposals, 4)
        Those without an area do not count.

    boxes : tensor of shape (n_samples, n_objects, 4)
        Of the objects.

    chance : tensor of shape (n_samples, n_proposals + n_objects)
        Random numbers in [0, 1) by which they are chosen.

    n_hits, n_regions : int
        How many with an object at most, and how many in all.

    Returns
    -------
    Regions
    """
    candidates = tf.concat([proposals, boxes], axis=1)
    iou = box_iou(candidates, boxes)
    best = tf.reduce_max(iou, axis=2)
    objects = tf.argmax(iou, axis=2, output_type=tf.int32)
    there = tf.reduce_prod(candidates[..., 2:] - candidates[..., :2], axis=-1) > 0
    hit = there & (best >= _REGION_HIT)
    miss = there & ~hit
    first, second = (
        tf.math.top_k(tf.where(kind, 1.0 + chance, 0.0), count).indices
        for kind, count in ((hit, n_hits), (miss, n_regions - n_hits))
    )
    chosen = tf.concat([first, second], axis=1)
    boxes, objects, hit, there = (
        tf.gather(values, chosen, batch_dims=1)
        for values in (candidates, objects, hit, there)
    )
    # What fills places of the other kind up could be there twice.
    wanted = tf.where(tf.range(n_regions) < n_hits, hit, ~hit)
    return Regions(
        boxes,
        objects,
        tf.cast(hit & wanted, tf.float32),
        tf.cast(there & wanted, tf.float32),
    )


def true_masks(labels: Any, boxes: Any, objects: Any, size: int) -> Any:
    """Return which places of a grid in each box belong to its object.

    Parameters
    ----------
    labels : tensor of shape (n_samples, height, width), int32
        Objects are 1 to n.

    boxes : tensor of shape (n_samples, n_boxes, 4)
        Boxes.

    objects : tensor of shape (n_samples, n_boxes), int32
        Number of the object of each, counted from 0.

    size : int
        Places along each axis.

    Returns
    -------
    tensor of shape (n_samples, n_boxes, size, size), float32
        Ones and zeros.
    """
    shape = tf.shape(labels)
    steps = (tf.range(size, dtype=tf.float32) + 0.5) / size
    rows, columns = (
        tf.clip_by_value(
            tf.cast(
                boxes[..., axis, tf.newaxis]
                + (boxes[..., axis + 2] - boxes[..., axis])[..., tf.newaxis] * steps,
                tf.int32,
            ),
            0,
            shape[axis + 1] - 1,
        )
        for axis in (0, 1)
    )
    places = rows[..., :, tf.newaxis] * shape[2] + columns[..., tf.newaxis, :]
    flat = tf.reshape(labels, [shape[0], -1])
    found = tf.gather(flat, places, batch_dims=1)
    wanted = objects[..., tf.newaxis, tf.newaxis] + 1
    return tf.cast(found == wanted, tf.float32)
