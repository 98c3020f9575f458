"""Outlines of objects along the borders of pixels, and polygons that are filled."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instantdl.images import fill_polygon, outline_polygons

MASKS = hnp.arrays(
    bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.booleans()
)


def _area(ring):
    x, y = np.asarray(ring).T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@given(MASKS)
@settings(max_examples=300, deadline=None)
def test_filling_the_outlines_gives_the_mask(mask):
    filled = np.zeros_like(mask)
    for rings in outline_polygons(mask):
        fill_polygon(filled, rings)
    np.testing.assert_array_equal(filled, mask)


@given(MASKS)
@settings(max_examples=100, deadline=None)
def test_the_areas_of_the_rings_add_up_to_the_pixels(mask):
    total = 0
    for outer, *holes in outline_polygons(mask):
        total += _area(outer) - sum(map(_area, holes))
    assert total == mask.sum()


def test_a_frame_has_a_hole_and_corners_only():
    mask = np.ones((4, 5), bool)
    mask[1:3, 1:4] = False
    ((outer, hole),) = outline_polygons(mask)
    assert sorted(map(tuple, outer.tolist())) == [(0, 0), (0, 4), (5, 0), (5, 4)]
    assert sorted(map(tuple, hole.tolist())) == [(1, 1), (1, 3), (4, 1), (4, 3)]


def test_parts_that_touch_at_a_corner_are_two():
    assert len(outline_polygons(np.eye(2))) == 2
    assert outline_polygons(np.zeros((3, 3))) == []


def test_a_polygon_may_reach_beyond_the_mask():
    mask = np.zeros((4, 4), bool)
    fill_polygon(mask, [[(-5, -5), (2, -5), (2, 9), (-5, 9)]])
    assert mask[:, :2].all()
    assert not mask[:, 2:].any()


def test_what_is_set_stays_set():
    mask = np.eye(3, dtype=bool)
    fill_polygon(mask, [[(0, 0), (1, 0), (1, 1), (0, 1)]])
    np.testing.assert_array_equal(mask, np.eye(3, dtype=bool))
