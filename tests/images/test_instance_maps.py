"""Maps of closeness to objects' centres, and objects grown from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk, ellipse
from skimage.morphology import skeletonize

from instantdl.images import centre_closeness, grow_instances, relabel
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


@given(label_images(), st.sampled_from([0.05, 0.3, 0.5, 0.8]))
@settings(max_examples=200, deadline=None)
def test_what_is_close_to_the_centre_is_one_part_of_each_object(labels, level):
    closeness = centre_closeness(labels)
    assert np.array_equal(closeness > 0, labels > 0)
    for number in np.unique(labels[labels > 0]):
        values = np.where(labels == number, closeness, 0)
        assert values.max() == 1
        _, n_parts = ndimage.label(values > level, np.ones((3,) * labels.ndim))
        assert n_parts == 1


@pytest.mark.parametrize("seed_threshold", [0.3, 0.5, 0.8])
def test_touching_discs_are_found_again(seed_threshold):
    labels = _touching_discs()
    grown = grow_instances(
        labels > 0, centre_closeness(labels), seed_threshold=seed_threshold
    )
    matches = match_instances(labels, grown, threshold=0.95)
    assert len(matches.true) == grown.max() == 4


def test_a_horseshoe_is_one_object_measured_along_itself():
    labels = _horseshoe()
    closeness = centre_closeness(labels)
    assert grow_instances(labels > 0, closeness).max() == 1
    middle = np.where(skeletonize(labels > 0), closeness, np.nan)
    # The two ends are near one another, and the farthest from the centre.
    assert np.nanmin(middle[20:, :]) < 0.2
    assert np.nanmax(middle[:8, 15:26]) > 0.7


def test_straight_distances_are_euclidean():
    labels = np.zeros((61, 61), int)
    labels[ellipse(30, 30, 28, 28)] = 5
    closeness = centre_closeness(labels)
    rows, columns = np.indices(labels.shape)
    distance = np.hypot(rows - 30, columns - 30)
    farthest = distance[labels > 0].max() + 1
    expected = np.where(labels > 0, 1 - distance / farthest, 0)
    np.testing.assert_allclose(closeness, expected, atol=1e-6)


def test_spacing_stretches_distances():
    labels = np.ones((9, 9, 9), int)
    closeness = centre_closeness(labels, spacing=(4, 1, 1))
    assert closeness[4, 4, 4] == 1
    assert closeness[5, 4, 4] == pytest.approx(closeness[4, 4, 8])
    same = centre_closeness(labels, spacing=2)
    np.testing.assert_allclose(same, centre_closeness(labels), atol=1e-6)


def test_parts_that_are_cut_off_are_background():
    labels = np.array([[1, 1, 1, 1, 1, 0, 1]])
    closeness = centre_closeness(labels)
    assert closeness.max() == 1
    assert closeness[0, :5].min() > 0
    assert closeness[0, 6] == 0


def test_images_without_objects_and_objects_of_one_pixel():
    empty = np.zeros((5, 6), np.uint8)
    assert not centre_closeness(empty).any()
    grown = grow_instances(empty, centre_closeness(empty))
    assert grown.dtype == np.int32
    assert not grown.any()
    single = empty.copy()
    single[0, 5] = 200
    np.testing.assert_array_equal(
        grow_instances(single, centre_closeness(single)), single > 0
    )


def test_labels_may_be_any_numbers():
    labels = _touching_discs()
    numbers = np.array([0, 7, 100_000, 3, 12])[labels]
    np.testing.assert_array_equal(centre_closeness(numbers), centre_closeness(labels))


def test_small_objects_are_dropped_and_the_others_renumbered():
    labels = _touching_discs()
    labels[2, 2] = 9
    grown = grow_instances(labels > 0, centre_closeness(labels), min_size=5)
    assert set(np.unique(grown)) == {0, 1, 2, 3, 4}
    assert grown[2, 2] == 0
    np.testing.assert_array_equal(grown, relabel(grown))


def test_foreground_without_a_seed_is_no_object():
    foreground = np.array([[0.9, 0.9, 0.0, 0.8, 0.8]])
    closeness = np.array([[0.9, 0.4, 0.0, 0.4, 0.3]])
    np.testing.assert_array_equal(
        grow_instances(foreground, closeness), [[1, 1, 0, 0, 0]]
    )
    lower = grow_instances(foreground, closeness, seed_threshold=0.35)
    np.testing.assert_array_equal(lower, [[1, 1, 0, 2, 2]])
    strict = grow_instances(foreground, closeness, foreground_threshold=0.85)
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
        centre_closeness(labels)
