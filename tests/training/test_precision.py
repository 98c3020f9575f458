"""Tests of the number format."""

import importlib
from pathlib import Path

import pytest
import tensorflow as tf

from instantdl.training import choose_precision, has_fast_bfloat16

module = importlib.import_module("instantdl.training._precision")


@pytest.fixture(autouse=True)
def _no_memory():
    has_fast_bfloat16.cache_clear()
    yield
    has_fast_bfloat16.cache_clear()


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_processor(monkeypatch, fast):
    monkeypatch.setattr(module, "has_fast_bfloat16", lambda: fast)
    assert choose_precision("auto") == ("mixed_bfloat16" if fast else "float32")


def test_what_is_asked_for_is_given(monkeypatch):
    monkeypatch.setattr(module, "has_fast_bfloat16", lambda: True)
    assert choose_precision("float32") == "float32"
    monkeypatch.setattr(module, "has_fast_bfloat16", lambda: False)
    assert choose_precision("bfloat16") == "mixed_bfloat16"


@pytest.mark.parametrize("gpus", [[], ["one"]])
def test_depthwise_convolutions_take_float32_on_a_cpu(monkeypatch, gpus):
    monkeypatch.setattr(module, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    expected = "mixed_bfloat16" if gpus else "float32"
    assert choose_precision("auto", depthwise=True) == expected
    assert choose_precision("bfloat16", depthwise=True) == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(16, 64, 64), (2, 8, 8)], "float32"),
        ([(16, 64, 64), (8, 8, 2)], "float32"),
        ([(16, 64, 64), (3, 8, 8)], "mixed_bfloat16"),
        ([(64, 64), (2, 2)], "mixed_bfloat16"),
    ],
)
def test_volumes_with_two_planes_train_in_float32(sizes, expected):
    assert choose_precision("bfloat16", level_sizes=sizes) == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fpu avx512_bf16 sse", True),
        ("flags : amx_bf16", True),
        ("flags : avx512f avx2", False),
    ],
)
def test_the_flags_of_the_cpu_are_read(monkeypatch, flags, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: flags)
    assert has_fast_bfloat16() is expected


def test_a_system_without_cpuinfo_has_none(monkeypatch):
    def missing(self, encoding):
        raise FileNotFoundError

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(Path, "read_text", missing)
    assert has_fast_bfloat16() is False


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), True), ((8, 0), True), ((7, 5), False)]
)
def test_the_gpu_is_asked_first(monkeypatch, capability, expected):
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: details
    )
    assert has_fast_bfloat16() is expected
