"""Tests of the layers that the networks share."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import (
    ChannelDropout,
    FusedBatchNormalization,
    build_unet,
    count_noise,
    dropout_noise,
)

SHAPES = [(4, 6, 5, 3), (3, 4, 5, 6, 2)]


def _twins(shape, rng):
    """Return our normalisation and Keras' with the same weights, and an input."""
    x = rng.normal(3, 2, shape).astype(np.float32)
    ours = FusedBatchNormalization(momentum=0.9, epsilon=1e-3)
    keras_own = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    for layer in (ours, keras_own):
        layer.build(x.shape)
    channels = shape[-1]
    weights = {
        "gamma": rng.uniform(0.5, 2, channels),
        "beta": rng.normal(size=channels),
        "moving_mean": rng.normal(size=channels),
        "moving_variance": rng.uniform(0.5, 2, channels),
    }
    for name, value in weights.items():
        getattr(ours, name).assign(value)
        getattr(keras_own, name).assign(value)
    ours.steps.assign(1000)  # so that the past counts as it does later on
    return ours, keras_own, tf.constant(x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_equals_that_of_keras(shape, training, rng):
    ours, keras_own, x = _twins(shape, rng)
    np.testing.assert_allclose(
        ours(x, training=training), keras_own(x, training=training), atol=2e-5
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_has_the_gradients_of_keras(shape, training, rng):
    layers = _twins(shape, rng)
    x, upstream = layers[2], tf.constant(rng.normal(size=shape).astype(np.float32))
    gradients = []
    for layer in layers[:2]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x, training=training) * upstream)
        variables = [x, layer.gamma.value, layer.beta.value]
        gradients.append(tape.gradient(total, variables))
    for ours, keras_own in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalization_moves_its_statistics(shape, rng):
    layer, _, x = _twins(shape, rng)
    before = layer.moving_mean.value.numpy(), layer.moving_variance.value.numpy()
    layer(x, training=True)
    flat = np.asarray(x, float).reshape(-1, shape[-1])
    np.testing.assert_allclose(
        layer.moving_mean, 0.9 * before[0] + 0.1 * flat.mean(axis=0), rtol=1e-4
    )
    # Unlike Keras, the variance kept is the unbiased one.
    np.testing.assert_allclose(
        layer.moving_variance,
        0.9 * before[1] + 0.1 * flat.var(axis=0, ddof=1),
        rtol=1e-4,
    )


def test_batch_normalization_follows_fast_at_first(rng):
    layer = FusedBatchNormalization()
    layer.build((None, None, None, 1))
    for _ in range(3):
        layer(np.array([[[[5.0], [7.0]]]], np.float32), training=True)
    left = 1 / 10 * 2 / 11 * 3 / 12
    np.testing.assert_allclose(layer.moving_mean, [6 * (1 - left)], rtol=1e-5)


def test_batch_normalization_leaves_its_statistics_alone_in_prediction(rng):
    layer, _, x = _twins(SHAPES[0], rng)
    before = layer.get_weights()
    layer(x)
    for after, value in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, value)


def test_batch_normalization_under_a_mixed_policy_keeps_float32_statistics():
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    layer.build((None, None, None, 1))
    layer.moving_mean.assign([1000.5])
    layer.steps.assign(1e5)
    layer(np.full((1, 2, 2, 1), 1000.0, np.float32), training=True)
    np.testing.assert_allclose(
        layer.moving_mean.value.numpy(), [0.99 * 1000.5 + 0.01 * 1000], rtol=1e-7
    )


def test_batch_normalization_of_a_single_pixel_is_finite():
    layer = FusedBatchNormalization()
    out = layer(np.full((1, 1, 1, 2), 5, np.float32), training=True)
    np.testing.assert_array_equal(out, 0)
    assert np.isfinite(layer.moving_variance).all()


def test_batch_normalization_stays_in_bfloat16(rng):
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    out = layer(x, training=True)
    assert out.dtype == tf.bfloat16
    assert layer.gamma.dtype == layer.moving_variance.dtype == "float32"
    flat = x.reshape(-1, 3)
    expected = (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-3)
    np.testing.assert_allclose(
        tf.cast(out, tf.float32), expected.reshape(x.shape), atol=0.05
    )


def test_batch_normalization_keeps_an_unknown_shape():
    layer = FusedBatchNormalization()
    assert layer.compute_output_shape((None, None, 3)) == (None, None, 3)


def test_dropout_does_nothing_without_noise(rng):
    x = rng.random((2, 3, 3, 4), np.float32)
    layer = ChannelDropout(0.9)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=True), x)
    with dropout_noise(None):
        np.testing.assert_array_equal(layer(x), x)


def test_dropout_of_rate_zero_does_nothing(rng):
    x = rng.random((1, 2, 2, 3), np.float32)
    with dropout_noise(np.zeros((1, 3), np.float32)):
        np.testing.assert_array_equal(ChannelDropout(0)(x), x)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 3, 4), (2, 2, 3, 2, 4)])
def test_dropout_drops_whole_channels_and_scales_the_others(shape, rng):
    x = rng.random(shape, np.float32)
    noise = np.array([[0.1, 0.3, 0.24, 0.26], [0.9, 0.0, 0.25, 0.2]], np.float32)
    with dropout_noise(noise):
        out = np.asarray(ChannelDropout(0.25)(x))
    kept = (noise >= 0.25).reshape(2, *[1] * (len(shape) - 2), 4)
    np.testing.assert_allclose(out, x * kept / 0.75, rtol=1e-6)


def test_dropout_keeps_the_mean():
    noise = np.random.default_rng(0).random((20_000, 2), np.float32)
    with dropout_noise(noise):
        out = np.asarray(ChannelDropout(0.3)(np.ones((20_000, 2), np.float32)))
    np.testing.assert_allclose(out.mean(axis=0), 1, atol=0.02)


def test_dropout_keeps_the_dtype():
    with dropout_noise(np.zeros((1, 2), np.float32)):
        out = ChannelDropout(0.5, dtype="mixed_bfloat16")(np.ones((1, 2), np.float32))
    assert out.dtype == tf.bfloat16


def test_dropout_is_off_again_after_an_error():
    layer, x = ChannelDropout(0.5), np.ones((1, 2), np.float32)
    with pytest.raises(KeyError), dropout_noise(np.zeros((1, 2), np.float32)):
        raise KeyError
    np.testing.assert_array_equal(layer(x), x)


def test_each_dropout_layer_gets_noise_of_its_own():
    inputs = keras.Input((4,))
    x = ChannelDropout(0.5)(inputs)
    x = ChannelDropout(0.0)(x)
    outputs = ChannelDropout(0.5)(keras.layers.Concatenate()([x, inputs]))
    network = keras.Model(inputs, outputs)
    assert count_noise(network) == 4 + 8
    noise = np.ones((1, 12), np.float32)
    noise[0, [1, 4]] = 0
    with dropout_noise(noise):
        out = np.asarray(network(np.ones((1, 4), np.float32)))
    np.testing.assert_array_equal(out[0], [0, 0, 4, 4, 2, 2, 2, 2])


def test_a_dropout_layer_that_is_called_twice_gets_noise_for_the_wider_call():
    layer, inputs = ChannelDropout(0.5), keras.Input((4,))
    x = layer(inputs)
    network = keras.Model(inputs, layer(keras.layers.Concatenate()([x, inputs])))
    assert count_noise(network) == 8


def test_a_network_without_dropout_needs_no_noise():
    network = build_unet((None, None, 1), 1, filters=1, levels=1, dropout_rate=0)
    assert count_noise(network) == 0
