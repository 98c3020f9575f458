import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from instantdl.metrics._histograms import (
    N_LOG_ODDS_BINS,
    N_SIZE_BINS,
    log_odds_bins,
    log_odds_edges,
    size_bins,
    size_edges,
    size_values,
)

RNG = np.random.default_rng(0)


def test_log_odds_bins_keep_the_order_and_their_edges():
    values = np.sort(RNG.random(10_000))
    bins = log_odds_bins(values)
    assert (np.diff(bins) >= 0).all()
    edges = log_odds_edges()
    assert len(edges) == N_LOG_ODDS_BINS + 1
    assert (edges[bins] <= values * (1 + 1e-12)).all()
    assert (values <= edges[bins + 1] * (1 + 1e-12)).all()


def test_log_odds_bins_have_equal_steps():
    edges = log_odds_edges()[1:-1]
    np.testing.assert_allclose(np.diff(logit(edges)), 1 / 128, rtol=1e-6)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.float32])
def test_certain_pixels_lie_in_the_outermost_bins(dtype):
    bins = log_odds_bins(np.array([0, 1], dtype))
    assert bins.tolist() == [0, N_LOG_ODDS_BINS - 1]


def test_what_rounding_adds_to_certainty_does_not_count():
    bins = log_odds_bins(np.array([-1e-7, 1 + 1e-6], np.float32))
    assert bins.tolist() == [0, N_LOG_ODDS_BINS - 1]


@given(st.lists(st.floats(0, 1e30), min_size=2, max_size=20))
@settings(max_examples=100, deadline=None)
def test_size_bins_keep_the_order_and_a_thousandth(values):
    values = np.sort(values)
    bins = size_bins(values)
    assert (np.diff(bins) >= 0).all()
    likely = values > 1e-30  # smaller ones come near to what float32 can tell apart
    near = size_values()[bins]
    np.testing.assert_allclose(near[likely], values[likely], rtol=1e-3)


def test_size_bins_lie_between_their_edges():
    values = RNG.lognormal(0, 5, 10_000).astype(np.float32)
    edges, bins = size_edges(), size_bins(values)
    assert len(edges) == N_SIZE_BINS + 1
    assert np.isinf(edges[-1])
    assert (edges[bins] <= values).all()
    assert (values < edges[bins + 1]).all()


def test_size_bins_take_what_float32_cannot():
    bins = size_bins(np.array([-0.0, 0.0, 1e-300, 1e300]))
    assert bins.tolist() == [0, 0, 0, N_SIZE_BINS - 1]
    assert size_bins(np.array([0, 3, 200], np.uint8)).shape == (3,)
    assert np.isfinite(size_values()).all()
