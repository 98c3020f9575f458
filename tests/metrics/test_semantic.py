import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from instantdl.images import ImageCollection
from instantdl.metrics import _semantic as semantic
from instantdl.metrics import confusion_counts, dice, jaccard, pixel_accuracy

RNG = np.random.default_rng(0)


@st.composite
def mask_pairs(draw, n_values=4):
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=4, max_side=5))
    values = st.integers(0, n_values - 1)
    masks = hnp.arrays(np.int64, shape, elements=values)
    return draw(masks), draw(masks)


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_counts_agree_with_scikit_learn(pair):
    true, pred = pair
    labels = [3, 0, 2, 1]
    expected = confusion_matrix(true.ravel(), pred.ravel(), labels=labels)
    np.testing.assert_array_equal(confusion_counts(true, pred, labels=labels), expected)


@given(mask_pairs())
@settings(max_examples=60, deadline=None)
def test_scores_per_class_agree_with_scikit_learn(pair):
    true, pred = pair
    labels = [0, 1, 2, 3]
    options = {"labels": labels, "average": None, "zero_division": 1.0}
    np.testing.assert_allclose(
        jaccard(true, pred, labels=labels, average=None),
        jaccard_score(true.ravel(), pred.ravel(), **options),
    )
    np.testing.assert_allclose(
        dice(true, pred, labels=labels, average=None),
        f1_score(true.ravel(), pred.ravel(), **options),
    )
    assert pixel_accuracy(true, pred) == pytest.approx(
        accuracy_score(true.ravel(), pred.ravel())
    )


def _brute_jaccard(true, pred, labels):
    scores = []
    for label in labels:
        union = np.sum((true == label) | (pred == label))
        shared = np.sum((true == label) & (pred == label))
        scores.append(shared / union if union else 1.0)
    return scores


@given(mask_pairs(n_values=2))
@settings(max_examples=60, deadline=None)
def test_binary_score_is_that_of_the_foreground(pair):
    true, pred = pair
    expected = _brute_jaccard(true, pred, [1])[0]
    assert jaccard(true, pred) == pytest.approx(expected)
    assert dice(true, pred) == pytest.approx(2 * expected / (1 + expected))


@given(mask_pairs())
@settings(max_examples=40, deadline=None)
def test_pooled_counts_are_the_sum_over_images(pair):
    each = confusion_counts(*pair, per_image=True)
    assert len(each) == len(pair[0])
    np.testing.assert_array_equal(each.sum(axis=0), confusion_counts(*pair))


@given(mask_pairs(), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_counting_in_blocks_changes_nothing(pair, block):
    whole = confusion_counts(*pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(semantic, "_BLOCK", block)
        np.testing.assert_array_equal(confusion_counts(*pair), whole)


def test_per_image_scores_are_those_of_each_image_alone():
    true, pred = RNG.integers(0, 3, (2, 4, 8, 8))
    each = jaccard(true, pred, per_image=True, labels=[0, 1, 2])
    alone = [jaccard(true[[i]], pred[[i]], labels=[0, 1, 2]) for i in range(4)]
    np.testing.assert_allclose(each, alone)
    assert dice(true, pred, per_image=True, average=None).shape == (4, 3)
    np.testing.assert_allclose(
        pixel_accuracy(true, pred, per_image=True), (true == pred).mean(axis=(1, 2))
    )


@pytest.mark.parametrize("measure", [jaccard, dice, pixel_accuracy])
def test_a_weight_counts_the_pixels_of_an_image_so_many_times(measure):
    y_true, y_pred = np.random.default_rng(0).integers(0, 3, (2, 4, 5, 6))
    times = [2, 0, 1, 3]
    repeated = np.repeat(y_true, times, axis=0), np.repeat(y_pred, times, axis=0)
    found = measure(y_true, y_pred, sample_weight=times)
    assert found == pytest.approx(measure(*repeated))
    assert found == pytest.approx(
        measure(y_true, y_pred, sample_weight=np.divide(times, 7))
    )
    with pytest.raises(ValueError, match="per_image=True"):
        measure(y_true, y_pred, sample_weight=times, per_image=True)


def test_macro_and_foreground_macro_are_means_over_labels():
    true, pred = RNG.integers(0, 3, (2, 4, 8, 8))
    each = jaccard(true, pred, average=None)
    assert jaccard(true, pred) == pytest.approx(each.mean())
    assert jaccard(true, pred, average="macro") == pytest.approx(each.mean())
    assert jaccard(true, pred, average="foreground_macro") == pytest.approx(
        each[1:].mean()
    )


@pytest.mark.parametrize("kind", ["list", "tuple", "object", "collection"])
def test_masks_of_different_sizes_are_pooled(kind):
    true = [RNG.integers(0, 2, shape) for shape in [(4, 5), (7, 3)]]
    pred = [RNG.integers(0, 2, shape) for shape in [(4, 5), (7, 3)]]
    flat = jaccard_score(
        *(np.concatenate([m.ravel() for m in y]) for y in (true, pred))
    )
    assert jaccard(_as(true, kind), _as(pred, kind)) == pytest.approx(flat)


def _as(masks, kind):
    if kind == "object":
        result = np.empty(len(masks), dtype=object)
        result[:] = masks
        return result
    return {"list": list, "tuple": tuple, "collection": ImageCollection}[kind](masks)


def test_each_file_of_a_collection_is_read_once():
    seen = []

    def read(index):
        seen.append(index)
        return np.eye(4, dtype=int)

    masks = ImageCollection([0, 1, 2], read=read)
    jaccard(masks, np.stack([np.eye(4, dtype=int)] * 3))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32, np.float64])
def test_the_dtype_of_masks_does_not_matter(dtype):
    true, pred = RNG.integers(0, 2, (2, 2, 6, 6))
    assert jaccard(true.astype(dtype), pred.astype(dtype)) == jaccard(true, pred)


def test_values_0_and_255_are_background_and_foreground():
    true, pred = RNG.integers(0, 2, (2, 2, 6, 6)).astype(np.uint8)
    assert jaccard(true * 255, pred * 255) == jaccard(true, pred)


def test_negative_and_large_values_are_classes_too():
    true, pred = RNG.integers(0, 3, (2, 2, 6, 6))
    values = np.array([-1, 7, 70_000])
    np.testing.assert_array_equal(
        confusion_counts(values[true], values[pred]), confusion_counts(true, pred)
    )


def test_the_foreground_is_the_larger_label_in_any_order():
    true, pred = RNG.integers(0, 2, (2, 2, 6, 6))
    assert jaccard(true, pred, labels=[1, 0]) == jaccard(true, pred, labels=[0, 1])


def test_empty_masks_agree_unless_told_otherwise():
    nothing = np.zeros((2, 4, 4), bool)
    assert jaccard(nothing, nothing) == 1.0
    assert dice(nothing, nothing, empty=0.0) == 0.0
    assert np.isnan(jaccard(nothing, nothing, empty=np.nan))
    assert confusion_counts(nothing, nothing).tolist() == [[32, 0], [0, 0]]


def test_nan_for_empty_classes_leaves_them_out_of_the_mean():
    true = pred = np.zeros((1, 4, 4), int)
    score = jaccard(true, pred, labels=[0, 1, 2], empty=np.nan)
    assert score == 1.0
    wrong = np.ones((1, 4, 4), int)
    assert jaccard(true, wrong, labels=[0, 1, 2], empty=np.nan) == 0.0
    assert jaccard(true, wrong, labels=[0, 1, 2]) == pytest.approx(1 / 3)


def test_a_single_value_is_compared_with_the_background():
    full = np.full((1, 4, 4), 255, np.uint8)
    assert confusion_counts(full, full).tolist() == [[0, 0], [0, 16]]
    assert jaccard(full, full) == 1.0


def test_nothing_found_scores_zero():
    true = np.ones((1, 4, 4), bool)
    assert jaccard(true, ~true) == 0.0
    assert dice(true, ~true) == 0.0


def test_masks_are_not_changed():
    true, pred = RNG.integers(0, 2, (2, 2, 6, 6))
    copies = true.copy(), pred.copy()
    jaccard(true, pred)
    np.testing.assert_array_equal((true, pred), copies)


ONE = np.ones((1, 4, 4), int)
BAD = [
    (ONE, ONE[:0], ValueError, "same number of masks. Got 1 and 0"),
    (ONE[:0], ONE[:0], ValueError, "at least one mask. Got 0"),
    (ONE, [np.ones((4, 5))], ValueError, r"Image 0 is \(4, 4\) in .*\(4, 5\) in"),
    (ONE[0], ONE[0], ValueError, r"Got \(4,\) for image 0.*y_true\[np.newaxis\]"),
    (ONE[:, :0], ONE[:, :0], ValueError, r"one pixel. Got shape \(0, 4\)"),
    (ONE, ONE * 0.5, ValueError, r"Image 0 of `y_pred` must hold class.*Got 0.5"),
    (ONE, ONE * np.nan, ValueError, r"Image 0 of `y_pred` must hold class.*Got nan"),
    (ONE, ONE * 1j, TypeError, "must hold bool or integer class values. Got complex"),
    (ONE, ONE.astype(str), TypeError, "bool or integer class values"),
    (ONE * 255, ONE > 0, ValueError, r"Image 0 holds \[1, 255\].*`y == 255`"),
    (5, ONE, TypeError, "`y_true` must be an array or a sequence of masks. Got int"),
    (
        np.arange(1600).reshape(1, 40, 40),
        np.arange(1600).reshape(1, 40, 40),
        ValueError,
        "a few class values. Got 1600 different ones",
    ),
]


@pytest.mark.parametrize(("true", "pred", "error", "match"), BAD)
def test_bad_masks_are_refused_with_one_sentence(true, pred, error, match):
    with pytest.raises(error, match=match):
        jaccard(true, pred)


def test_a_class_that_is_not_among_the_labels_is_named():
    with pytest.raises(ValueError, match=r"values of \[0, 1\] only. Got \[2\] as well"):
        jaccard(ONE * 2, ONE, labels=[0, 1])


@pytest.mark.parametrize("labels", [[], [0, 0], [[0, 1]], 1])
def test_labels_must_be_a_list_of_different_values(labels):
    with pytest.raises(ValueError, match="`labels` must be a list of different class"):
        jaccard(ONE, ONE, labels=labels)


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match=r"`average` must be one of.*Got 'micro'"):
        dice(ONE, ONE, average="micro")
