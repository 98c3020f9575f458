"""Tests of networks that classify images, computed in bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import build_efficientnet_lite, build_resnet

SHAPE = (64, 64, 3)


def resnet(depth):
    def build(dtype):
        return build_resnet(SHAPE, 4, depth=depth, filters=4, dtype=dtype)

    return build


def efficientnet(dtype):
    return build_efficientnet_lite(SHAPE, 4, filters=8, dtype=dtype)


# with the name of a layer near the end
NETWORKS = {
    "resnet18": (resnet(18), "stage4_block1_conv1"),
    "resnet50": (resnet(50), "stage4_block1_conv1"),
    "efficientnet": (efficientnet, "top"),
}
# Of the largest output. The batch's own statistics, layer after layer, magnify
# rounding.
TOLERANCES = {False: 0.1, True: 0.5}


def drawn_weights(network, rng):
    """Return He's normal kernels, and what the layers begin with else."""
    return [
        rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
        if weight.name == "kernel"
        else np.asarray(weight.value)
        for weight in network.weights
    ]


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("training", [False, True])
def test_under_a_mixed_policy_the_output_is_float32(name, training, rng):
    build, late_layer = NETWORKS[name]
    network, plain = build("mixed_bfloat16"), build("float32")
    weights = drawn_weights(plain, rng)
    network.set_weights(weights)
    plain.set_weights(weights)
    x = rng.normal(size=(8, *SHAPE)).astype(np.float32)
    out = network(x, training=training)
    assert out.dtype == tf.float32
    assert network.get_layer(late_layer).output.dtype == "bfloat16"
    assert {weight.dtype for weight in network.weights} == {"float32"}
    expected = np.asarray(plain(x, training=training))
    error = np.abs(out - expected).max() / np.abs(expected).max()
    assert error < TOLERANCES[training]
