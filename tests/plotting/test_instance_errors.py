import numpy as np
import pytest

from instantdl.metrics import match_instances
from instantdl.plotting._instance_errors import KINDS, classify_instances


def row(*runs):
    """One row of pixels, from pairs of a label and how often it comes."""
    return np.concatenate([np.full(length, label) for label, length in runs])[None]


def kinds(true, pred, **options):
    errors = classify_instances(true, pred, **options)
    return errors.true_kinds.tolist(), errors.pred_kinds.tolist()


def codes(true, pred):
    names = np.array(["", *KINDS])
    return names[classify_instances(true, pred).codes(true, pred)].ravel().tolist()


def test_objects_apart_are_matched_missed_and_spurious():
    true = row((1, 10), (0, 5), (2, 10), (0, 10))
    pred = row((7, 9), (0, 16), (3, 10))
    errors = classify_instances(true, pred)
    assert errors.true_labels.tolist() == [1, 2]
    assert errors.true_kinds.tolist() == ["matched", "missed"]
    assert errors.pred_labels.tolist() == [3, 7]
    assert errors.pred_kinds.tolist() == ["spurious", "matched"]


@pytest.mark.parametrize("share", [50, 60, 85])
def test_two_predictions_over_one_object_split_it(share):
    true = row((1, 100), (0, 10))
    pred = row((1, share), (2, 100 - share), (0, 10))
    assert kinds(true, pred) == (["split"], ["split", "split"])


@pytest.mark.parametrize("share", [50, 60, 85])
def test_one_prediction_over_two_objects_merges_them(share):
    true = row((1, share), (2, 100 - share), (0, 10))
    pred = row((1, 100), (0, 10))
    assert kinds(true, pred) == (["merged", "merged"], ["merged"])


def test_a_speck_splits_nothing():
    # the limit is a tenth of the largest part: 9 of 91 is less, 10 of 90 is more
    true = row((1, 100))
    assert kinds(true, row((1, 91), (2, 9))) == (["matched"], ["matched", "spurious"])
    assert kinds(true, row((1, 90), (2, 10))) == (["split"], ["split", "split"])


def test_a_speck_merges_nothing():
    pred = row((1, 100))
    assert kinds(row((1, 91), (2, 9)), pred) == (["matched", "missed"], ["matched"])


def test_many_small_objects_in_one_prediction_are_merged():
    true = np.kron(np.arange(1, 26).reshape(5, 5), np.ones((4, 4), int))
    errors = classify_instances(true, np.ones((20, 20), int))
    assert set(errors.true_kinds) == {"merged"}
    assert errors.counts["merged"] == 1


def test_parts_must_match_when_taken_as_one():
    # together they cover 50, then 51 of 100 pixels
    true = row((1, 100))
    assert kinds(true, row((1, 25), (2, 25), (0, 50)))[0] == ["missed"]
    assert kinds(true, row((1, 26), (2, 25), (0, 49)))[0] == ["split"]


def test_a_part_must_lie_in_the_whole_by_more_than_half():
    true = row((1, 40), (0, 30))
    # the second prediction has 10 pixels inside and 10 outside
    half_out = row((1, 30), (2, 20), (0, 20))
    assert kinds(true, half_out) == (["matched"], ["matched", "spurious"])
    mostly_in = row((1, 30), (2, 19), (0, 21))
    assert kinds(true, mostly_in) == (["split"], ["split", "split"])


def test_neighbours_with_a_shifted_border_stay_matched():
    true = row((1, 50), (2, 50))
    pred = row((1, 65), (2, 35))
    assert kinds(true, pred) == (["matched", "matched"], ["matched", "matched"])


def test_a_split_object_is_no_part_of_a_merge():
    # 1 is torn by 1 and 2, of which 1 also swallows 2
    true = row((1, 100), (2, 20))
    pred = np.concatenate([row((2, 30), (1, 70)), row((1, 20))], axis=1)
    assert kinds(true, pred) == (["split", "missed"], ["split", "split"])


def test_threshold_is_that_of_matching():
    true, pred = row((1, 10), (0, 2)), row((0, 2), (1, 10))
    assert kinds(true, pred)[0] == ["matched"]
    assert kinds(true, pred, threshold=0.7)[0] == ["missed"]


def test_kinds_agree_with_matches_where_nothing_is_split_or_merged(rng):
    true = rng.integers(0, 4, (8, 8))
    errors = classify_instances(true, np.where(true == 2, 0, true))
    matches = match_instances(true, np.where(true == 2, 0, true))
    assert errors.true_labels[errors.true_kinds == "missed"].tolist() == [2]
    assert errors.counts["matched"] == len(matches.true)


def test_each_split_and_merge_counts_once():
    true = row((1, 30), (0, 5), (2, 10), (3, 10), (4, 10))
    pred = row((1, 10), (2, 10), (3, 10), (0, 5), (4, 30))
    counts = classify_instances(true, pred).counts
    assert counts == {
        "matched": 0,
        "spurious": 0,
        "missed": 0,
        "merged": 1,
        "split": 1,
    }


def test_pixels_have_the_kind_of_their_object():
    true = row((1, 4), (0, 2), (2, 4), (0, 4))
    pred = row((9, 4), (0, 8), (5, 2))
    assert codes(true, pred) == (
        ["matched"] * 4 + [""] * 2 + ["missed"] * 4 + [""] * 2 + ["spurious"] * 2
    )


def test_errors_are_seen_over_matches_and_missed_over_spurious():
    # a spurious speck within a matched object, and a missed one in a large spurious one
    true = row((1, 100), (0, 10), (2, 2), (0, 10))
    pred = row((1, 95), (2, 5), (0, 5), (3, 17))
    shown = codes(true, pred)
    assert shown[95:100] == ["spurious"] * 5
    assert shown[110:112] == ["missed"] * 2
    assert set(shown[105:110]) == {"spurious"}


def test_volumes_are_compared_as_a_whole():
    true = np.zeros((2, 4, 4), int)
    true[:, :2] = 1
    pred = true.copy()
    pred[1, :2] = 2
    assert kinds(true, pred) == (["split"], ["split", "split"])


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4)])
def test_empty_images_have_no_objects(shape):
    empty = np.zeros(shape, int)
    errors = classify_instances(empty, empty)
    assert set(errors.counts.values()) == {0}
    assert errors.codes(empty, empty).max() == 0
    assert kinds(empty, empty + 1) == ([], ["spurious"])
    assert kinds(empty + 1, empty) == (["missed"], [])


def test_large_labels_need_no_table_of_their_size():
    true = row((2**40, 4), (0, 2))
    assert kinds(true, true) == (["matched"], ["matched"])
    assert codes(true, true) == ["matched"] * 4 + [""] * 2


@pytest.mark.parametrize("threshold", [0.49, 1.0, -1])
def test_other_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match=r"must be in \[0.5, 1\). Got"):
        classify_instances(row((1, 2)), row((1, 2)), threshold=threshold)


def test_other_shapes_and_labels_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        classify_instances(row((1, 2)), row((1, 3)))
    with pytest.raises(ValueError, match="whole numbers"):
        classify_instances(row((1, 2)), row((0.5, 2)))
