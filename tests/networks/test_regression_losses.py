"""Tests of what values and their variances are judged by."""

import numpy as np
import pytest

from instantdl.networks import (
    build_regression_loss,
    judge_variance,
    split_variance,
)


def _outputs(values, variance):
    """Return outputs of a network that `split_variance` takes for these."""
    raw = np.log(np.expm1(variance - 1e-4))
    return np.stack([values, np.full_like(values, raw)], axis=-1).astype(np.float32)


def test_variances_are_judged_by_the_gaussian_likelihood(rng):
    target = rng.normal(size=(2, 4, 4, 1)).astype(np.float32)
    values = target[..., 0] + rng.normal(0, 0.3, (2, 4, 4))
    outputs = _outputs(values, 0.09)
    _, variance = split_variance(outputs)
    np.testing.assert_allclose(variance, 0.09, rtol=1e-4)
    weight = np.array([1.0, 3.0])
    terms = (target[..., 0] - values) ** 2 / 0.09 + np.log(0.09)
    expected = np.average(terms.mean(axis=(1, 2)) / 2, weights=weight)
    found = judge_variance(target, outputs, None, weight)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_better_predictions_are_judged_better_where_the_loss_is_not(rng):
    target = rng.normal(size=(1, 64, 64, 1))
    loss = build_regression_loss("mean_squared_error", predict_variance=True)
    judged, learnt = [], []
    for deviation in (0.3, 0.1, 0.03):
        values = target[..., 0] + rng.normal(0, deviation, (1, 64, 64))
        outputs = _outputs(values, deviation**2)
        judged.append(float(judge_variance(target, outputs, None, np.ones(1))))
        learnt.append(float(loss(target, outputs, None, np.ones(1))))
    assert judged == sorted(judged, reverse=True)
    assert learnt != sorted(learnt, reverse=True)
