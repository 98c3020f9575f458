import numpy as np
import pytest

from instantdl.estimators._uncertainty import check_kind, uncertainty_of

# Two draws of three pixels: agreed and certain, agreed and torn, opposite and certain.
DRAWS = np.array(
    [[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]]
)


def _entropy(p):
    """Return the entropy in units of that of a coin."""
    return -np.sum(p * np.log2(np.where(p > 0, p, 1)), axis=-1)


@pytest.fixture
def values():
    """Mean probabilities, and behind them the mean entropy, of `DRAWS`."""
    entropy = _entropy(DRAWS).mean(axis=0)[:, np.newaxis]
    return np.concatenate([DRAWS.mean(axis=0), entropy], axis=-1).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("total", [0, 1, 1]), ("aleatoric", [0, 1, 0]), ("epistemic", [0, 0, 1])],
)
def test_each_kind_tells_what_it_is_about(values, kind, expected):
    np.testing.assert_allclose(uncertainty_of(values, kind), expected, atol=1e-6)


def test_total_is_the_entropy_of_the_mean_probability(values):
    expected = _entropy(DRAWS.mean(axis=0))
    np.testing.assert_allclose(uncertainty_of(values, "total"), expected, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_classes_all_alike_give_1(n_classes):
    values = np.full((1, n_classes + 1), 1 / n_classes, np.float32)
    assert uncertainty_of(values, "total")[0] == pytest.approx(1, abs=1e-5)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="`kind` must be one of.*general"):
        check_kind("general")
