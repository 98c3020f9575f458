"""Cores of objects, and objects grown from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk, ellipse

from instantdl.images import grow_instances, object_cores, relabel
from instantdl.metrics import match_instances


def _touching_discs(shape=(64, 80)):
    labels = np.zeros(shape, np.int32)
    for number, (centre, radius) in enumerate(
        [((20, 20), 12), ((20, 42), 11), ((44, 30), 14), ((40, 64), 9)], start=1
    ):
        labels[disk(centre, radius, shape=shape)] = number
    return labels


def _horseshoe():
    rows, columns = np.ogrid[:41, :41]
    radius = np.hypot(rows - 20, columns - 20)
    return (
        (radius < 18) & (radius > 11) & ~((rows > 20) & (abs(columns - 20) < 6))
    ) * 1


@st.composite
def label_images(draw):
    """Draw connected objects of any form that mostly touch."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.lists(st.integers(1, 14), min_size=2, max_size=3)))
    noise = ndimage.gaussian_filter(rng.random(shape), draw(st.floats(0, 1.5)))
    levels = np.digitize(noise, np.quantile(noise, [0.3, 0.6]))
    parts = np.zeros(shape, np.int32)
    for level in (1, 2):
        found, _ = ndimage.label(levels == level, np.ones((3,) * len(shape)))
        parts[found > 0] = found[found > 0] + parts.max()
    return parts


@given(label_images())
@settings(max_examples=200, deadline=None)
def test_a_core_is_one_part_of_each_object(labels):
    cores = object_cores(labels)
    assert not cores[labels == 0].any()
    for number in np.unique(labels[labels > 0]):
        _, n_parts = ndimage.label(
            cores & (labels == number), np.ones((3,) * labels.ndim)
        )
        assert n_parts == 1


@given(label_images())
@settings(max_examples=200, deadline=None)
def test_cores_that_lie_within_objects_do_not_touch(labels):
    cores = object_cores(labels)
    grown = {}
    for number in np.unique(labels[labels > 0]):
        inside = labels == number
        core = cores & inside
        # Within: no pixel of the core is on the border of the object.
        if (ndimage.grey_dilation(~inside, (3,) * labels.ndim) & core).any():
            continue
        grown[number] = ndimage.binary_dilation(core, np.ones((3,) * labels.ndim))
        assert not (grown[number] & cores & ~inside).any()


@pytest.mark.parametrize("seed_threshold", [0.3, 0.5, 0.8])
def test_touching_discs_are_found_again(seed_threshold):
    labels = _touching_discs()
    cores = ndimage.gaussian_filter(object_cores(labels).astype(float), 1)
    grown = grow_instances(labels > 0, cores, seed_threshold=seed_threshold)
    matches = match_instances(labels, grown, threshold=0.9)
    assert len(matches.true) == grown.max() == 4


def test_objects_that_lie_side_by_side_are_told_apart():
    labels = np.zeros((40, 60), int)
    labels[ellipse(12, 30, 9, 26)] = 1
    labels[ellipse(30, 30, 9, 26)] = 2
    grown = grow_instances(labels > 0, object_cores(labels))
    assert len(match_instances(labels, grown, threshold=0.9).true) == 2


def test_a_horseshoe_is_one_object():
    labels = _horseshoe()
    assert grow_instances(labels > 0, object_cores(labels)).max() == 1


def test_a_thin_place_does_not_cut_an_object_in_two():
    labels = np.zeros((21, 60), int)
    labels[disk((10, 12), 9)] = labels[disk((10, 46), 9)] = 1
    labels[8:13, 12:46] = 1
    assert grow_instances(labels > 0, object_cores(labels)).max() == 1


def test_depth_is_a_part_of_the_greatest():
    labels = np.zeros((61, 61), int)
    labels[disk((30, 30), 25)] = 5
    rows, columns = np.indices(labels.shape)
    radius = np.hypot(rows - 30, columns - 30)
    core = object_cores(labels)
    assert core[radius < 13].all()
    assert not core[radius > 17].any()


def test_spacing_stretches_distances():
    labels = np.pad(np.ones((9, 9, 9), int), 1)
    core = object_cores(labels, spacing=(4, 1, 1))
    # Deep is what is far from the sides, above and below count four times.
    assert core[1, 5, 5]
    assert not core[5, 1, 5]
    np.testing.assert_array_equal(object_cores(labels, spacing=2), object_cores(labels))


def test_what_the_border_of_the_image_cuts_off_goes_on_beyond_it():
    labels = np.zeros((20, 20), int)
    labels[:10] = 3
    core = object_cores(labels)
    assert core[0].all()
    assert not core[9].any()
    assert object_cores(np.ones((4, 4), int)).all()


def test_images_without_objects_and_objects_of_one_pixel():
    empty = np.zeros((5, 6), np.uint8)
    assert not object_cores(empty).any()
    grown = grow_instances(empty, object_cores(empty))
    assert grown.dtype == np.int32
    assert not grown.any()
    single = empty.copy()
    single[0, 5] = 200
    np.testing.assert_array_equal(
        grow_instances(single, object_cores(single)), single > 0
    )


def test_labels_may_be_any_numbers():
    labels = _touching_discs()
    numbers = np.array([0, 7, 100_000, 3, 12])[labels]
    np.testing.assert_array_equal(object_cores(numbers), object_cores(labels))


def test_small_objects_are_dropped_and_the_others_renumbered():
    labels = _touching_discs()
    labels[2, 2] = 9
    grown = grow_instances(labels > 0, object_cores(labels), min_size=5)
    assert set(np.unique(grown)) == {0, 1, 2, 3, 4}
    assert grown[2, 2] == 0
    np.testing.assert_array_equal(grown, relabel(grown))


def test_foreground_without_a_seed_is_no_object():
    foreground = np.array([[0.9, 0.9, 0.0, 0.8, 0.8]])
    cores = np.array([[0.9, 0.4, 0.0, 0.4, 0.3]])
    np.testing.assert_array_equal(grow_instances(foreground, cores), [[1, 1, 0, 0, 0]])
    lower = grow_instances(foreground, cores, seed_threshold=0.35)
    np.testing.assert_array_equal(lower, [[1, 1, 0, 2, 2]])
    strict = grow_instances(foreground, cores, foreground_threshold=0.85)
    np.testing.assert_array_equal(strict, [[1, 1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(5, int), "must have shape"),
        (np.zeros((3, 3)), "whole numbers"),
        (np.full((3, 3), -1), "whole numbers"),
    ],
)
def test_what_is_no_label_image_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        object_cores(labels)


@pytest.mark.parametrize("spacing", [(4, 1, 1), (0.5, 1, 1), (1, 3, 3)])
@pytest.mark.parametrize("depths", [(4, 5), (1, 6), (3, 3)])
def test_cores_of_stacked_objects_do_not_touch_whatever_the_spacing(spacing, depths):
    labels = np.zeros((sum(depths), 11, 11), int)
    labels[: depths[0], 1:-1, 1:-1] = 1
    labels[depths[0] :, 1:-1, 1:-1] = 2
    cores = object_cores(np.pad(labels, 1), spacing=spacing)
    _, n_parts = ndimage.label(cores, np.ones((3, 3, 3)))
    assert n_parts == 2


def test_thin_objects_keep_what_does_not_touch_others():
    labels = np.zeros((12, 8), int)
    labels[1:5, 2:4] = 1
    labels[5:11, 2:4] = 2
    cores = object_cores(labels)
    assert (cores == (labels > 0))[[1, 2, 3, 6, 7, 8, 9, 10]].all()
    assert not cores[4:6].any()
