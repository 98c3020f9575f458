"""Read the weights in a file of PyTorch, without PyTorch."""

import io
import pickle
from collections import OrderedDict
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ModelFileError


class _Storage(NamedTuple):
    """Which piece of a file holds a tensor's numbers, and of what kind they are."""

    dtype: str
    key: str


class _Tensor(NamedTuple):
    """What PyTorch writes down of a tensor."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    hooks: Any


class _TensorUnpickler(pickle.Unpickler):
    """Read the pickles of PyTorch's old file format.

    Safe for any file: a pickle can only call what `find_class` gives it, and these
    four names give plain containers of our own and two strings.
    """

    _KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise ModelFileError(
                "A file of weights must hold tensors only. Got "
                f"{module[:40]}.{name[:40]}."
            )
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, *_ = pid
        return _Storage(dtype, key)


def read_torch_file(data: bytes) -> dict[str, NDArray[Any]]:
    """Read the tensors of a file in PyTorch's old format, running nothing of it.

    Parameters
    ----------
    data : bytes
        What `torch.save` wrote up to version 1.5: pickles of a magic number, a
        version, the machine, the tensors' places and the names of the storages, and
        then each storage's length and numbers.

    Returns
    -------
    dict of str to ndarray
        The state of a module.

    Raises
    ------
    ModelFileError
        (a ValueError) if it holds anything but tensors.
    """
    stream = io.BytesIO(data)
    *_, tensors, keys = (_TensorUnpickler(stream).load() for _ in range(5))
    dtypes = {
        tensor.storage.key: np.dtype(tensor.storage.dtype)
        for tensor in tensors.values()
    }
    storages = {}
    for key in keys:
        length = int.from_bytes(stream.read(8), "little")
        storages[key] = stream.read(length * dtypes[key].itemsize)
    return {
        name: _array(tensor, storages[tensor.storage.key], dtypes[tensor.storage.key])
        for name, tensor in tensors.items()
    }


def _array(tensor: _Tensor, storage: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    # Numpy refuses what would lie outside of the storage.
    return np.ndarray(
        tensor.shape,
        dtype,
        buffer=storage,
        offset=tensor.offset * dtype.itemsize,
        strides=[step * dtype.itemsize for step in tensor.strides],
    )
