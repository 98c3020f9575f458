"""Tests of the checks of what `fit` is given."""

import functools

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from instantdl.estimators._arguments import (
    check_groups,
    check_labels,
    check_shape,
    function_name,
    is_shape,
    weights_of_classes,
)


@pytest.mark.parametrize(
    "classes", [np.array([0, 1, 2]), np.array(["a", "b", "c"]), np.array([-1, 5, 9])]
)
def test_balanced_weights_are_those_of_sklearn(classes):
    counts = np.array([7, 1, 4])
    expected = compute_class_weight(
        "balanced", classes=classes, y=np.repeat(classes, counts)
    )
    found = weights_of_classes("balanced", classes, counts)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_balanced_weights_of_classes_that_are_not_there_are_finite():
    found = weights_of_classes("balanced", np.arange(3), np.array([9, 0, 0]))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found.argmin() == 0


@pytest.mark.parametrize(
    ("classes", "class_weight", "expected"),
    [
        (np.array([0, 1, 2]), None, [1, 1, 1]),
        (np.array([0, 1, 2]), {}, [1, 1, 1]),
        (np.array([0, 1, 2]), {2: 5, 0: 0.5}, [0.5, 1, 5]),
        (np.array([0, 1]), {np.int64(1): 3}, [1, 3]),
        (np.array([False, True]), {True: 3}, [1, 3]),
        (np.array(["cat", "dog"]), {"dog": 2}, [1, 2]),
    ],
)
def test_weights_of_classes_come_in_their_order(classes, class_weight, expected):
    found = weights_of_classes(class_weight, classes, np.ones(len(classes)))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def test_weights_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"which are \[0, 1\]. Got \[2, 'a'\]. Leave"):
        weights_of_classes({2: 1, 0: 1, "a": 3}, np.array([0, 1]), np.ones(2))


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf, None])
def test_weights_of_classes_that_are_none_are_refused(weight):
    with pytest.raises(ValueError, match="must hold finite numbers > 0. Got {0: "):
        weights_of_classes({0: weight}, np.array([0, 1]), np.ones(2))


@pytest.mark.parametrize("groups", [["a", "b", "a"], (1, 2, 1), np.array([0.5, 1, 2])])
def test_groups_become_an_array(groups):
    found = check_groups(groups, 3)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, groups)


def test_groups_may_be_missing():
    assert check_groups(None, 3) is None


@pytest.mark.parametrize("groups", [["a", "b"], [[1, 2, 3]], "abc", []])
def test_groups_of_another_length_are_refused(groups):
    with pytest.raises(ValueError, match="one group per image. Got shape .* 3 images"):
        check_groups(groups, 3)


@pytest.mark.parametrize(
    "shape", [(8, 16), [8, 16], np.array([8, 16]), (np.int32(8), np.uint8(16))]
)
def test_a_shape_becomes_a_list_of_ints(shape):
    found = check_shape(shape, 2, "patch_shape")
    assert found == [8, 16]
    assert [type(length) for length in found] == [int, int]


@pytest.mark.parametrize(
    "shape", [(8,), (8, 8, 8), (0, 8), (8, -1), (8.0, 8), ("8", 8), (True, 8), "ab", ()]
)
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(ValueError, match="`tile_shape` must hold 2 ints >= 1.* Got "):
        check_shape(shape, 2, "tile_shape")


@pytest.mark.parametrize(
    ("value", "rank", "least", "expected"),
    [
        ((8, 16), 2, 1, True),
        ((0, 4, 4), 3, 0, True),
        ((2**20, 1), 2, 1, True),
        ((2**20 + 1, 1), 2, 1, False),
        ((0, 4), 2, 1, False),
        ((8, 16), 3, 1, False),
        ([8, 16], 2, 1, False),
        ((8.0, 16), 2, 1, False),
        ((True, 16), 2, 1, False),
        ((np.int64(8), 16), 2, 1, False),
        (None, 2, 1, False),
        ("ab", 2, 1, False),
    ],
)
def test_a_fitted_shape_is_a_tuple_of_ints(value, rank, least, expected):
    assert is_shape(value, rank, least) is expected


def test_a_class_that_is_only_held_back_does_not_outweigh_the_others():
    found = weights_of_classes("balanced", np.arange(3), np.array([30, 10, 0]))
    np.testing.assert_allclose(found, [40 / 60, 40 / 20, 1])


@pytest.mark.parametrize(
    ("classes", "keys"),
    [([0, 255], ["0", "255"]), ([False, True], ["False", "True"]), (["a", "b"], "ab")],
)
def test_weights_of_classes_may_name_them_as_json_does(classes, keys):
    given = dict(zip(keys, (1.0, 5.0), strict=True))
    found = weights_of_classes(given, np.array(classes), np.array([1, 1]))
    np.testing.assert_array_equal(found, [1, 5])


def test_labels_of_bytes_are_text():
    classes, codes = check_labels(np.array([b"red", b"white", b"red"]), 3)
    assert classes.tolist() == ["red", "white"]
    assert codes.tolist() == [0, 1, 0]


def _build(input_shape, n_outputs, depth=1):
    raise NotImplementedError


def test_functions_are_told_apart_by_name_and_what_is_given():
    class Builder:
        def __call__(self, input_shape, n_outputs):
            raise NotImplementedError

    here = __name__
    assert function_name("unet") == "unet"
    assert function_name(_build) == f"{here}:_build"
    partial = functools.partial(_build, depth=3)
    assert function_name(partial) == f"{here}:_build(depth=3)"
    assert function_name(Builder()).endswith("Builder")
