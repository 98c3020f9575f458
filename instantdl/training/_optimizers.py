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


class _Fused:
    """The update of Adam, in one operation."""

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update variables by their gradients."""
        step = tf.cast(self.iterations + 1, tf.float32)  # type: ignore[attr-defined]
        self._powers = [tf.pow(beta, step) for beta in self._betas()]
        super().apply(grads, trainable_variables)  # type: ignore[misc]

    def _betas(self) -> tuple[float, float]:
        return self.beta_1, self.beta_2  # type: ignore[attr-defined]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        momentum, velocity = self._momentums[index], self._velocities[index]  # type: ignore[attr-defined]
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(momentum),
            v=_handle(velocity),
            beta1_power=tf.cast(self._powers[0], variable.dtype),
            beta2_power=tf.cast(self._powers[1], variable.dtype),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self._betas()[0],
            beta2=self._betas()[1],
            epsilon=self.epsilon,  # type: ignore[attr-defined]
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )


class _FusedAdam(_Fused, keras.optimizers.Adam):
    pass


class _FusedAdamW(_Fused, keras.optimizers.AdamW):
    pass


def _handle(variable: Any) -> Any:
    """Return what TensorFlow's kernels know a variable by."""
    if isinstance(variable, keras.Variable):
        variable = variable.value
    return variable.handle
