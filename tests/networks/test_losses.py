"""Tests of the losses against formulas in numpy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from instantdl.networks import LOSSES, build_loss

SHAPES = [(3, 5, 4), (2, 3, 4, 5)]


def _cross_entropy(y, p, weight, class_weight, power=0):
    pixel_weight = (y * weight * class_weight).sum(axis=-1)
    chosen = (y * p).sum(axis=-1)
    values = -((1 - chosen) ** power) * np.log(chosen)
    return (pixel_weight * values).sum() / pixel_weight.sum()


def _overlap(y, p, weight, class_weight, missed, false):
    costs = []
    for c in range(y.shape[-1]):
        truth, guess = y[..., c], p[..., c]
        w = weight[..., 0]
        hit = (w * truth * guess).sum()
        fn, fp = (w * truth * (1 - guess)).sum(), (w * (1 - truth) * guess).sum()
        costs.append(1 - (hit + 1) / (hit + missed * fn + false * fp + 1))
    return np.average(costs, weights=class_weight)


def _dice(y, p, weight, class_weight):
    costs = []
    for c in range(y.shape[-1]):
        w, truth, guess = weight[..., 0], y[..., c], p[..., c]
        both = (w * truth * guess).sum()
        costs.append(1 - (2 * both + 1) / ((w * truth).sum() + (w * guess).sum() + 1))
    return np.average(costs, weights=class_weight)


def _expected(name, y, p, weight, class_weight):
    arguments = (y, p, weight, class_weight)
    match name:
        case "dice":
            return _dice(*arguments)
        case "dice_crossentropy":
            return _dice(*arguments) + _cross_entropy(*arguments)
        case "focal":
            return _cross_entropy(*arguments, power=2)
        case "tversky":
            return _overlap(*arguments, missed=0.7, false=0.3)
        case _:
            return _cross_entropy(*arguments)


def _case(shape, n_outputs, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, max(2, n_outputs), shape).astype(np.int32)
    logits = rng.normal(0, 2, (*shape, n_outputs)).astype(np.float32)
    return target, logits


def _one_hot(target, n_classes):
    return np.eye(n_classes)[target]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_outputs", [1, 2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_equal_their_formulas(name, n_outputs, shape):
    target, logits = _case(shape, n_outputs)
    rng = np.random.default_rng(1)
    n_classes = max(2, n_outputs)
    class_weight = rng.uniform(0.2, 3, n_classes)
    sample_weight = rng.uniform(0.2, 3, shape[0])
    if n_outputs == 1:
        p = np.concatenate([expit(-logits.astype(float)), expit(logits)], axis=-1)
    else:
        p = softmax(logits.astype(float), axis=-1)
    weight = sample_weight.reshape(-1, *[1] * len(shape))
    expected = _expected(name, _one_hot(target, n_classes), p, weight, class_weight)
    loss = build_loss(name)(
        target,
        logits,
        class_weight.astype(np.float32),
        sample_weight.astype(np.float32),
    )
    assert loss.shape == ()
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_one_output_equals_two_outputs_with_the_difference(name):
    target, logits = _case((2, 4, 4), 2)
    weights = np.float32([1, 3]), np.float32([1, 0.5])
    difference = logits[..., 1:] - logits[..., :1]
    loss = build_loss(name)
    np.testing.assert_allclose(
        loss(target, difference, *weights), loss(target, logits, *weights), rtol=1e-5
    )


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_nothing(name, n_outputs):
    target, _ = _case((2, 8, 8), n_outputs)
    if n_outputs == 1:
        logits = np.where(target, 50, -50)[..., np.newaxis].astype(np.float32)
    else:
        logits = (100 * _one_hot(target, n_outputs)).astype(np.float32)
    weights = np.ones(max(2, n_outputs), np.float32), np.ones(2, np.float32)
    loss = float(build_loss(name)(target, logits, *weights))
    assert abs(loss) < 1e-5


@pytest.mark.parametrize("logit", [-200.0, -3.0, 0.0, 200.0])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_mask_gives_finite_losses_and_gradients(name, n_outputs, logit):
    logits = tf.fill((2, 4, 4, n_outputs), logit)
    if n_outputs == 2:
        logits = logits * tf.constant([-1.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = build_loss(name)(
            np.zeros((2, 4, 4), np.int32), logits, np.ones(2, "f"), np.ones(2, "f")
        )
    gradient = tape.gradient(loss, logits)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_false_positives_on_an_empty_mask_cost_more_than_none(name):
    target, ones = np.zeros((1, 4, 4), np.int32), (np.ones(2, "f"), np.ones(1, "f"))
    none, some = (
        float(build_loss(name)(target, np.full((1, 4, 4, 1), value, "f"), *ones))
        for value in (-20, 0)
    )
    assert none == pytest.approx(0, abs=1e-5)
    assert some > 0.1


@pytest.mark.parametrize("name", LOSSES)
def test_images_of_weight_zero_do_not_count(name):
    target, logits = _case((3, 4, 4), 1)
    ones = np.ones(2, "f")
    loss = build_loss(name)
    with_third = loss(target, logits, ones, np.float32([1, 2, 0]))
    without = loss(target[:2], logits[:2], ones, np.float32([1, 2]))
    np.testing.assert_allclose(with_third, without, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_weight_zero_costs_nothing(name):
    target, logits = _case((2, 4, 4), 2)
    loss = build_loss(name)(target, logits, np.ones(2, "f"), np.zeros(2, "f"))
    assert float(loss) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_logits_are_taken(name):
    target, logits = _case((1, 4, 4), 1)
    logits = tf.cast(tf.cast(logits, tf.bfloat16), tf.float32)
    weights = np.ones(2, "f"), np.ones(1, "f")
    loss = build_loss(name)
    half = loss(target, tf.cast(logits, tf.bfloat16), *weights)
    assert half.dtype == tf.float32
    np.testing.assert_allclose(half, loss(target, logits, *weights), rtol=1e-6)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="`loss` must be one of .* Got 'hinge'"):
        build_loss("hinge")


@pytest.mark.parametrize("n_outputs", [1, 4])
def test_smoothed_labels_are_shared_among_the_classes(n_outputs, rng):
    n_classes = max(n_outputs, 2)
    target = rng.integers(0, n_classes, 6)
    logits = rng.normal(0, 2, (6, n_outputs)).astype("f")
    class_weight = rng.uniform(0.5, 2, n_classes).astype("f")
    sample_weight = rng.uniform(0.5, 2, 6).astype("f")
    full = np.concatenate([np.zeros((6, 1)), logits], 1) if n_outputs == 1 else logits
    log_p = full - np.log(np.exp(full).sum(1, keepdims=True))
    smooth = 0.8 * np.eye(n_classes)[target] + 0.2 / n_classes
    weight = sample_weight * class_weight[target]
    expected = -(weight * (smooth * log_p).sum(1)).sum() / weight.sum()
    loss = build_loss("crossentropy", label_smoothing=0.2)
    found = float(loss(target, logits, class_weight, sample_weight))
    assert found == pytest.approx(expected, rel=1e-4)
