"""Tests of label images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.segmentation import relabel_sequential

from instantdl.images import (
    as_spacing,
    label_mask,
    labels_to_masks,
    masks_to_labels,
    relabel,
    remove_small,
)

LABELS = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.integers(0, 9),
)


def balls(shape, centres, radius, spacing=1.0):
    """Return a mask of balls; centres and radius in units of `spacing`."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    grid = grid * np.asarray(spacing)
    return np.any(
        [((grid - centre) ** 2).sum(axis=-1) < radius**2 for centre in centres], axis=0
    )


@pytest.mark.parametrize(
    ("shape", "centres"),
    [
        ((30, 50), [(15, 12), (15, 27), (15, 40)]),
        ((20, 22, 40), [(10, 11, 10), (10, 11, 26)]),
    ],
)
def test_touching_objects_are_split(shape, centres):
    mask = balls(shape, centres, 9)
    labels = label_mask(mask)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels > 0, mask)
    assert len({labels[centre] for centre in centres}) == len(centres)
    assert labels.max() == len(centres)


def test_a_single_disc_stays_whole():
    assert label_mask(balls((40, 40), [(20, 20)], 15)).max() == 1


def test_a_disc_cut_by_the_border_stays_whole():
    assert label_mask(balls((40, 40), [(0, 20)], 15)).max() == 1


def test_a_small_object_beside_a_large_one_is_kept():
    mask = balls((40, 40), [(20, 15)], 10)
    mask[20, 27:29] = True
    labels = label_mask(mask, min_distance=8)
    assert labels.max() == 2
    np.testing.assert_array_equal(labels > 0, mask)


def test_small_objects_are_dropped_and_numbers_have_no_gap():
    mask = balls((30, 60), [(15, 30)], 8)
    mask[2, 2] = mask[28, 58] = True
    labels = label_mask(mask, min_size=5)
    assert np.unique(labels).tolist() == [0, 1]
    assert labels[2, 2] == 0


def test_a_larger_distance_splits_less():
    mask = balls((30, 50), [(15, 17), (15, 29)], 9)
    assert label_mask(mask, min_distance=3).max() == 2
    assert label_mask(mask, min_distance=30).max() == 1


def test_spacing_makes_up_for_distant_planes():
    centres = [(16, 14, 12), (16, 14, 28)]
    mask = balls((9, 28, 40), centres, 9, spacing=(4, 1, 1))
    labels = label_mask(mask, spacing=(4, 1, 1))
    assert labels.max() == 2
    assert labels[4, 14, 12] != labels[4, 14, 28]


@pytest.mark.parametrize("shape", [(8, 8), (4, 8, 8)])
def test_an_empty_mask_has_no_objects(shape):
    labels = label_mask(np.zeros(shape, bool))
    assert labels.dtype == np.int32
    assert not labels.any()


def test_a_full_mask_is_one_object():
    assert label_mask(np.ones((8, 8))).tolist() == np.ones((8, 8)).tolist()


@pytest.mark.parametrize("shape", [(8,), (2, 2, 2, 2)])
def test_label_mask_refuses_other_axes(shape):
    with pytest.raises(ValueError, match=r"`mask` must have shape \(height, width\)"):
        label_mask(np.zeros(shape))


@pytest.mark.parametrize("spacing", [0, (1, 1, 1), (1, -1)])
def test_label_mask_refuses_a_spacing_that_does_not_fit(spacing):
    with pytest.raises(ValueError, match="`spacing` must be a positive number or 2"):
        label_mask(np.ones((4, 4)), spacing=spacing)


def test_label_mask_refuses_a_negative_distance():
    with pytest.raises(ValueError, match="`min_distance` must not be negative. Got -1"):
        label_mask(np.ones((4, 4)), min_distance=-1)


@given(LABELS)
@settings(deadline=None, max_examples=50)
def test_relabel_agrees_with_scikit_image(labels):
    expected, _, _ = relabel_sequential(labels)
    result = relabel(labels)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, expected)


@given(LABELS, st.integers(0, 6))
@settings(deadline=None, max_examples=50)
def test_remove_small_keeps_what_is_large_enough(labels, min_size):
    kept = remove_small(labels, min_size)
    for value in np.unique(labels[labels > 0]):
        own = labels == value
        assert (kept[own] == (value if own.sum() >= min_size else 0)).all()
    assert (kept[labels == 0] == 0).all()
    assert kept.dtype == labels.dtype


@given(LABELS)
@settings(deadline=None, max_examples=50)
def test_a_way_through_masks_gives_the_same_labels(labels):
    masks = labels_to_masks(labels)
    assert all(mask.dtype == bool for mask in masks)
    back = masks_to_labels(masks, labels.shape)
    np.testing.assert_array_equal(back, relabel(labels))


def test_the_first_of_overlapping_masks_wins():
    masks = np.array([[[1, 1, 0]], [[0, 1, 1]]], dtype=np.uint8)
    assert masks_to_labels(masks).tolist() == [[1, 1, 2]]


def test_no_masks_give_an_empty_image_of_the_shape():
    labels = masks_to_labels([], (3, 4))
    assert labels.shape == (3, 4)
    assert not labels.any()


def test_no_masks_and_no_shape_are_refused():
    with pytest.raises(ValueError, match="`masks` must hold at least one mask.*shape"):
        masks_to_labels([])


def test_masks_of_unequal_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\). Got \(2, 3\) for mask 1"):
        masks_to_labels([np.ones((2, 2)), np.ones((2, 3))])


@pytest.mark.parametrize("function", [relabel, labels_to_masks])
@pytest.mark.parametrize(
    ("labels", "got"), [(np.array([[0.5]]), "float64"), (np.array([[-1]]), "-1")]
)
def test_other_than_whole_numbers_are_refused(function, labels, got):
    with pytest.raises(ValueError, match=rf"`labels` must hold whole.*Got {got}"):
        function(labels)


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.int64(2)])
def test_one_spacing_for_all_axes_may_be_any_number(number):
    assert as_spacing(np.zeros((4, 4)), number) == [2.0, 2.0]
