"""Find out what sizes a network takes, and how far it looks."""

from typing import Any

import keras
import numpy as np

_STRIDES = (1, 2, 4, 8, 16, 32, 64)
_LARGEST = {2: 512, 3: 128}
_TRIALS = 3


def measure_network(
    network: keras.Model, *, n_outputs: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Measure the stride and the margin of a fully convolutional network.

    Parameters
    ----------
    network : keras.Model
        Maps `(n_samples, *spatial, channels)` to `(n_samples, *spatial, n_outputs)`.

    n_outputs : int
        What its last axis must be.

    Returns
    -------
    stride : tuple of int
        Sizes that the input must be multiples of, the same for each axis.

    margin : tuple of int
        How far a change of the input reaches in the output, per axis, a multiple of
        the stride. Found by trying, with the present weights; where it reaches the
        border of 512 x 512 pixels (128 x 128 x 128 voxels), half of that.

    Raises
    ------
    ValueError
        If the network is not of this kind.

    Examples
    --------
    >>> import keras
    >>> from instantdl.networks import measure_network
    >>> inputs = keras.Input((None, None, 1))
    >>> x = keras.layers.Conv2D(4, 5, padding="same")(inputs)
    >>> network = keras.Model(inputs, keras.layers.Conv2D(1, 1)(x))
    >>> measure_network(network, n_outputs=1)
    ((1, 1), (2, 2))
    """
    rank = len(network.input_shape) - 2
    n_channels = network.input_shape[-1]
    for stride in _STRIDES:
        if _keeps_size(network, (1, *(3 * stride,) * rank, n_channels), n_outputs):
            break
    else:
        raise ValueError(
            "`network` must return one output of shape (n_samples, *spatial, "
            f"{n_outputs}) of the size of its input, for inputs of any multiple of "
            f"at most {_STRIDES[-1]}. Got output shape {network.output_shape}."
        )
    size = 8 * max(stride, 4)
    while True:
        reach = _reach(network, size, stride, rank, n_channels)
        if reach.max() + stride < (size - stride) // 2 or 2 * size > _LARGEST[rank]:
            break
        size *= 2
    margin = -(-reach // stride) * stride
    return (stride,) * rank, tuple(int(length) for length in margin)


def _keeps_size(network: keras.Model, shape: tuple[int, ...], n_outputs: int) -> bool:
    try:
        output = network(np.zeros(shape, np.float32), training=False)
    except Exception:  # whatever a layer raises, it does not take this size
        return False
    return tuple(getattr(output, "shape", ())) == (*shape[:-1], n_outputs)


def _reach(
    network: keras.Model, size: int, stride: int, rank: int, n_channels: int
) -> Any:
    """Return per axis how far from a changed block the output changes."""
    first = (size // stride // 2) * stride
    block: Any = (0, *(slice(first, first + stride),) * rank)
    rng = np.random.default_rng(0)
    reach = np.zeros(rank, int)
    for _ in range(_TRIALS):
        x = rng.normal(size=(1, *(size,) * rank, n_channels)).astype(np.float32)
        changed = x.copy()
        changed[block] += 10 * rng.normal(size=n_channels).astype(np.float32)
        differs = np.asarray(network(x)) != np.asarray(network(changed))
        places = np.argwhere(differs[0].any(axis=-1))
        if len(places):
            below = first - places.min(axis=0)
            above = places.max(axis=0) - (first + stride - 1)
            reach = np.maximum(reach, np.maximum(below, above))
    return reach
