"""Keras' optimizers, Adam and AdamW by TensorFlow's fused kernel."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def build_optimizer(name: str) -> keras.optimizers.Optimizer:
    """Return an optimizer of Keras by its name.

    Parameters
    ----------
    name : str
        For example "adam".

    Returns
    -------
    keras.optimizers.Optimizer
        With Keras' defaults. The update of "adam" and "adamw" is one operation for
        each variable where Keras makes some twenty of it, which take longer to trace
        than all else.

    Examples
    --------
    >>> from instantdl.training import build_optimizer
    >>> build_optimizer("adam").name
    'adam'
    """
    fused = {"adam": _FusedAdam, "adamw": _FusedAdamW}.get(name)
    return fused(name=name) if fused else keras.optimizers.get(name)


class _FusedAdam(keras.optimizers.Adam):
    """Adam, whose update is one operation for each variable."""

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update variables by their gradients."""
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = [tf.pow(beta, step) for beta in (self.beta_1, self.beta_2)]
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index, dtype = self._get_variable_index(variable), variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.cast(self._powers[0], dtype),
            beta2_power=tf.cast(self._powers[1], dtype),
            lr=tf.cast(learning_rate, dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )


class _FusedAdamW(_FusedAdam, keras.optimizers.AdamW):
    """AdamW, likewise: weights decay before that update."""


def _handle(variable: Any) -> Any:
    """Return what TensorFlow's kernels know a variable by."""
    if isinstance(variable, keras.Variable):
        variable = variable.value
    return variable.handle
