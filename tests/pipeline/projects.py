"""Projects to be looked at, without faults unless a test adds some."""

import re

import numpy as np
from scipy.ndimage import gaussian_filter, label

from instantdl.io import write_image

SEMANTIC, INSTANCE = "semantic_segmentation", "instance_segmentation"
REGRESSION, CLASSIFICATION = "regression", "classification"


def cells(seed, shape=(48, 64)):
    """Draw an image of smooth random spots; each seed gives another one."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    scaled = (noise - noise.min()) / np.ptp(noise)
    return (255 * scaled).astype(np.uint8)


def classes_of(image):
    return (image > 127).astype(np.uint8)


def objects_of(image):
    return label(image > 150)[0].astype(np.uint16)


TARGETS = {SEMANTIC: classes_of, INSTANCE: objects_of, REGRESSION: lambda x: 255 - x}


def make(root, task, part="train", n=6, seed=0):
    """Write a part of a project without faults; names are 0.png, 1.png and so on."""
    for folder in ("image", "groundtruth"):
        (root / part / folder).mkdir(parents=True)
    for i in range(n):
        image = cells(seed + i)
        write_image(root / part / "image" / f"{i}.png", image)
        if task in TARGETS:
            write_image(root / part / "groundtruth" / f"{i}.png", TARGETS[task](image))
    if task == CLASSIFICATION:
        write_table(root, part, [f"{i}.png,{'ab'[i % 2]}" for i in range(n)])


def write_table(root, part, rows, header="filename,groundtruth"):
    text = "\n".join([header, *rows])
    (root / part / "groundtruth" / "groundtruth.csv").write_text(text + "\n")


def make_both(root, task, n_test=6):
    make(root, task)
    make(root, task, "test", n_test, seed=100)


def assert_found(lines, *expected):
    """Each expected text is in one line of its own, and there are no others."""
    left = list(lines)
    for pattern in expected:
        fitting = [line for line in left if re.search(pattern, line)]
        assert len(fitting) == 1, f"{pattern!r} is in {fitting} of {lines}"
        left.remove(fitting[0])
    assert left == []
