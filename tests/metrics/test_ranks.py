import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from instantdl.metrics._ranks import (
    auroc_of_groups,
    mann_whitney_of_groups,
    quantile_of_groups,
    risk_coverage,
    risk_coverage_of_groups,
)

RNG = np.random.default_rng(0)

numbers = st.lists(st.integers(0, 6), min_size=5, max_size=5).filter(any)


def _cases(counts):
    return np.repeat(np.arange(len(counts)), counts)


@given(numbers, numbers)
@settings(max_examples=80, deadline=None)
def test_area_is_that_of_the_single_cases(negative, positive):
    scores = np.concatenate([_cases(negative), _cases(positive)])
    truth = np.arange(len(scores)) >= sum(negative)
    found = auroc_of_groups(np.array(negative), np.array(positive))
    assert found == pytest.approx(roc_auc_score(truth, scores))


@given(numbers, numbers)
@settings(max_examples=80, deadline=None)
def test_the_test_is_that_of_the_single_cases(negative, positive):
    statistic, pvalue = mann_whitney_of_groups(np.array(negative), np.array(positive))
    expected = mannwhitneyu(
        _cases(positive), _cases(negative), alternative="greater", method="asymptotic"
    )
    assert statistic == expected.statistic
    if len({*_cases(positive), *_cases(negative)}) == 1:
        assert pvalue == 1.0
    else:
        assert pvalue == pytest.approx(expected.pvalue)


@given(numbers, st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_quantiles_are_those_of_the_single_cases(counts, quantile):
    values = np.array([0.0, 1.0, 1.5, 4.0, 9.0])
    found = quantile_of_groups(values, np.array(counts), quantile)
    expected = np.quantile(np.repeat(values, counts), quantile)
    assert found == pytest.approx(expected)


def test_areas_of_many_histograms_at_once():
    negative, positive = RNG.integers(0, 5, (2, 3, 4, 10))
    found = auroc_of_groups(negative, positive)
    assert found.shape == (3, 4)
    assert found[2, 1] == auroc_of_groups(negative[2, 1], positive[2, 1])


def test_where_a_kind_is_missing_all_is_undefined():
    some, none = np.array([1, 2]), np.array([0, 0])
    assert np.isnan(auroc_of_groups(some, none))
    assert np.isnan(auroc_of_groups(none, some))
    assert np.isnan(mann_whitney_of_groups(some, none)).all()
    assert np.isnan(quantile_of_groups(np.array([0.0, 1.0]), none, 0.5))


def test_large_numbers_do_not_overflow():
    negative, positive = np.array([3, 1]) * 10**9, np.array([1, 3]) * 10**9
    assert auroc_of_groups(negative, positive) == pytest.approx(0.75)
    assert auroc_of_groups(
        negative.astype(np.uint32), positive.astype(np.uint32)
    ) == pytest.approx(0.75)
    assert mann_whitney_of_groups(negative, positive)[1] == 0.0


def _brute_risks(uncertainty, error):
    """Mean risk over many orders of what is equally uncertain."""
    rng = np.random.default_rng(0)
    risks = []
    for _ in range(4000):
        order = np.lexsort((rng.random(len(error)), uncertainty))
        risks.append(np.cumsum(error[order]) / np.arange(1, len(error) + 1))
    return np.mean(risks, axis=0)


def test_risk_is_the_mean_error_of_the_most_certain():
    uncertainty, error = RNG.permutation(50), RNG.random(50)
    shares = np.arange(1, 51) / 50
    risk, area = risk_coverage(uncertainty, error, coverage=shares)
    order = np.argsort(uncertainty)
    expected = np.cumsum(error[order]) / np.arange(1, 51)
    np.testing.assert_allclose(risk, expected)
    assert area == pytest.approx(expected.mean())


def test_risk_of_ties_is_the_mean_over_their_orders():
    uncertainty, error = RNG.integers(0, 3, 12), RNG.integers(0, 2, 12)
    risk, area = risk_coverage(uncertainty, error, coverage=np.arange(1, 13) / 12)
    expected = _brute_risks(uncertainty, error)
    np.testing.assert_allclose(risk, expected, atol=0.02)
    assert area == pytest.approx(expected.mean(), abs=0.01)


def test_empty_groups_change_nothing():
    some = risk_coverage_of_groups(np.array([3, 2]), np.array([1, 2]), [0.5, 1])
    more = risk_coverage_of_groups(
        np.array([0, 3, 0, 2]), np.array([0, 1, 0, 2]), [0.5, 1]
    )
    np.testing.assert_array_equal(some[0], more[0])
    assert some[1] == more[1]


@pytest.mark.parametrize("coverage", [[0.0], [1.1], [np.nan]])
def test_a_share_must_be_one(coverage):
    with pytest.raises(ValueError, match="`coverage` must lie above 0 and up to 1"):
        risk_coverage([1, 2], [0, 1], coverage=coverage)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="the same shape"):
        risk_coverage([1, 2], [0, 1, 1])
    with pytest.raises(ValueError, match="the same shape"):
        risk_coverage([], [])
    with pytest.raises(ValueError, match="`error` must hold finite numbers"):
        risk_coverage([1, 2], [0, np.nan])
