"""Read the weights in a file of PyTorch, without PyTorch."""

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ModelFileError

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


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

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # Made anew, since a pickle can set attributes of what it gets.
            return lambda *parts: _Tensor(*parts)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise ModelFileError(
            "A file of weights must hold tensors only. Got "
            f"{module[:40]}.{name[:40]}. Use no file of unknown origin."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, *_ = pid
        if kind != "storage" or dtype not in _DTYPES.values():
            raise pickle.UnpicklingError(f"storage {pid!r:.40}")
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
        (a ValueError) if it holds anything but tensors, or is damaged.
    """
    try:
        return _read(io.BytesIO(data))
    except ModelFileError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly any
        raise ModelFileError(
            "A file of weights must be whole and in PyTorch's old format. Got "
            f"{type(error).__name__}: {error!s:.80}. Fetch it again."
        ) from error


def _read(stream: io.BytesIO) -> dict[str, NDArray[Any]]:
    start = [_load(stream) for _ in range(3)]
    if start[:2] != [_MAGIC, _PROTOCOL]:
        raise pickle.UnpicklingError("another magic number or version")
    tensors, keys = (_load(stream) for _ in range(2))
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, _Storage):
            raise ModelFileError(
                "A file of weights must hold tensors only. Got something else named "
                f"{name!r:.40}. Use no file of unknown origin."
            )
    dtypes = {
        tensor.storage.key: np.dtype(tensor.storage.dtype)
        for tensor in tensors.values()
    }
    if set(keys) != set(dtypes):
        raise pickle.UnpicklingError("other storages than those of the tensors")
    storages = {}
    for key in keys:
        size = int.from_bytes(stream.read(8), "little") * dtypes[key].itemsize
        storages[key] = stream.read(size)
        if len(storages[key]) < size:
            raise EOFError(f"the numbers of storage {key} end too early")
    return {
        name: _array(tensor, storages[tensor.storage.key], dtypes[tensor.storage.key])
        for name, tensor in tensors.items()
    }


def _load(stream: io.BytesIO) -> Any:
    """Read the next pickle, unless it would fill the memory with what is not there."""
    start, data = stream.tell(), stream.getbuffer()
    for opcode, argument, _ in pickletools.genops(stream):
        # Memory is taken for all numbers below that of an object to remember.
        if opcode.name.endswith("PUT") and int(argument or 0) >= len(data):
            raise pickle.UnpicklingError("more objects than bytes")
    stream.seek(start)
    return _TensorUnpickler(stream).load()


def _array(tensor: _Tensor, storage: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    size, n_numbers = math.prod(shape), len(storage) // dtype.itemsize
    axes = zip(shape, strides, strict=True)
    last = offset + sum((length - 1) * step for length, step in axes)
    # Numpy's own check takes an empty storage for none, and large strides overflow it.
    if (
        min([offset, *shape, *strides]) < 0
        or size > n_numbers
        or (size > 0 and last >= n_numbers)
    ):
        raise ValueError(f"a tensor of {shape} outside of its {n_numbers} numbers")
    return np.ndarray(
        shape,
        dtype,
        buffer=storage,
        offset=offset * dtype.itemsize,
        strides=[step * dtype.itemsize for step in strides],
    )
