import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from instantdl.exceptions import InstantDLWarning
from instantdl.metrics import UncertaintyComparison, compare_uncertainty, error_auroc

RNG = np.random.default_rng(0)


def _brute_u(uncertainty, wrong):
    ahead = uncertainty[wrong][:, None] - uncertainty[~wrong]
    return np.sum((ahead > 0) + 0.5 * (ahead == 0))


@st.composite
def cases(draw):
    wrong = np.array([True, False, *draw(st.lists(st.booleans(), max_size=30))])
    values = st.lists(st.integers(0, 8), min_size=len(wrong), max_size=len(wrong))
    return np.array(draw(values)) / 8, wrong


@given(cases())
@settings(max_examples=60, deadline=None)
def test_both_measures_count_the_pairs_in_order(case):
    uncertainty, wrong = case
    statistic = _brute_u(uncertainty, wrong)
    result = compare_uncertainty(uncertainty, wrong)
    assert result.statistic == statistic
    assert 0 <= result.pvalue <= 1
    assert result.median_wrong == np.median(uncertainty[wrong])
    assert result.median_correct == np.median(uncertainty[~wrong])
    n_pairs = wrong.sum() * (~wrong).sum()
    assert error_auroc(uncertainty, wrong) == pytest.approx(statistic / n_pairs)


def test_p_is_that_of_all_orders_equally_likely():
    # Of the 10 ways to choose 2 wrong out of 5, one has both at the top.
    result = compare_uncertainty([0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 1, 1])
    assert result.pvalue == pytest.approx(1 / 10)


def test_p_of_many_cases_is_that_of_the_normal_distribution():
    wrong = RNG.random(2000) < 0.3
    uncertainty = RNG.random(2000) + 0.05 * wrong
    n_wrong, n_right = wrong.sum(), (~wrong).sum()
    deviation = np.sqrt(n_wrong * n_right * (2000 + 1) / 12)
    excess = _brute_u(uncertainty, wrong) - n_wrong * n_right / 2 - 0.5
    result = compare_uncertainty(uncertainty, wrong)
    assert result.pvalue == pytest.approx(norm.sf(excess / deviation), rel=1e-6)


def test_the_test_has_one_side():
    uncertainty, wrong = RNG.random(40), np.arange(40) < 20
    uncertainty[wrong] += 1
    assert compare_uncertainty(uncertainty, wrong).pvalue < 1e-6
    assert compare_uncertainty(uncertainty, ~wrong).pvalue > 0.999
    assert error_auroc(uncertainty, wrong) == 1.0
    assert error_auroc(uncertainty, ~wrong) == 0.0


def test_equal_uncertainty_says_nothing():
    assert error_auroc(np.ones(20), np.arange(20) < 5) == 0.5
    assert compare_uncertainty(np.ones(20), np.arange(20) < 5).pvalue > 0.4


def test_maps_of_pixels_are_flattened():
    uncertainty, wrong = RNG.random((2, 8, 8)), RNG.random((2, 8, 8)) < 0.5
    flat = uncertainty.ravel(), wrong.ravel()
    assert error_auroc(uncertainty, wrong) == error_auroc(*flat)
    assert compare_uncertainty(uncertainty, wrong) == compare_uncertainty(*flat)


@pytest.mark.parametrize("dtype", [bool, int, float, np.uint8])
def test_wrong_may_be_bool_or_numbers(dtype):
    uncertainty, wrong = RNG.random(10).astype(np.float32), np.arange(10) < 4
    expected = _brute_u(uncertainty, wrong) / 24
    assert error_auroc(uncertainty, wrong.astype(dtype)) == pytest.approx(expected)


def test_the_result_is_plain_and_cannot_be_changed():
    result = compare_uncertainty([0.1, 0.9], [False, True])
    assert isinstance(result, UncertaintyComparison)
    assert all(type(value) is float for value in dataclasses.astuple(result))
    with pytest.raises(dataclasses.FrozenInstanceError, match="pvalue"):
        result.pvalue = 0.0


@pytest.mark.parametrize(
    ("wrong", "match"),
    [([0, 0, 0], "Got 3 right and 0 wrong"), ([1, 1, 1], "Got 0 right and 3 wrong")],
)
def test_all_right_or_all_wrong_gives_nan_and_says_so(wrong, match):
    uncertainty = [0.1, 0.2, 0.6]
    with pytest.warns(InstantDLWarning, match=match) as found:
        assert np.isnan(error_auroc(uncertainty, wrong))
    assert found[0].filename == __file__
    with pytest.warns(InstantDLWarning, match=match):
        result = compare_uncertainty(uncertainty, wrong)
    assert np.isnan([result.statistic, result.pvalue]).all()
    medians = [result.median_correct, result.median_wrong]
    np.testing.assert_array_equal(medians, [np.nan, 0.2] if wrong[0] else [0.2, np.nan])


BAD = [
    ([0.1, 0.2], [0], ValueError, r"the same shape. Got \(2,\) and \(1,\)"),
    ([], [], ValueError, "`uncertainty` must hold at least one value. Got 0"),
    ([0.1, np.nan], [0, 1], ValueError, "must hold finite numbers. Got nan. Leave"),
    ([0.1, np.inf], [0, 1], ValueError, "must hold finite numbers. Got inf"),
    (["a", "b"], [0, 1], TypeError, "`uncertainty` must hold real numbers. Got <U1"),
    ([0.1, 0.2], [0, 2], ValueError, "`wrong` must hold bool, or 0 and 1.*y_pred !="),
    ([0.1, 0.2], ["a", "b"], ValueError, "`wrong` must hold bool, or 0 and 1"),
]


@pytest.mark.parametrize("function", [error_auroc, compare_uncertainty])
@pytest.mark.parametrize(("uncertainty", "wrong", "error", "match"), BAD)
def test_bad_input_is_refused(function, uncertainty, wrong, error, match):
    with pytest.raises(error, match=match):
        function(uncertainty, wrong)
