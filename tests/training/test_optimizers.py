"""Tests of the fused optimizers, against those of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.training import build_optimizer

SHAPES = [(3, 3, 1, 4), (4,), ()]


def _steps(optimizer, dtype="float32"):
    """Return three variables after ten steps by a falling rate."""
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=shape), dtype="float32") for shape in SHAPES
    ]
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(*gradients):
        optimizer.apply(list(gradients), variables)

    for number in range(10):
        optimizer.learning_rate.assign(0.1 / (1 + number))
        step(*(tf.constant(rng.normal(size=shape), dtype) for shape in SHAPES))
    return [np.asarray(variable) for variable in [*variables, *optimizer.variables]]


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fused_steps_are_those_of_keras(name, dtype):
    found = _steps(build_optimizer(name), dtype)
    expected = _steps(keras.optimizers.get(name), dtype)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_fused_steps_are_few_operations(name):
    variables = [keras.Variable(np.zeros(3), dtype="float32") for _ in range(5)]

    def count(optimizer):
        optimizer.build(variables)
        apply = tf.function(
            lambda *gradients: optimizer.apply(list(gradients), variables),
            autograph=False,
        )
        graph = apply.get_concrete_function(*[tf.ones(3)] * 5).graph
        return len(graph.get_operations())

    assert count(build_optimizer(name)) < 0.6 * count(keras.optimizers.get(name))


@pytest.mark.parametrize("name", ["nadam", "sgd", "rmsprop"])
def test_other_optimizers_are_those_of_keras(name):
    assert type(build_optimizer(name)) is type(keras.optimizers.get(name))
