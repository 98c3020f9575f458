"""Tests of the layer that convolves and normalises."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import NormalizedConvolution, NormalizedDepthwiseConvolution

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
        self.convolution = self.make_convolution(layer, x)
        self.normalization = keras.layers.BatchNormalization(
            momentum=layer.momentum, epsilon=layer.epsilon
        )
        self.normalization.build(self.convolution(x).shape)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            getattr(self.normalization, name).assign(getattr(layer, name))

    def make_convolution(self, layer, x):
        rank = len(x.shape) - 2
        convolution = getattr(keras.layers, f"Conv{rank}D")(
            layer.filters,
            layer.kernel_size,
            strides=layer.strides,
            padding="same",
            use_bias=False,
        )
        convolution.build(x.shape)
        convolution.kernel.assign(layer.kernel)
        return convolution

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


class DepthwiseTwin(Twin):
    """The same for a layer with one filter for each channel."""

    def make_convolution(self, layer, x):
        convolution = keras.layers.DepthwiseConv2D(
            layer.kernel_size, strides=layer.strides, padding="same", use_bias=False
        )
        convolution.build(x.shape)
        # Keras has the channels before the filters of each.
        convolution.kernel.assign(np.swapaxes(layer.kernel, 2, 3))
        return convolution


def make_depthwise(shape, rng, **kwargs):
    """Return a depthwise layer with all of its weights drawn, and an input."""
    layer = NormalizedDepthwiseConvolution(shape[-1], momentum=0.9, **kwargs)
    layer.build(shape)
    for variable in layer.weights[1:]:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    layer.steps.assign(1000)
    return layer, tf.constant(rng.normal(1, 2, shape).astype(np.float32))


@pytest.mark.parametrize(("strides", "size"), [(1, 3), (2, 3), (1, 5), (2, 5)])
@pytest.mark.parametrize("shape", [(3, 8, 8, FILTERS), (2, 7, 9, FILTERS)])
@pytest.mark.parametrize("training", [True, False])
def test_depthwise_it_equals_the_layers_of_keras(shape, strides, size, training, rng):
    layer, x = make_depthwise(shape, rng, strides=strides, kernel_size=size)
    assert layer.kernel.shape == (size, size, 1, FILTERS)
    twin = DepthwiseTwin(layer, x)
    upstream = rng.normal(size=layer.compute_output_shape(shape)).astype(np.float32)
    outputs, gradients = [], []
    for function, kernel in ((layer, layer.kernel), (twin, twin.convolution.kernel)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs.append(function(x, training=training))
            total = tf.reduce_sum(outputs[-1] * upstream)
        gradients.append(tape.gradient(total, [x, kernel.value]))
    assert outputs[0].shape == upstream.shape
    np.testing.assert_allclose(*outputs, atol=2e-4)
    (of_x, of_kernel), (keras_of_x, keras_of_kernel) = gradients
    np.testing.assert_allclose(of_x, keras_of_x, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(
        np.swapaxes(of_kernel, 2, 3), keras_of_kernel, rtol=1e-3, atol=2e-3
    )


@pytest.mark.parametrize("strides", [1, 2])
def test_depthwise_each_filter_sees_its_own_channel(strides, rng):
    layer, x = make_depthwise((1, 6, 6, FILTERS), rng, strides=strides, activation=None)
    changed = x + np.array([0, 0, 1, 0], np.float32)
    difference = np.asarray(layer(changed)) - np.asarray(layer(x))
    seen = np.abs(difference).max(axis=(0, 1, 2)) > 1e-3
    np.testing.assert_array_equal(seen, [False, False, True, False])


def test_depthwise_its_statistics_move(rng):
    layer, x = make_depthwise((3, 6, 6, FILTERS), rng)
    before = layer.moving_mean.value.numpy(), layer.moving_variance.value.numpy()
    flat = np.asarray(DepthwiseTwin(layer, x).convolution(x)).reshape(-1, FILTERS)
    layer(x, training=True)
    expected = 0.9 * before[0] + 0.1 * flat.mean(axis=0)
    np.testing.assert_allclose(layer.moving_mean, expected, rtol=1e-4, atol=1e-5)
    expected = 0.9 * before[1] + 0.1 * flat.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.moving_variance, expected, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_depthwise_under_a_mixed_policy_it_stays_in_bfloat16(training, rng):
    x = rng.normal(size=(2, 4, 4, FILTERS)).astype(np.float32)
    layer = NormalizedDepthwiseConvolution(FILTERS, 3, dtype="mixed_bfloat16")
    out = layer(x, training=training)
    assert out.dtype == tf.bfloat16
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    expected = DepthwiseTwin(layer, x)(x, training=training)
    np.testing.assert_allclose(tf.cast(out, tf.float32), expected, atol=0.06)


def test_a_rectifier_may_end_at_six(rng):
    layer, x = make_layer((2, 6, 6, 3), rng, activation="relu6")
    layer.gamma.assign(np.full(FILTERS, 9.0))
    plain = NormalizedConvolution(FILTERS, activation=None)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    for training in (False, True):  # which moves the statistics
        expected = np.clip(plain(x, training=training), 0, 6)
        assert expected.max() == 6
        np.testing.assert_allclose(layer(x, training=training), expected, atol=1e-5)


ODD_BATCHES = """
import numpy as np
import tensorflow as tf
from instantdl.networks import NormalizedConvolution

x = np.random.default_rng(0).random((5, 16, 16, 4), np.float32)
layer = NormalizedConvolution(4, kernel_size=1, strides=2)

@tf.function
def gradient():
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x, training=True) ** 2)
    return tape.gradient(total, layer.kernel.value)

layer(x)
first = gradient().numpy()
assert all(np.allclose(gradient().numpy(), first) for _ in range(200))
"""


def test_strides_of_single_pixels_write_to_no_foreign_memory():
    # TensorFlow 2.21 died of it, so this has a process of its own.
    command = [sys.executable, "-c", ODD_BATCHES]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-500:]


@pytest.mark.parametrize("size", [8, 7])
def test_strides_of_single_pixels_are_those_of_keras(size, rng):
    x = rng.normal(size=(2, size, size, 3)).astype(np.float32)
    layer = NormalizedConvolution(4, kernel_size=1, strides=2, activation=None)
    ours = layer(x)
    theirs = tf.nn.conv2d(x, layer.kernel.value, 2, "SAME") / np.sqrt(1 + layer.epsilon)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == ours.shape


@pytest.mark.parametrize("training", [False, True])
def test_single_pixels_are_convolved_as_the_pixels_of_an_image(training):
    x = np.random.default_rng(0).normal(size=(6, 1, 1, 3)).astype("float32")
    layer = NormalizedConvolution(5, 1)
    alone = layer(x, training=training)
    together = layer(x.reshape(1, 6, 1, 3), training=training)
    assert alone.shape == (6, 1, 1, 5)
    np.testing.assert_allclose(
        np.reshape(alone, (6, 5)), np.reshape(together, (6, 5)), atol=1e-5
    )
