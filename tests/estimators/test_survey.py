"""Tests of the look at all masks before training."""

import numpy as np
import pytest

from instantdl.datasets import make_nuclei
from instantdl.estimators._survey import find_directed_axes, survey_masks
from instantdl.images import check_images_and_masks


def boxes(n, rng, *, first_axis, size=32):
    """Return masks of a box that lies anywhere but, along axis 0, at `first_axis`."""
    masks = np.zeros((n, size, size), np.uint8)
    for mask in masks:
        i, j = rng.integers(0, size - 8, 2)
        if first_axis is not None:
            i = first_axis + rng.integers(3)
        mask[i : i + 8, j : j + 8] = 1
    return masks


def directed_axes(masks):
    _images, checked = check_images_and_masks(np.zeros((*masks.shape, 1)), masks)
    return survey_masks(checked, 0).directed_axes


def test_objects_anywhere_have_no_direction(rng):
    assert directed_axes(boxes(40, rng, first_axis=None)) == ()


def test_nuclei_have_no_direction():
    _, labels = make_nuclei(20, shape=(64, 64), random_state=0)
    assert directed_axes(np.asarray(labels) > 0) == ()


def test_objects_at_one_end_have_a_direction(rng):
    assert directed_axes(boxes(40, rng, first_axis=0)) == (0,)


def test_objects_in_the_middle_have_none(rng):
    assert directed_axes(boxes(40, rng, first_axis=11)) == ()


def test_one_class_before_another_is_a_direction(rng):
    masks = boxes(40, rng, first_axis=None)
    for mask in masks:
        rows = np.flatnonzero(mask.any(axis=1))
        mask[rows[: len(rows) // 2]] *= 2
    assert directed_axes(masks) == (0,)


def test_few_images_prove_nothing(rng):
    assert directed_axes(boxes(7, rng, first_axis=0)) == ()


def test_a_class_that_is_often_absent_counts_where_it_is():
    centres = np.full((30, 2, 1), np.nan)
    centres[:, 0] = 0
    centres[:10, 1] = 0.3
    assert find_directed_axes(centres) == (0,)


@pytest.mark.parametrize(
    ("offset", "deviation", "expected"),
    [(0.1, 0.05, (1,)), (0.1, 0.3, ()), (0.01, 0.001, ())],
)
def test_an_offset_must_be_large_and_steady(offset, deviation, expected, rng):
    centres = rng.normal(0, 0.1, (50, 1, 2))
    centres[:, 0, 1] = offset + deviation * rng.standard_normal(50)
    assert find_directed_axes(centres) == expected


def test_chance_hardly_ever_looks_like_a_direction(rng):
    found = [find_directed_axes(rng.normal(0, 0.1, (10, 3, 2))) for _ in range(300)]
    assert sum(axes != () for axes in found) < 15


def test_an_axis_of_length_one_has_no_direction(rng):
    masks = boxes(20, rng, first_axis=None)[:, np.newaxis]
    assert directed_axes(masks) == ()
