"""Tests of what differs between versions, and of Keras' quiet import."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from instantdl._compat import load_keras, start_callbacks

USE = """
import random, numpy as np
import instantdl._compat  # importing scikit-learn draws from Python's generator
random.seed(5); np.random.seed(5)
before = random.getstate(), np.random.get_state()[1].tolist()
from instantdl.networks import build_loss, build_unet
from instantdl.training import (
    CompiledNetwork, NetworkSpec, class_probabilities, class_summary)
import keras, tensorflow as tf
from tensorflow.python.eager import context
network = CompiledNetwork(NetworkSpec(
    key=0, build=lambda: build_unet((None, None, 1), 1, filters=2, levels=1),
    loss=build_loss("dice"), activate=class_probabilities, summarise=class_summary))
network.load_weights(network.initial_weights(0))
x = np.zeros((2, 8, 8, 1), "float32")
network.train(x, x[..., 0].astype("int32"), class_weight=np.ones(2, "float32"),
    sample_weight=np.ones(2, "float32"), noise=np.ones((2, network.n_noise), "float32"),
    learning_rate=0.1)
network.predict(x)
network.draw(network.features(x[:1]), np.ones((2, network.n_noise), "float32"))
assert before == (random.getstate(), np.random.get_state()[1].tolist())
assert context.global_seed() is None
assert keras.config.backend() == "tensorflow"
"""


def _python(code):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    }
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_networks_are_silent_and_touch_no_global_seed():
    done = _python(USE)
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode == 0


def test_keras_with_another_backend_is_refused(monkeypatch):
    backend = SimpleNamespace(backend=lambda: "jax")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    with pytest.raises(
        ImportError,
        match="with the TensorFlow backend. Got 'jax'. Set the environment variable",
    ):
        load_keras()


def test_keras_comes_with_tensorflow():
    assert load_keras().backend.backend() == "tensorflow"
    assert load_keras() is sys.modules["keras"]


def test_an_estimator_without_callbacks_starts_none():
    assert start_callbacks(object(), None, None, epochs=1) is None


def test_an_estimator_with_callbacks_starts_them():
    told = []

    class Context:
        def call_on_fit_task_begin(self, **kwargs):
            told.append(kwargs)

    class Estimator:
        def _init_callback_context(self, max_subtasks):
            told.append(max_subtasks)
            return Context()

    estimator = Estimator()
    assert isinstance(start_callbacks(estimator, 1, 2, epochs=7), Context)
    assert told == [7, {"estimator": estimator, "X": 1, "y": 2}]


def test_what_stderr_says_is_shown_if_the_import_fails(capfd):
    from instantdl._compat import _silent_stderr

    def fail():
        os.write(2, b"the reason")
        raise RuntimeError("no driver")

    with pytest.raises(RuntimeError, match="no driver"), _silent_stderr():
        fail()
    assert "the reason" in capfd.readouterr().err


def test_what_stderr_says_is_held_back_otherwise(capfd):
    from instantdl._compat import _silent_stderr

    with _silent_stderr():
        os.write(2, b"noise")
    assert capfd.readouterr().err == ""
