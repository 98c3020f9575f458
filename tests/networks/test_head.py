"""Tests of the end of networks that classify images."""

import keras
import numpy as np

from instantdl.networks import count_noise, dropout_noise
from instantdl.networks._head import classification_head


def make_network(dtype, rate=0.5):
    inputs = keras.Input((None, None, 3), dtype=dtype)
    outputs = classification_head(inputs, 2, dropout_rate=rate)
    return keras.Model(inputs, outputs)


def test_it_combines_means_of_the_maps_linearly(rng):
    network = make_network("float32")
    x = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)
    head = network.get_layer("head")
    head.bias.assign([1, -2])
    expected = x.mean(axis=(1, 2)) @ np.asarray(head.kernel) + [1, -2]
    np.testing.assert_allclose(network(x), expected, rtol=1e-5, atol=1e-6)


def test_dropout_drops_means_of_maps(rng):
    network = make_network("float32")
    assert count_noise(network) == 3
    x = rng.normal(size=(1, 5, 4, 3)).astype(np.float32)
    with dropout_noise(np.array([[0.9, 0.1, 0.7]], np.float32)):
        out = network(x)
    kept = x.mean(axis=(1, 2)) * [2, 0, 2]
    expected = kept @ np.asarray(network.get_layer("head").kernel)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_the_mean_of_many_bfloat16_values_keeps_its_digits():
    network = make_network("bfloat16")
    network.get_layer("head").kernel.assign([[1, 0], [0, 1], [0, 0]])
    x = np.ones((1, 64, 64, 3), np.float32)
    x[:, ::2, :, 1] = 3
    out = np.asarray(network(x))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, [[1, 2]], rtol=1e-6)
