"""Cut a network in two where randomness begins."""

from typing import Any

import keras

from instantdl.networks._dropout import ChannelDropout


def split_at_dropout(
    network: keras.Model,
) -> tuple[keras.Model, keras.Model] | None:
    """Split a network into a part that dropout never touches, and the rest.

    Parameters
    ----------
    network : keras.Model
        A functional network.

    Returns
    -------
    tuple of keras.Model, or None
        The first part, from the input to one or more features, and the second,
        from these to the output; both share the network's weights. None when the
        network holds no dropout.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import build_unet, split_at_dropout
    >>> network = build_unet((None, None, 1), 1, filters=4, levels=2)
    >>> first, second = split_at_dropout(network)
    >>> x = np.ones((1, 8, 8, 1), "float32")
    >>> bool(np.allclose(second(first(x)), network(x), atol=1e-5))
    True
    """
    random: set[int] = set()
    features: dict[int, Any] = {}
    for depth in sorted(network._nodes_by_depth, reverse=True):
        for node in network._nodes_by_depth[depth]:
            if node.is_input:
                continue
            inputs = node.input_tensors
            if not _is_random(node.operation) and not any(
                id(tensor) in random for tensor in inputs
            ):
                continue
            random.update(id(tensor) for tensor in node.outputs)
            for tensor in inputs:
                if id(tensor) not in random:
                    features[id(tensor)] = tensor
    if not random:
        return None
    boundary = list(features.values())
    return (
        keras.Model(network.inputs[0], boundary),
        keras.Model(boundary, network.outputs[0]),
    )


def _is_random(operation: Any) -> bool:
    if isinstance(operation, ChannelDropout):
        return operation.rate > 0
    return any(_is_random(layer) for layer in getattr(operation, "layers", []))
