"""The networks that ImageClassifier knows by name, and those of its users."""

from collections.abc import Sequence
from typing import Any

#: Names of networks.
NETWORKS = {"resnet10", "resnet18", "resnet50", "efficientnet_lite0"}
_PUBLISHED = {"resnet50", "efficientnet_lite0"}


def check_published(network: Any) -> None:
    """Raise unless there are weights of a network that have learnt ImageNet.

    Parameters
    ----------
    network : str or callable
        What a user asked for.

    Raises
    ------
    ValueError
        If there are none.
    """
    if callable(network) or network not in _PUBLISHED:
        raise ValueError(
            "pretrained='imagenet' can only be used with network='resnet50' or "
            f"'efficientnet_lite0'. Got {network!r}. Use one of these, or "
            "pretrained=None."
        )


def build_classifier(
    network: Any,
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    filters: int | str,
    dropout_rate: float,
    dtype: str,
) -> Any:
    """Build a network that gives some numbers for each image.

    Parameters
    ----------
    network : str or callable
        One of `NETWORKS`, or a function of `input_shape` and `n_outputs`.

    input_shape : sequence of int
        `(height, width, channels)`.

    n_outputs : int
        Numbers wanted for each image.

    filters : int or "auto"
        Of the first stage; "auto" is the network's own.

    dropout_rate : float
        Fraction of channels that are dropped.

    dtype : str
        Keras' dtype policy.

    Returns
    -------
    keras.Model
        Without an activation at its end.

    Raises
    ------
    ValueError
        If a function returns a network of another output.
    """
    from instantdl import networks

    shape = tuple(input_shape)
    if callable(network):
        model = network(shape, n_outputs)
        if tuple(model.output_shape[1:]) != (n_outputs,):
            raise ValueError(
                "A `network` of your own must give n_outputs numbers for each image. "
                f"Got an output of shape {model.output_shape} for {n_outputs}. End it "
                "with pooling and Dense(n_outputs)."
            )
        return model
    options: dict[str, Any] = {"dropout_rate": dropout_rate, "dtype": dtype}
    if filters != "auto":
        options["filters"] = filters
    if network == "efficientnet_lite0":
        return networks.build_efficientnet_lite(shape, n_outputs, **options)
    depth = int(network.removeprefix("resnet"))
    return networks.build_resnet(shape, n_outputs, depth=depth, **options)
