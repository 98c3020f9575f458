"""Measures of label images against brute force."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from instantdl.images import ImageCollection
from instantdl.metrics import (
    aggregated_jaccard,
    aggregated_jaccard_plus,
    average_precision,
    instance_f1,
    match_instances,
    panoptic_quality,
)

MEASURES = [
    average_precision,
    instance_f1,
    panoptic_quality,
    aggregated_jaccard,
    aggregated_jaccard_plus,
]
EMPTY = np.zeros((4, 5), int)
ONE_PIXEL = EMPTY.copy()
ONE_PIXEL[1, 2] = 7
TOUCHING = np.repeat([[1, 1, 2, 2, 3]], 4, axis=0)
MANY_CASES = settings(max_examples=1000, deadline=None)


@st.composite
def label_pairs(draw):
    """Draw two label images of touching, torn, empty and one-pixel objects."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4))
    values = st.sampled_from([0, 0, 1, 2, 3, 900])
    images = hnp.arrays(np.int64, shape, elements=values)
    true = draw(images)
    if draw(st.booleans()):  # mostly alike, else few overlaps are large
        noise = draw(hnp.arrays(bool, shape, elements=st.booleans()))
        rare = draw(hnp.arrays(bool, shape, elements=st.booleans()))
        return true, np.where(noise & rare, draw(images), true)
    return true, draw(images)


def brute_objects(labels):
    return {n: labels == n for n in np.unique(labels).tolist() if n}


def brute_iou(a, b):
    return np.sum(a & b) / np.sum(a | b)


def brute_matchings(true, pred, least):
    """Yield every one-to-one matching whose pairs overlap by more than `least`."""
    true, pred = brute_objects(true), brute_objects(pred)
    pairs = {
        (i, j): brute_iou(a, b)
        for (i, a), (j, b) in itertools.product(true.items(), pred.items())
        if brute_iou(a, b) > least
    }
    for size in range(min(len(true), len(pred)) + 1):
        for chosen in itertools.combinations(pairs, size):
            rows, columns = {i for i, _ in chosen}, {j for _, j in chosen}
            if len(rows) == len(columns) == size:
                yield {pair: pairs[pair] for pair in chosen}


def brute_best(true, pred, threshold):
    matchings = brute_matchings(true, pred, threshold)
    return max(matchings, key=lambda found: (len(found), sum(found.values())))


def brute_counts(true, pred, threshold):
    found = len(brute_best(true, pred, threshold))
    return found, len(brute_objects(pred)) - found, len(brute_objects(true)) - found


@given(label_pairs(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.95]))
@example((EMPTY, EMPTY), 0.5)
@example((ONE_PIXEL, EMPTY), 0.5)
@example((TOUCHING, TOUCHING + 1), 0.5)
@MANY_CASES
def test_counts_agree_with_brute_force(pair, threshold):
    true, pred = pair
    tp, fp, fn = brute_counts(true, pred, threshold)
    matches = match_instances(true, pred, threshold=threshold)
    found = len(matches.true), len(matches.spurious), len(matches.missed)
    assert found == (tp, fp, fn)
    expected = tp / (tp + fp + fn) if tp + fp + fn else 1.0
    options = {"per_image": True}
    assert average_precision([true], [pred], thresholds=threshold, **options) == [
        pytest.approx(expected)
    ]
    expected = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0
    assert instance_f1([true], [pred], threshold=threshold) == pytest.approx(expected)


@given(label_pairs(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8]))
@MANY_CASES
def test_matches_are_the_best_ones(pair, threshold):
    true, pred = pair
    best = brute_best(true, pred, threshold)
    matches = match_instances(true, pred, threshold=threshold)
    assert len(set(matches.true)) == len(set(matches.pred)) == len(matches.iou)
    assert matches.iou.sum() == pytest.approx(sum(best.values()))
    for i, j, iou in zip(matches.true, matches.pred, matches.iou, strict=True):
        assert iou == pytest.approx(brute_iou(true == i, pred == j))
    for labels, known, others in (
        (true, matches.true, matches.missed),
        (pred, matches.pred, matches.spurious),
    ):
        assert sorted([*known, *others]) == sorted(brute_objects(labels))


@given(label_pairs(), st.sampled_from([0.2, 0.5, 0.6]))
@MANY_CASES
def test_panoptic_quality_agrees_with_brute_force(pair, threshold):
    true, pred = pair
    tp, fp, fn = brute_counts(true, pred, threshold)
    total = sum(brute_best(true, pred, threshold).values())
    expected = total / (tp + fp / 2 + fn / 2) if tp + fp + fn else 1.0
    assert panoptic_quality([true], [pred], threshold=threshold) == pytest.approx(
        expected
    )


def brute_aggregated(true, pred):
    """Return the index of Kumar et al. (2017), as their algorithm 1 tells it."""
    objects, candidates = brute_objects(true), brute_objects(pred)
    above, below, used = 0, 0, set()
    for a in objects.values():
        best = max(candidates, key=lambda j: brute_iou(a, candidates[j]), default=None)
        if best is None or not np.any(a & candidates[best]):
            below += a.sum()
            continue
        above += np.sum(a & candidates[best])
        below += np.sum(a | candidates[best])
        used.add(best)
    below += sum(b.sum() for j, b in candidates.items() if j not in used)
    return above / below if below else 1.0


def brute_aggregated_plus(true, pred):
    best = max(brute_matchings(true, pred, 0), key=lambda found: sum(found.values()))
    objects, candidates = brute_objects(true), brute_objects(pred)
    above = sum(np.sum(objects[i] & candidates[j]) for i, j in best)
    below = sum(np.sum(objects[i] | candidates[j]) for i, j in best)
    below += sum(a.sum() for i, a in objects.items() if i not in {i for i, _ in best})
    below += sum(
        b.sum() for j, b in candidates.items() if j not in {j for _, j in best}
    )
    return above / below if below else 1.0


@given(label_pairs())
@example((EMPTY, EMPTY))
@example((ONE_PIXEL, EMPTY))
@example((EMPTY, ONE_PIXEL))
@example((TOUCHING, np.ones_like(TOUCHING)))
@MANY_CASES
def test_aggregated_jaccard_agrees_with_brute_force(pair):
    true, pred = pair
    assert aggregated_jaccard([true], [pred]) == pytest.approx(
        brute_aggregated(true, pred)
    )


@given(label_pairs())
@example((TOUCHING, np.ones_like(TOUCHING)))
@MANY_CASES
def test_aggregated_jaccard_plus_agrees_with_brute_force(pair):
    true, pred = pair
    # Several matchings may share the greatest sum: then so do not all indices.
    sums = [sum(found.values()) for found in brute_matchings(true, pred, 0)]
    best = max(sums)
    if sum(np.isclose(sums, best, atol=1e-9)) > 1:
        return
    assert aggregated_jaccard_plus([true], [pred]) == pytest.approx(
        brute_aggregated_plus(true, pred)
    )


def test_a_prediction_serves_several_objects_in_aji_but_not_in_the_variant():
    true, pred = np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]])
    assert aggregated_jaccard([true], [pred]) == pytest.approx(4 / 8)
    assert aggregated_jaccard_plus([true], [pred]) == pytest.approx(2 / 6)


def test_an_overlap_of_the_threshold_is_no_match():
    true, pred = np.array([[1, 1]]), np.array([[1, 0]])
    assert average_precision([true], [pred], thresholds=0.5) == 0
    assert average_precision([true], [pred], thresholds=0.49) == 1
    three_fifths = np.array([[1, 1, 1, 1, 1]]), np.array([[1, 1, 1, 0, 0]])
    assert len(match_instances(*three_fifths, threshold=0.6).true) == 0


def test_average_precision_of_the_bowl():
    true = np.array([[1, 1, 1, 1, 0, 2, 2]])
    pred = np.array([[1, 1, 1, 0, 0, 2, 2]])  # overlaps of 0.75 and 1
    per_threshold = average_precision([true], [pred], per_threshold=True)
    np.testing.assert_allclose(per_threshold, [1] * 5 + [1 / 3] * 5)
    assert average_precision([true], [pred]) == pytest.approx(2 / 3)


def test_means_are_over_images_unless_pooled():
    good, bad = np.arange(1, 10).reshape(3, 3), np.zeros((3, 3), int)
    true = [good, np.eye(3, dtype=int)]
    pred = [good, bad]
    assert average_precision(true, pred) == pytest.approx(0.5)
    assert average_precision(true, pred, pooled=True) == pytest.approx(0.9)
    np.testing.assert_allclose(average_precision(true, pred, per_image=True), [1, 0])
    assert instance_f1(true, pred, pooled=True) == pytest.approx(18 / 19)
    assert panoptic_quality(true, pred, pooled=True) == pytest.approx(9 / 9.5)
    assert aggregated_jaccard(true, pred, pooled=True) == pytest.approx(9 / 12)
    shape = average_precision(true, pred, per_image=True, per_threshold=True).shape
    assert shape == (2, 10)


@pytest.mark.parametrize("measure", MEASURES)
def test_images_without_objects(measure):
    assert measure([EMPTY], [EMPTY]) == 1
    assert measure([EMPTY], [ONE_PIXEL]) == 0
    assert measure([ONE_PIXEL], [EMPTY]) == 0
    pair = [EMPTY, ONE_PIXEL], [EMPTY, EMPTY]
    assert measure(*pair) == 0.5
    assert measure(*pair, empty=np.nan) == 0
    assert measure(*pair, empty=0.0) == 0
    assert np.isnan(measure([EMPTY], [EMPTY], empty=np.nan))
    np.testing.assert_array_equal(measure(*pair, per_image=True), [1, 0])


@pytest.mark.parametrize("measure", MEASURES)
def test_labels_may_be_any_numbers(measure):
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 6, (2, 12, 12))
    expected = measure([true], [pred])
    assert measure([true], [10**12 * pred]) == pytest.approx(expected)
    assert measure([true.astype(np.uint8)], [pred * 1.0]) == pytest.approx(expected)
    assert measure([true > 0], [true > 0]) == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_images_may_differ_in_size_and_come_from_files(measure, tmp_path):
    paths = []
    for i, size in enumerate([4, 9]):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], label(np.random.default_rng(i).random((size, 7)) > 0.5))
    labels = ImageCollection(paths, read=np.load)
    assert measure(labels, [labels[0], labels[1]]) == 1


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("pred", "message"),
    [
        ([EMPTY, EMPTY], "same number"),
        ([EMPTY[:2]], "same shape"),
        ([EMPTY - 1], "negative. Got -1 in image 0"),
        ([EMPTY + 0.5], "whole numbers"),
        ([EMPTY + np.nan], "whole numbers"),
        ([EMPTY.astype(str)], "whole numbers"),
    ],
)
def test_what_is_no_label_image_is_refused(measure, pred, message):
    with pytest.raises(ValueError, match=message):
        measure([EMPTY], pred)


@pytest.mark.parametrize("threshold", [-0.1, 1, np.nan, "0.5", True])
def test_thresholds_are_checked(threshold):
    with pytest.raises((ValueError, TypeError), match="threshold must be"):
        average_precision([EMPTY], [EMPTY], thresholds=[0.5, threshold])
    with pytest.raises((ValueError, TypeError), match="threshold must be"):
        match_instances(EMPTY, EMPTY, threshold=threshold)


def test_per_image_and_pooled_exclude_each_other():
    with pytest.raises(ValueError, match="cannot both"):
        instance_f1([EMPTY], [EMPTY], per_image=True, pooled=True)


def test_five_thousand_objects_are_matched_within_a_second():
    rows, columns = np.indices((2000, 2000))
    true = 1 + rows // 28 * 72 + columns // 28
    pred = 1 + (rows + 5) // 28 * 72 + (columns + 9) // 28  # each overlaps four
    assert true.max() > 5000
    for threshold in (0.1, 0.3, 0.5):
        began = time.process_time()
        matches = match_instances(true, pred, threshold=threshold)
        seconds = time.process_time() - began
        assert seconds < 1
        assert (len(matches.true) > 4900) == (threshold < 0.5)
