"""One file for a fitted estimator: JSON and raw weights, nothing executable."""

import hashlib
import importlib.metadata
import io
import json
import math
import os
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instantdl._version import __version__
from instantdl.estimators._arguments import function_name
from instantdl.exceptions import InstantDLError, ModelFileError
from instantdl.images import Augmentation, Normalizer

if TYPE_CHECKING:
    from instantdl.estimators._base import BaseImageEstimator

_FORMAT = 1
_MEMBERS = ("model.json", "weights.bin", "sha256")
_MAX_JSON = 64 * 2**20
# What reading JSON of any kind and making an estimator of it may raise.
_WRONG_CONTENT = (
    InstantDLError,
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
_DTYPES = frozenset("?bBhHiIlLqQefd")


def save_model(estimator: "BaseImageEstimator", path: Path) -> None:
    """Write a fitted estimator to `path`, atomically.

    Parameters
    ----------
    estimator : BaseImageEstimator
        A fitted one.

    path : Path
        The file.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.

    TypeError
        If a parameter cannot be written as JSON.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder of a saved model must exist. Got {str(path)!r}. Create "
            f"{str(path.parent)!r} first."
        )
    weights = estimator._weights
    about = {
        "format": _FORMAT,
        "estimator": type(estimator).__name__,
        "versions": _versions(),
        "parameters": {
            name: _encode(_plain_parameter(name, value))
            for name, value in estimator.get_params(deep=False).items()
        },
        "fitted": {
            name: _encode(getattr(estimator, name))
            for name in estimator._fitted_constraints
            if hasattr(estimator, name)
        },
        "weights": [
            {"shape": list(array.shape), "dtype": array.dtype.char} for array in weights
        ],
    }
    contents = {
        "model.json": json.dumps(about, indent=1, allow_nan=True).encode(),
        "weights.bin": b"".join(_little_endian(array) for array in weights),
    }
    contents["sha256"] = _checksum(contents).encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in _MEMBERS:
                # A fixed date: the same model gives the same file.
                archive.writestr(zipfile.ZipInfo(name), contents[name])
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], *, network: Any = None) -> Any:
    """Open an estimator that `save` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : path-like
        The file.

    network : callable, default=None
        The function that built the network, when the estimator was fitted with a
        function of your own; the file only names it.

    Returns
    -------
    estimator
        Fitted, ready to predict.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    ModelFileError
        (a ValueError) if it is not such a file, damaged, truncated, changed, or of a
        newer version.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl import SemanticSegmenter, load
    >>> X = np.random.default_rng(0).random((4, 16, 16))
    >>> segmenter = SemanticSegmenter(epochs=1, filters=2, levels=1, random_state=0)
    >>> segmenter.fit(X, X > 0.5).save("cells.instantdl")
    >>> load("cells.instantdl").predict(X).shape
    (4, 16, 16)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There must be a saved model at {str(path)!r}.")
    try:
        about, data = _read(path)
        estimator = _rebuild(about, data, network)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except _WRONG_CONTENT as error:
        raise ModelFileError(
            f"{path}: a saved model must hold valid parameters. Got one that does "
            f"not: {error}"
        ) from error
    return estimator


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the description and the raw weights, both verified."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_members(infos, path.stat().st_size)
            contents = {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, struct.error) as error:
        raise ModelFileError(
            "a saved model must be whole and made by `save`. Got a file that is not, "
            "or is damaged."
        ) from error
    if contents["sha256"].decode("ascii", "replace") != _checksum(contents):
        raise ModelFileError(
            "a saved model must be unchanged. Got one whose checksum does not match."
        )
    about = json.loads(contents["model.json"])
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ModelFileError(
            f"a saved model must have format {_FORMAT}. Got "
            f"{about.get('format') if isinstance(about, dict) else None!r}. Update "
            "instantdl if the model is newer."
        )
    return about, contents["weights.bin"]


def _check_members(infos: list[zipfile.ZipInfo], file_size: int) -> None:
    """Refuse everything that `save` would not have written, before reading it."""
    stored = all(
        info.compress_type == zipfile.ZIP_STORED
        and info.file_size == info.compress_size <= file_size
        for info in infos
    )
    if tuple(info.filename for info in infos) != _MEMBERS or not stored:
        raise ModelFileError(
            f"a saved model must hold {', '.join(_MEMBERS)}, uncompressed. Got "
            f"{', '.join(info.filename[:40] for info in infos[:5]) or 'nothing'}."
        )
    if infos[0].file_size > _MAX_JSON:
        raise ModelFileError(
            f"the description of a model must be below {_MAX_JSON} bytes. Got "
            f"{infos[0].file_size}."
        )


def _rebuild(about: dict[str, Any], data: bytes, network: Any) -> Any:
    from instantdl import estimators

    name = about["estimator"]
    kind: Any = getattr(estimators, name) if name in estimators.__all__ else None
    if not hasattr(kind, "_fitted_constraints"):
        raise ModelFileError(
            "a saved model must be of an estimator of this version. Got "
            f"{str(name)[:60]!r}."
        )
    parameters = {key: _decode(value) for key, value in about["parameters"].items()}
    if "__function__" in str(about["parameters"].get("network")):
        if network is None:
            raise ModelFileError(
                "a model with a network of your own needs the function that builds "
                f"it. Got none. Use load(path, network=...) with "
                f"{about['parameters']['network']['__function__']!r}."
            )
        parameters["network"] = network
    # As when it was saved: who made the file must not say where a fit reads or writes.
    parameters |= dict.fromkeys({"log_dir", "pretrained"} & set(parameters))
    estimator = kind(**parameters)
    estimator._check_parameters()
    allowed = set(kind._fitted_constraints)
    for key, value in about["fitted"].items():
        if key not in allowed:
            raise ModelFileError(f"a saved model has no attribute {str(key)[:60]!r}.")
        setattr(estimator, key, _decode(value))
    estimator._set_weights(_split_weights(about["weights"], data))
    estimator._check_fitted()
    return estimator


def _split_weights(manifest: list[dict[str, Any]], data: bytes) -> list[NDArray[Any]]:
    weights, position = [], 0
    for entry in manifest:
        shape, dtype = tuple(entry["shape"]), _dtype(entry["dtype"])
        count = math.prod(shape)
        if count < 0 or position + count * dtype.itemsize > len(data):
            break
        array = np.frombuffer(data, dtype, count, position).reshape(shape)
        weights.append(array.astype(dtype.newbyteorder("=")))
        position += count * dtype.itemsize
    if position != len(data) or len(weights) != len(manifest):
        raise ModelFileError(
            "the weights of a saved model must have the sizes it lists. Got "
            f"{len(data)} bytes that do not."
        )
    return weights


def _plain_parameter(name: str, value: Any) -> Any:
    """Return a parameter as it is worth keeping after fit."""
    # Paths of one machine mean nothing on another, and a model that somebody sent
    # must not say where a later fit writes.
    if name in ("pretrained", "log_dir") or isinstance(value, np.random.RandomState):
        return None
    return value


def _encode(value: Any) -> Any:
    """Turn a value into JSON, marking what JSON does not know."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        items = [_encode(item) for item in value.tolist()]
        return {"__labels__": items, "dtype": value.dtype.kind}
    if isinstance(value, np.ndarray):
        return {"__array__": value.tolist(), "dtype": value.dtype.char}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Augmentation):
        return {"__augmentation__": _encode(value.get_params())}
    if isinstance(value, Normalizer):
        return {"__normalizer__": _encode(value.to_dict())}
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        pairs = [[_encode(key), _encode(item)] for key, item in value.items()]
        return {"__pairs__": pairs}
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return {"__tuple__": [_encode(item) for item in value]}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if callable(value):
        return {"__function__": function_name(value)}
    raise TypeError(
        "A parameter must be a plain value to be saved. Got "
        f"{type(value).__name__} {value!r}."
    )


def _decode(value: Any) -> Any:
    """Undo `_encode`; functions come back as their names."""
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        return np.array(value["__array__"], dtype=_dtype(value["dtype"]))
    if "__labels__" in value:
        return _labels(value["__labels__"], value["dtype"])
    if "__augmentation__" in value:
        return Augmentation(**_decode(value["__augmentation__"]))
    if "__normalizer__" in value:
        return Normalizer.from_dict(_decode(value["__normalizer__"]))
    if "__pairs__" in value:
        return {_decode(key): _decode(item) for key, item in value["__pairs__"]}
    if "__tuple__" in value:
        return tuple(_decode(item) for item in value["__tuple__"])
    if "__function__" in value:
        return value["__function__"]
    return {key: _decode(item) for key, item in value.items()}


def _labels(items: list[Any], kind: Any) -> NDArray[Any]:
    """Return names of classes as they were, strings or objects."""
    plain = all(isinstance(item, bool | int | float | str) for item in items)
    longest = max((len(str(item)) for item in items), default=0)
    if longest * len(items) > _MAX_JSON:
        raise ModelFileError("labels must be of some length. Got ones far too long.")
    if kind == "U" and plain and all(isinstance(item, str) for item in items):
        return np.array(items, dtype=str)
    if kind == "O" and plain:
        return np.array(items, dtype=object)
    raise ModelFileError("labels must be strings or numbers. Got others.")


def _dtype(char: Any) -> np.dtype[Any]:
    if char not in _DTYPES:
        raise ModelFileError(f"arrays must hold numbers. Got dtype {str(char)[:20]!r}.")
    return np.dtype(char).newbyteorder("<")


def _little_endian(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    buffer.write(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return buffer.getvalue()


def _checksum(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in _MEMBERS[:2]:
        digest.update(len(contents[name]).to_bytes(8, "little"))
        digest.update(contents[name])
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    versions = {"instantdl": __version__}
    for name in ("numpy", "scikit-learn", "keras", "tensorflow"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
