"""Tests of the look at all masks before training."""

import numpy as np
import pytest

from instantdl.datasets import make_nuclei
from instantdl.estimators._survey import (
    ImageKinds,
    find_directed_axes,
    survey_kinds,
    survey_masks,
)
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


def slides_and_cells(n_bright, n_dark, n_coloured, rng):
    """Bright objects on black, dark ones on white, violet ones on white; in order."""
    images, masks = [], []
    for number in range(n_bright + n_dark + n_coloured):
        mask = np.zeros((70, 90), np.uint8)
        mask[20:40, 30:60] = 1 + number
        image = np.repeat(mask[..., np.newaxis] > 0, 3, axis=-1) * 200.0 + 20
        if number >= n_bright:
            image = 240 - image
        if number >= n_bright + n_dark:
            image[mask > 0] = (120, 60, 150)
        images.append(image + rng.normal(0, 3, (70, 90, 1)))
        masks.append(mask)
    return check_images_and_masks(images, masks)


def test_kinds_of_images_are_told_apart(rng):
    codes = survey_kinds(*slides_and_cells(3, 2, 2, rng)).codes
    assert codes.tolist() == [codes[0]] * 3 + [codes[3]] * 2 + [codes[5]] * 2
    assert len({codes[0], codes[3], codes[5]}) == 3


def test_images_without_anything_marked_or_with_nothing_else_are_some_kind():
    images = np.full((2, 8, 8), 7.0)
    masks = np.stack([np.zeros((8, 8), int), np.ones((8, 8), int)])
    kinds = survey_kinds(*check_images_and_masks(images, masks))
    assert kinds.codes.tolist() == [0, 0]


def test_rare_kinds_are_shown_by_the_root_of_their_rarity():
    kinds = ImageKinds(np.array([0] * 16 + [1] * 4 + [3]))
    assert kinds.emphasis(np.arange(21)).tolist() == [1.0] * 16 + [2.0] * 4 + [4.0]
    # of those that are learnt from
    assert kinds.emphasis(np.array([0, 1, 2, 3, 16, 17, 18, 19])).tolist() == [1.0] * 8
    assert kinds.emphasis(np.array([], int)).tolist() == []


def test_one_odd_image_does_not_fill_the_epochs():
    assert ImageKinds(np.array([0] * 500 + [1])).emphasis(np.arange(501)).max() == 8


def test_kinds_and_classes_are_strata_and_none_is_alone():
    kinds = ImageKinds(np.array([0, 0, 0, 0, 1, 1, 1, 2]))
    strata = kinds.strata(np.array([0, 0, 1, 1, 0, 0, 1, 0]))
    _, counts = np.unique(strata, return_counts=True)
    assert counts.min() >= 2
    assert strata[0] == strata[1] == strata[7]
    assert strata[2] == strata[3] == strata[6]
    assert len({strata[0], strata[2], strata[4]}) == 3
