"""Files of fitted estimators: whole and ours, or refused with one sentence."""

import copy
import json
import math
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import instantdl
from instantdl import Augmentation, SemanticSegmenter
from instantdl.estimators import _saving
from instantdl.exceptions import ModelFileError

TINY = {
    "filters": 2,
    "levels": 1,
    "epochs": 1,
    "precision": "float32",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def fitted(discs_2d):
    return SemanticSegmenter(**TINY, augmentation=None).fit(*discs_2d)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    """Bytes of a whole file."""
    path = tmp_path_factory.mktemp("saved") / "model.instantdl"
    fitted.save(path)
    return path.read_bytes()


@pytest.fixture
def forge(saved):
    """Write a file with another description or other weights, and a right checksum."""

    def write(change=None, weights=None, name="forged.instantdl"):
        Path(name).write_bytes(saved)
        with zipfile.ZipFile(name) as archive:
            contents = {one: archive.read(one) for one in archive.namelist()}
        about = json.loads(contents["model.json"])
        if change is not None:
            about = change(about) or about
        contents["model.json"] = (
            about if isinstance(about, bytes) else json.dumps(about).encode()
        )
        if weights is not None:
            contents["weights.bin"] = weights
        contents["sha256"] = _saving._checksum(contents).encode()
        with zipfile.ZipFile(name, "w") as archive:
            for one, content in contents.items():
                archive.writestr(one, content)
        return name

    return write


def _refused(name, match):
    with pytest.raises(ModelFileError, match=match) as caught:
        instantdl.load(name)
    message = str(caught.value)
    assert message.startswith(str(name))
    assert "\n" not in message
    assert isinstance(caught.value, ValueError)


def _set(*keys, value):
    """Return a change of one entry of the description."""

    def change(about):
        place = about
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "parameters",
    [
        {"augmentation": Augmentation(rotation=7.5, elastic=2.0)},
        {"class_weight": {False: 1.0, True: 3.5}},
        {"patch_shape": (8, 8), "tile_shape": [16, 16]},
        {"normalization": "dataset"},
        {"threshold": "otsu"},
        {"threshold": "tuned"},
        {"random_state": np.random.RandomState(0)},
        {"learning_rate": np.float32(0.01), "epochs": np.int64(2)},
        {"normalization": None, "augmentation": None, "precision": "bfloat16"},
    ],
    ids=lambda parameters: " ".join(parameters),
)
def test_every_kind_of_parameter_comes_back(discs_2d, parameters):
    X, masks = discs_2d
    segmenter = SemanticSegmenter(**(TINY | parameters)).fit(X, masks)
    segmenter.save("model.instantdl")
    twin = instantdl.load("model.instantdl")
    for name, value in twin.get_params().items():
        if name not in ("augmentation", "random_state"):
            assert value == segmenter.get_params()[name], name
    assert repr(twin.augmentation) == repr(segmenter.augmentation)
    np.testing.assert_array_equal(twin.predict(X), segmenter.predict(X))
    np.testing.assert_array_equal(twin.classes_, segmenter.classes_)
    assert twin.classes_.dtype == segmenter.classes_.dtype
    assert twin.history_ == segmenter.history_


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_classes_come_back_in_their_dtype(discs_2d, dtype):
    X, masks = discs_2d
    segmenter = SemanticSegmenter(**TINY).fit(X, masks.astype(dtype))
    segmenter.save("model.instantdl")
    assert instantdl.load("model.instantdl").classes_.dtype == dtype


def test_the_same_estimator_gives_the_same_file(fitted, saved):
    fitted.save("again.instantdl")
    assert Path("again.instantdl").read_bytes() == saved


def test_a_file_is_hardly_larger_than_the_weights(discs_2d):
    big = SemanticSegmenter(**(TINY | {"filters": 32, "levels": 2})).fit(*discs_2d)
    big.save("model.instantdl")
    n_bytes = sum(array.nbytes for array in big._weights)
    assert Path("model.instantdl").stat().st_size < 1.05 * n_bytes


def test_a_renamed_file_loads(saved, discs_2d, fitted):
    Path("cells.zip").write_bytes(saved)
    twin = instantdl.load(Path("cells.zip"))
    np.testing.assert_array_equal(
        twin.predict(discs_2d[0]), fitted.predict(discs_2d[0])
    )


def test_saving_replaces_a_file_and_leaves_no_other(fitted, saved):
    Path("model.instantdl").write_bytes(b"old")
    fitted.save("model.instantdl")
    assert Path("model.instantdl").read_bytes() == saved
    assert os.listdir() == ["model.instantdl"]  # noqa: PTH208


def test_saving_that_fails_leaves_the_old_file(fitted, monkeypatch):
    Path("model.instantdl").write_bytes(b"old")

    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space"):
        fitted.save("model.instantdl")
    assert Path("model.instantdl").read_bytes() == b"old"
    assert os.listdir() == ["model.instantdl"]  # noqa: PTH208


def test_saving_into_no_folder_is_told(fitted):
    with pytest.raises(FileNotFoundError, match="folder of a saved model must exist"):
        fitted.save("nowhere/model.instantdl")


def test_loading_no_file_is_told():
    with pytest.raises(FileNotFoundError, match="nowhere.instantdl"):
        instantdl.load("nowhere.instantdl")


def test_a_network_of_the_users_own_must_be_given_again(discs_2d):
    X, masks = discs_2d
    segmenter = SemanticSegmenter(**TINY, network=own_network).fit(X, masks)
    segmenter.save("model.instantdl")
    _refused("model.instantdl", "network of your own needs .*own_network")
    twin = instantdl.load("model.instantdl", network=own_network)
    np.testing.assert_array_equal(twin.predict(X), segmenter.predict(X))


def own_network(input_shape, n_outputs):
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(n_outputs, 1)(x))


@pytest.mark.parametrize("n_bytes", [0, 1, 20, 1000, -1, -100])
def test_a_truncated_file_is_refused(saved, n_bytes):
    Path("model.instantdl").write_bytes(saved[:n_bytes])
    _refused("model.instantdl", "must be|must hold")


@pytest.mark.parametrize(
    "content",
    [b"", b"no model", pickle.dumps({"a": 1}), b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"],
    ids=["empty", "text", "pickle", "HDF5", "zip"],
)
def test_another_kind_of_file_is_refused(content):
    Path("model.instantdl").write_bytes(content)
    _refused("model.instantdl", "must be whole and made by `save`")


def test_other_members_in_the_archive_are_refused():
    with zipfile.ZipFile("model.instantdl", "w") as archive:
        archive.writestr("config.json", "{}")
    _refused("model.instantdl", "must hold model.json.*Got config.json")


def test_compressed_members_are_refused(saved):
    # a small file that unpacks to a huge one
    with zipfile.ZipFile("bomb.instantdl", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("model.json", "weights.bin", "sha256"):
            archive.writestr(name, bytes(10**7))
    _refused("bomb.instantdl", "uncompressed")


def test_a_file_that_was_changed_is_refused(saved):
    with zipfile.ZipFile("model.instantdl", "w") as new:
        Path("old").write_bytes(saved)
        with zipfile.ZipFile("old") as old:
            for name in old.namelist():
                content = old.read(name)
                if name == "weights.bin":
                    content = content[:-1] + bytes([content[-1] ^ 1])
                new.writestr(name, content)
    _refused("model.instantdl", "checksum does not match")


@settings(max_examples=150)
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_harmless(saved, discs_2d, fitted, data):
    position = data.draw(st.integers(0, len(saved) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(saved)
    changed[position] ^= 1 << bit
    path = Path("flipped.instantdl")
    path.write_bytes(changed)
    try:
        twin = instantdl.load(path)
    except ModelFileError:
        pass
    else:  # a bit of the archive that nothing is read from, as the time of a member
        for one, other in zip(twin._weights, fitted._weights, strict=True):
            np.testing.assert_array_equal(one, other)
        assert repr(twin) == repr(fitted)


def test_every_flipped_bit_of_the_archives_end_is_refused_or_harmless(saved, fitted):
    # headers and directory of the archive: what the checksum does not cover
    start = saved.rfind(b"PK\x01\x02", 0, saved.rfind(b"PK\x01\x02"))
    path = Path("flipped.instantdl")
    for position in range(start, len(saved)):
        for bit in range(8):
            changed = bytearray(saved)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            try:
                twin = instantdl.load(path)
            except ModelFileError:
                continue
            assert repr(twin) == repr(fitted)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_set("format", value=2), "must have format 1. Got 2. Update"),
        (_set("format", value="x"), "must have format 1. Got 'x'"),
        (lambda about: [about], "must have format 1"),
        (_set("estimator", value="load"), "must be of an estimator .*'load'"),
        (_set("estimator", value="BaseImageEstimator"), "must be of an estimator"),
        (_set("estimator", value="Instances"), "must be of an estimator"),
        (_set("estimator", value="os.system"), "must be of an estimator"),
        (_set("estimator", value=["SemanticSegmenter"]), "must"),
        (_set("estimator", value=None), "must"),
        (_set("parameters", value=[]), "must"),
        (_set("parameters", "no_such", value=1), "no_such"),
        (_set("parameters", "filters", value=10**9), "filters"),
        (
            _set("parameters", "filters", value={"__array__": [1], "dtype": "O"}),
            "dtype",
        ),
        (_set("parameters", "network", value={"__function__": "os:system"}), "own"),
        (_set("parameters", "network", value="os:system"), "network"),
        (_set("parameters", "augmentation", value={"__augmentation__": {"x": 1}}), "x"),
        (_set("parameters", "augmentation", value={"__augmentation__": 3}), "must"),
        (_set("parameters", "class_weight", value={"__pairs__": [[[], 1]]}), "must"),
        (_set("fitted", "__class__", value="x"), "no attribute '__class__'"),
        (_set("fitted", "predict", value="x"), "no attribute 'predict'"),
        (
            _set("fitted", "classes_", value={"__array__": [2**70], "dtype": "q"}),
            "must",
        ),
        (_set("fitted", "normalizer_", value={"__normalizer__": {"a": 1}}), "must"),
        (lambda about: about["fitted"].pop("classes_") and None, "must hold classes_"),
        (lambda about: about["fitted"].pop("history_") and None, "must hold history_"),
        (lambda about: about.pop("weights") and None, "weights"),
        (_set("weights", value=3), "must"),
        (_set("weights", 0, "shape", value=[-1, 4]), "must"),
        (_set("weights", 0, "shape", value=[2**40, 2**40]), "sizes it lists"),
        (_set("weights", 0, "shape", value="aa"), "must"),
        (_set("weights", 0, "dtype", value="O"), "numbers. Got dtype 'O'"),
        (_set("weights", 0, "dtype", value="V8"), "numbers. Got dtype 'V8'"),
        (lambda about: about["weights"].pop() and None, "sizes it lists"),
        (lambda about: b"{", "must"),
        (lambda about: b"\xff\xfe", "must"),
        (lambda about: b"[" * 100_000, "must"),
        (lambda about: b'{"format": 1, "x": ' + b"1" * 5000 + b"}", "must"),
    ],
)
def test_a_hostile_description_is_refused(forge, change, match):
    _refused(forge(change), match)


@pytest.mark.parametrize(
    "name",
    [
        "_noise_seed",
        "best_epoch_",
        "classes_",
        "history_",
        "margin_",
        "n_channels_in_",
        "n_epochs_",
        "normalizer_",
        "patch_shape_",
        "precision_",
        "spatial_ndim_in_",
        "strides_",
        "threshold_",
    ],
)
@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        -2,
        [[0, 0]],
        {"__tuple__": [-5, -5]},
        {"__tuple__": [{"__tuple__": [2, 2]}] * 1000},
        {"__array__": [], "dtype": "d"},
    ],
    ids=["None", "text", "negative", "list", "tuple", "long tuple", "array"],
)
def test_a_hostile_fitted_attribute_is_refused(forge, name, value):
    _refused(forge(_set("fitted", name, value=value)), name)


@pytest.mark.parametrize(
    "size", ["x", [8, 8], ("a",), (0, 5), (8,), (8, 8, 8), (True, 8)]
)
def test_a_hostile_size_of_images_is_refused(forge, size):
    value = {"__tuple__": list(size)} if isinstance(size, tuple) else size
    _refused(forge(_set("fitted", "resized_to_", value=value)), "resized_to_")


def test_the_size_that_images_were_resized_to_comes_back(fitted):
    assert fitted.resized_to_ is None
    resized = copy.copy(fitted)
    resized.resized_to_ = (8, 12)
    resized.save("model.instantdl")
    assert instantdl.load("model.instantdl").resized_to_ == (8, 12)


@pytest.mark.parametrize("change", ["fewer", "more", "none"])
def test_weights_of_another_size_are_refused(forge, fitted, change):
    weights = b"".join(array.tobytes() for array in fitted._weights)
    other = {"fewer": weights[:-4], "more": weights + bytes(4), "none": b""}[change]
    _refused(forge(weights=other), "sizes it lists")


def test_weights_of_another_network_are_refused_when_used(forge, discs_2d):
    segmenter = instantdl.load(forge(_set("parameters", "filters", value=4)))
    for _ in range(2):
        with pytest.raises(ModelFileError, match="weights must fit the network"):
            segmenter.predict(discs_2d[0])


def test_nothing_is_unpickled_or_executed(saved, monkeypatch):
    import builtins
    import marshal

    Path("model.instantdl").write_bytes(saved)
    instantdl.load("model.instantdl")  # whatever has to be imported is by now

    def forbidden(*args, **kwargs):
        raise AssertionError("a model must not be able to run code")

    for module, name in [
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (marshal, "loads"),
        (builtins, "eval"),
        (builtins, "exec"),
        (np, "load"),
    ]:
        monkeypatch.setattr(module, name, forbidden)
    loaded = instantdl.load("model.instantdl")
    monkeypatch.undo()
    assert isinstance(loaded, SemanticSegmenter)


def test_a_description_cannot_import_anything(forge, monkeypatch):
    import importlib

    def forbidden(name, *args):
        raise AssertionError(f"a model must not be able to import {name}")

    name = forge(_set("estimator", value="antigravity.SemanticSegmenter"))
    monkeypatch.setattr(importlib, "import_module", forbidden)
    _refused(name, "must be of an estimator")


def test_the_file_tells_versions_and_nothing_of_the_machine(saved):
    Path("model.instantdl").write_bytes(saved)
    with zipfile.ZipFile("model.instantdl") as archive:
        text = archive.read("model.json").decode()
    about = json.loads(text)
    assert {"instantdl", "numpy", "keras", "tensorflow"} <= set(about["versions"])
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text


def test_numbers_that_are_not_finite_come_back(discs_2d):
    segmenter = SemanticSegmenter(**TINY, threshold="otsu").fit(*discs_2d)
    segmenter.history_["loss"][0] = math.inf
    segmenter.save("model.instantdl")
    twin = instantdl.load("model.instantdl")
    assert math.isnan(twin.threshold_)
    assert twin.history_["loss"] == [math.inf]


def test_paths_of_the_machine_it_was_fitted_on_are_not_kept(discs_2d):
    first = SemanticSegmenter(**TINY, log_dir="logs").fit(*discs_2d)
    first.save("first.instantdl")
    second = SemanticSegmenter(**TINY, pretrained="first.instantdl").fit(*discs_2d)
    second.save("second.instantdl")
    assert instantdl.load("first.instantdl").log_dir is None
    assert instantdl.load("second.instantdl").pretrained is None
