"""Tiny networks, compiled once, and a stand-in for the training loop's network."""

import numpy as np
import pytest

from instantdl.networks import build_loss, build_unet
from instantdl.training import (
    CompiledNetwork,
    NetworkSpec,
    class_probabilities,
    class_summary,
)


class FakeNetwork:
    """Counts its steps in its only weight and returns losses from a script."""

    def __init__(self, losses=(), val_losses=()):
        self.losses, self.val_losses = iter(losses), iter(val_losses)
        self.rates, self.frozen = [], []

    def load_weights(self, weights):
        self.weights = [np.array(array) for array in weights]

    def get_weights(self):
        return [array.copy() for array in self.weights]

    def load_optimizer_state(self, state):
        self.state = [] if state is None else list(state)

    def optimizer_state(self):
        return list(self.state)

    def train(self, x, target, *, learning_rate, frozen=False, **kwargs):
        self.rates.append(learning_rate)
        self.frozen.append(frozen)
        self.weights[0] += 1
        loss = next(self.losses, 1.0)
        if isinstance(loss, BaseException):
            raise loss
        return loss

    def evaluate(self, x, target, **kwargs):
        return next(self.val_losses, 1.0)


def make_spec(rank=2, levels=1, *, filters=2, n_outputs=1, **kwargs):
    def build():
        shape = (*(None,) * rank, 1)
        return build_unet(shape, n_outputs, filters=filters, levels=levels, **kwargs)

    return NetworkSpec(
        key=("test", rank, levels, filters, n_outputs, *kwargs.items()),
        build=build,
        loss=build_loss("dice_crossentropy"),
        activate=class_probabilities,
        summarise=class_summary,
    )


@pytest.fixture(scope="session")
def fake_network():
    return FakeNetwork


@pytest.fixture(scope="session")
def spec():
    return make_spec


@pytest.fixture(scope="session")
def tiny():
    """Return a 2D network of one level, with dropout."""
    return CompiledNetwork(make_spec(dropout_rate=0.5))
