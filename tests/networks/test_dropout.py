"""Tests of dropout by noise that is handed in."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import (
    ChannelDropout,
    build_unet,
    count_noise,
    dropout_noise,
)


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
