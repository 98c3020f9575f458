import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from instantdl.metrics._calibration import (
    calibration_error_of,
    expected_calibration_error,
    reliability_counts,
)

RNG = np.random.default_rng(0)


def _brute_error(probability, outcome, n_bins):
    total = 0.0
    for number in range(n_bins):
        low, high = number / n_bins, (number + 1) / n_bins
        inside = (probability >= low) & (probability < high)
        if number == n_bins - 1:
            inside |= probability == 1
        if inside.any():
            gap = abs(probability[inside].mean() - outcome[inside].mean())
            total += gap * inside.mean()
    return total


@given(st.integers(0, 1000), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_error_is_the_weighted_mean_of_gaps(seed, n_bins):
    rng = np.random.default_rng(seed)
    probability, outcome = rng.random(60), rng.integers(0, 2, 60)
    found = expected_calibration_error(probability, outcome, n_bins=n_bins)
    assert found == pytest.approx(_brute_error(probability, outcome, n_bins))


def test_bins_are_those_of_scikit_learn():
    probability, outcome = RNG.random(500), RNG.integers(0, 2, 500)
    observed, predicted = calibration_curve(outcome, probability, n_bins=10)
    counts = reliability_counts(probability, outcome)
    np.testing.assert_allclose(counts[:, 1] / counts[:, 0], predicted)
    np.testing.assert_allclose(counts[:, 2] / counts[:, 0], observed)


def test_parts_may_be_added_up():
    probability, outcome = RNG.random((4, 25)), RNG.integers(0, 2, (4, 25))
    parts = [
        reliability_counts(p, o) for p, o in zip(probability, outcome, strict=True)
    ]
    whole = expected_calibration_error(probability, outcome)
    assert calibration_error_of(np.sum(parts, axis=0)) == pytest.approx(whole)
    each = [
        expected_calibration_error(p, o)
        for p, o in zip(probability, outcome, strict=True)
    ]
    np.testing.assert_allclose(calibration_error_of(np.array(parts)), each)


def test_what_is_always_right_when_it_says_so_has_no_error():
    assert expected_calibration_error([0.0, 1.0, 1.0], [0, 1, 1]) == 0.0
    assert expected_calibration_error([1.0, 1.0], [0, 0]) == 1.0


@pytest.mark.parametrize(
    ("probability", "outcome", "message"),
    [
        ([0.5], [0, 1], "the same shape"),
        ([], [], "the same shape"),
        ([1.5], [1], "between 0 and 1"),
        ([np.nan], [1], "between 0 and 1"),
        ([0.5], [2], "`outcome` must hold bool"),
    ],
)
def test_wrong_values_are_refused(probability, outcome, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(probability, outcome)


def test_there_must_be_a_bin():
    with pytest.raises(ValueError, match="`n_bins` must be 1 or more"):
        expected_calibration_error([0.5], [1], n_bins=0)
