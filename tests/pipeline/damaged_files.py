"""Contents of files: sound ones of each kind, damaged ones, and ones that lie."""

import gzip
import io
import json
import pickle
import struct
import zipfile

import nibabel
import numpy as np
import tifffile
from PIL import Image

from tests.pipeline.projects import SEMANTIC
from tests.pipeline.test_inspect_damage import (
    encoded,
    grey,
    huge_bmp,
    huge_nifti,
    huge_npy,
    huge_png,
    huge_tiff,
    lacking_tiff,
    looped_tiff,
)

SIDE = 10**6


def tiff(image, **options):
    return encoded(tifffile.imwrite, image, photometric="minisblack", **options)


def pillow(image, kind, mode="L", **options):
    return encoded(Image.fromarray(image).convert(mode).save, format=kind, **options)


def nifti(image):
    return nibabel.Nifti1Image(image.T, np.eye(4)).to_bytes()


# Of each kind the ending, and what makes its bytes of an image of two axes.
KINDS = {
    "tiff": (".tif", tiff),
    "tiff zlib": (".tif", lambda x: tiff(x, compression="zlib", rowsperstrip=8)),
    "tiff tiles": (".tiff", lambda x: tiff(x, compression="lzw", tile=(16, 16))),
    "ome": (".ome.tif", lambda x: tiff(x, ome=True)),
    "png": (".png", lambda x: pillow(x, "PNG")),
    "png palette": (".png", lambda x: pillow(x, "PNG", "P")),
    "npy": (".npy", lambda x: encoded(np.save, x)),
    "nifti": (".nii", nifti),
    "nifti gzip": (".nii.gz", lambda x: gzip.compress(nifti(x), mtime=0)),
    "bmp": (".bmp", lambda x: pillow(x, "BMP")),
    "jpeg": (".jpg", lambda x: pillow(x, "JPEG", quality=95)),
}


def cut_off(content, rng):
    return content[: rng.integers(1, len(content))]


def flip_bits(content, rng):
    """Flip one to eight bits, in half of the cases all in the first 200 bytes."""
    flipped = bytearray(content)
    last = min(200, len(content)) if rng.random() < 0.5 else len(content)
    for place in rng.integers(0, last, rng.integers(1, 9)):
        flipped[place] ^= 1 << rng.integers(8)
    return bytes(flipped)


def saved(array):
    return encoded(np.save, array)


def wide_jpeg():
    """Return a file that claims the greatest size that its format can hold."""
    content = bytearray(pillow(grey(), "JPEG"))
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", 65_535, 65_535)
    return bytes(content)


def described_tiff(text):
    """Return a file with a description from which its shape is taken."""
    return encoded(tifffile.imwrite, grey(), description=text, metadata=None)


def bomb_of_entities():
    """Return OME-XML whose entities expand to some gigabytes."""
    lines = ['<!ENTITY a0 "aaaaaaaaaa">']
    lines += [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)]
    return f"<?xml version='1.0'?><!DOCTYPE OME [{''.join(lines)}]><OME>&a9;</OME>"


def odd_nifti(place, layout, value):
    """Return a NIfTI file with a value at one place of its header."""
    content = bytearray(nifti(grey()))
    content[place : place + struct.calcsize(layout)] = struct.pack(layout, value)
    return bytes(content)


def nested_npy():
    """Return a file whose header is nothing but opening brackets."""
    header = b"(" * 9_000
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


# Files that claim what cannot be, by ending and content.
LIARS = {
    "png grey": (".png", huge_png(SIDE, 0)),
    "png colours": (".png", huge_png(SIDE, 2)),
    "png palette": (".png", huge_png(SIDE, 3)),
    "tiff": (".tif", huge_tiff(SIDE)),
    "tiff rows": (".tif", lacking_tiff(SIDE)),
    "tiff loop": (".tif", looped_tiff()),
    "tiff shape": (".tif", described_tiff(json.dumps({"shape": [SIDE, SIDE]}))),
    "tiff planes": (".tif", described_tiff(f"ImageJ=1.5\nimages={SIDE}\n")),
    "ome bomb": (".ome.tif", described_tiff(bomb_of_entities())),
    "npy": (".npy", huge_npy((SIDE, SIDE))),
    "npy cube": (".npy", huge_npy((SIDE, SIDE, SIDE))),
    "npy objects": (".npy", huge_npy((SIDE, SIDE), "|O")),
    "npy negative": (".npy", huge_npy((-SIDE, SIDE))),
    "npy brackets": (".npy", nested_npy()),
    "npy pickle": (".npy", pickle.dumps({"shape": (SIDE, SIDE)})),
    "bmp": (".bmp", huge_bmp(SIDE)),
    "jpeg": (".jpg", wide_jpeg()),
    "nifti": (".nii", huge_nifti((32_000, 32_000, 32_000))),
    "nifti gzip": (".nii.gz", gzip.compress(huge_nifti((32_000, 32_000, 3)))),
    "nifti offset": (".nii", odd_nifti(108, "<f", np.inf)),
    "nifti no axes": (".nii", odd_nifti(40, "<h", 0)),
    "nifti slope": (".nii", odd_nifti(112, "<f", np.inf)),
}


def yaml_bomb():
    """Return some lines that stand for gigabytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 10):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    lines += [f"task: {SEMANTIC}", "path: project", "estimator: {filters: *a9}"]
    return "\n".join(lines)


def zip_bomb():
    """Return a small archive of the right names that holds many megabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("model.json", "weights.bin", "sha256"):
            archive.writestr(name, bytes(10**8))
    return buffer.getvalue()
