"""Which number format a network computes in."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def choose_precision(
    precision: str,
    *,
    level_sizes: Sequence[Sequence[int]] = (),
    depthwise: bool = False,
) -> str:
    """Turn the `precision` parameter into a Keras dtype policy.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" is bfloat16 where the processor computes in it, else float32.

    level_sizes : sequence of sequence of int, default=()
        Spatial sizes of the feature maps in training, level by level. In 3D a map
        of two planes, rows or columns rules bfloat16 out: TensorFlow's weight
        gradient is not finite there.

    depthwise : bool, default=False
        Whether the network has depthwise convolutions. With these "auto" is float32
        on a CPU, which is the faster there (1.4 times for EfficientNet-Lite0).

    Returns
    -------
    str
        "float32" or "mixed_bfloat16".

    Examples
    --------
    >>> from instantdl.training import choose_precision
    >>> choose_precision("float32")
    'float32'
    >>> choose_precision("bfloat16", level_sizes=[(4, 16, 16), (2, 8, 8)])
    'float32'
    """
    if any(len(size) == 3 and 2 in size for size in level_sizes):
        return "float32"
    if precision == "auto" and depthwise and not _gpus():
        return "float32"
    if precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16()):
        return "mixed_bfloat16"
    return "float32"


def _gpus() -> list[Any]:
    return tf.config.list_physical_devices("GPU")


@cache
def has_fast_bfloat16() -> bool:
    """Tell whether this processor (GPU or CPU) multiplies bfloat16 natively.

    Returns
    -------
    bool
        True for GPUs from compute capability 8.0 on, and for CPUs with the flags
        avx512_bf16 or amx_bf16 (known on Linux only).

    Examples
    --------
    >>> from instantdl.training import has_fast_bfloat16
    >>> has_fast_bfloat16() in (True, False)
    True
    """
    gpus = _gpus()
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return tuple(details.get("compute_capability", (0, 0))) >= (8, 0)
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return not _BFLOAT16_FLAGS.isdisjoint(text.split())
