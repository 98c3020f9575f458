"""The end of networks that classify whole images."""

from typing import Any

import keras

from instantdl.networks._dropout import ChannelDropout


def classification_head(x: Any, n_outputs: int, *, dropout_rate: float) -> Any:
    """Average feature maps, drop some of them, and combine the others linearly.

    Parameters
    ----------
    x : tensor of shape (n_samples, height, width, channels)
        Feature maps.

    n_outputs : int
        Numbers wanted for each image.

    dropout_rate : float
        Fraction of the channels that dropout drops.

    Returns
    -------
    tensor of shape (n_samples, n_outputs), float32
        Without an activation.
    """
    # A mean of many values, in bfloat16, would lose most digits.
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = ChannelDropout(dropout_rate)(x)
    return keras.layers.Dense(n_outputs, dtype="float32", name="head")(x)
