"""Whatever lies in a folder is named, and nothing raises, hangs or is printed."""

import gzip
import io
import os
import pickle
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from instantdl.exceptions import ImageError
from instantdl.io import list_images, read_image, write_image
from instantdl.pipeline._inspect import describe, inspect_project

SHAPE = (40, 48)
TASKS = (
    "semantic_segmentation",
    "instance_segmentation",
    "regression",
    "classification",
)


def grey(seed=0):
    return np.random.default_rng(seed).integers(0, 255, SHAPE, np.uint8)


def encoded(save, *arguments, **options):
    buffer = io.BytesIO()
    save(buffer, *arguments, **options)
    return buffer.getvalue()


def sound_files():
    """Content of sound files by their ending, of several kinds each."""
    stack = np.stack([grey(i) for i in range(3)])
    colour = np.moveaxis(stack, 0, -1)
    yield ".tif", encoded(tifffile.imwrite, grey())
    plain = {"photometric": "minisblack"}
    yield ".tif", encoded(tifffile.imwrite, stack, compression="zlib", **plain)
    yield ".tiff", encoded(tifffile.imwrite, grey(), compression="lzw")
    yield ".ome.tif", encoded(tifffile.imwrite, stack, ome=True, **plain)
    yield (
        ".tif",
        encoded(tifffile.imwrite, stack.astype(np.uint16), imagej=True, **plain),
    )
    yield ".tif", encoded(tifffile.imwrite, grey(), tile=(16, 16), compression="zlib")
    for image in (grey(), colour):
        for kind, ending in (("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".bmp")):
            yield ending, encoded(Image.fromarray(image).save, format=kind)
    yield ".png", encoded(Image.fromarray(grey()).convert("P").save, format="PNG")
    yield ".npy", encoded(np.save, grey())
    yield ".npy", encoded(np.save, grey().astype(np.float16))


def damages(content, rng):
    """Cut a file off, flip bits of it, and leave out a part of it."""
    yield content[: len(content) // 2]
    yield content[: rng.integers(1, 40)]
    for first, last in ((0, 200), (0, len(content))):
        flipped = bytearray(content)
        for place in rng.integers(first, min(last, len(content)), 4):
            flipped[place] ^= 1 << rng.integers(8)
        yield bytes(flipped)
    start = rng.integers(len(content) // 2)
    yield content[:start] + content[start + 7 :]


def chunk(kind, data):
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def huge_png(side, kind):
    header = struct.pack(">IIBBBBB", side, side, 8, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def huge_tiff(side):
    content = encoded(tifffile.imwrite, grey(), metadata=None)
    changed = bytearray(content)
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        for number in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            start = tiff.pages[0].tags[number].offset
            changed[start + 2 : start + 12] = struct.pack("<HIi", 4, 1, side)
    return bytes(changed)


def lacking_tiff(n_rows):
    """Return a file that claims more rows than it has strips for."""
    content = encoded(tifffile.imwrite, grey(), compression="zlib", rowsperstrip=20)
    changed = bytearray(content)
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        start = tiff.pages[0].tags["ImageLength"].offset
    changed[start + 2 : start + 12] = struct.pack("<HIi", 4, 1, n_rows)
    return bytes(changed)


def looped_tiff():
    """Return a file whose second page points back to the first."""
    content = encoded(tifffile.imwrite, np.zeros((2, *SHAPE), np.uint8), metadata=None)
    changed = bytearray(content)
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        first, last = tiff.pages[0].offset, tiff.pages[1].offset
    (n_tags,) = struct.unpack("<H", changed[last : last + 2])
    end = last + 2 + 12 * n_tags
    changed[end : end + 4] = struct.pack("<I", first)
    return bytes(changed)


def huge_npy(shape, dtype="<f8"):
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(100)


def huge_bmp(side):
    content = bytearray(encoded(Image.fromarray(grey()).save, format="BMP"))
    content[18:26] = struct.pack("<ii", side, side)
    return bytes(content)


def huge_nifti(shape):
    header = bytearray(352)
    header[:4] = struct.pack("<i", 348)
    header[40:56] = struct.pack("<8h", 3, *shape, 1, 1, 1, 1)
    header[70:74] = struct.pack("<hh", 4, 16)
    header[108:112] = struct.pack("<f", 352)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(100)


def odd_files():
    """Content that is no image, or claims to be another one, by its ending."""
    yield ".png", b""
    yield ".png", b"This is text.\n"
    yield ".png", encoded(Image.fromarray(grey()).save, format="JPEG")
    yield ".jpg", encoded(Image.fromarray(grey()).save, format="PNG")
    yield ".tif", encoded(Image.fromarray(grey()).save, format="PNG")
    yield ".bmp", bytes(1000)
    yield ".npy", pickle.dumps({"a": 1})
    yield ".npy", encoded(np.save, np.array([{"a": 1}]), allow_pickle=True)
    yield ".npy", encoded(np.save, np.array([["a", "b"]]))
    yield ".npy", encoded(np.save, grey() * 1j)
    yield ".npy", encoded(np.save, np.array(5))
    yield ".npy", encoded(np.save, np.zeros(7))
    yield ".npy", encoded(np.save, np.zeros((0, 7)))
    yield ".npy", encoded(np.savez, grey())
    yield ".nii.gz", b"no gzip"
    yield ".nii.gz", gzip.compress(b"no nifti")
    yield ".nii", huge_nifti((32_000, 32_000, 32_000))
    yield ".nii.gz", gzip.compress(huge_nifti((30_000, 30_000, 2)))
    for side in (30_000, 2**31 - 1):
        for kind in (0, 2, 3):
            yield ".png", huge_png(side, kind)
        yield ".tif", huge_tiff(side)
        yield ".bmp", huge_bmp(side)
        yield ".npy", huge_npy((side, side))
    yield ".npy", huge_npy((-1, 5))
    yield ".npy", huge_npy((5, 5), "|O")
    yield ".tif", looped_tiff()


def write_damaged(folder, beside):
    """Write all damaged files into a folder, and a sound one beside each."""
    rng = np.random.default_rng(0)
    files = list(odd_files())
    for ending, content in sound_files():
        files += [(ending, damaged) for damaged in damages(content, rng)]
    for i, (ending, content) in enumerate(files):
        (folder / f"bad{i:03}{ending}").write_bytes(content)
        write_image(beside / f"bad{i:03}.png", grey(i))
    return len(files)


# Where warnings are errors, decoders give other reasons.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", TASKS[:3])
@pytest.mark.parametrize("where", ["image", "groundtruth"])
def test_each_damaged_file_is_named(tmp_path, capfd, task, where):
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        for i in range(5):
            write_image(tmp_path / "train" / folder / f"good{i}.png", grey(1000 + i))
    beside = "image" if where == "groundtruth" else "groundtruth"
    n_files = write_damaged(tmp_path / "train" / where, tmp_path / "train" / beside)
    assert n_files > 100
    start = time.perf_counter()
    report = inspect_project(tmp_path, task)
    assert time.perf_counter() - start < 5
    assert capfd.readouterr() == ("", "")
    n_unreadable = 0
    for path in list_images(tmp_path / "train" / where):
        named = [x for x in report.problems if f"train/{where}/{path.name}: a" in x]
        named += [x for x in report.problems if f"train/{where}/{path.name}: the" in x]
        try:
            read_image(path, keep_palette=where == "groundtruth")
        except ImageError as error:
            n_unreadable += 1
            reason = str(error).replace(f"{tmp_path}/", "")
            assert reason in named, path.name
    assert n_unreadable > 60
    assert not [x for x in report.problems if x.startswith(f"train/{where}/good")]
    assert not [x for x in report.problems if str(tmp_path) in x]
    assert describe(report)


@pytest.mark.parametrize("where", ["image", "groundtruth"])
def test_a_file_without_all_of_its_parts_is_named(tmp_path, where):
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        for i in range(6):
            write_image(tmp_path / "train" / folder / f"{i}.tif", grey(i))
    content = lacking_tiff(4_000_000)
    (tmp_path / "train" / where / "3.tif").write_bytes(content)
    start = time.perf_counter()
    problems = inspect_project(tmp_path, "regression").problems
    assert time.perf_counter() - start < 5
    start = f"train/{where}/3.tif: all parts of an image must be in its file. Got 2 of"
    assert len(problems) == 1
    assert problems[0].startswith(start)


def test_a_file_of_another_shape_or_dtype_is_named(tmp_path):
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        for i in range(12):
            mask = np.zeros(SHAPE, np.uint8)
            mask[5:15, 5:20] = 1
            image = grey(i) if folder == "image" else mask
            np.save(tmp_path / "train" / folder / f"{i}.npy", image)
    images, masks = tmp_path / "train/image", tmp_path / "train/groundtruth"
    np.save(images / "1.npy", np.zeros((2, 3, 4, 5, 6), np.uint8))
    np.save(images / "2.npy", grey()[..., np.newaxis, np.newaxis])
    np.save(images / "3.npy", grey()[:, :30])
    np.save(images / "4.npy", np.full(SHAPE, np.nan))
    np.save(masks / "5.npy", np.full(SHAPE, np.nan))
    np.save(masks / "6.npy", grey() / 7)
    np.save(masks / "7.npy", np.zeros((3, *SHAPE), bool))
    np.save(masks / "8.npy", grey()[..., np.newaxis])
    np.save(masks / "9.npy", np.full(SHAPE, 2**63, np.uint64))
    np.save(masks / "10.npy", np.full(SHAPE, 1e300))
    np.save(masks / "11.npy", np.array(["a", "b"]))
    for task in TASKS[:3]:
        report = inspect_project(tmp_path, task)
        text = "\n".join(report.problems)
        named = {i for i in range(12) if f"/{i}.npy" in text}
        # Real numbers and channels are right for regression, as are large ones.
        expected = {1, 2, 3, 4, 5, 7, 10, 11}
        if task != "regression":
            expected |= {6, 8, 9}
        assert expected <= named, task
        assert 0 not in named
        assert describe(report)


TABLES = {
    "empty": b"",
    "only a header": b"filename,groundtruth\n",
    "no text": bytes(range(256)) * 4,
    "utf-16": "filename,groundtruth\n0.png,a\n".encode("utf-16"),
    "other columns": b"name,label\n0.png,a\n1.png,b\n",
    "column twice": b"filename,groundtruth,groundtruth\n0.png,a,b\n",
    "open quote": b'filename,groundtruth\n"0.png,a\n1.png,b\n',
    "nul": b"filename,groundtruth\n0.png,\0\n1\0.png,b\n",
    "long cell": b"filename,groundtruth\n0.png," + b"a" * 200_000 + b"\n",
    "too many cells": b"filename,groundtruth\n0.png,a,b,c,d\n",
    "no labels": b"filename,groundtruth\n0.png,\n1.png,\n",
    "lines without end": b"filename,groundtruth\r0.png,a\r1.png,b\r",
    "strange names": b"filename,groundtruth\n../../x,a\n/etc/passwd,b\n0.png,a\n",
}


@pytest.mark.parametrize("content", list(TABLES.values()), ids=TABLES)
def test_a_damaged_table_is_named(tmp_path, capfd, content):
    (tmp_path / "train/image").mkdir(parents=True)
    (tmp_path / "train/groundtruth").mkdir()
    for i in range(5):
        write_image(tmp_path / "train/image" / f"{i}.png", grey(i))
    (tmp_path / "train/groundtruth/groundtruth.csv").write_bytes(content)
    start = time.perf_counter()
    report = inspect_project(tmp_path, "classification")
    assert time.perf_counter() - start < 5
    assert [line for line in report.problems if "groundtruth.csv" in line]
    assert report.parts["train"].n_images == 5
    assert capfd.readouterr() == ("", "")


def test_links_folders_and_pipes_in_place_of_files(tmp_path):
    for folder in ("image", "groundtruth"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        for i in range(6):
            write_image(tmp_path / "train" / folder / f"{i}.png", grey(i) // 128)
    images = tmp_path / "train/image"
    for i in range(4):
        (images / f"{i}.png").unlink()
    (images / "0.png").symlink_to(images / "0.png")
    (images / "1.png").symlink_to(tmp_path / "absent.png")
    (images / "2.png").mkdir()
    os.mkfifo(images / "3.png")
    (images / "more").mkdir()
    (images / "4.png").unlink()
    (images / "4.png").symlink_to(images / "5.png")
    report = inspect_project(tmp_path, "semantic_segmentation")
    rule = "only files of images may lie there"
    for i, got in enumerate(["a link that", "a link that", "a folder", "no regular"]):
        line = f"train/image/{i}.png: {rule}. Got {got}"
        assert len([x for x in report.problems if x.startswith(line)]) == 1
        line = f"train/groundtruth/{i}.png has no partner"
        assert len([x for x in report.problems if x.startswith(line)]) == 1
    assert not [x for x in report.problems if "/4.png" in x or "/5.png" in x]
    assert [x for x in report.warnings if x.startswith("train/image/more: folders")]
    assert [x for x in report.warnings if x.startswith("train/image/5.png: an image")]


def test_a_link_among_masks_of_objects_is_told_of_once(tmp_path):
    for i in range(6):
        folder = tmp_path / "train" / f"cell{i}"
        for name in ("image", "mask"):
            (folder / name).mkdir(parents=True)
        write_image(folder / "image" / "a.png", grey(i))
        for k in range(2):
            mask = np.zeros(SHAPE, np.uint8)
            mask[5:15, 5 + 20 * k : 15 + 20 * k] = 255
            write_image(folder / "mask" / f"{k}.png", mask)
    link = tmp_path / "train/cell2/mask/2.png"
    link.symlink_to(tmp_path / "absent.png")
    problems = inspect_project(tmp_path, "instance_segmentation").problems
    assert len(problems) == 1
    rule = "only files of images may lie there. Got a link that leads nowhere"
    assert problems[0].startswith(f"train/cell2/mask/2.png: {rule}")


def loop(path):
    path.symlink_to(path)


def upwards(path):
    path.symlink_to(path.parent)


@pytest.mark.parametrize("name", ["train", "train/image", "train/groundtruth", "test"])
@pytest.mark.parametrize(
    "put",
    [loop, upwards, lambda path: path.write_bytes(b""), os.mkfifo],
    ids=["loop", "upwards", "file", "pipe"],
)
@pytest.mark.parametrize("task", TASKS)
def test_folders_that_are_none(tmp_path, name, put, task):
    for folder in ("train/image", "train/groundtruth", "test/image"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(5):
            write_image(tmp_path / folder / f"{i}.png", grey(i) // 128)
    folder = tmp_path / name
    for inner in (folder / "image", folder / "groundtruth", folder):
        for path in inner.iterdir() if inner.is_dir() else ():
            path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    put(folder)
    report = inspect_project(tmp_path, task)
    assert [x for x in report.problems if name in x.split(" Got ")[0]]
    assert describe(report)


def test_a_folder_in_place_of_the_table(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    (tmp_path / "train/groundtruth/groundtruth.csv").mkdir(parents=True)
    for i in range(5):
        write_image(tmp_path / "train/image" / f"{i}.png", grey(i))
    problems = inspect_project(tmp_path, "classification").problems
    path = "train/groundtruth/groundtruth.csv"
    assert [x for x in problems if x.startswith(f"{path}: ") and "Got a folder" in x]


def test_names_that_are_no_text(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    for i in range(5):
        write_image(tmp_path / "train/image" / f"{i}.png", grey(i))
    name = os.fsdecode(b"\xff\xfe.png")
    try:
        (tmp_path / "train/image" / name).write_bytes(b"broken")
    except OSError:
        pytest.skip("the file system takes text only")
    report = inspect_project(tmp_path, "regression")
    assert [x for x in report.problems if name in x]
    assert r"\udcff\udcfe.png" in describe(report)
    describe(report).encode("utf-8")
