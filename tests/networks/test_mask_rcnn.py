"""Mask R-CNN: its parts against plain numpy, and what it learns."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from instantdl.networks import (
    Detector,
    build_mask_rcnn,
    choose_anchors,
    count_noise,
    dropout_noise,
)
from instantdl.networks._mask_rcnn._anchors import box_level, place_anchors
from instantdl.networks._mask_rcnn._boxes import (
    box_iou,
    clip_boxes,
    decode_boxes,
    encode_boxes,
)
from instantdl.networks._mask_rcnn._losses import (
    kind_loss,
    mask_loss,
    offset_loss,
    score_loss,
)
from instantdl.networks._mask_rcnn._regions import align_regions
from instantdl.networks._mask_rcnn._truth import (
    choose_regions,
    find_truth,
    match_anchors,
    true_masks,
)

STRIDES = (4, 8, 16, 32)


def _boxes(rng, n, size=60):
    first = rng.uniform(0, size, (n, 2))
    return np.concatenate([first, first + rng.uniform(1, 30, (n, 2))], axis=1).astype(
        np.float32
    )


@given(seed=st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_overlaps_are_those_of_counted_pixels(seed):
    rng = np.random.default_rng(seed)
    boxes = np.sort(rng.integers(0, 12, (6, 2, 2)), axis=1).reshape(6, 4)
    drawn = np.zeros((6, 12, 12), bool)
    for mask, (top, left, bottom, right) in zip(drawn, boxes, strict=True):
        mask[top:bottom, left:right] = True
    both = (drawn[:, None] & drawn).sum((2, 3))
    either = (drawn[:, None] | drawn).sum((2, 3))
    expected = np.divide(both, either, out=np.zeros(both.shape), where=either > 0)
    found = box_iou(*[tf.constant(boxes, tf.float32)] * 2)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_offsets_turn_anchors_into_boxes():
    rng = np.random.default_rng(0)
    boxes, anchors = _boxes(rng, 50), _boxes(rng, 50)
    moved = decode_boxes(encode_boxes(boxes, anchors), anchors)
    np.testing.assert_allclose(moved, boxes, atol=1e-3)
    np.testing.assert_allclose(encode_boxes(anchors, anchors), 0, atol=1e-6)


def test_boxes_end_at_the_image():
    box = tf.constant([[-3.0, 2.0, 70.0, 90.0]])
    np.testing.assert_array_equal(clip_boxes(box, [64, 80]), [[0, 2, 64, 80]])


def test_anchors_have_the_sizes_of_the_objects():
    rng = np.random.default_rng(0)
    small = rng.normal([10, 20], 0.5, (50, 2))
    large = rng.normal([70, 60], 1, (50, 2))
    anchors = choose_anchors(np.concatenate([small, large]), (2, 4, 8, 16))
    assert [len(level) for level in anchors] == [3] * 4
    np.testing.assert_allclose(anchors[0], np.tile([10, 20], (3, 1)), rtol=0.2)
    np.testing.assert_allclose(anchors[3], np.tile([128, 128], (3, 1)), rtol=0.5)
    level = box_level(np.sqrt(70 * 60), (2, 4, 8, 16))
    np.testing.assert_allclose(anchors[level], np.tile([70, 60], (3, 1)), rtol=0.2)


def test_few_sizes_of_objects_are_enough_for_anchors():
    nothing = choose_anchors(np.zeros((0, 2)), (4, 8))
    np.testing.assert_allclose(np.prod(nothing[0], axis=1), 32**2, rtol=0.2)
    spots, other = choose_anchors(np.full((50, 2), 6.0), (2, 4))
    assert min(abs(height - 6) for height, _ in spots) < 0.7
    assert max(height for height, _ in spots) < 10
    np.testing.assert_allclose(np.prod(other, axis=1), 32**2, rtol=0.2)


def test_anchors_lie_around_the_centres_of_pixels():
    maps = [np.zeros((1, 2, 3, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)]
    sizes = (((2.0, 4.0), (6.0, 6.0)), ((8.0, 8.0), (8.0, 16.0)))
    boxes = np.asarray(place_anchors(maps, (4, 16), sizes))
    assert boxes.shape == (2 * 3 * 2 + 2, 4)
    np.testing.assert_array_equal(boxes[0], [1, 0, 3, 4])
    np.testing.assert_array_equal(boxes[1], [-1, -1, 5, 5])
    np.testing.assert_array_equal(boxes[2], [1, 4, 3, 8])
    np.testing.assert_array_equal(boxes[-1], [4, 0, 12, 16])


def test_boxes_and_classes_of_a_label_image():
    target = np.zeros((2, 8, 9, 2), np.int32)
    target[0, 1:4, 2:7] = [1, 2]
    target[0, 5:8, 0:2] = [3, 1]
    target[1, 0, 0] = [2, 5]
    truth = find_truth(target, 3)
    np.testing.assert_array_equal(
        truth.boxes,
        [
            [[1, 2, 4, 7], [0, 0, 0, 0], [5, 0, 8, 2]],
            [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]],
        ],
    )
    np.testing.assert_array_equal(truth.kinds, [[2, 0, 1], [0, 5, 0]])
    fewer = find_truth(target, 2)
    assert np.asarray(fewer.labels).max() == 2
    np.testing.assert_array_equal(fewer.boxes, truth.boxes[:, :2])


def test_every_object_has_an_anchor_and_background_has_none():
    anchors = np.array([[0, 0, 8, 8], [0, 8, 8, 16], [8, 0, 16, 8], [4, 4, 12, 12.0]])
    boxes = np.array([[0, 0, 8, 8], [11, 11, 16, 16], [0, 0, 0, 0]])
    hit, miss, objects = match_anchors(
        tf.constant(anchors, tf.float32), tf.constant(boxes, tf.float32)
    )
    # The small one in the corner overlaps with the last anchor only, and little.
    np.testing.assert_array_equal(hit, [True, False, False, True])
    np.testing.assert_array_equal(miss, [False, True, True, False])
    np.testing.assert_array_equal(np.asarray(objects)[[0, 3]], [0, 1])


def test_an_anchor_that_holds_one_object_well_is_not_given_to_another():
    anchors = tf.constant([[0.0, 0, 10, 10], [40, 40, 50, 50]])
    boxes = tf.constant([[0.0, 0, 10, 9], [8, 8, 16, 16]])
    hit, _, objects = match_anchors(anchors, boxes)
    np.testing.assert_array_equal(hit, [True, False])
    assert int(objects[0]) == 0


def test_of_two_small_objects_the_anchor_goes_to_the_one_it_fits_better():
    anchors = tf.constant([[0.0, 0, 16, 16], [40, 40, 56, 56]])
    boxes = tf.constant([[0.0, 0, 4, 4], [4, 4, 12, 12]])
    hit, _, objects = match_anchors(anchors, boxes)
    np.testing.assert_array_equal(hit, [True, False])
    assert int(objects[0]) == 1


def test_regions_without_an_object_are_not_counted_twice():
    rng = np.random.default_rng(0)
    boxes = tf.constant([[[0.0, 0, 20, 20]]])
    far = np.concatenate(
        [rng.uniform(30, 40, (40, 2)), rng.uniform(45, 60, (40, 2))], 1
    )
    chance = rng.random((1, 41), np.float32)
    regions = choose_regions(
        tf.constant(far[np.newaxis], tf.float32), boxes, chance, n_hits=8, n_regions=20
    )
    used = np.asarray(regions.used)[0]
    np.testing.assert_array_equal(used, [1] + [0] * 7 + [1] * 12)
    counted = np.asarray(regions.boxes)[0][used > 0]
    assert len(np.unique(counted, axis=0)) == len(counted)


def test_regions_to_learn_from_hold_objects_first():
    rng = np.random.default_rng(0)
    boxes = np.array([[[0, 0, 20, 20], [40, 40, 60, 60], [0, 0, 0, 0]]], np.float32)
    far = np.array([[22, 22, 38, 38]], np.float32) + rng.uniform(-1, 1, (30, 1))
    near = boxes[0, :1] + rng.uniform(-1, 1, (5, 4))
    proposals = np.concatenate([near, far, np.zeros((10, 4))])[None].astype(np.float32)
    chance = rng.random((1, 48), np.float32)
    regions = choose_regions(
        tf.constant(proposals), tf.constant(boxes), chance, n_hits=4, n_regions=16
    )
    hit, used = np.asarray(regions.hit)[0], np.asarray(regions.used)[0]
    np.testing.assert_array_equal(hit, [1] * 4 + [0] * 12)
    assert used.all()
    for box, number in zip(regions.boxes[0, :4], regions.objects[0, :4], strict=True):
        overlap = box_iou(box[None], tf.constant(boxes[0, int(number)])[None])
        assert float(overlap[0, 0]) >= 0.5
    sides = np.asarray(regions.boxes)[0, :, 2:] - np.asarray(regions.boxes)[0, :, :2]
    assert (sides.prod(axis=1) > 0).all()


def test_places_that_cannot_be_filled_do_not_count():
    none = tf.zeros((1, 6, 4))
    boxes = tf.constant([[[0.0, 0, 9, 9], [0, 0, 0, 0]]])
    chance = np.full((1, 8), 0.5, np.float32)
    regions = choose_regions(none, boxes, chance, n_hits=3, n_regions=6)
    assert float(tf.reduce_sum(regions.hit)) == 1
    assert float(tf.reduce_sum(regions.used)) == 1


def test_masks_in_boxes():
    labels = np.zeros((1, 8, 8), np.int32)
    labels[0, :4, :4] = 1
    labels[0, :4, 4:] = 2
    boxes = tf.constant([[[0.0, 0, 8, 8], [0, 0, 8, 8], [0, 4, 4, 8]]])
    found = np.asarray(true_masks(labels, boxes, tf.constant([[0, 1, 1]]), 4))[0]
    np.testing.assert_array_equal(found[0], np.pad(np.ones((2, 2)), (0, 2)))
    np.testing.assert_array_equal(found[1], np.pad(np.ones((2, 2)), ((0, 2), (2, 0))))
    assert found[2].all()


def test_features_of_a_ramp_are_those_of_the_places():
    # A value per place says which place it was: rows and columns of pixel centres.
    pyramid = []
    for stride in STRIDES:
        centres = (np.arange(128 // stride) + 0.5) * stride
        grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
        pyramid.append(tf.constant(grid[np.newaxis], tf.float32))
    boxes = np.array([[[40, 40, 60, 60], [20, 30, 100, 90], [33, 35, 37, 45.5]]])
    found = align_regions(pyramid, tf.constant(boxes, tf.float32), STRIDES, 7)
    for box, values in zip(boxes[0], np.asarray(found), strict=True):
        steps = (np.arange(7) + 0.5) / 7
        rows = box[0] + steps * (box[2] - box[0])
        columns = box[1] + steps * (box[3] - box[1])
        expected = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        np.testing.assert_allclose(values, expected, atol=1e-3)


def test_features_of_each_image_are_its_own():
    pyramid = [
        tf.constant(np.arange(2, dtype=np.float32)[:, None, None, None])
        * tf.ones((2, 64 // stride, 64 // stride, 3))
        for stride in STRIDES
    ]
    boxes = tf.constant([[[8.0, 8, 40, 40]] * 2] * 2)
    found = np.asarray(align_regions(pyramid, boxes, STRIDES, 7))
    np.testing.assert_array_equal(found.mean(axis=(1, 2, 3)), [0, 0, 1, 1])


def test_losses_of_the_truth_are_zero_and_of_others_are_not():
    one = np.ones(1, np.float32)
    hit = np.array([[True, False]])
    sure = np.array([[40.0, -40.0]], np.float32)
    assert float(score_loss(sure, hit, ~hit, one)) < 1e-6
    assert float(score_loss(-sure, hit, ~hit, one)) > 10
    boxes = _boxes(np.random.default_rng(0), 2)[None]
    zero = np.zeros((1, 2, 4), np.float32)
    used = np.ones((1, 2), np.float32)
    assert float(offset_loss(zero, boxes, boxes, used, one)) < 1e-6
    assert float(offset_loss(zero + 1, boxes, boxes, used, one)) == pytest.approx(2)
    kinds = np.array([[0, 1]])
    logits = np.array([[[40.0, 0], [0, 40]]], np.float32)
    assert float(kind_loss(logits, kinds, used, one)) < 1e-6
    assert float(kind_loss(logits, 1 - kinds, used, one)) > 10
    masks = np.random.default_rng(0).integers(0, 2, (1, 2, 4, 4)).astype(np.float32)
    assert float(mask_loss(80 * masks - 40, masks, used, one)) < 1e-6
    assert float(mask_loss(40 - 80 * masks, masks, used, one)) > 10


def test_images_of_weight_zero_do_not_count():
    weight = np.array([1.0, 0.0], np.float32)
    kinds = np.array([[1], [1]])
    logits = np.array([[[0.0, 40]], [[40, 0]]], np.float32)
    assert float(kind_loss(logits, kinds, np.ones((2, 1), np.float32), weight)) < 1e-6


@pytest.mark.parametrize(("first_stride", "depth"), [(2, 18), (4, 18), (4, 50)])
def test_the_pyramid_has_the_strides_it_should(first_stride, depth):
    network = build_mask_rcnn(2, 3, depth=depth, filters=2, first_stride=first_stride)
    backbone = Detector(
        network, [[(8, 8)] * 3] * 4, first_stride=first_stride, n_objects=4
    ).backbone
    outputs = backbone(np.zeros((1, 64, 64, 2), np.float32))
    assert [64 // level.shape[1] for level in outputs[:4]] == [
        first_stride * 2**level for level in range(4)
    ]
    assert [score.shape[-1] for score in outputs[4:8]] == [3] * 4
    assert [offset.shape[-1] for offset in outputs[8:]] == [12] * 4
    assert network.outputs[-3].shape == (None, 4)
    assert network.outputs[-1].shape == (None, 28, 28, 3)


@pytest.fixture(scope="module")
def discs():
    """Return images of bright discs (4, 64, 64, 1), and their targets."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:64, :64]
    x = rng.normal(0, 0.1, (4, 64, 64, 1)).astype(np.float32)
    target = np.zeros((4, 64, 64, 2), np.int32)
    for image, labels in zip(x, target, strict=True):
        for number, (row, column) in enumerate([(18, 18), (45, 40)], start=1):
            row, column = np.array([row, column]) + rng.integers(-6, 7, 2)
            inside = np.hypot(rows - row, columns - column) < rng.uniform(8, 12)
            image[inside] += 1
            labels[inside] = [number, 1]
    return x, target


@pytest.fixture(scope="module")
def lesson(discs):
    """Return a detector, and what trains it by a step on four images."""
    x, target = discs
    network = build_mask_rcnn(1, 1, depth=10, filters=8, dropout_rate=0.3)
    count_noise(network)
    anchors = choose_anchors(np.array([[18, 18], [20, 20], [22, 22]]), STRIDES)
    detector = Detector(network, anchors, first_stride=4, n_objects=4)
    optimizer = tf.keras.optimizers.Adam(3e-3)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            loss = detector.loss(x, target, np.ones(4, "f4"), seed=seed, training=True)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return detector, lambda number: float(step(tf.constant([0, number])))


@pytest.fixture(scope="module")
def trained(lesson):
    """Return a detector that has learnt a little."""
    detector, train = lesson
    losses = [train(number) for number in range(10)]
    assert losses[-1] < losses[0]
    return detector


@pytest.fixture(scope="module")
def learnt(trained, lesson):
    """Return a detector that has learnt four images by heart."""
    first, *_, last = [lesson[1](number) for number in range(10, 110)]
    assert last < first / 2
    return trained


@pytest.mark.slow
def test_discs_are_found_with_their_boxes_and_masks(learnt, discs):
    x, target = discs
    found = learnt.detect(*learnt.propose(x))
    truth = find_truth(target, 4)
    for number in range(4):
        scores = np.asarray(found.scores[number])
        assert (scores[:2] > 0.5).all()
        assert (scores[2:] < 0.5).all()
        overlap = np.asarray(box_iou(found.boxes[number, :2], truth.boxes[number, :2]))
        assert (overlap.max(axis=0) > 0.7).all()
        labels = overlap.argmax(axis=1)
        masks = np.asarray(
            true_masks(
                target[number : number + 1, ..., 0],
                found.boxes[number : number + 1, :2],
                labels[np.newaxis],
                28,
            )
        )
        assert ((np.asarray(found.masks[number, :2]) > 0.5) == masks).mean() > 0.9


def test_noise_changes_the_heads_and_nothing_else(trained, discs):
    pyramid, proposals = trained.propose(discs[0][:1])
    n_noise = max(
        layer.noise_start + layer.output.shape[-1]
        for model in (trained.box_head, trained.mask_head)
        for layer in model.layers
        if hasattr(layer, "noise_start")
    )
    with dropout_noise(np.zeros((1, n_noise), np.float32)):
        again = trained.propose(discs[0][:1])
    np.testing.assert_array_equal(again[1], proposals)
    sure = trained.detect(pyramid, proposals)
    with dropout_noise(np.ones((1, n_noise), np.float32)):
        scaled = trained.detect(pyramid, proposals)
    with dropout_noise(np.random.default_rng(0).random((1, n_noise), np.float32)):
        drawn = trained.detect(pyramid, proposals)
    assert not np.allclose(sure.scores[0, :2], scaled.scores[0, :2], atol=1e-7)
    assert not np.allclose(sure.scores[0, :2], drawn.scores[0, :2], atol=1e-7)


def test_larger_images_may_have_more_objects(trained):
    assert trained.n_objects == 4
    limited = Detector(
        build_mask_rcnn(1, 1, depth=10, filters=2),
        trained.anchors,
        first_stride=4,
        n_objects=4,
        n_pixels=64 * 64,
    )
    assert [int(limited._most_found(tf.constant([64, n]))) for n in (32, 64, 128)] == [
        4,
        4,
        8,
    ]
    assert int(limited._most_found(tf.constant([4096, 4096]))) == 1024


def test_an_image_without_objects_has_a_loss_that_can_be_learnt_from(trained, discs):
    x = discs[0][:1]
    loss = trained.loss(
        x,
        np.zeros((1, 64, 64, 2), np.int32),
        np.ones(1, "f4"),
        seed=[0, 0],
        training=False,
    )
    assert np.isfinite(loss)
    assert float(loss) > 0
