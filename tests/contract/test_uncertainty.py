"""Monte Carlo dropout: what every estimator with `predict_uncertainty` promises."""

import pickle

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _has_uncertainty(case):
    case.require("predict_uncertainty")


def test_uncertainty_has_one_value_for_each_predicted(
    case, ranked, fitted_ranked, wrap, container
):
    X, y = ranked
    maps = fitted_ranked.predict_uncertainty(wrap[container](X), n_draws=3)
    if container == "array" or case.target == "labels":
        assert maps.shape == y.shape
    else:
        assert maps.dtype == object
        assert [one.shape for one in maps] == [one.shape for one in y]
    assert all(one.dtype == np.float32 for one in maps)


def test_uncertainty_is_the_same_from_any_container(
    case, ranked, fitted_ranked, wrap, container
):
    X, _ = ranked
    maps = fitted_ranked.predict_uncertainty(wrap[container](X), n_draws=3)
    expected = fitted_ranked.predict_uncertainty(X, n_draws=3)
    np.testing.assert_array_equal(np.stack(list(maps)), expected)


@pytest.mark.parametrize("kind", ["total", "epistemic", "aleatoric"])
def test_uncertainty_lies_between_0_and_1(case, ranked, fitted_ranked, kind):
    if case.target == "values":
        pytest.skip("is in the units of the target")
    maps = fitted_ranked.predict_uncertainty(ranked[0], kind=kind)
    assert 0 <= maps.min() <= maps.max() <= 1
    assert maps.max() > 0


def test_total_is_aleatoric_and_epistemic_together(case, ranked, fitted_ranked):
    if case.target == "values":
        pytest.skip("adds up in squares, and only with predict_variance")
    total, epistemic, aleatoric = (
        fitted_ranked.predict_uncertainty(ranked[0], kind=kind)
        for kind in ("total", "epistemic", "aleatoric")
    )
    assert np.all(total >= aleatoric - 1e-6)
    np.testing.assert_allclose(total, aleatoric + epistemic, atol=1e-5)


def test_two_calls_give_the_same_maps(case, ranked, fitted_ranked):
    X, _ = ranked
    first = fitted_ranked.predict_uncertainty(X)
    np.testing.assert_array_equal(fitted_ranked.predict_uncertainty(X), first)


def test_a_pickle_gives_the_same_maps(case, data, fitted):
    twin = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        twin.predict_uncertainty(data[0]), fitted.predict_uncertainty(data[0])
    )


def test_uncertainty_does_not_depend_on_the_other_images(case, ranked, fitted_ranked):
    X, _ = ranked
    maps = fitted_ranked.predict_uncertainty(X, n_draws=4)
    few = fitted_ranked.predict_uncertainty(X[2:], n_draws=4)
    np.testing.assert_allclose(few, maps[2:], atol=1e-6)


def test_another_seed_draws_other_networks(case, data):
    maps = [
        case.make(random_state=seed).fit(*data).predict_uncertainty(data[0], n_draws=3)
        for seed in (0, 1)
    ]
    assert not np.array_equal(*maps)


def test_uncertainty_does_not_change_predictions(case, data, fitted, digest_of):
    before = digest_of(fitted, data[0])
    fitted.predict_uncertainty(data[0])
    assert digest_of(fitted, data[0]) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "general"}, "`kind` must be one of.*general"),
        ({"n_draws": 0}, "`n_draws` must be an int >= 1. Got 0"),
        ({"n_draws": 2.5}, "`n_draws` must be an int >= 1. Got 2.5"),
    ],
)
def test_a_wrong_argument_is_an_error(case, data, fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict_uncertainty(data[0], **arguments)


def test_a_network_without_dropout_is_told_to_have_none(case, data):
    case.require("dropout_rate")
    estimator = case.make(dropout_rate=0).fit(*data)
    with pytest.raises(ValueError, match="needs a network with dropout"):
        estimator.predict_uncertainty(data[0])
