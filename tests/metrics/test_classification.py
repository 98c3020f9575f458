import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from instantdl.exceptions import InstantDLWarning
from instantdl.metrics import roc_auc

RNG = np.random.default_rng(0)


def _proba(n_samples, n_labels):
    return RNG.dirichlet(np.ones(n_labels), n_samples)


def _brute_auc(positive, scores):
    ahead = scores[positive][:, None] - scores[~positive]
    return np.mean((ahead > 0) + 0.5 * (ahead == 0))


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_more_than_two_labels_agree_with_scikit_learn(n_labels, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_labels + 1)
    y = rng.permutation(np.tile(labels, 3))
    proba = rng.dirichlet(np.ones(n_labels + 1), len(y))
    expected = roc_auc_score(y, proba, multi_class="ovr", labels=labels)
    assert roc_auc(y, proba, labels=labels) == pytest.approx(expected)


def test_a_weight_counts_an_image_so_many_times():
    rng = np.random.default_rng(0)
    y, proba = np.array([0, 1, 2, 0, 1, 2]), rng.dirichlet(np.ones(3), 6)
    times = np.array([2, 1, 0, 1, 3, 1])
    found = roc_auc(y, proba, labels=[0, 1, 2], sample_weight=times)
    repeated = np.repeat(y, times), np.repeat(proba, times, axis=0)
    assert found == pytest.approx(roc_auc(*repeated, labels=[0, 1, 2]))


def test_a_label_of_images_without_weight_is_absent():
    y, proba = np.array([0, 1, 2, 0]), _proba(4, 3)
    weight = [1, 1, 0, 1]
    with pytest.warns(InstantDLWarning):
        found = roc_auc(y, proba, labels=[0, 1, 2], sample_weight=weight)
    with pytest.warns(InstantDLWarning):
        expected = roc_auc(y[[0, 1, 3]], proba[[0, 1, 3]], labels=[0, 1, 2])
    assert found == expected


@pytest.mark.parametrize(
    "labels", [["a", "b"], [0, 1], [-1, 7], [False, True], np.array(["b", "a"])]
)
def test_two_labels_are_judged_by_the_second(labels):
    y = np.array(labels)[[0, 1, 1, 0, 1, 0, 0, 1]]
    proba = _proba(8, 2).round(1)
    expected = _brute_auc(y == labels[1], proba[:, 1])
    assert roc_auc(y, proba, labels=labels) == pytest.approx(expected)
    assert roc_auc(list(y), proba.tolist(), labels=labels) == pytest.approx(expected)


def test_bool_and_0_and_1_are_the_same_labels():
    y, proba = np.array([0, 1, 1, 0]), _proba(4, 2)
    assert roc_auc(y == 1, proba, labels=[0, 1]) == roc_auc(y, proba, labels=[0, 1])
    assert roc_auc(y, proba, labels=[False, True]) == roc_auc(y, proba, labels=[0, 1])


def test_labels_are_in_the_order_of_the_columns():
    y, proba = np.array(list("abcabc")), _proba(6, 3)
    order = [2, 0, 1]
    assert roc_auc(
        y, proba[:, order], labels=np.array(list("abc"))[order]
    ) == pytest.approx(roc_auc(y, proba, labels=list("abc")))


def test_object_labels_and_float32_are_welcome():
    y = np.array(list("abab"), dtype=object)
    proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    assert roc_auc(y, proba, labels=["a", "b"]) == 1.0


def test_absent_labels_are_named_and_left_out():
    y, proba = np.array(list("acacca")), _proba(6, 4)
    expected = [
        _brute_auc(y == label, proba[:, i]) for label, i in (("a", 0), ("c", 2))
    ]
    with pytest.warns(InstantDLWarning, match=r"No image is of \['b', 'd'\].*left out"):
        result = roc_auc(y, proba, labels=list("abcd"))
    assert result == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]])
def test_a_single_class_cannot_be_judged(labels):
    with pytest.warns(InstantDLWarning, match=r"No image is of .*With 'b' alone.*nan"):
        result = roc_auc(["b", "b"], _proba(2, len(labels)), labels=labels)
    assert np.isnan(result)


def test_the_warning_points_at_the_caller():
    with pytest.warns(InstantDLWarning) as found:
        roc_auc(["b", "b"], _proba(2, 2), labels=["a", "b"])
    assert found[0].filename == __file__


PROBA = np.array([[0.9, 0.1], [0.2, 0.8]])
BAD = [
    (["a", "c"], PROBA, ["a", "b"], ValueError, r"\['a', 'b'\] only. Got \['c'\] as w"),
    ([0, 1], PROBA, ["a", "b"], ValueError, r"Got \[0, 1\] as well"),
    (["0", "1"], PROBA, [0, 1], ValueError, r"Got \['0', '1'\] as well"),
    ([0, np.nan], PROBA, [0, 1], ValueError, r"Got \[nan\] as well"),
    (
        [0],
        PROBA,
        [0, 1],
        ValueError,
        r"label for each row.*Got shape \(1,\) for 2 rows",
    ),
    ([[0], [1]], PROBA, [0, 1], ValueError, r"Got shape \(2, 1\) for 2 rows"),
    ([0, 1], PROBA, [0, 1, 2], ValueError, r"shape \(n_samples, 3\).*Got \(2, 2\)"),
    ([0, 1], PROBA[:, 1], [0, 1], ValueError, r"shape \(n_samples, 2\).*Got \(2,\)"),
    ([], PROBA[:0], [0, 1], ValueError, r"shape \(n_samples, 2\).*Got \(0, 2\)"),
    ([0, 1], PROBA * np.nan, [0, 1], ValueError, "finite numbers. Got nan in row 0"),
    ([0, 1], PROBA.astype(str), [0, 1], TypeError, "`proba` must hold real numbers"),
    ([0, 1], PROBA, [0], ValueError, r"different labels, with two or more. Got \[0\]"),
    ([0, 1], PROBA, [0, 0], ValueError, r"different labels, with two or more"),
    ([0, 1], PROBA, [[0, 1]], ValueError, r"different labels, with two or more"),
]


@pytest.mark.parametrize(("y", "proba", "labels", "error", "match"), BAD)
def test_bad_input_is_refused_with_one_sentence(y, proba, labels, error, match):
    with pytest.raises(error, match=match):
        roc_auc(y, proba, labels=labels)
