"""What connects the layers of Mask R-CNN, in training and in prediction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from instantdl.networks._dropout import repeated_noise
from instantdl.networks._mask_rcnn._anchors import place_anchors
from instantdl.networks._mask_rcnn._boxes import clip_boxes, decode_boxes
from instantdl.networks._mask_rcnn._losses import (
    kind_loss,
    mask_loss,
    offset_loss,
    score_loss,
)
from instantdl.networks._mask_rcnn._model import BOX_SIZE, MASK_SIZE, N_LEVELS
from instantdl.networks._mask_rcnn._regions import align_regions
from instantdl.networks._mask_rcnn._truth import (
    choose_regions,
    find_truth,
    match_anchors,
    true_masks,
)

# Of anchors and of found objects, whatever overlaps more with a better one goes.
_PROPOSALS_OVERLAP, _OBJECTS_OVERLAP = 0.7, 0.5
_LEAST_SCORE = 0.05
_ANCHORS_PER_PROPOSAL = 4
_PROPOSALS_PER_OBJECT = 4
_FEWEST_PROPOSALS = 128
MOST_FOUND = 1024
_REGIONS, _REGIONS_WITH_OBJECT = 96, 32


class Detections(NamedTuple):
    """What is found in a batch.

    Parameters
    ----------
    boxes : tensor of shape (n_samples, n_found, 4), float32
        First and end row and column of each object, in pixels.

    scores : tensor of shape (n_samples, n_found), float32
        How sure each is, falling; 0 for places that are not needed.

    kinds : tensor of shape (n_samples, n_found), int32
        Class of each, from 1 on.

    masks : tensor of shape (n_samples, n_found, 28, 28), float32
        How probable it is that a place of the box belongs to the object.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import Detections
    >>> Detections(np.zeros((1, 0, 4)), np.zeros((1, 0)), np.zeros((1, 0)),
    ...            np.zeros((1, 0, 28, 28))).scores.shape
    (1, 0)
    """

    boxes: Any
    scores: Any
    kinds: Any
    masks: Any


class Detector:
    """Propose boxes, tell what is in them, and where: Mask R-CNN.

    The method of [1]_ on a network of :func:`build_mask_rcnn`.

    Parameters
    ----------
    network : keras.Model
        From `build_mask_rcnn`.

    anchors : sequence of sequence of (float, float)
        Per level of the pyramid height and width of its anchors, see
        `choose_anchors`.

    first_stride : int
        As in `build_mask_rcnn`.

    n_objects : int
        Most objects of an image that are learnt from.

    n_pixels : int or None, default=None
        Pixels of the images that have so many. In larger ones as many more are found,
        up to 1024; None finds `n_objects` in images of any size.

    References
    ----------
    .. [1] He et al. "Mask R-CNN", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import Detector, build_mask_rcnn, choose_anchors
    >>> network = build_mask_rcnn(1, 1, depth=10, filters=2)
    >>> anchors = choose_anchors(np.array([[32, 32]]), (4, 8, 16, 32))
    >>> detector = Detector(network, anchors, first_stride=4, n_objects=5)
    >>> found = detector.detect(*detector.propose(np.zeros((1, 64, 64, 1), "f4")))
    >>> found.boxes.shape[-1]
    4
    """

    def __init__(
        self,
        network: keras.Model,
        anchors: Sequence[Sequence[tuple[float, float]]],
        *,
        first_stride: int,
        n_objects: int,
        n_pixels: int | None = None,
    ) -> None:
        outputs = network.outputs
        self.backbone = keras.Model(network.inputs[0], outputs[: 3 * N_LEVELS])
        self.box_head = keras.Model(network.inputs[1], outputs[3 * N_LEVELS : -1])
        self.mask_head = keras.Model(network.inputs[2], outputs[-1])
        self.anchors = anchors
        self.strides = tuple(first_stride * 2**level for level in range(N_LEVELS))
        self.n_objects = n_objects
        self.n_pixels = n_pixels

    def propose(self, x: Any) -> tuple[list[Any], Any]:
        """Return features and proposals of images.

        Parameters
        ----------
        x : tensor of shape (n_samples, height, width, n_channels)
            Images, of sides that are multiples of the coarsest stride.

        Returns
        -------
        pyramid : list of tensor
            Features, finest level first.

        proposals : tensor of shape (n_samples, n_proposals, 4)
            Boxes; what is not needed has no area.
        """
        pyramid, scores, offsets, anchors = self._judge_anchors(x, training=False)
        shape = tf.shape(x)[1:3]
        n_proposals = tf.maximum(
            _FEWEST_PROPOSALS, _PROPOSALS_PER_OBJECT * self._most_found(shape)
        )
        boxes, needed = _select(scores, offsets, anchors, shape, n_proposals)
        # One at least: some kernels do not take none.
        return pyramid, boxes[:, : tf.maximum(tf.reduce_max(needed), 1)]

    def _most_found(self, shape: Any) -> Any:
        """Return how many objects are found in an image of this size at most."""
        if self.n_pixels is None:
            return self.n_objects
        ratio = tf.cast(tf.reduce_prod(shape), tf.float32) / self.n_pixels
        most = tf.math.ceil(self.n_objects * tf.maximum(ratio, 1.0))
        return tf.minimum(tf.cast(most, tf.int32), max(MOST_FOUND, self.n_objects))

    def detect(self, pyramid: Sequence[Any], proposals: Any) -> Detections:
        """Return the objects in proposals.

        Parameters
        ----------
        pyramid : sequence of tensor
            Features.

        proposals : tensor of shape (n_samples, n_proposals, 4)
            Boxes.

        Returns
        -------
        Detections
            As many places as the image with most objects needs.
        """
        shape = tf.shape(pyramid[0])[1:3] * self.strides[0]
        logits, offsets = self._judge_boxes(pyramid, proposals, training=False)
        there = tf.reduce_prod(proposals[..., 2:] - proposals[..., :2], axis=-1) > 0
        scores = tf.nn.softmax(logits)[..., 1:] * tf.cast(there, tf.float32)[..., None]
        boxes = clip_boxes(decode_boxes(offsets, proposals), shape)
        found = tf.image.combined_non_max_suppression(
            boxes[:, :, tf.newaxis],
            scores,
            max_output_size_per_class=self._most_found(shape),
            max_total_size=self._most_found(shape),
            iou_threshold=_OBJECTS_OVERLAP,
            score_threshold=_LEAST_SCORE,
            clip_boxes=False,
        )
        # One place at least: some kernels do not take none.
        n_found = tf.maximum(tf.reduce_max(found.valid_detections), 1)
        boxes = found.nmsed_boxes[:, :n_found]
        kinds = tf.cast(found.nmsed_classes[:, :n_found], tf.int32) + 1
        masks = tf.sigmoid(self._mask_logits(pyramid, boxes, kinds, training=False))
        return Detections(boxes, found.nmsed_scores[:, :n_found], kinds, masks)

    def loss(
        self, x: Any, target: Any, sample_weight: Any, *, seed: Any, training: bool
    ) -> Any:
        """Return the sum of the five losses.

        Parameters
        ----------
        x : tensor of shape (n_samples, height, width, n_channels)
            Images.

        target : tensor of shape (n_samples, height, width, 2), int32
            Number of the object, 0 for the background, and its class from 1 on.

        sample_weight : tensor of shape (n_samples,)
            Weight of each image.

        seed : tensor of shape (2,), int32
            Settles which proposals are learnt from.

        training : bool
            Whether to normalise by the statistics of the batch.

        Returns
        -------
        tensor
        """
        truth = find_truth(target, self.n_objects)
        pyramid, scores, offsets, anchors = self._judge_anchors(x, training=training)
        hit, miss, objects = tf.map_fn(
            lambda boxes: match_anchors(anchors, boxes),
            truth.boxes,
            fn_output_signature=(tf.bool, tf.bool, tf.int32),
            parallel_iterations=1,  # they take memory
        )
        boxes = tf.gather(truth.boxes, objects, batch_dims=1)
        weight = tf.cast(sample_weight, tf.float32)
        proposing = score_loss(scores, hit, miss, weight) + offset_loss(
            offsets, boxes, anchors[tf.newaxis], tf.cast(hit, tf.float32), weight
        )
        n_proposals = max(_FEWEST_PROPOSALS, _PROPOSALS_PER_OBJECT * self.n_objects)
        proposals, _ = _select(scores, offsets, anchors, tf.shape(x)[1:3], n_proposals)
        proposals = tf.stop_gradient(proposals)
        return proposing + self._loss_of_heads(
            pyramid, proposals, truth, weight, seed=seed, training=training
        )

    def _loss_of_heads(
        self,
        pyramid: Sequence[Any],
        proposals: Any,
        truth: Any,
        weight: Any,
        *,
        seed: Any,
        training: bool,
    ) -> Any:
        shape = tf.shape(proposals)
        chance = tf.random.stateless_uniform(
            [shape[0], shape[1] + self.n_objects], seed
        )
        regions = choose_regions(
            proposals,
            truth.boxes,
            chance,
            n_hits=_REGIONS_WITH_OBJECT,
            n_regions=_REGIONS,
        )
        logits, offsets = self._judge_boxes(pyramid, regions.boxes, training=training)
        boxes = tf.gather(truth.boxes, regions.objects, batch_dims=1)
        kinds = tf.gather(truth.kinds, regions.objects, batch_dims=1)
        kinds *= tf.cast(regions.hit, tf.int32)
        inner = [
            values[:, :_REGIONS_WITH_OBJECT]
            for values in (regions.boxes, regions.objects, regions.hit, kinds)
        ]
        found = self._mask_logits(
            pyramid, inner[0], tf.maximum(inner[3], 1), training=training
        )
        masks = true_masks(truth.labels, inner[0], inner[1], 2 * MASK_SIZE)
        return (
            kind_loss(logits, kinds, regions.used, weight)
            + offset_loss(offsets, boxes, regions.boxes, regions.hit, weight)
            + mask_loss(found, masks, inner[2], weight)
        )

    def _judge_anchors(
        self, x: Any, *, training: bool
    ) -> tuple[list[Any], Any, Any, Any]:
        """Return features, and score, offsets and place of all anchors."""
        outputs = self.backbone(x, training=training)
        pyramid = outputs[:N_LEVELS]
        n_samples = tf.shape(x)[0]
        scores, offsets = (
            tf.concat([tf.reshape(y, [n_samples, -1, size]) for y in level], axis=1)
            for level, size in (
                (outputs[N_LEVELS : 2 * N_LEVELS], 1),
                (outputs[2 * N_LEVELS :], 4),
            )
        )
        anchors = place_anchors(pyramid, self.strides, self.anchors)
        return pyramid, scores[..., 0], offsets, anchors

    def _judge_boxes(
        self, pyramid: Sequence[Any], boxes: Any, *, training: bool
    ) -> tuple[Any, Any]:
        """Return logits of the class, and offsets, for each box."""
        n_samples, n_boxes = tf.shape(boxes)[0], tf.shape(boxes)[1]
        features = align_regions(pyramid, boxes, self.strides, BOX_SIZE)
        with repeated_noise(n_boxes):
            logits, offsets = self.box_head(features, training=training)
        return (
            tf.reshape(logits, [n_samples, n_boxes, logits.shape[-1]]),
            tf.reshape(offsets, [n_samples, n_boxes, 4]),
        )

    def _mask_logits(
        self, pyramid: Sequence[Any], boxes: Any, kinds: Any, *, training: bool
    ) -> Any:
        """Return the mask of its class for each box."""
        features = align_regions(pyramid, boxes, self.strides, MASK_SIZE)
        with repeated_noise(tf.shape(boxes)[1]):
            logits = self.mask_head(features, training=training)
        chosen = tf.gather(
            tf.transpose(logits, [0, 3, 1, 2]),
            tf.reshape(kinds, [-1]) - 1,
            batch_dims=1,
        )
        size = 2 * MASK_SIZE
        return tf.reshape(chosen, [tf.shape(boxes)[0], -1, size, size])


def _select(
    scores: Any, offsets: Any, anchors: Any, shape: Any, n_proposals: Any
) -> tuple[Any, Any]:
    """Return the best anchors, moved by their offsets, without near copies.

    What is not needed of the places has no area; how many are is returned, too.
    """
    wanted = _ANCHORS_PER_PROPOSAL * n_proposals
    best = tf.math.top_k(scores, tf.minimum(wanted, tf.shape(scores)[1]))
    boxes = decode_boxes(
        tf.gather(offsets, best.indices, batch_dims=1),
        tf.gather(anchors, best.indices),
    )
    found = tf.image.combined_non_max_suppression(
        clip_boxes(boxes, shape)[:, :, tf.newaxis],
        tf.sigmoid(best.values)[..., tf.newaxis],
        max_output_size_per_class=n_proposals,
        max_total_size=n_proposals,
        iou_threshold=_PROPOSALS_OVERLAP,
        clip_boxes=False,
    )
    return found.nmsed_boxes, found.valid_detections
