"""Dropout by noise that is handed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

_noise: ContextVar[Any] = ContextVar("noise", default=None)


@contextmanager
def dropout_noise(noise: Any) -> Iterator[None]:
    """Switch every `ChannelDropout` on, with this noise, inside the block.

    Parameters
    ----------
    noise : tensor of shape (n_samples, n_noise) or None
        Uniform numbers in [0, 1); `n_noise` is what `count_noise` returns for the
        network. None leaves dropout off.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import ChannelDropout, dropout_noise
    >>> layer = ChannelDropout(0.5)
    >>> x = np.ones((1, 2, 2, 3), "float32")
    >>> with dropout_noise(np.array([[0.1, 0.6, 0.9]], "float32")):
    ...     np.asarray(layer(x))[0, 0, 0]
    array([0., 2., 2.], dtype=float32)
    """
    token = _noise.set(noise)
    try:
        yield
    finally:
        _noise.reset(token)


@contextmanager
def repeated_noise(times: Any) -> Iterator[None]:
    """Use every row of the noise so many times inside the block.

    For layers that see several parts of each sample, one after the other.

    Parameters
    ----------
    times : int or tensor
        Parts of each sample.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import ChannelDropout, dropout_noise, repeated_noise
    >>> layer = ChannelDropout(0.5)
    >>> with dropout_noise(np.array([[0.9], [0.1]], "float32")), repeated_noise(2):
    ...     np.asarray(layer(np.ones((4, 1), "float32")))[:, 0]
    array([2., 2., 0., 0.], dtype=float32)
    """
    noise = _noise.get()
    with dropout_noise(None if noise is None else tf.repeat(noise, times, axis=0)):
        yield


class ChannelDropout(keras.layers.Layer):
    """Drop whole channels, by noise that is handed in rather than drawn inside.

    One row of noise is one sampled network: every tile of an image, in any batch,
    sees the same network, so Monte Carlo maps have no seams and do not depend on
    the order of the images. Outside of `dropout_noise` the layer does nothing.

    Parameters
    ----------
    rate : float
        Fraction of the channels to drop, in [0, 1).

    **kwargs : dict
        Passed to `keras.layers.Layer`.

    Notes
    -----
    Dropping channels instead of pixels follows [1]_: neighbouring pixels carry
    nearly the same information, so dropping single ones hardly perturbs anything.

    References
    ----------
    .. [1] Tompson et al. "Efficient object localization using convolutional
       networks", CVPR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import ChannelDropout
    >>> np.asarray(ChannelDropout(0.5)(np.ones((1, 4), "float32")))
    array([[1., 1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.noise_start = 0

    def call(self, x: Any) -> Any:
        """Scale the channels of `x` by 0 or 1 / (1 - rate)."""
        noise = _noise.get()
        if noise is None or self.rate == 0:
            return x
        n_channels = x.shape[-1]
        noise = noise[:, self.noise_start : self.noise_start + n_channels]
        kept = tf.cast(noise >= self.rate, x.dtype) / (1 - self.rate)
        shape = [-1, *(1 for _ in x.shape[1:-1]), n_channels]
        return x * tf.reshape(tf.cast(kept, x.dtype), shape)


def count_noise(network: keras.Model) -> int:
    """Give each `ChannelDropout` of a network its part of the noise.

    Parameters
    ----------
    network : keras.Model
        A built network; its dropout layers are numbered in place.

    Returns
    -------
    int
        How many uniform numbers one sample needs, 0 without dropout.

    Examples
    --------
    >>> from instantdl.networks import build_unet, count_noise
    >>> count_noise(build_unet((None, None, 1), 1, filters=4, levels=2))
    16
    """
    total = 0
    for layer in network.layers:
        if isinstance(layer, ChannelDropout) and layer.rate > 0:
            layer.noise_start = total
            # A layer that is called twice has the same noise in both places.
            calls = [node.input_tensors[0] for node in layer._inbound_nodes]
            total += max(x.shape[-1] for x in calls)
    return total
