"""U-Net of any rank, depth and width."""

from collections.abc import Sequence
from typing import Any

import keras

from instantdl.networks._convolution import NormalizedConvolution
from instantdl.networks._dropout import ChannelDropout

_MAX_FILTERS = 512
_SMALLEST_MAP = 4


def build_unet(
    input_shape: Sequence[int | None],
    n_outputs: int,
    *,
    filters: int = 32,
    levels: int = 4,
    strides: Sequence[Sequence[int]] | None = None,
    dropout_rate: float = 0.2,
    dtype: str = "float32",
) -> keras.Model:
    """Build a U-Net for images or volumes of any size.

    Parameters
    ----------
    input_shape : sequence of int or None
        `(height, width, channels)` or `(depth, height, width, channels)`; the
        spatial sizes are usually None.

    n_outputs : int
        Channels of the output.

    filters : int, default=32
        Filters of the first level; doubled at each level below, up to 512.

    levels : int, default=4
        How often the resolution is lowered; 0 gives two plain convolutions.

    strides : sequence of sequence of int, default=None
        Per level and spatial axis the factor by which the resolution is lowered;
        None is 2 everywhere. See `unet_strides`.

    dropout_rate : float, default=0.2
        Fraction of channels dropped after the encoder's deeper levels and at the
        bottom, in training and in Monte Carlo prediction.

    dtype : str, default="float32"
        Keras' dtype policy, for example "mixed_bfloat16".

    Returns
    -------
    keras.Model
        Maps `(n_samples, *spatial, channels)` to float32 `(n_samples, *spatial,
        n_outputs)` without an activation. Spatial sizes must be multiples of the
        product of the strides.

    Notes
    -----
    The network of [1]_ with padded convolutions, batch normalisation and, as in
    InstantDL [2]_, dropout in the encoder. The resolution is raised by a 1x1
    convolution and repetition. The first convolution of a decoder level acts on the
    skip connection and on the raised features separately and adds up, which equals
    a convolution of both stacked; so the part above the first dropout can be
    computed once for all Monte Carlo draws.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox. "U-Net", MICCAI 2015.
    .. [2] Waibel et al. "InstantDL", BMC Bioinformatics 22, 103, 2021.

    Examples
    --------
    >>> from instantdl.networks import build_unet
    >>> build_unet((None, None, 3), 2, filters=4, levels=2).output_shape
    (None, None, None, 2)
    """
    rank = len(input_shape) - 1
    strides = [(2,) * rank] * levels if strides is None else strides
    layer = _Layers(rank, dtype)
    widths = [min(filters * 2**level, _MAX_FILTERS) for level in range(levels + 1)]
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    x, skips = inputs, []
    for level in range(levels + 1):
        x = layer.convolve(layer.convolve(x, widths[level]), widths[level])
        if level >= min(2, levels):
            x = ChannelDropout(dropout_rate, dtype=dtype)(x)
        if level < levels:
            skips.append(x)
            x = layer.pool(x, tuple(strides[level]))
    for level in reversed(range(levels)):
        x = layer.merge(x, skips[level], widths[level], tuple(strides[level]))
        x = layer.convolve(x, widths[level])
    return keras.Model(inputs, layer.logits(x, n_outputs), name="unet")


class _Layers:
    """The U-Net's building steps for one rank and one dtype policy."""

    def __init__(self, rank: int, dtype: str) -> None:
        self.dtype = dtype
        self._conv = getattr(keras.layers, f"Conv{rank}D")
        self._pool = getattr(keras.layers, f"MaxPooling{rank}D")

    def conv(self, x: Any, filters: int, kernel_size: int) -> Any:
        return self._conv(
            filters, kernel_size, padding="same", use_bias=False, dtype=self.dtype
        )(x)

    def convolve(self, x: Any, filters: int) -> Any:
        return NormalizedConvolution(filters, dtype=self.dtype)(x)

    def merge(self, x: Any, skip: Any, filters: int, stride: tuple[int, ...]) -> Any:
        """Raise the resolution of `x` and put it together with a skip connection."""
        x = self.conv(x, filters, 1)
        skip = self.conv(skip, filters, 3)
        layer = NormalizedConvolution(filters, upsampling=stride, dtype=self.dtype)
        return layer([x, skip])

    def logits(self, x: Any, n_outputs: int) -> Any:
        return self._conv(n_outputs, 1, dtype="float32")(x)

    def pool(self, x: Any, stride: tuple[int, ...]) -> Any:
        return self._pool(stride, padding="same", dtype=self.dtype)(x)


def unet_strides(
    patch_shape: Sequence[int], levels: int
) -> tuple[tuple[int, ...], ...]:
    """Choose which axes each level of a U-Net halves, for thin volumes too.

    Parameters
    ----------
    patch_shape : sequence of int
        Spatial size of what the network is trained on, in pixels.

    levels : int
        The number of levels wanted; fewer come back when no axis can be halved
        that often.

    Returns
    -------
    tuple of tuple of int
        Per level and axis 2 or 1. An axis is halved while at least 4 pixels of it
        remain, and not before the longer axes have come down to twice its length.

    Examples
    --------
    >>> from instantdl.networks import unet_strides
    >>> unet_strides((256, 256), 4)
    ((2, 2), (2, 2), (2, 2), (2, 2))
    >>> unet_strides((16, 128, 128), 4)
    ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
    >>> unet_strides((3, 256, 256), 2)
    ((1, 2, 2), (1, 2, 2))
    """
    size = [float(length) for length in patch_shape]
    strides = []
    for _ in range(levels):
        longest = max(size)
        step = tuple(
            2 if length / 2 >= _SMALLEST_MAP and length * 2 >= longest else 1
            for length in size
        )
        if max(step) == 1:
            break
        strides.append(step)
        size = [length / factor for length, factor in zip(size, step, strict=True)]
    return tuple(strides)


def unet_margin(strides: Sequence[Sequence[int]], rank: int) -> tuple[int, ...]:
    """Return how far a pixel of the output looks in each direction.

    Parameters
    ----------
    strides : sequence of sequence of int
        As given to `build_unet`.

    rank : int
        2 or 3; needed when there are no strides.

    Returns
    -------
    tuple of int
        Pixels per axis, a multiple of the total stride. A tile with this margin on
        each side is predicted as if the whole image were.

    Examples
    --------
    >>> from instantdl.networks import unet_margin
    >>> unet_margin([(2, 2)] * 4, 2)
    (112, 112)
    """
    return tuple(_axis_margin([step[axis] for step in strides]) for axis in range(rank))


def _axis_margin(factors: Sequence[int]) -> int:
    scale, radius = 1, 0
    for factor in factors:
        # two 3x3 convolutions down and two up; pooling and repetition together look
        # at most to the far end of one coarse pixel
        radius += 4 * scale + (factor - 1) * scale
        scale *= factor
    radius += 2 * scale
    return -(-radius // scale) * scale
