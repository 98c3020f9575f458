"""EfficientNet-Lite0: a network that classifies images with few multiplications."""

from collections.abc import Sequence
from typing import Any

import keras

from instantdl.networks._convolution import (
    NormalizedConvolution,
    NormalizedDepthwiseConvolution,
)
from instantdl.networks._dropout import ChannelDropout
from instantdl.networks._head import classification_head

# Blocks, size of the kernel, stride of the first block, growth inside, filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _TOP = 32, 1280
_STAGES_WITH_DROPOUT = 2
_HALVED_FROM = 96


def build_efficientnet_lite(
    input_shape: Sequence[int | None],
    n_outputs: int,
    *,
    filters: int = _STEM,
    dropout_rate: float = 0.2,
    dtype: str = "float32",
) -> keras.Model:
    """Build EfficientNet-Lite0, which classifies images.

    Parameters
    ----------
    input_shape : sequence of int or None
        `(height, width, channels)`. The first convolution halves the resolution,
        unless the shorter side has less than 96 pixels.

    n_outputs : int
        Numbers that come out for each image.

    filters : int, default=32
        Filters of the first convolution; all others are in proportion.

    dropout_rate : float, default=0.2
        Fraction of channels dropped after the blocks of the last two stages and
        before the last layer, in training and in Monte Carlo prediction.

    dtype : str, default="float32"
        Keras' dtype policy, for example "mixed_bfloat16".

    Returns
    -------
    keras.Model
        Maps `(n_samples, height, width, channels)` to float32 `(n_samples,
        n_outputs)` without an activation.

    Notes
    -----
    EfficientNet-B0 [1]_ without squeeze-and-excitation and with ReLU6, as TensorFlow's
    authors simplified it for small devices [2]_. Channel dropout takes the place of
    their dropping of whole blocks.

    References
    ----------
    .. [1] Tan, Le. "EfficientNet: rethinking model scaling for convolutional neural
       networks", ICML 2019.
    .. [2] https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite

    Examples
    --------
    >>> from instantdl.networks import build_efficientnet_lite
    >>> build_efficientnet_lite((64, 64, 3), 2, filters=4).output_shape
    (None, 2)
    """
    layer = _Layers(filters / _STEM, dtype)
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    side = min(length or _HALVED_FROM for length in inputs.shape[1:-1])
    strides = 2 if side >= _HALVED_FROM else 1
    x = layer.convolve(inputs, layer.width(_STEM), 3, strides=strides, name="stem")
    number = 0
    for stage, (n_blocks, size, strides, growth, width) in enumerate(_STAGES):
        with_dropout = stage >= len(_STAGES) - _STAGES_WITH_DROPOUT
        for i in range(n_blocks):
            x = layer.block(
                x,
                layer.width(width),
                size=size,
                strides=1 if i else strides,
                growth=growth,
                dropout_rate=dropout_rate if with_dropout else 0.0,
                name=f"block{number}",
            )
            number += 1
    x = layer.convolve(x, layer.width(_TOP), 1, name="top")
    outputs = classification_head(x, n_outputs, dropout_rate=dropout_rate)
    return keras.Model(inputs, outputs, name="efficientnet_lite0")


class _Layers:
    """The building steps for one width and one dtype policy."""

    def __init__(self, scale: float, dtype: str) -> None:
        self.scale = scale
        self.dtype = dtype

    def width(self, filters: int) -> int:
        return max(1, round(filters * self.scale))

    def convolve(self, x: Any, filters: int, size: int, **options: Any) -> Any:
        options = {"activation": "relu6", "dtype": self.dtype} | options
        return NormalizedConvolution(filters, size, **options)(x)

    def block(
        self,
        x: Any,
        filters: int,
        *,
        size: int,
        strides: int,
        growth: int,
        dropout_rate: float,
        name: str,
    ) -> Any:
        """Widen, filter each channel on its own, narrow, and add where shapes agree."""
        y, inner = x, growth * x.shape[-1]
        if growth > 1:
            y = self.convolve(y, inner, 1, name=f"{name}_expand")
        y = NormalizedDepthwiseConvolution(
            inner,
            size,
            strides=strides,
            activation="relu6",
            dtype=self.dtype,
            name=f"{name}_depthwise",
        )(y)
        y = self.convolve(y, filters, 1, activation=None, name=f"{name}_project")
        y = ChannelDropout(dropout_rate, dtype=self.dtype)(y)
        if strides > 1 or x.shape[-1] != filters:
            return y
        return keras.layers.Add(dtype=self.dtype)([y, x])
