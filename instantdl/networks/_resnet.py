"""Residual networks of 10, 18 and 50 layers, for images from some ten pixels on."""

from collections.abc import Sequence
from typing import Any

import keras

from instantdl.networks._convolution import NormalizedConvolution
from instantdl.networks._dropout import ChannelDropout
from instantdl.networks._head import classification_head

_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
_STAGES_WITH_DROPOUT = 2
# Of a shorter side, in pixels: from where on the stem halves the resolution once, and
# from where on twice, as it does for ImageNet. The first stage then has maps of about
# 24 to 56 pixels, whatever the size of the images.
_HALVED_FROM, _QUARTERED_FROM = 48, 96


def build_resnet(
    input_shape: Sequence[int | None],
    n_outputs: int,
    *,
    depth: int = 50,
    filters: int = 64,
    dropout_rate: float = 0.2,
    dtype: str = "float32",
) -> keras.Model:
    """Build a residual network that classifies images.

    Parameters
    ----------
    input_shape : sequence of int or None
        `(height, width, channels)`. Where the shorter side has less than 96 pixels,
        or less than 48, the network begins with a 3x3 convolution that halves the
        resolution, or keeps it; else, or if it is None, as for ImageNet with a 7x7
        convolution and pooling, which quarter it.

    n_outputs : int
        Numbers that come out for each image.

    depth : {10, 18, 50}, default=50
        Number of layers.

    filters : int, default=64
        Filters of the first stage; doubled at each of the three stages after it.

    dropout_rate : float, default=0.2
        Fraction of channels dropped inside the blocks of the last two stages and
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
    The network of [1]_ in its first form, which Keras has too: blocks of 50 layers
    lower the resolution in their first 1x1 convolution. The dropout in its blocks is
    that of InstantDL [2]_, but in the last two stages only, so that Monte Carlo draws
    share what comes before.

    References
    ----------
    .. [1] He et al. "Deep residual learning for image recognition", CVPR 2016.
    .. [2] Waibel et al. "InstantDL", BMC Bioinformatics 22, 103, 2021.

    Examples
    --------
    >>> from instantdl.networks import build_resnet
    >>> build_resnet((28, 28, 1), 10, depth=18, filters=2).output_shape
    (None, 10)
    """
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    side = min(length or _QUARTERED_FROM for length in inputs.shape[1:-1])
    stages = resnet_stages(
        inputs,
        depth=depth,
        filters=filters,
        stem_stride=1 if side < _HALVED_FROM else 2 if side < _QUARTERED_FROM else 4,
        dropout_rate=dropout_rate,
        dtype=dtype,
    )
    outputs = classification_head(stages[-1], n_outputs, dropout_rate=dropout_rate)
    return keras.Model(inputs, outputs, name=f"resnet{depth}")


def resnet_stages(
    inputs: Any,
    *,
    depth: int,
    filters: int,
    stem_stride: int,
    dtype: str,
    dropout_rate: float = 0.0,
) -> list[Any]:
    """Return the feature maps at the end of each stage of a residual network.

    Parameters
    ----------
    inputs : tensor of shape (n_samples, height, width, channels)
        Images.

    depth, filters, dropout_rate, dtype
        As for `build_resnet`.

    stem_stride : {1, 2, 4}
        By what the resolution is lowered before the first stage.

    Returns
    -------
    list of tensor
        Four maps, each of half the resolution of the one before.
    """
    layer = _Layers(dtype)
    x = layer.stem(inputs, filters, stem_stride)
    block = layer.bottleneck if depth == 50 else layer.basic_block
    stages = []
    n_stages = len(_BLOCKS[depth])
    for stage, n_blocks in enumerate(_BLOCKS[depth]):
        rate = dropout_rate if stage >= n_stages - _STAGES_WITH_DROPOUT else 0.0
        for number in range(n_blocks):
            x = block(
                x,
                filters * 2**stage,
                strides=2 if stage and not number else 1,
                dropout_rate=rate,
                name=f"stage{stage + 1}_block{number + 1}",
            )
        stages.append(x)
    return stages


class _Layers:
    """The building steps of residual networks for one dtype policy."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def convolve(self, x: Any, filters: int, size: int, **options: Any) -> Any:
        return NormalizedConvolution(filters, size, dtype=self.dtype, **options)(x)

    def dropout(self, x: Any, rate: float) -> Any:
        return ChannelDropout(rate, dtype=self.dtype)(x)

    def stem(self, x: Any, filters: int, stride: int) -> Any:
        if stride < 4:
            return self.convolve(x, filters, 3, strides=stride, name="stem")
        x = self.convolve(x, filters, 7, strides=2, name="stem")
        return keras.layers.MaxPooling2D(3, 2, padding="same", dtype=self.dtype)(x)

    def basic_block(
        self, x: Any, filters: int, *, strides: int, dropout_rate: float, name: str
    ) -> Any:
        y = self.convolve(x, filters, 3, strides=strides, name=f"{name}_conv1")
        y = self.dropout(y, dropout_rate)
        y = self.convolve(y, filters, 3, activation=None, name=f"{name}_conv2")
        return self.add(y, x, strides, name)

    def bottleneck(
        self, x: Any, filters: int, *, strides: int, dropout_rate: float, name: str
    ) -> Any:
        y = self.convolve(x, filters, 1, strides=strides, name=f"{name}_conv1")
        y = self.convolve(y, filters, 3, name=f"{name}_conv2")
        y = self.dropout(y, dropout_rate)
        y = self.convolve(y, 4 * filters, 1, activation=None, name=f"{name}_conv3")
        return self.add(y, x, strides, name)

    def add(self, y: Any, x: Any, strides: int, name: str) -> Any:
        """Add a block's input to its output, brought to its shape where needed."""
        if strides > 1 or x.shape[-1] != y.shape[-1]:
            name = f"{name}_shortcut"
            x = self.convolve(
                x, y.shape[-1], 1, strides=strides, activation=None, name=name
            )
        total = keras.layers.Add(dtype=self.dtype)([y, x])
        return keras.layers.ReLU(dtype=self.dtype)(total)
