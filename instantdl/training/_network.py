"""Compiled networks: traced once, lent to one estimator after another."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from instantdl._compat import keras_seed
from instantdl.networks import (
    ChannelDropout,
    count_noise,
    dropout_noise,
    split_at_dropout,
)
from instantdl.training._optimizers import build_optimizer

_MAX_CACHED = 4


@dataclass(frozen=True)
class NetworkSpec:
    """What a compiled network depends on.

    Parameters
    ----------
    key : hashable
        Tells networks apart: equal keys, equal networks.

    build : callable
        Takes nothing and returns the `keras.Model`, whose output has no activation.

    loss : callable
        `loss(target, logits, class_weight, sample_weight) -> scalar`.

    activate : callable
        Turns the network's output into what `predict` returns.

    summarise : callable
        Turns activated output into the numbers whose mean over Monte Carlo draws is
        wanted.

    optimizer : str, default="adam"
        Name of a Keras optimizer.

    judge : callable, default=None
        The loss by which the best weights are chosen, as `loss`; None is `loss`.

    draws_own_weights : bool, default=False
        Whether training begins with the weights that `build` gives. Else they are
        drawn anew: He's normal distribution for kernels, 0 for offsets, 1 for scales.

    Examples
    --------
    >>> from instantdl.networks import build_loss, build_unet
    >>> from instantdl.training import NetworkSpec, class_probabilities, class_summary
    >>> spec = NetworkSpec(
    ...     key=("tiny",),
    ...     build=lambda: build_unet((None, None, 1), 1, filters=2, levels=1),
    ...     loss=build_loss("dice"),
    ...     activate=class_probabilities, summarise=class_summary,
    ... )
    >>> spec.optimizer
    'adam'
    """

    key: Hashable
    build: Callable[[], keras.Model]
    loss: Callable[..., Any]
    activate: Callable[[Any], Any]
    summarise: Callable[[Any], Any]
    optimizer: str = "adam"
    judge: Callable[..., Any] | None = None
    draws_own_weights: bool = False

    def compiled(self) -> "CompiledNetwork":
        """Build the network and return it with its optimizer and functions."""
        return CompiledNetwork(self)


class CompiledNetwork:
    """A network, its optimizer and its traced functions.

    An estimator owns weights as arrays and puts them in with `load_weights` before
    use; see `borrow_network`.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.

    Attributes
    ----------
    n_noise : int
        Uniform numbers that dropout needs for one sample; 0 without dropout.

    n_traces : int
        How many functions have been traced so far.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.networks import build_loss, build_unet
    >>> from instantdl.training import (
    ...     CompiledNetwork, NetworkSpec, class_probabilities, class_summary)
    >>> network = CompiledNetwork(NetworkSpec(
    ...     key=("tiny",),
    ...     build=lambda: build_unet((None, None, 1), 1, filters=2, levels=1),
    ...     loss=build_loss("dice"),
    ...     activate=class_probabilities, summarise=class_summary,
    ... ))
    >>> network.load_weights(network.initial_weights(seed=0))
    >>> network.predict(np.zeros((1, 4, 4, 1), "float32")).shape
    (1, 4, 4, 2)
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self.spec = spec
        self.n_traces = 0
        self.model = _build(spec, seed=0)
        self.n_noise = count_noise(self.model)
        self.optimizer = build_optimizer(spec.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self._owner: object = None
        self._make_functions()

    def _make_functions(self) -> None:
        images = [tf.TensorSpec(self.model.input_shape, tf.float32)]
        self._train = trace(self._train_step)
        self._train_frozen = trace(self._frozen_train_step)
        self._evaluate = trace(self._loss_step)
        self._predict = trace(self._predict_step, images)
        parts = split_at_dropout(self.model) if self.n_noise else None
        if parts is not None:
            self._first, self._second = parts
            self._features = trace(self._features_step, images)
            features = [tf.TensorSpec(x.shape, x.dtype) for x in self._second.inputs]
            noise = tf.TensorSpec((None, self.n_noise), tf.float32)
            self._draw = trace(self._draw_step, [features, noise])

    def _train_step(self, *batch: Any) -> Any:
        return self._optimize(*batch, training=True)

    def _frozen_train_step(self, *batch: Any) -> Any:
        return self._optimize(*batch, training=False)

    def _optimize(
        self,
        x: Any,
        target: Any,
        class_weight: Any,
        sample_weight: Any,
        noise: Any,
        *,
        training: bool,
    ) -> Any:
        self.n_traces += 1
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape, dropout_noise(noise if self.n_noise else None):
            loss = self._loss(x, target, class_weight, sample_weight, training)
            # Losses are means by weight; but a heavy image must count for more in a
            # batch of its own kind, too.
            loss *= tf.reduce_mean(tf.cast(sample_weight, tf.float32))
        gradients = tape.gradient(loss, variables)
        # On its own the optimizer would add up the gradients of all replicas, by a
        # function of which TensorFlow keeps the whole traced graph for ever.
        tf.distribute.get_replica_context().merge_call(
            lambda _: self.optimizer.apply(gradients, variables)
        )
        return loss

    def _loss(
        self, x: Any, target: Any, class_weight: Any, sample_weight: Any, training: bool
    ) -> Any:
        logits = self.model(x, training=training)
        return self.spec.loss(target, logits, class_weight, sample_weight)

    def _loss_step(
        self, x: Any, target: Any, class_weight: Any, sample_weight: Any
    ) -> Any:
        self.n_traces += 1
        logits = self.model(x, training=False)
        judge = self.spec.judge or self.spec.loss
        return judge(target, logits, class_weight, sample_weight)

    def _predict_step(self, x: Any) -> Any:
        self.n_traces += 1
        return self.spec.activate(self.model(x, training=False))

    def _features_step(self, x: Any) -> Any:
        self.n_traces += 1
        return self._first(x, training=False)

    def _draw_step(self, features: Any, noise: Any) -> Any:
        self.n_traces += 1
        n_images, n_draws = tf.shape(features[0])[0], tf.shape(noise)[0]
        features = [tf.repeat(feature, n_draws, axis=0) for feature in features]
        with dropout_noise(tf.tile(noise, [n_images, 1])):
            values = self.spec.activate(self._second(features, training=False))
        summary = self.spec.summarise(values)
        shape = tf.concat([[n_images, n_draws], tf.shape(summary)[1:]], axis=0)
        return tf.reduce_sum(tf.reshape(summary, shape), axis=1)

    def train(
        self,
        x: np.ndarray,
        target: np.ndarray,
        *,
        class_weight: np.ndarray,
        sample_weight: np.ndarray,
        noise: np.ndarray,
        learning_rate: float,
        frozen: bool = False,
    ) -> float:
        """Do one optimizer step on a batch and return its loss.

        `frozen` normalises by the moving statistics, as prediction does, instead of
        the batch's, and leaves them as they are.
        """
        self.optimizer.learning_rate.assign(learning_rate)
        arguments = _tensors(x, target, class_weight, sample_weight, noise)
        train = self._train_frozen if frozen else self._train
        return float(train(*arguments))

    def evaluate(
        self,
        x: np.ndarray,
        target: np.ndarray,
        *,
        class_weight: np.ndarray,
        sample_weight: np.ndarray,
    ) -> float:
        """Return the loss of a batch that weights are judged by, dropout off."""
        return float(self._evaluate(*_tensors(x, target, class_weight, sample_weight)))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the activated output of a batch, dropout off."""
        return self._predict(tf.convert_to_tensor(x)).numpy()

    def features(self, x: np.ndarray) -> list[Any]:
        """Return what the part before the first dropout gives for a batch."""
        return tf.nest.flatten(self._features(tf.convert_to_tensor(x)))

    def draw(self, features: Sequence[Any], noise: np.ndarray) -> np.ndarray:
        """Return the summary of a batch's features, summed over rows of noise."""
        return self._draw(list(features), tf.convert_to_tensor(noise)).numpy()

    def initial_weights(self, seed: int) -> list[np.ndarray]:
        """Return freshly drawn weights; the network itself stays as it is."""
        names = {variable.name for variable in self.model.weights}
        if self.spec.draws_own_weights or not names <= set(_INITIAL):
            return _build(self.spec, seed).get_weights()
        rng = np.random.default_rng(seed)
        return [_INITIAL[v.name](rng, v.shape) for v in self.model.weights]

    def load_weights(self, weights: Sequence[np.ndarray], owner: object = None) -> None:
        """Put weights in, unless `owner` is the one whose weights are in already."""
        if owner is not None and self._owner is owner:
            return
        self._owner = None
        for variable, value in zip(self.model.weights, weights, strict=True):
            variable.assign(value)
        self._owner = owner

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all weights."""
        return [variable.value.numpy() for variable in self.model.weights]

    def optimizer_state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""
        return [variable.value.numpy() for variable in self.optimizer.variables]

    def load_optimizer_state(self, state: Sequence[np.ndarray] | None) -> None:
        """Put an optimizer state in; None starts afresh."""
        for i, variable in enumerate(self.optimizer.variables):
            value = np.zeros(variable.shape) if state is None else state[i]
            variable.assign(tf.cast(value, variable.dtype))


def trace(function: Callable[..., Any], signature: Any = None) -> Any:
    """Return a function that TensorFlow runs as a graph, traced once for a signature.

    Parameters
    ----------
    function : callable
        Of tensors.

    signature : sequence of tf.TensorSpec, default=None
        What it takes; None traces anew for every shape.

    Returns
    -------
    callable
    """
    # There is no Python control flow in these for AutoGraph to translate.
    traced = tf.function(
        function, input_signature=signature, reduce_retracing=True, autograph=False
    )
    # TensorFlow counts the functions of all networks as one and would warn of them.
    traced._omit_frequent_tracing_warning = True
    return traced


_cache: OrderedDict[Hashable, list[CompiledNetwork]] = OrderedDict()
_cache_lock = threading.Lock()


@contextmanager
def borrow_network(spec: NetworkSpec) -> Iterator[CompiledNetwork]:
    """Lend a compiled network for the length of a block.

    Parameters
    ----------
    spec : NetworkSpec
        What it must be. Networks are kept by `spec.key` and reused: the weights and
        the optimizer state in it are whatever the last borrower left.

    Yields
    ------
    CompiledNetwork
        Nobody else, in any thread, has it until the block ends.

    Examples
    --------
    >>> from instantdl.networks import build_loss, build_unet
    >>> from instantdl.training import (
    ...     NetworkSpec, borrow_network, class_probabilities, class_summary)
    >>> spec = NetworkSpec(
    ...     key=("tiny",),
    ...     build=lambda: build_unet((None, None, 1), 1, filters=2, levels=1),
    ...     loss=build_loss("dice"),
    ...     activate=class_probabilities, summarise=class_summary,
    ... )
    >>> with borrow_network(spec) as network:
    ...     network.n_noise
    4
    """
    with _cache_lock:
        idle = _cache.get(spec.key, [])
        network = idle.pop() if idle else None
    if network is None:
        network = spec.compiled()
    try:
        yield network
    finally:
        with _cache_lock:
            _cache.setdefault(spec.key, []).append(network)
            _cache.move_to_end(spec.key)
            while len(_cache) > _MAX_CACHED:
                _cache.popitem(last=False)


def _build(spec: NetworkSpec, seed: int) -> keras.Model:
    """Build a network; Python's random state is left as it was found."""
    with keras_seed(seed):
        return _with_channel_dropout(spec.build())


def _with_channel_dropout(model: keras.Model) -> keras.Model:
    """Put `ChannelDropout` in the place of Keras' own dropout layers."""
    if isinstance(model, keras.Sequential):  # it cannot be split as it is
        model = keras.Model(model.inputs, model.outputs)
    kinds = tuple(
        getattr(keras.layers, name)
        for name in (
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "SpatialDropout3D",
        )
    )
    if not any(isinstance(layer, kinds) for layer in model.layers):
        return model
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: (
            ChannelDropout(layer.rate, dtype=layer.dtype_policy)
            if isinstance(layer, kinds)
            else layer
        ),
    )


def _tensors(*arrays: np.ndarray) -> list[Any]:
    return [tf.convert_to_tensor(array) for array in arrays]


def _he_normal(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    fan_in = int(np.prod(shape[:-1]))
    values = rng.standard_normal(shape, np.float32)
    return values * np.float32(np.sqrt(2 / fan_in))


def _zeros(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    return np.zeros(shape, np.float32)


def _ones(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    return np.ones(shape, np.float32)


_INITIAL: dict[str, Callable[[np.random.Generator, Sequence[int]], np.ndarray]] = {
    "kernel": _he_normal,
    "bias": _zeros,
    "beta": _zeros,
    "moving_mean": _zeros,
    "gamma": _ones,
    "moving_variance": _ones,
    "steps": _zeros,
}
