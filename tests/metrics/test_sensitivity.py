import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, recall_score

from instantdl.metrics import confusion_counts, dice, jaccard, pixel_accuracy
from instantdl.metrics._sensitivity import (
    measures_of_counts,
    sensitivity,
    specificity,
)

RNG = np.random.default_rng(0)


@st.composite
def mask_pairs(draw, n_values=4):
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=4, max_side=5))
    masks = hnp.arrays(np.int64, shape, elements=st.integers(0, n_values - 1))
    return draw(masks), draw(masks)


def _brute_specificity(true, pred, labels):
    return [
        np.mean(pred[true != label] != label) if (true != label).any() else np.nan
        for label in labels
    ]


@given(mask_pairs())
@settings(max_examples=50, deadline=None)
def test_both_agree_with_a_count_of_pixels(pair):
    true, pred = pair
    labels = [0, 1, 2, 3]
    recall = recall_score(
        true.ravel(), pred.ravel(), labels=labels, average=None, zero_division=np.nan
    )
    found = sensitivity(true, pred, labels=labels, average=None)
    np.testing.assert_allclose(found, recall)
    expected = _brute_specificity(true, pred, labels)
    found = specificity(true, pred, labels=labels, average=None)
    np.testing.assert_allclose(found, expected)
    if not np.isnan(expected).all():
        assert specificity(true, pred, labels=labels) == pytest.approx(
            np.nanmean(expected)
        )


def test_with_two_classes_it_is_the_foreground():
    true, pred = RNG.integers(0, 2, (2, 3, 6, 7)) * 255
    assert sensitivity(true, pred) == pytest.approx(np.mean(pred[true == 255] == 255))
    assert specificity(true, pred) == pytest.approx(np.mean(pred[true == 0] == 0))


def test_what_cannot_be_found_is_undefined():
    true, pred = np.zeros((2, 1, 4, 4), int)
    assert np.isnan(sensitivity(true, pred))
    assert sensitivity(true, pred, empty=1.0) == 1.0
    assert specificity(true, pred) == 1.0
    assert np.isnan(specificity(true + 1, pred))


def test_each_image_has_its_own():
    true, pred = RNG.integers(0, 2, (2, 4, 5, 5))
    for measure in (sensitivity, specificity):
        alone = [measure(true[[i]], pred[[i]]) for i in range(4)]
        np.testing.assert_allclose(measure(true, pred, per_image=True), alone)


def test_an_unknown_average_is_refused():
    for measure in (sensitivity, specificity):
        with pytest.raises(ValueError, match="`average` must be one of"):
            measure(np.ones((1, 4, 4)), np.ones((1, 4, 4)), average="micro")


@given(mask_pairs(), st.sampled_from(["auto", "macro", "foreground_macro", None]))
@settings(max_examples=40, deadline=None)
def test_measures_of_counts_are_those_of_the_masks(pair, average):
    true, pred = pair
    labels = [0, 1, 2, 3]
    counts = confusion_counts(true, pred, labels=labels, per_image=True)
    found = measures_of_counts(counts, labels, average=average)
    options = {"labels": labels, "average": average, "per_image": True}
    for measure in (jaccard, dice, sensitivity, specificity):
        expected = measure(true, pred, **options)
        np.testing.assert_allclose(found[measure.__name__], expected)
    expected = pixel_accuracy(true, pred, per_image=True)
    np.testing.assert_allclose(found["accuracy"], expected)


def test_counts_of_labels_agree_with_scikit_learn():
    true, pred = RNG.integers(0, 3, (2, 50))
    counts = confusion_counts(true[None, None], pred[None, None])
    found = measures_of_counts(counts, range(3), average="macro")
    assert found["accuracy"] == pytest.approx(accuracy_score(true, pred))
    assert found["dice"] == pytest.approx(f1_score(true, pred, average="macro"))
    expected = jaccard_score(true, pred, average="macro")
    assert found["jaccard"] == pytest.approx(expected)
