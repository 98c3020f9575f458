"""Boxes that proposals begin with, of the sizes that objects have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.cluster import KMeans

# A box is looked for on the level of the pyramid whose pixels are an eighth of it.
_PIXELS_PER_ANCHOR = 8
_N_ANCHORS = 3
_RATIOS = (0.5, 1.0, 2.0)
_MOST_CLUSTERED = 10_000
_STEP = np.log(2) / 4


def choose_anchors(
    sizes: NDArray[Any], strides: Sequence[int], *, seed: int = 0
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Choose the sizes of anchors by those of the objects to find.

    Parameters
    ----------
    sizes : ndarray of shape (n_objects, 2)
        Height and width of the boxes around training objects, in pixels.

    strides : sequence of int
        Pixels of the image in one of each level of the pyramid, rising.

    seed : int, default=0
        For the clustering, and for which objects it takes of very many.

    Returns
    -------
    tuple of tuple of (float, float)
        Per level three heights and widths: centres of clusters of the objects of
        that level, which are those of about eight of its pixels, or where there are
        none three forms of that size; rounded to a fourth of an octave.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import choose_anchors
    >>> sizes = np.repeat([[10, 10], [20, 10], [20, 20]], 10, axis=0)
    >>> choose_anchors(sizes, [4])
    (((9.51, 9.51), (19.03, 9.51), (19.03, 19.03)),)
    """
    sizes = np.maximum(np.asarray(sizes, float).reshape(-1, 2), 1)
    if len(sizes) > _MOST_CLUSTERED:
        chosen = np.random.default_rng(seed).permutation(len(sizes))[:_MOST_CLUSTERED]
        sizes = sizes[np.sort(chosen)]
    level_of = np.asarray(box_level(np.sqrt(sizes.prod(axis=1)), strides))
    anchors = []
    for level, stride in enumerate(strides):
        own = np.log(sizes[level_of == level])
        side = _PIXELS_PER_ANCHOR * stride
        centres = np.log([[side * r**0.5, side / r**0.5] for r in _RATIOS])
        if len(own):
            n_clusters = min(_N_ANCHORS, len(np.unique(own, axis=0)))
            clusters = KMeans(n_clusters, n_init=4, random_state=seed).fit(own)
            centres = clusters.cluster_centers_
        # Of fewer sizes than anchors, also what is somewhat larger.
        while len(centres) < _N_ANCHORS:
            centres = np.concatenate([centres, centres[-1:] + _STEP])
        forms = np.exp(np.round(centres / _STEP) * _STEP).round(2).tolist()
        anchors.append(tuple((h, w) for h, w in sorted(forms)))
    return tuple(anchors)


def box_level(side: Any, strides: Sequence[int]) -> Any:
    """Return on which level of the pyramid boxes of a size are looked for.

    Parameters
    ----------
    side : tensor of any shape
        Square root of the area of each, in pixels.

    strides : sequence of int
        Of the levels.

    Returns
    -------
    tensor of the same shape, int32
    """
    octaves = tf.math.log(side / (_PIXELS_PER_ANCHOR * strides[0])) / np.log(2)
    return tf.clip_by_value(tf.cast(tf.round(octaves), tf.int32), 0, len(strides) - 1)


def place_anchors(
    maps: Sequence[Any],
    strides: Sequence[int],
    sizes: Sequence[Sequence[tuple[float, float]]],
) -> Any:
    """Return an anchor of each size around each pixel of each level.

    Parameters
    ----------
    maps : sequence of tensor of shape (n_samples, height, width, channels)
        The levels of the pyramid.

    strides, sizes
        As `choose_anchors` takes and gives them.

    Returns
    -------
    tensor of shape (n_anchors, 4), float32
        First and last row and column of each, in pixels of the image; level by
        level, row by row, the sizes of one place beside each other.
    """
    result = []
    for level, stride, forms in zip(maps, strides, sizes, strict=True):
        height, width = tf.shape(level)[1], tf.shape(level)[2]
        rows, columns = (
            (tf.cast(tf.range(n), tf.float32) + 0.5) * stride for n in (height, width)
        )
        centres = tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)
        centres = tf.reshape(centres, [-1, 1, 2])
        half = tf.constant(forms, tf.float32)[tf.newaxis] / 2
        boxes = tf.concat([centres - half, centres + half], axis=-1)
        result.append(tf.reshape(boxes, [-1, 4]))
    return tf.concat(result, axis=0)
