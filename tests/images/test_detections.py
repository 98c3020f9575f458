"""Boxes with masks as label images, and put together from tiles."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instantdl.images import DetectedObjects, join_detections


def _objects(boxes, shape, scores=None, masks=None):
    boxes = np.reshape(np.asarray(boxes, float), (-1, 4))
    n = len(boxes)
    return DetectedObjects(
        boxes,
        np.linspace(1, 0.9, n) if scores is None else np.asarray(scores),
        np.ones(n, int),
        np.ones((n, 28, 28), np.float32) if masks is None else masks,
        shape,
    )


def test_whole_boxes_are_drawn_to_the_pixel():
    labels, scores, kinds = _objects([[1, 2, 4, 6], [5, 0, 8, 1]], (8, 8)).draw()
    expected = np.zeros((8, 8), np.int32)
    expected[1:4, 2:6], expected[5:8, 0] = 1, 2
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(scores, [1, 0.9])
    np.testing.assert_array_equal(kinds, [1, 1])


def test_where_objects_overlap_the_surer_one_is_seen():
    labels, scores, _ = _objects(
        [[0, 0, 4, 4], [0, 2, 4, 6]], (4, 6), scores=[0.6, 0.8]
    ).draw()
    np.testing.assert_array_equal(labels[0], [1, 1, 2, 2, 2, 2])
    np.testing.assert_allclose(scores, [0.6, 0.8])


def test_what_is_hidden_small_or_unsure_is_left_out():
    boxes = [[0, 0, 6, 6], [1, 1, 4, 4], [0, 7, 1, 8], [6, 6, 8, 8]]
    objects = _objects(boxes, (8, 8), scores=[0.9, 0.8, 0.7, 0.3])
    labels, scores, _ = objects.draw(min_size=2)
    np.testing.assert_array_equal(np.unique(labels), [0, 1])
    np.testing.assert_allclose(scores, [0.9])
    assert objects.draw()[0].max() == 2
    assert objects.draw(score_threshold=0.95)[0].max() == 0


def test_a_mask_is_stretched_over_its_box():
    rows, columns = np.ogrid[:28, :28]
    disc = (np.hypot(rows - 13.5, columns - 13.5) < 14).astype(np.float32)
    labels, _, _ = _objects([[10, 20, 50, 100]], (64, 128), masks=disc[None]).draw()
    rows, columns = np.ogrid[:64, :128]
    ellipse = np.hypot((rows + 0.5 - 30) / 20, (columns + 0.5 - 60) / 40) < 1
    both = (labels > 0) & ellipse
    assert both.sum() > 0.96 * ((labels > 0) | ellipse).sum()


def test_boxes_may_reach_out_of_the_image():
    labels, _, _ = _objects(
        [[-3, -3, 2, 2], [5, 5, 20, 20], [30, 30, 40, 40]], (8, 8)
    ).draw()
    expected = np.zeros((8, 8), np.int32)
    expected[:2, :2], expected[5:, 5:] = 1, 2
    np.testing.assert_array_equal(labels, expected)


def test_the_foreground_is_score_times_mask():
    map_ = _objects(
        [[0, 0, 2, 2], [0, 1, 2, 3]], (2, 4), scores=[0.5, 0.75]
    ).foreground()
    np.testing.assert_allclose(map_[0], [0.5, 0.75, 0.75, 0])


def test_nothing_found_is_an_empty_image():
    labels, scores, kinds = _objects([], (4, 5)).draw()
    assert labels.shape == (4, 5)
    assert not labels.any()
    assert len(scores) == len(kinds) == 0
    assert not _objects([], (4, 5)).foreground().any()


def _tiles(shape, tile, margin):
    """Return windows with a margin, and what each is in charge of."""
    windows, inner = [], []
    for row in range(0, shape[0], tile):
        for column in range(0, shape[1], tile):
            starts, sizes = (row, column), shape
            own = tuple(
                slice(start, min(start + tile, size))
                for start, size in zip(starts, sizes, strict=True)
            )
            inner.append(own)
            windows.append(
                tuple(
                    slice(max(axis.start - margin, 0), min(axis.stop + margin, size))
                    for axis, size in zip(own, sizes, strict=True)
                )
            )
    return windows, inner


def _look(labels, window):
    """Return what a perfect detector finds in a window of a label image."""
    part = labels[window]
    boxes, masks = [], []
    for number in np.unique(part[part > 0]):
        rows, columns = np.nonzero(part == number)
        box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        boxes.append(box)
        inside = part[box[0] : box[2], box[1] : box[3]] == number
        grid = np.ix_(
            *(((np.arange(28) + 0.5) / 28 * n).astype(int) for n in inside.shape)
        )
        masks.append(inside[grid])
    return _objects(
        boxes, part.shape, masks=np.reshape(masks, (-1, 28, 28)).astype(np.float32)
    )


@given(seed=st.integers(0, 2**31), tile=st.sampled_from([32, 48, 64]))
@settings(max_examples=60, deadline=None)
def test_objects_of_tiles_are_those_of_the_image(seed, tile):
    rng = np.random.default_rng(seed)
    shape = 96, 112
    labels = np.zeros(shape, np.int32)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for number in range(1, 25):
        row, column = rng.integers(0, shape)
        disc = np.hypot(rows - row, columns - column) < rng.uniform(4, 8)
        if not labels[disc].any():
            labels[disc] = number
    windows, inner = _tiles(shape, tile, margin=20)
    parts = [_look(labels, window) for window in windows]
    found = join_detections(parts, windows, inner, shape)
    drawn, _, _ = found.draw()
    assert drawn.max() == len(np.unique(labels)) - 1
    for number in np.unique(labels[labels > 0]):
        own = np.bincount(drawn[labels == number]).argmax()
        both = np.count_nonzero((drawn == own) & (labels == number))
        assert both > 0.8 * np.count_nonzero((drawn == own) | (labels == number))


@pytest.mark.parametrize("tile", [32, 40])
def test_an_object_larger_than_a_tile_is_one(tile):
    shape = 128, 128
    rows, columns = np.ogrid[:128, :128]
    labels = (np.hypot(rows - 66, columns - 60) < 50).astype(np.int32)
    labels[110:120, 110:120] = 2
    windows, inner = _tiles(shape, tile, margin=12)
    parts = [_look(labels, window) for window in windows]
    drawn, _, _ = join_detections(parts, windows, inner, shape).draw()
    assert drawn.max() == 2
    large = drawn == drawn[66, 60]
    assert (large & (labels == 1)).sum() > 0.95 * (large | (labels == 1)).sum()


@pytest.mark.parametrize("shift", [0.6, -0.6])
def test_what_two_tiles_see_is_kept_once(shift):
    windows = [(slice(0, 32), slice(0, 40)), (slice(0, 32), slice(24, 64))]
    inner = [(slice(0, 32), slice(0, 32)), (slice(0, 32), slice(32, 64))]
    # Each tile places it in its own part, or each in the part of the other.
    one = _objects([[10, 27 - shift, 20, 37 - shift]], (32, 40))
    other = _objects([[10, 3 + shift, 20, 13 + shift]], (32, 40), scores=[0.5])
    found = join_detections([one, other], windows, inner, (32, 64))
    np.testing.assert_allclose(found.scores, [1])


def test_an_object_that_is_mostly_hidden_is_the_same_one_found_twice():
    objects = _objects([[0, 0, 10, 10], [0, 3, 10, 14]], (10, 16), scores=[0.9, 0.8])
    objects.kinds[1] = 2
    labels, scores, kinds = objects.draw()
    assert labels.max() == 1
    assert (scores.tolist(), kinds.tolist()) == ([0.9], [1])


def test_pieces_are_as_sure_as_the_surest_of_them():
    objects = _objects([[0, 0, 4, 6], [0, 5, 4, 9]], (4, 12), scores=[0.9, 0.3])
    assert objects.draw(score_threshold=0.5)[0][0].tolist() == [1] * 6 + [0] * 6
    objects.groups = np.array([1, 1])
    labels, scores, _ = objects.draw(score_threshold=0.5)
    assert labels[0].tolist() == [1] * 9 + [0] * 3
    assert scores.tolist() == [0.9]


def test_an_object_at_the_border_may_reach_into_its_mirror_image():
    # The image has 100 pixels; the network saw 128, the last ones mirrored.
    window, inner = [(slice(0, 128),) * 2], [(slice(0, 100),) * 2]
    part = _objects([[60, 10, 144, 40], [104, 10, 120, 30]], (100, 100))
    found = join_detections([part], window, inner, (100, 100))
    np.testing.assert_array_equal(found.boxes, [[60, 10, 144, 40]])
    labels, _, _ = found.draw()
    np.testing.assert_array_equal(np.flatnonzero(labels[:, 20]), np.arange(60, 100))


def test_thousands_of_objects_of_many_tiles_are_joined_in_seconds():
    windows, inner = _tiles((2048, 2048), 256, margin=32)
    corners = np.stack(np.meshgrid(*[np.arange(4, 2040, 24)] * 2), -1).reshape(-1, 2)
    boxes = np.concatenate([corners, corners + 16], axis=1)
    parts = []
    for window in windows:
        start = np.array([axis.start for axis in window])
        stop = np.array([axis.stop for axis in window])
        seen = ((boxes[:, :2] >= start) & (boxes[:, 2:] <= stop)).all(axis=1)
        shape = tuple((stop - start).tolist())
        parts.append(_objects(boxes[seen] - np.tile(start, 2), shape))
    began = time.monotonic()
    found = join_detections(parts, windows, inner, (2048, 2048))
    labels, _, _ = found.draw()
    assert time.monotonic() - began < 20
    assert labels.max() == len(boxes)
