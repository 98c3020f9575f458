"""Every difference between versions of what we stand on, and Keras' quiet import."""

import contextlib
import importlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn 1.6 to 1.8 have no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in without callbacks."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[misc]
        """Return the method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "clone_parametrized",
    "keras_seed",
    "load_keras",
    "start_callbacks",
    "validate_parameter_constraints",
    "with_callbacks",
]


def load_keras() -> Any:
    """Import Keras with TensorFlow behind it, without TensorFlow's log noise.

    Returns
    -------
    module
        The `keras` package.

    Raises
    ------
    ImportError
        If Keras was imported before with another backend.

    Examples
    --------
    >>> from instantdl._compat import load_keras
    >>> load_keras().backend.backend()
    'tensorflow'
    """
    if "keras" not in sys.modules or "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # TensorFlow leaves oneDNN off on CPUs without AVX-512, where it trains a
        # U-Net twice as fast all the same.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        if "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = "tensorflow"
        with _silent_stderr(), _random_state_kept():
            tensorflow = importlib.import_module("tensorflow")
            importlib.import_module("keras")
            # Looking for a GPU logs errors where there is a driver but no device.
            tensorflow.config.list_physical_devices("GPU")
    keras = sys.modules["keras"]
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            "instantdl needs Keras with the TensorFlow backend. Got "
            f"{keras.backend.backend()!r}. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
    return keras


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; show it if the block fails.

    TensorFlow logs some lines before it reads its own log level, so the file
    descriptor itself has to be turned aside.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            sink.seek(0)
            sys.stderr.write(sink.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Leave Python's random state as it was; importing TensorFlow draws from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def start_callbacks(estimator: Any, X: Any, y: Any, *, epochs: int) -> Any:
    """Begin scikit-learn's callback context of a fit, where there is one.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.

    X, y : object
        What `fit` was given.

    epochs : int
        The number of epochs at most.

    Returns
    -------
    CallbackContext or None
        The root context, None where scikit-learn is older than 1.9.

    Examples
    --------
    >>> from instantdl._compat import start_callbacks
    >>> start_callbacks(object(), None, None, epochs=3) is None
    True
    """
    if not hasattr(estimator, "_init_callback_context"):
        return None
    context = estimator._init_callback_context(max_subtasks=epochs)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


@contextlib.contextmanager
def keras_seed(seed: int) -> Iterator[None]:
    """Let Keras draw the weights of a seed, and leave Python's generator as it is.

    Parameters
    ----------
    seed : int
        Of the weights of networks that are built meanwhile.
    """
    # Keras' initializers take their seeds from Python's generator.
    with _random_state_kept():
        random.seed(seed)
        yield
