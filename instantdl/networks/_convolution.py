"""Convolution and batch normalisation in one layer."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Of more filters, TensorFlow's transposed convolution is the slower way.
_MOST_FILTERS_TRANSPOSED = {1: 256, 2: 256, 3: 64}


class NormalizedConvolution(keras.layers.Layer):
    """Convolution, batch normalisation and rectifier, of any rank and dtype.

    In training the normalisation is TensorFlow's fused kernel, which stays in
    bfloat16 where Keras goes through float32. Otherwise it is folded into kernel and
    bias: TensorFlow then runs all three steps as one.

    Parameters
    ----------
    filters : int
        Channels of the output.

    kernel_size : int, default=3
        Pixels of the kernel along each axis.

    strides : int or sequence of int, default=1
        Step of the kernel along each axis.

    upsampling : sequence of int, default=None
        Per axis, how often each pixel is repeated before the convolution.

    activation : {"relu", "relu6"} or None, default="relu"
        What comes at the end.

    momentum : float, default=0.99
        Weight of the past in the moving mean and variance, once there is one: in
        the first steps they follow faster, so that few steps suffice.

    epsilon : float, default=1e-3
        Added to the variance.

    **kwargs : dict
        Passed to `keras.layers.Layer`.

    Notes
    -----
    Input: `(n_samples, *spatial, channels)`, or a list of it and of tensors that are
    added to the convolution before it is normalised. Output: `(n_samples, *spatial,
    filters)`, padded to the input's size divided by the strides or multiplied by
    `upsampling`. Repeated pixels are never made: a transposed convolution whose
    kernel holds sums of this one's gives the same for half the multiplications, in
    3D for a third.

    The moving variance is that of the batch corrected for its size.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import NormalizedConvolution
    >>> x = np.random.default_rng(0).normal(5, 2, (4, 8, 8, 3)).astype("float32")
    >>> layer = NormalizedConvolution(2, activation=None)
    >>> out = np.asarray(layer(x, training=True))
    >>> out.shape, bool(abs(out.mean()) < 1e-3), round(float(out.std()), 2)
    ((4, 8, 8, 2), True, 1.0)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        *,
        strides: int | Sequence[int] = 1,
        upsampling: Sequence[int] | None = None,
        activation: str | None = "relu",
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides if isinstance(strides, int) else tuple(strides)
        self.upsampling = None if upsampling is None else tuple(upsampling)
        self.activation = activation
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Make the kernel, and scale, offset and moving statistics of each filter."""
        shape = _first(input_shape)
        # Without autocast they stay float32 under a mixed policy.
        add = functools.partial(
            self.add_weight, shape=(self.filters,), autocast=False, initializer="zeros"
        )
        size = (self.kernel_size,) * (len(shape) - 2)
        self.kernel = add(
            shape=(*size, self._n_inputs(shape[-1]), self.filters),
            initializer="he_normal",
            name="kernel",
        )
        self.gamma = add(initializer="ones", name="gamma")
        self.beta = add(name="beta")
        self.moving_mean = add(name="moving_mean", trainable=False)
        self.moving_variance = add(
            initializer="ones", name="moving_variance", trainable=False
        )
        self.steps = add(shape=(), name="steps", trainable=False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape that `call` gives for an input of this shape."""
        n_samples, *spatial, _ = _first(input_shape)
        strides = self._strides(len(spatial))
        factors = self.upsampling or (1,) * len(spatial)
        spatial = [
            None if size is None else -(-size * factor // stride)
            for size, factor, stride in zip(spatial, factors, strides, strict=True)
        ]
        return (n_samples, *spatial, self.filters)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Convolve and normalise, in training by the batch's statistics."""
        x, *others = x if isinstance(x, list | tuple) else [x]
        if training:
            total = sum(others, start=self._convolve(x, self.kernel.value))
            return self._normalize(total)
        scale = self.gamma.value * tf.math.rsqrt(
            self.moving_variance.value + self.epsilon
        )
        bias = self.beta.value - self.moving_mean.value * scale
        # This order of operations is the one that TensorFlow runs as one. The sum
        # is no `bias_add`, whose gradient in bfloat16 is wrong on the CPU.
        total = self._convolve(x, self.kernel.value * scale) + tf.cast(bias, x.dtype)
        for other in others:
            total += other * tf.cast(scale, x.dtype)
        return self._activate(total)

    def _n_inputs(self, n_channels: int) -> int:
        """Return how many channels of the input each filter sees."""
        return n_channels

    def _convolve(self, x: Any, kernel: Any) -> Any:
        rank = len(x.shape) - 2
        if self.upsampling is not None:
            if self.filters <= _MOST_FILTERS_TRANSPOSED[rank]:
                return convolve_upsampled(x, kernel, self.upsampling)
            for axis, factor in enumerate(self.upsampling, start=1):
                x = tf.repeat(x, factor, axis)
        strides = self._strides(rank)
        if self.kernel_size == 1 and set(x.shape[1:-1]) == {1}:
            # As a convolution of many single pixels this would be many times slower.
            flat = tf.reshape(x, [-1, x.shape[-1]])
            flat = flat @ tf.cast(tf.reshape(kernel, kernel.shape[-2:]), x.dtype)
            return tf.reshape(flat, [-1, *(1 for _ in strides), self.filters])
        if self.kernel_size == 1 and max(strides) > 1:
            # The weight gradient of oneDNN's 1x1 convolution with strides writes
            # beyond its memory for an odd number of images of few channels.
            x = x[:, *(slice(None, None, stride) for stride in strides)]
            strides = [1] * rank
        return tf.nn.convolution(
            x,
            tf.cast(kernel, x.dtype),
            strides=strides,
            padding="SAME",
            data_format=f"N{'DHW'[-rank:]}C",
        )

    def _strides(self, rank: int) -> Sequence[int]:
        return [self.strides] * rank if isinstance(self.strides, int) else self.strides

    def _normalize(self, x: Any) -> Any:
        shape = tf.shape(x)
        result = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(x, [shape[0], -1, 1, self.filters]),  # flat, for any rank
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        steps = self.steps.value
        past = tf.minimum(self.momentum, (1 + steps) / (10 + steps))
        self.steps.assign_add(1.0)
        for moving, batch in (
            (self.moving_mean, result.batch_mean),
            (self.moving_variance, result.batch_variance),
        ):
            moving.assign(moving * past + batch * (1 - past))
        return tf.reshape(self._activate(result.y), shape)

    def _activate(self, x: Any) -> Any:
        return getattr(tf.nn, self.activation)(x) if self.activation else x


class NormalizedDepthwiseConvolution(NormalizedConvolution):
    """As `NormalizedConvolution`, in 2D, with one filter for each channel.

    Parameters
    ----------
    filters : int
        Channels of the input, and so of the output.

    kernel_size : int, default=3
        Pixels of the kernel along each axis.

    **kwargs : dict
        As for `NormalizedConvolution`; strides are the same along both axes.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import NormalizedDepthwiseConvolution
    >>> layer = NormalizedDepthwiseConvolution(3, 5, strides=2)
    >>> layer(np.ones((1, 8, 8, 3), "float32")).shape
    TensorShape([1, 4, 4, 3])
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **kwargs)

    def _n_inputs(self, n_channels: int) -> int:
        return 1

    def _convolve(self, x: Any, kernel: Any) -> Any:
        size = self.kernel_size
        return tf.nn.depthwise_conv2d(
            x,
            tf.reshape(tf.cast(kernel, x.dtype), [size, size, self.filters, 1]),
            strides=[1, *self._strides(2), 1],
            padding="SAME",
        )


def convolve_upsampled(x: Any, kernel: Any, factors: Sequence[int]) -> Any:
    """Convolve an image whose pixels are repeated, without repeating them.

    Parameters
    ----------
    x : tensor of shape (n_samples, *spatial, channels)
        The image before its pixels are repeated.

    kernel : tensor of shape (*sizes, channels, filters)
        Of odd sizes.

    factors : sequence of int
        Per axis, how often each pixel is repeated.

    Returns
    -------
    tensor of shape (n_samples, *larger, filters)
        With `larger` the spatial shape times `factors`, in the dtype of `x`.
    """
    # A pixel reaches `factor` neighbours, and `size - 1` more by the kernel: each
    # through the sum of those weights that repeated pixels would meet there.
    for axis, factor in enumerate(factors):
        size = kernel.shape[axis]
        reach, weight = np.ogrid[: factor + size - 1, :size]
        first = size - 1 - weight
        sums = ((first <= reach) & (reach < first + factor)).astype(np.float32)
        kernel = tf.tensordot(sums, kernel, (1, axis))
        kernel = tf.experimental.numpy.moveaxis(kernel, 0, axis)
    rank = len(factors)
    shape = tf.shape(x)
    spatial = shape[1:-1] * tf.constant(factors)
    return tf.nn.conv_transpose(
        x,
        tf.cast(tf.linalg.matrix_transpose(kernel), x.dtype),
        tf.concat([shape[:1], spatial, [kernel.shape[-1]]], axis=0),
        strides=factors,
        padding="SAME",
        data_format=f"N{'DHW'[-rank:]}C",
    )


def _first(shapes: Any) -> Any:
    """Return the first of several shapes, or the only one."""
    return shapes if shapes[0] is None or isinstance(shapes[0], int) else shapes[0]
