"""Tests of reading PyTorch's old files without PyTorch."""

import io
import os
import pickle
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from instantdl.exceptions import ModelFileError
from instantdl.networks._torch_file import read_torch_file

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
NUMBERS = np.arange(12, dtype="<f4")


class Global:
    """Something that a pickle refers to by its name."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    """A storage, which is written as a persistent id."""

    def __init__(self, key, kind="FloatStorage", n_numbers=12):
        kind = Global("torch", kind) if isinstance(kind, str) else kind
        self.pid = ("storage", kind, key, "cpu", n_numbers, None)


class Reduced:
    """What comes from calling a function when it is read, and then from its state."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.parts


class Writer(pickle._Pickler):
    """A pickler for which names need not exist."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save_global(self, obj, name=None):
        if isinstance(obj, Global):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save_global(obj, name)

    def save_reduce(self, func, args, state=None, *rest, obj=None, **kwargs):
        if not isinstance(obj, Reduced):
            return super().save_reduce(func, args, state, *rest, obj=obj, **kwargs)
        for part in (func, args):
            self.save(part)
        self.write(pickle.REDUCE)
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)
        return None

    def save(self, obj, *args, **kwargs):
        if isinstance(obj, Global):
            self.save_global(obj)
        else:
            super().save(obj, *args, **kwargs)


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


def tensor(storage, offset, shape, strides):
    return Reduced(REBUILD, storage, offset, shape, strides, False, OrderedDict())


def pickled(obj):
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(obj)
    return stream.getvalue()


def torch_file(tensors, storages, magic=MAGIC, version=PROTOCOL):
    """Return what `torch.save` would write of tensors and {key: numbers}."""
    parts = [magic, version, SYSTEM, tensors, sorted(storages)]
    data = b"".join(pickled(part) for part in parts)
    for key in sorted(storages):
        data += len(storages[key]).to_bytes(8, "little") + storages[key].tobytes()
    return data


def one_tensor(offset, shape, strides, numbers=NUMBERS):
    return torch_file(
        OrderedDict(w=tensor(Storage("0"), offset, shape, strides)), {"0": numbers}
    )


def test_tensors_come_with_their_names_shapes_and_dtypes(rng):
    weight = rng.normal(size=(2, 3, 1, 2)).astype("<f4")
    state = OrderedDict()
    state["conv.weight"] = tensor(Storage("7"), 0, (2, 3, 1, 2), (6, 2, 2, 1))
    state["norm.steps"] = tensor(Storage("1", "LongStorage", 1), 0, (), ())
    state["none"] = tensor(Storage("2", n_numbers=0), 0, (3, 0), (1, 1))
    storages = {
        "7": weight.ravel(),
        "1": np.array([2**40], "<i8"),
        "2": np.zeros(0, "<f4"),
    }
    found = read_torch_file(torch_file(state, storages))
    assert list(found) == ["conv.weight", "norm.steps", "none"]
    np.testing.assert_array_equal(found["conv.weight"], weight)
    assert (found["norm.steps"].dtype, int(found["norm.steps"])) == ("int64", 2**40)
    assert (found["none"].dtype, found["none"].shape) == ("float32", (3, 0))


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "expected"),
    [
        (0, (4, 3), (1, 4), NUMBERS.reshape(3, 4).T),
        (5, (2, 2), (4, 2), NUMBERS.reshape(3, 4)[1:, 1::2]),
        (8, (4,), (1,), NUMBERS[8:]),
        (11, (), (), NUMBERS[11]),
        (1, (1, 2), (99, 10), NUMBERS[np.newaxis, [1, 11]]),
    ],
)
def test_strides_and_offsets_are_those_of_the_tensor(offset, shape, strides, expected):
    found = read_torch_file(one_tensor(offset, shape, strides))
    np.testing.assert_array_equal(found["w"], expected)


def test_two_tensors_may_share_a_storage():
    state = OrderedDict(
        a=tensor(Storage("0"), 0, (4,), (1,)), b=tensor(Storage("0"), 2, (4,), (2,))
    )
    found = read_torch_file(torch_file(state, {"0": NUMBERS}))
    np.testing.assert_array_equal(found["a"], NUMBERS[:4])
    np.testing.assert_array_equal(found["b"], NUMBERS[2:9:2])


def test_attributes_of_the_state_are_passed_over():
    # As PyTorch keeps the versions of modules.
    state = OrderedDict(w=tensor(Storage("0"), 0, (12,), (1,)))
    state._metadata = OrderedDict({"": {"version": 1}})
    found = read_torch_file(torch_file(state, {"0": NUMBERS}))
    np.testing.assert_array_equal(found["w"], NUMBERS)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (0, (3, 4), (5, 1)),
        (-1, (2,), (1,)),
        (3, (2,), (-1,)),
        (0, (-1,), (1,)),
        (2**62, (1,), (1,)),
        (2**70, (1,), (1,)),
        (0, (5,), (2**60,)),  # in bytes, four such steps are 2**64: 0 in 64 bits
        (0, (2**40,), (0,)),  # a few bytes that would fill the memory
        (0, (2, 2), (1,)),
        (0, (1.5,), (1,)),
        (0, "ab", (1, 1)),
        (None, (1,), (1,)),
    ],
)
def test_tensors_outside_of_their_storage_are_refused(offset, shape, strides):
    with pytest.raises(ModelFileError, match="must be whole and in PyTorch's old"):
        read_torch_file(one_tensor(offset, shape, strides))


@pytest.mark.parametrize(("shape", "strides"), [((), ()), ((9,), (1,)), ((9,), (0,))])
def test_an_empty_storage_holds_no_numbers(shape, strides):
    data = one_tensor(0, shape, strides, numbers=NUMBERS[:0])
    with pytest.raises(ModelFileError, match="outside of its 0 numbers"):
        read_torch_file(data)


def test_a_file_that_ends_anywhere_too_early_is_refused():
    data = one_tensor(0, (12,), (1,))
    assert read_torch_file(data)["w"].shape == (12,)
    for end in range(len(data)):
        with pytest.raises(ModelFileError, match="must be whole.*Got .*Fetch it again"):
            read_torch_file(data[:end])


@pytest.mark.parametrize("length", [13, 2**40, 2**63 - 1, 2**64 - 1])
def test_a_storage_longer_than_the_file_is_refused(length):
    data = one_tensor(0, (12,), (1,))
    start = len(data) - 8 - NUMBERS.nbytes
    data = data[:start] + length.to_bytes(8, "little") + data[start + 8 :]
    with pytest.raises(ModelFileError, match="must be whole"):
        read_torch_file(data)


@pytest.mark.parametrize(
    "harmful",
    [
        b"Nr\xff\xff\xff\x7f.",  # an object to remember as number 2**31 - 1
        b"Np99999999999\n.",
        b"\x8e" + (2**62).to_bytes(8, "little") + b".",  # that many bytes
        b"\x96" + (2**40).to_bytes(8, "little") + b".",
        b"\x8d" + (2**64 - 1).to_bytes(8, "little") + b".",
        b"\x95" + (2**40).to_bytes(8, "little") + b"N.",
    ],
)
def test_huge_numbers_in_a_pickle_take_no_memory(harmful):
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="must be whole"):
            read_torch_file(harmful)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_changed_bytes_give_tensors_or_the_error(rng):
    data = one_tensor(5, (2, 2), (4, 2))
    for position in range(len(data) - NUMBERS.nbytes):
        changed = bytearray(data)
        changed[position] ^= int(rng.integers(1, 256))
        try:
            found = read_torch_file(bytes(changed))
        except ModelFileError:
            continue
        for array in found.values():
            array.sum()


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04" + bytes(60), b"\x89HDF\r\n\x1a\n", bytes(100)]
)
def test_another_format_is_refused(data):
    with pytest.raises(ModelFileError, match="in PyTorch's old format. Got "):
        read_torch_file(data)


@pytest.mark.parametrize("header", [{"magic": 1}, {"version": 1002}])
def test_another_magic_number_or_version_is_refused(header):
    state = OrderedDict(w=tensor(Storage("0"), 0, (12,), (1,)))
    with pytest.raises(ModelFileError, match="another magic number or version"):
        read_torch_file(torch_file(state, {"0": NUMBERS}, **header))


@pytest.mark.parametrize(
    "function",
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch", "DoubleStorage"),
        ("torch._utils", "_rebuild_tensor_v2.__init__"),
        ("collections", "OrderedDict.fromkeys"),
        ("numpy._core.multiarray", "_reconstruct"),
    ],
)
@pytest.mark.parametrize("place", range(5))
def test_nothing_but_tensors_can_be_named(function, place, tmp_path):
    witness = tmp_path / "witness"
    parts = [MAGIC, PROTOCOL, SYSTEM, OrderedDict(), []]
    parts[place] = Reduced(Global(*function), f"touch {witness}")
    data = b"".join(pickled(part) for part in parts)
    with pytest.raises(ModelFileError, match="must hold tensors only. Got ") as caught:
        read_torch_file(data)
    assert ".".join(function) in str(caught.value)
    assert not witness.exists()


def test_a_pickle_that_calls_a_function_calls_nothing(tmp_path):
    witness = tmp_path / "witness"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        harmful = pickle.dumps(Reduced(os.mkdir, str(witness)), protocol)
        with pytest.raises(ModelFileError, match=f"{os.mkdir.__module__}.mkdir"):
            read_torch_file(harmful)
    assert not witness.exists()
    pickle.loads(harmful)
    assert witness.exists()  # so it would have been called


@pytest.mark.parametrize(
    "kind", ["O", "V9", "<f4,<f4", {"names": ["a"], "formats": ["O"]}, None, 3]
)
def test_numbers_of_another_dtype_are_refused(kind):
    storage = Storage("0")
    storage.pid = ("storage", kind, "0", "cpu", 12, None)
    state = OrderedDict(w=tensor(storage, 0, (1,), (1,)))
    with pytest.raises(ModelFileError, match="must be whole.* Got UnpicklingError"):
        read_torch_file(torch_file(state, {"0": NUMBERS}))


@pytest.mark.parametrize("pid", ["0", (), ("storage",), 5, ("module", "<f4", "0")])
def test_another_persistent_id_is_refused(pid):
    storage = Storage("0")
    storage.pid = pid
    state = OrderedDict(w=tensor(storage, 0, (1,), (1,)))
    with pytest.raises(ModelFileError, match="must be whole"):
        read_torch_file(torch_file(state, {"0": NUMBERS}))


@pytest.mark.parametrize(
    "value", [1, "text", NUMBERS.tolist(), OrderedDict(), Storage("0"), REBUILD]
)
def test_a_state_of_other_things_is_refused(value):
    data = torch_file(OrderedDict(w=value), {"0": NUMBERS})
    with pytest.raises(ModelFileError, match="something else named 'w'"):
        read_torch_file(data)


@pytest.mark.parametrize("state", [1, "text", [1], None, REBUILD])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(ModelFileError, match="must be whole.*Got AttributeError"):
        read_torch_file(torch_file(state, {}))


def test_a_tensor_of_something_else_than_a_storage_is_refused():
    # An object with the attributes of a storage, whose dtype is a pointer's.
    false = Reduced(Global("collections", "OrderedDict"), state={"dtype": "O"})
    data = torch_file(OrderedDict(w=tensor(false, 0, (1,), (1,))), {"0": NUMBERS})
    with pytest.raises(ModelFileError, match="something else named 'w'"):
        read_torch_file(data)


@pytest.mark.parametrize("storages", [{}, {"1": NUMBERS}, {"0": NUMBERS, "1": NUMBERS}])
def test_other_storages_than_those_of_the_tensors_are_refused(storages):
    state = OrderedDict(w=tensor(Storage("0"), 0, (12,), (1,)))
    with pytest.raises(ModelFileError, match="other storages than those"):
        read_torch_file(torch_file(state, storages))


def test_a_file_cannot_change_how_the_next_one_is_read():
    # Setting attributes is all that a pickle can do besides calling.
    for target in (REBUILD, Global("collections", "OrderedDict")):
        for state in (
            {"storage": "x", "__defaults__": ()},
            (None, {"storage": "x", "__defaults__": (1,) * 6, "shape": (1,)}),
        ):
            stream = io.BytesIO()
            writer = Writer(stream, protocol=2)
            writer.write(pickle.PROTO + b"\x02")
            writer.save_global(target)
            writer.save(state)
            stream.write(pickle.BUILD + pickle.STOP)
            with pytest.raises(ModelFileError):
                read_torch_file(stream.getvalue())
    found = read_torch_file(one_tensor(0, (12,), (1,)))
    np.testing.assert_array_equal(found["w"], NUMBERS)
