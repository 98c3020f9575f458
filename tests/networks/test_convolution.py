"""Tests of the layer that convolves and normalises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import NormalizedConvolution

# shape of the input, strides
CASES = [
    ((4, 6, 5, 3), 1),
    ((2, 7, 8, 3), 2),
    ((3, 4, 5, 6, 2), 1),
    ((3, 4, 6, 5, 2), (1, 2, 2)),
]
FILTERS = 4


class Twin:
    """The same from Keras' own layers: convolution, sum, normalisation, rectifier."""

    def __init__(self, layer, x):
        rank = len(x.shape) - 2
        convolution = getattr(keras.layers, f"Conv{rank}D")
        self.convolution = convolution(
            layer.filters,
            layer.kernel_size,
            strides=layer.strides,
            padding="same",
            use_bias=False,
        )
        self.normalization = keras.layers.BatchNormalization(
            momentum=layer.momentum, epsilon=layer.epsilon
        )
        self.normalization.build(self.convolution(x).shape)
        self.convolution.kernel.assign(layer.kernel)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            getattr(self.normalization, name).assign(getattr(layer, name))

    def __call__(self, x, *others, training):
        total = sum(others, start=self.convolution(x))
        return keras.ops.relu(self.normalization(total, training=training))

    def variables(self):
        normalization = self.normalization
        return [self.convolution.kernel, normalization.gamma, normalization.beta]


def make_layer(shape, rng, **kwargs):
    """Return a layer with all of its weights drawn, and an input."""
    x = tf.constant(rng.normal(3, 2, shape).astype(np.float32))
    layer = NormalizedConvolution(FILTERS, momentum=0.9, **kwargs)
    layer.build(x.shape)
    layer.gamma.assign(rng.uniform(0.5, 2, FILTERS))
    layer.beta.assign(rng.normal(size=FILTERS))
    layer.moving_mean.assign(rng.normal(size=FILTERS))
    layer.moving_variance.assign(rng.uniform(0.5, 2, FILTERS))
    layer.steps.assign(1000)  # so that the past counts as it does later on
    return layer, x


@pytest.mark.parametrize(("shape", "strides"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_it_equals_the_layers_of_keras(shape, strides, training, rng):
    layer, x = make_layer(shape, rng, strides=strides)
    expected = Twin(layer, x)(x, training=training)
    np.testing.assert_allclose(layer(x, training=training), expected, atol=2e-4)
    assert layer.compute_output_shape(x.shape) == tuple(expected.shape)


@pytest.mark.parametrize("training", [True, False])
def test_what_is_added_is_normalised_too(training, rng):
    layer, x = make_layer((2, 6, 6, 3), rng)
    other = tf.constant(rng.normal(size=(2, 6, 6, FILTERS)).astype(np.float32))
    expected = Twin(layer, x)(x, other, training=training)
    assert layer.compute_output_shape([x.shape, other.shape]) == (2, 6, 6, FILTERS)
    np.testing.assert_allclose(
        layer([x, other], training=training), expected, atol=2e-4
    )


@pytest.mark.parametrize(("shape", "strides"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_it_has_the_gradients_of_keras(shape, strides, training, rng):
    layer, x = make_layer(shape, rng, strides=strides)
    twin = Twin(layer, x)
    shape = layer.compute_output_shape(x.shape)
    upstream = tf.constant(rng.normal(size=shape).astype(np.float32))
    gradients = []
    for function, variables in (
        (layer, [layer.kernel, layer.gamma, layer.beta]),
        (twin, twin.variables()),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x, training=training) * upstream)
        sources = [x, *(variable.value for variable in variables)]
        gradients.append(tape.gradient(total, sources))
    for ours, keras_own in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-3, atol=2e-3)


def test_in_bfloat16_the_gradient_of_many_pixels_is_right(rng):
    # TensorFlow's BiasAddGrad adds up in bfloat16: 256 + 1 is 256.
    layer = NormalizedConvolution(1, 1, dtype="mixed_bfloat16")
    x = tf.ones((1, 64, 64, 1))
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(layer(x, training=False), tf.float32))
    gradient = tape.gradient(total, layer.beta.value)
    kernel = float(layer.kernel.value[0, 0, 0, 0])
    expected = 64 * 64 if kernel > 0 else 0
    np.testing.assert_allclose(gradient, expected, rtol=0.01)


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (3, 4, 5, 6, 2)])
def test_its_statistics_move(shape, rng):
    layer, x = make_layer(shape, rng)
    before = layer.moving_mean.value.numpy(), layer.moving_variance.value.numpy()
    flat = np.asarray(Twin(layer, x).convolution(x), float).reshape(-1, FILTERS)
    layer(x, training=True)
    np.testing.assert_allclose(
        layer.moving_mean,
        0.9 * before[0] + 0.1 * flat.mean(axis=0),
        rtol=1e-4,
        atol=1e-5,
    )
    # Unlike Keras, the variance kept is the unbiased one.
    np.testing.assert_allclose(
        layer.moving_variance,
        0.9 * before[1] + 0.1 * flat.var(axis=0, ddof=1),
        rtol=1e-4,
    )


def test_its_statistics_follow_fast_at_first():
    layer = NormalizedConvolution(1, 1)
    layer.build((None, None, None, 1))
    layer.kernel.assign(np.ones((1, 1, 1, 1)))
    for _ in range(3):
        layer(np.array([[[[5.0], [7.0]]]], np.float32), training=True)
    left = 1 / 10 * 2 / 11 * 3 / 12
    np.testing.assert_allclose(layer.moving_mean, [6 * (1 - left)], rtol=1e-5)


def test_its_weights_stay_in_prediction(rng):
    layer, x = make_layer((2, 4, 4, 3), rng)
    before = layer.get_weights()
    layer(x)
    for after, value in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, value)


def test_under_a_mixed_policy_statistics_stay_float32():
    layer = NormalizedConvolution(1, 1, dtype="mixed_bfloat16")
    layer.build((None, None, None, 1))
    layer.kernel.assign(np.ones((1, 1, 1, 1)))
    layer.moving_mean.assign([1000.5])
    layer.steps.assign(1e5)
    layer(np.full((1, 2, 2, 1), 1000.0, np.float32), training=True)
    np.testing.assert_allclose(
        layer.moving_mean.value.numpy(), [0.99 * 1000.5 + 0.01 * 1000], rtol=1e-7
    )


def test_a_single_pixel_gives_finite_values():
    layer = NormalizedConvolution(2)
    out = layer(np.full((1, 1, 1, 2), 5, np.float32), training=True)
    np.testing.assert_array_equal(out, 0)
    assert np.isfinite(layer.moving_variance).all()


@pytest.mark.parametrize("training", [True, False])
def test_under_a_mixed_policy_it_stays_in_bfloat16(training, rng):
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    layer = NormalizedConvolution(FILTERS, dtype="mixed_bfloat16")
    out = layer(x, training=training)
    assert out.dtype == tf.bfloat16
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    expected = Twin(layer, x)(x, training=training)
    np.testing.assert_allclose(tf.cast(out, tf.float32), expected, atol=0.06)


def test_an_unknown_size_stays_unknown():
    layer = NormalizedConvolution(5, strides=2)
    assert layer.compute_output_shape((None, None, 9, 3)) == (None, None, 5, 5)


def test_negative_values_may_stay(rng):
    layer, x = make_layer((1, 5, 5, 2), rng, activation=None)
    rectified, _ = make_layer((1, 5, 5, 2), rng)
    rectified.set_weights(layer.get_weights())
    for training in (True, False):
        out = np.asarray(layer(x, training=training))
        assert out.min() < 0
        expected = rectified(x, training=training)
        np.testing.assert_allclose(np.maximum(out, 0), expected, atol=1e-6)


# shape of the input, how often its pixels are repeated, filters
ENLARGED = [
    ((2, 5, 4, 3), (2, 2), FILTERS),
    ((2, 3, 4, 3), (1, 2), FILTERS),
    ((1, 4, 3, 2), (3, 2), FILTERS),
    ((1, 3, 2, 2), (2, 2), 300),
    ((1, 3, 2, 4, 2), (2, 2, 2), FILTERS),
    ((2, 3, 2, 4, 2), (1, 2, 2), FILTERS),
    ((1, 1, 2, 2, 2), (1, 2, 2), 70),
]


@pytest.mark.parametrize(("shape", "factors", "filters"), ENLARGED)
@pytest.mark.parametrize("training", [True, False])
def test_upsampling_equals_repeating_the_pixels_first(
    shape, factors, filters, training, rng
):
    x = rng.normal(size=shape).astype(np.float32)
    repeated = x
    for axis, factor in enumerate(factors, start=1):
        repeated = np.repeat(repeated, factor, axis)
    skip = rng.normal(size=(*repeated.shape[:-1], filters)).astype(np.float32)
    layer = NormalizedConvolution(filters, upsampling=factors)
    plain = NormalizedConvolution(filters)
    found, expected = [], []
    for one, image, into in ((layer, x, found), (plain, repeated, expected)):
        one.build([image.shape, skip.shape])
        one.set_weights(layer.get_weights())
        with tf.GradientTape() as tape:
            out = one([tf.constant(image), tf.constant(skip)], training=training)
            loss = tf.reduce_sum(tf.sin(out))
        into += [out, tape.gradient(loss, one.kernel.value)]
    assert layer.compute_output_shape(x.shape) == found[0].shape
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=1e-3)
