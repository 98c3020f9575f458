"""Cases of damaged inputs: what is done to a sound project, and what is at fault."""

import itertools
import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from instantdl.io import read_image
from tests.pipeline.damaged_files import (
    KINDS,
    LIARS,
    cut_off,
    flip_bits,
    pillow,
    saved,
    tiff,
    yaml_bomb,
    zip_bomb,
)
from tests.pipeline.projects import (
    CLASSIFICATION,
    INSTANCE,
    REGRESSION,
    SEMANTIC,
    cells,
    make_both,
)
from tests.pipeline.test_inspect_damage import grey

IMAGE, TARGET = "train/image/2.png", "train/groundtruth/2.png"
TEST, TABLE = "test/image/2.png", "train/groundtruth/groundtruth.csv"
MASK, INNER = "train/cell2/mask/1.png", "train/cell2/image/cell2.png"
CONFIG, MODEL, NEW = "config.json", "model.instantdl", "new/1.png"
DENSE, OBJECTS = (SEMANTIC, INSTANCE, REGRESSION), "objects"
CHECKED = (("check", CONFIG), ("run", CONFIG))
LOADED = (("info", MODEL), ("predict", MODEL, "new"))
PREDICTED = (("predict", MODEL, "new"),)


class Case(NamedTuple):
    """A damage, and the commands that must tell of it."""

    name: str
    # The sound project, and what is done to the folder it lies in with all else;
    # returns how messages must call what is at fault.
    project: str
    damage: Callable[[Path], str]
    commands: tuple[tuple[str, ...], ...] = CHECKED
    # Whether the input may be sound even so.
    may_work: bool = False


def make_project(folder, kind):
    """Make a sound project, its configuration and new images to predict."""
    (folder / "new").mkdir(parents=True)
    for i in range(3):
        (folder / "new" / f"{i}.png").write_bytes(pillow(grey(i), "PNG"))
    if kind == OBJECTS:
        make_objects(folder / "project")
    else:
        make_both(folder / "project", kind)
    told = {**SOUND, "task": INSTANCE if kind == OBJECTS else kind}
    (folder / CONFIG).write_text(json.dumps(told, indent=1))


def make_objects(root):
    """Make a project with a folder for each image, and a mask for each object."""
    for part, i in itertools.product(("train", "test"), range(6)):
        image = cells(10 * i + len(part))
        folder = root / part / f"cell{i}"
        (folder / "image").mkdir(parents=True)
        (folder / "mask").mkdir()
        (folder / "image" / f"cell{i}.png").write_bytes(pillow(image, "PNG"))
        for k in range(2):
            mask = np.zeros_like(image)
            mask[5:15, 5 + 20 * k : 15 + 20 * k] = 255
            (folder / "mask" / f"{k}.png").write_bytes(pillow(mask, "PNG"))


def put(content, ending=None, at=IMAGE, root="project"):
    """Return a damage: another file in the place of a sound one."""

    def damage(folder):
        (folder / root / at).unlink()
        name = at if ending is None else str(Path(at).with_suffix(ending))
        (folder / root / name).write_bytes(content)
        return name

    return damage


def spoil(kind, how, name, at):
    """Return a damage: the sound image saved as of some kind, then spoilt."""
    ending, encode = KINDS[kind]

    def damage(folder):
        image = read_image(folder / "project" / at, keep_palette=True)
        return put(how(encode(image), seeded(name)), ending, at)(folder)

    return damage


def changed(how, name, at, root="project"):
    """Return a damage: a file whose bytes are changed."""

    def damage(folder):
        content = (folder / root / at).read_bytes()
        (folder / root / at).write_bytes(how(content, seeded(name)))
        return at

    return damage


def instead(make, at=IMAGE, root="project"):
    """Return a damage: something else in the place of a file or folder."""

    def damage(folder):
        path = folder / root / at
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        make(path)
        return at

    return damage


def seeded(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def spoilt_images():
    """Yield images and targets of each kind, cut off or with flipped bits."""
    places = [
        (kind, at)
        for kind in KINDS
        for at in ((IMAGE,) if kind in ("bmp", "jpeg") else (IMAGE, TARGET))
    ]
    for (kind, at), task in zip(places, itertools.cycle(DENSE), strict=False):
        yield from spoilt(kind, at, task)
    yield from spoilt("png", INNER, OBJECTS)
    yield from spoilt("png", MASK, OBJECTS)
    yield from spoilt("png", TEST, CLASSIFICATION)


def spoilt(kind, at, project):
    for how in (cut_off, flip_bits):
        name = f"{how.__name__} {kind} {at}"
        damage = spoil(kind, how, name, at)
        yield Case(name, project, damage, may_work=how is flip_bits)


def odd_images():
    """Yield images of wrong dtypes, shapes and values."""
    image = cells(5)
    flat = image.astype(np.float32)
    nan, inf, large = flat.copy(), flat.copy(), flat.astype(np.float64)
    nan[3, 4], inf[3, 4], large[3, 4] = np.nan, -np.inf, 1e300
    for (name, array), task in zip(
        {
            "complex": image * 1j,
            "objects": image.astype(object),
            "strings": image.astype(str),
            "bytes": image.astype(bytes),
            "dates": image.astype("datetime64[s]"),
            "records": np.zeros(image.shape, [("a", "u1"), ("b", "f4")]),
            "void": image.view("V1"),
            "no pixels": image[:0],
            "no axis": np.array(5),
            "one axis": image.ravel(),
            "five axes": image.reshape(2, 2, 2, 2, -1),
            "two channels": np.stack([image, image], -1),
            "NaN": nan,
            "nothing but NaN": np.full_like(flat, np.nan),
            "inf": inf,
            "beyond float32": large,
        }.items(),
        itertools.cycle(DENSE),
        strict=False,
    ):
        yield Case(f"image, {name}", task, put(saved(array), ".npy"))
    for name, array in {
        "bool": image > 100,
        "half": image.astype(np.float16),
        "long double": image.astype(np.longdouble),
        "big endian": image.astype(">f4"),
        "int64": image.astype(np.int64) * 2**50,
    }.items():
        yield Case(f"image, {name}", SEMANTIC, put(saved(array), ".npy"), may_work=True)
    times = tiff(np.stack([image] * 2), imagej=True, metadata={"axes": "TYX"})
    yield Case("image, time points", REGRESSION, put(times, ".tif"))


def odd_targets():
    """Yield targets of wrong dtypes, shapes and values."""
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 5:20] = 1
    nan = np.where(mask, np.nan, 0.0)
    for name, task, array in (
        ("complex", SEMANTIC, mask * 1j),
        ("strings", INSTANCE, mask.astype(str)),
        ("objects", REGRESSION, mask.astype(object)),
        ("fractions", SEMANTIC, mask / 3),
        ("fractions of labels", INSTANCE, mask / 3),
        ("negative labels", INSTANCE, mask.astype(np.int16) - 1),
        ("huge labels", INSTANCE, mask * np.uint64(2**63)),
        ("NaN", SEMANTIC, nan),
        ("NaN in labels", INSTANCE, nan),
        ("NaN in values", REGRESSION, nan),
        ("other size", SEMANTIC, mask[:-1]),
        ("turned", INSTANCE, mask.T),
        ("colours", SEMANTIC, np.stack([mask] * 3, -1)),
        ("one axis", REGRESSION, mask.ravel()),
        ("five axes", INSTANCE, mask.reshape(2, 2, 2, 2, -1)),
        ("no pixels", REGRESSION, mask[:, :0]),
    ):
        yield Case(f"target, {name}", task, put(saved(array), ".npy", TARGET))
    yield Case("mask, other size", OBJECTS, put(pillow(mask[1:], "PNG"), at=MASK))


def liars():
    """Yield files whose headers claim what cannot be."""
    places = itertools.cycle(itertools.product((IMAGE, TARGET), DENSE))
    for (name, (ending, content)), (at, task) in zip(
        LIARS.items(), places, strict=False
    ):
        yield Case(f"header, {name}", task, put(content, ending, at))
    content = LIARS["png grey"][1]
    yield Case("header, classified", CLASSIFICATION, put(content, at=TEST))
    yield Case("header, mask", OBJECTS, put(content, at=MASK))


# What may stand in the place of a file.
MAKERS = {
    "loop": lambda path: path.symlink_to(path),
    "dangling link": lambda path: path.symlink_to(path.with_name("absent.png")),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty file": lambda path: path.write_bytes(b""),
    "unreadable file": lambda path: (path.write_bytes(b"x"), path.chmod(0)),
    "link upwards": lambda path: path.symlink_to(path.parent),
}


def odd_places():
    """Yield links, folders, pipes and unreadable files in the place of files."""
    for kind, make in MAKERS.items():
        yield Case(f"{kind}, image", SEMANTIC, instead(make))
        yield Case(f"{kind}, target", INSTANCE, instead(make, TARGET))
    for kind in ("loop", "folder", "empty file", "unreadable file"):
        damage = instead(MAKERS[kind], TABLE)
        yield Case(f"{kind}, table", CLASSIFICATION, damage)
    for kind, at in itertools.product(("loop", "pipe"), ("train", "train/image")):
        yield Case(f"{kind}, {at}", REGRESSION, instead(MAKERS[kind], at))
    for at in ("train/cell2/mask", "train/cell2/image"):
        yield Case(f"empty {at}", OBJECTS, instead(MAKERS["folder"], at))


NAMES = (
    "Zellen für Jürgen.png",
    "two  blanks .png",
    "two\nlines.png",
    "[bold]x[bold].png",
    "-rf.png",
    "上皮.PNG",
    "%s{0}$x$.png",
    "'quoted\".png",
    "\x1b[31mred.png",
    "x" * 250 + ".png",
    "e\u0301 and \u202e.png",
    os.fsdecode(b"\xff\xfe.png"),
)


def odd_names():
    """Yield damaged files of names that are not plain."""
    for i, (name, task) in enumerate(zip(NAMES, itertools.cycle(DENSE), strict=False)):
        yield Case(f"name {i}", task, renamed(name))


def renamed(name):
    def damage(folder):
        target = folder / "project" / TARGET
        target.rename(target.with_name(name))
        (folder / "project" / IMAGE).unlink()
        (folder / "project" / IMAGE).with_name(name).write_bytes(b"\x89PNG\r\n\x1a\n")
        return f"train/image/{name}"

    return damage


def tables():
    """Yield damaged tables of labels."""
    rows = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(6))
    head = "filename,groundtruth\n"
    for name, content in {
        "only a header": head,
        "no header": rows,
        "a column twice": "filename,groundtruth,groundtruth\n" + rows,
        "a row twice": head + rows + "3.png,a\n",
        "a row missing": head + rows[:-8],
        "no label": head + rows.replace("2.png,a", "2.png,"),
        "open quote": head + rows.replace("2.png", '"2.png'),
        "NUL": head + rows.replace("2.png", "2\0.png"),
        "long cell": head + rows + "2.png," + "a" * 300_000,
        "outside": head + rows + "../../etc/passwd,a\n",
        "utf-16": (head + rows).encode("utf-16"),
        "latin-1": (head + rows.replace("a\n", "ä\n")).encode("latin-1"),
    }.items():
        content = content if isinstance(content, bytes) else content.encode()
        damage = put(content, at=TABLE)
        # Rows without an image are left out.
        may_work = name == "outside"
        yield Case(f"table, {name}", CLASSIFICATION, damage, may_work=may_work)
    for i, how in itertools.product(range(3), (cut_off, flip_bits)):
        name = f"table, {how.__name__} {i}"
        yield Case(name, CLASSIFICATION, changed(how, name, TABLE), may_work=True)


SMALL = {"filters": 2, "validation_fraction": 0.25}
SOUND = {"task": SEMANTIC, "path": "project", "epochs": 1, "estimator": SMALL}
OLD = {"use_algorithm": "SemanticSegmentation", "path": "project"}


def configurations():
    """Yield configurations that are no text, no JSON, no YAML, or of wrong values."""
    for name, told, at_fault in (
        ("a word for a number", {**SOUND, "epochs": "ten"}, CONFIG),
        ("a parameter of lists", {**SOUND, "estimator": {"filters": [[]]}}, CONFIG),
        ("no such user", {**SOUND, "path": "~nobody at all/x"}, "~nobody at all/x"),
        ("half a character", {**SOUND, "path": "a\ud800"}, r"a\ud800"),
        ("NUL in the path", {**SOUND, "path": "a\0"}, r"a\x00"),
        ("size of 3D", {**SOUND, "image_size": [8, 48, 64]}, "image_size"),
        ("old shift", {**OLD, "data_gen_args": {"width_shift_range": "far"}}, CONFIG),
        ("old list", {**OLD, "data_gen_args": [{}]}, CONFIG),
        ("many keys", {**SOUND, **dict.fromkeys(map(str, range(20_000)))}, CONFIG),
        ("no model", {**SOUND, "pretrained": "no model", "epochs": 0}, "no model"),
    ):
        content = json.dumps(told).encode()
        yield Case(f"config, {name}", SEMANTIC, written(content, called=at_fault))
    sound = json.dumps(SOUND, indent=1)
    for name, content in {
        "empty": b"",
        "a list": b"[1]",
        "deep": b'{"a":' * 100_000,
        "digits": sound.replace("1,", "1" * 5_000 + ",").encode(),
        "beyond numbers": sound.replace("0.25", "1e999").encode(),
        "utf-16": sound.encode("utf-16"),
        "bytes": bytes(range(256)) * 20,
    }.items():
        yield Case(f"config, {name}", SEMANTIC, written(content))
    for name, text in {
        "bomb": yaml_bomb(),
        "no date": f"task: {SEMANTIC}\npath: project\nepochs: 2020-13-45",
        "a key twice": f"task: {SEMANTIC}\npath: x\npath: project",
        "levels": "[" * 20_000,
        "numbers as keys": json.dumps(OLD)[:-1] + ", data_gen_args: {1: 2}}",
    }.items():
        file = "config.yaml"
        commands = (("check", file), ("run", file))
        yield Case(f"yaml, {name}", SEMANTIC, written(text.encode(), file), commands)
    for kind in ("loop", "pipe", "endless device", "unreadable file"):
        damage = instead(MAKERS[kind], CONFIG, root=".")
        yield Case(f"config, {kind}", SEMANTIC, damage)
    for how in (cut_off, flip_bits):
        name = f"config, {how.__name__}"
        damage = changed(how, name, CONFIG, root=".")
        yield Case(name, SEMANTIC, damage, may_work=how is flip_bits)


def written(content, file=CONFIG, called=None):
    def damage(folder):
        (folder / file).write_bytes(content)
        return called or file

    return damage


def models():
    """Yield damaged models, also those that training would begin with."""
    for name, content in {
        "empty": b"",
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(1_000),
        "bomb": zip_bomb(),
    }.items():
        yield Case(f"model, {name}", SEMANTIC, written(content, MODEL), LOADED)
    for i, how in itertools.product(range(2), (cut_off, flip_bits)):
        name = f"model, {how.__name__} {i}"
        damage = changed(how, name, MODEL, root=".")
        yield Case(name, SEMANTIC, damage, LOADED, may_work=how is flip_bits)
    for epochs in (0, 1):
        yield Case(f"model to begin with, {epochs} epochs", SEMANTIC, begin(epochs))


def begin(epochs):
    def damage(folder):
        told = {**SOUND, "epochs": epochs, "pretrained": MODEL}
        (folder / CONFIG).write_text(json.dumps(told))
        (folder / MODEL).write_bytes(b"PK\3\4" + bytes(1_000))
        return MODEL

    return damage


def new_images():
    """Yield damaged images to predict."""
    flat = grey().astype(np.float32)
    for name, ending, content in (
        ("huge header", *LIARS["png grey"]),
        ("cut off", ".tif", tiff(grey())[:-100]),
        ("looped", *LIARS["tiff loop"]),
        ("complex", ".npy", saved(flat * 1j)),
        ("colours", ".npy", saved(np.stack([flat] * 3, -1))),
        ("NaN", ".npy", saved(np.full_like(flat, np.nan))),
    ):
        damage = put(content, ending, NEW, root=".")
        yield Case(f"new, {name}", SEMANTIC, damage, PREDICTED)
    for kind in ("dangling link", "folder"):
        damage = instead(MAKERS[kind], NEW, root=".")
        yield Case(f"new, {kind}", SEMANTIC, damage, PREDICTED)
    large = put(saved(cells(5) * 1e300), ".npy")
    compare = ("evaluate", SEMANTIC, "project/train/groundtruth", "project/train/image")
    yield Case(
        "compared, beyond float32",
        SEMANTIC,
        lambda folder: Path(large(folder)).name,
        (compare,),
    )


CASES = [
    case
    for family in (
        spoilt_images,
        odd_images,
        odd_targets,
        liars,
        odd_places,
        odd_names,
        tables,
        configurations,
        models,
        new_images,
    )
    for case in family()
]
