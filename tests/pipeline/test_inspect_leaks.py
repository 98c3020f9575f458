"""Copies, groups and shifts between train and test."""

import csv
import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from instantdl.io import read_image, write_image
from instantdl.pipeline._inspect import inspect_project
from instantdl.pipeline._inspect_compare import Labelled, compare_parts
from instantdl.pipeline._inspect_facts import image_facts
from instantdl.pipeline._inspect_fingerprints import find_alike, fingerprint
from instantdl.pipeline._inspect_report import Findings

NEARLY = "nearly the same in train and in test"
SHIFT = "distributed as in train"


def texture(seed, shape=(96, 128), size=2.0):
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, size)
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def facts(name, image, **options):
    return Labelled(image_facts(name, image, 2), **options)


def warnings_of(train, test=()):
    found = Findings()
    parts = {"train": train, "test": test} if test else {"train": train}
    compare_parts(parts, found)
    assert found.problems == []
    return found.warnings


def test_copies_are_found_in_files_of_any_kind(tmp_path):
    for part, seed in (("train", 0), ("test", 50)):
        (tmp_path / part / "image").mkdir(parents=True)
        (tmp_path / part / "groundtruth").mkdir()
        rows = [f"{i}.x,{'ab'[i % 2]}" for i in range(6)]
        for i in range(6):
            write_image(tmp_path / part / "image" / f"{i}.png", texture(seed + i))
        text = "\n".join(["filename,groundtruth", *rows]).replace(".x", "")
        (tmp_path / part / "groundtruth/groundtruth.csv").write_text(text)
    (tmp_path / "train/image/5.png").unlink()
    write_image(tmp_path / "train/image/5.tif", texture(2))
    (tmp_path / "test/image/4.png").unlink()
    np.save(tmp_path / "test/image/4.npy", texture(1))
    # Three equal channels are the same picture as one.
    grey = np.repeat(texture(53)[..., np.newaxis], 3, axis=-1)
    write_image(tmp_path / "test/image/0.png", grey)
    report = inspect_project(tmp_path, "classification")
    assert report.problems == []
    copies = [line for line in report.warnings if "same pixels" in line]
    assert len(copies) == 3
    for pattern in (
        r"^train/image/5\.tif: .* train/image/2\.png, which is a where this is b\.",
        r"^test/image/4\.npy: .* both in train and in test\. .* train/image/1\.png\.",
        r"^test/image/3\.png: an image should be there once\. .* test/image/0\.png, wh",
    ):
        assert len([line for line in copies if re.search(pattern, line)]) == 1
    # A copy is not told of again as a near one.
    assert not [line for line in report.warnings if NEARLY in line]


def jpeg(image, quality=50):
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "brightness": lambda x: np.clip(x * 0.6 + 40, 0, 255).astype(np.uint8),
    "gamma": lambda x: (255 * (x / 255) ** 1.4).astype(np.uint8),
    "mirrored": lambda x: x[:, ::-1],
    "upside down": lambda x: x[::-1],
    "turned": np.rot90,
    "turned twice": lambda x: np.rot90(x, 2),
    "turned back": lambda x: np.rot90(x, 3),
    "transposed": np.transpose,
    "jpeg": jpeg,
    "smaller": lambda x: np.asarray(Image.fromarray(x).resize((96, 72))),
    "16 bit": lambda x: x.astype(np.uint16) * 257,
    "noise": lambda x: x + np.random.default_rng(9).normal(0, 5, x.shape),
    "colour": lambda x: np.repeat(x[..., None], 3, -1) // [[[1, 2, 3]]],
}


@pytest.mark.parametrize("change", list(CHANGES.values()), ids=CHANGES)
def test_nearly_the_same_images_are_found(change):
    train = [facts(f"{i}.png", texture(i)) for i in range(10)]
    test = [facts("copy.png", change(texture(7))), facts("new.png", texture(77))]
    lines = [line for line in warnings_of(train, test) if NEARLY in line]
    assert len(lines) == 1
    assert re.search(r"^copy\.png: .* as 7\.png, maybe turned", lines[0])


def test_volumes_that_are_nearly_the_same():
    volume = texture(0, (8, 64, 80), 3)
    mine = [fingerprint(x[..., None]) for x in (volume, texture(1, (8, 64, 80), 3))]
    theirs = [fingerprint(x[..., None]) for x in (volume[::-1, ::-1] // 2, volume[:1])]
    pairs, n_compared = find_alike(mine, theirs)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 0)]
    assert n_compared == 2


def spots(seed, n_spots, shape=(256, 256)):
    """Draw a dark field with few bright spots, as fluorescence often is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    image = np.full(shape, 10.0)
    for row, column in rng.uniform(0, shape, (n_spots, 2)):
        distance = (rows - row) ** 2 + (columns - column) ** 2
        image += rng.uniform(60, 150) * np.exp(-distance / 2 / rng.uniform(5, 8) ** 2)
    return np.clip(image + rng.normal(0, 1, shape), 0, 255).astype(np.uint8)


def vignette(seed, shape=(256, 256)):
    """Draw an empty field that is lit unevenly, like all of its microscope."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    light = 100 - 0.001 * ((rows - 140) ** 2 + (columns - 110) ** 2)
    noise = np.random.default_rng(seed).normal(0, 0.3, shape)
    return np.round(light + noise).astype(np.uint8)


@pytest.mark.parametrize(
    "draw",
    [
        vignette,
        lambda seed: spots(seed, 0),
        lambda seed: spots(seed, 1),
        lambda seed: spots(seed, 2),
        lambda seed: spots(seed, 5),
        lambda seed: np.zeros((64, 64)) + seed,
        lambda seed: texture(seed, (24, 24)),
    ],
    ids=["vignette", "empty", "one spot", "two", "five", "constant", "tiny"],
)
def test_images_with_little_in_them_are_not_alike(draw):
    images = [fingerprint(draw(seed)[..., np.newaxis]) for seed in range(100)]
    pairs, _ = find_alike(images[:60], images[60:])
    assert pairs == []


def test_of_too_many_pairs_some_are_compared(monkeypatch):
    monkeypatch.setattr(
        "instantdl.pipeline._inspect_fingerprints._MAX_PAIRS", 20, raising=True
    )
    train = [facts(f"{i}.png", texture(i)) for i in range(10)]
    test = [facts(f"t{i}.png", texture(20 + i)) for i in range(5)]
    lines = [line for line in warnings_of(train, test) if "compared" in line]
    assert len(lines) == 1
    assert "Got 2 of 5" in lines[0]


def test_groups_in_both_parts():
    train = [facts(f"{i}.png", texture(i), group=f"p{i % 3}") for i in range(6)]
    test = [facts(f"t{i}.png", texture(20 + i), group=f"p{i + 2}") for i in range(3)]
    assert warnings_of(train, test) == [
        "test: a group should be either in train or in test. Got p2 with 2 images in"
        " train and 1 in test. Move its images into one part, or the test flatters."
    ]


def test_groups_come_from_the_table(tmp_path):
    for part, seed in (("train", 0), ("test", 50)):
        (tmp_path / part / "image").mkdir(parents=True)
        rows = ["filename;groundtruth;group"]
        for i in range(6):
            write_image(tmp_path / part / "image" / f"{i}.png", texture(seed + i))
            rows.append(f"{i}.png;{i % 2};{i + (part == 'test') * 5}")
        (tmp_path / part / "groundtruth.csv").write_text("\n".join(rows))
    report = inspect_project(tmp_path, "classification")
    assert report.problems == []
    assert [line[:60] for line in report.warnings] == [
        "test: a group should be either in train or in test. Got 5 wi"
    ]
    # A table with a fault still tells of groups.
    with (tmp_path / "train/groundtruth.csv").open("a") as file:
        file.write("\n0.png;0;0\n")
    report = inspect_project(tmp_path, "classification")
    assert len(report.problems) == 1
    assert any("a group should be either" in line for line in report.warnings)


def test_a_shift_names_the_feature_and_by_how_much():
    train = [facts(f"{i}.png", texture(i)) for i in range(20)]
    same = [facts(f"t{i}.png", texture(50 + i)) for i in range(20)]
    darker = [facts(f"t{i}.png", texture(50 + i) // 2) for i in range(20)]
    assert warnings_of(train, same) == []
    (line,) = warnings_of(train, darker)
    assert SHIFT in line
    match = re.search(r"mean ([\d.]+) where train has ([\d.]+) \(medians", line)
    got, expected = float(match[1]), float(match[2])
    assert got == pytest.approx(
        np.median([x.facts.features[0, 0] for x in darker]), rel=1e-3
    )
    assert expected == pytest.approx(
        np.median([x.facts.features[0, 0] for x in train]), rel=1e-3
    )
    assert "Kolmogorov-Smirnov distance 1.00" in line


def test_a_shift_names_the_channel():
    def colour(seed, gain):
        image = np.stack([texture(seed + 1000 * k) for k in range(3)], axis=-1)
        return (image * np.array([1, 1, gain])).astype(np.uint8)

    train = [facts(f"{i}.png", colour(i, 1)) for i in range(20)]
    test = [facts(f"t{i}.png", colour(50 + i, 0.5)) for i in range(20)]
    lines = [line for line in warnings_of(train, test) if SHIFT in line]
    assert len(lines) == 1
    assert "of channel 2" in lines[0]
    assert "of channel 0" not in lines[0]
    assert "of channel 1" not in lines[0]


def test_two_test_images_are_too_few_for_a_shift():
    train = [facts(f"{i}.png", texture(i)) for i in range(10)]
    test = [facts(f"t{i}.png", texture(50 + i) // 2) for i in range(2)]
    assert warnings_of(train, test) == []


def test_pixel_types_differ():
    train = [facts(f"{i}.png", texture(i)) for i in range(6)]
    test = [facts(f"t{i}.png", texture(20 + i)) for i in range(5)]
    test.append(facts("t5.tif", texture(25).astype(np.uint16)))
    (line,) = warnings_of(train, test)
    assert "Got uint16 where train has uint8: t5.tif." in line


def test_alpha_and_equal_channels_and_constant_ones(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    (tmp_path / "train/groundtruth").mkdir()
    for i in range(8):
        colour = np.stack([texture(i), texture(20 + i), texture(40 + i)], axis=-1)
        if i in (2, 3):
            colour[...] = colour[..., :1]
        alpha = np.full((96, 128, 1), 255, np.uint8)
        path = tmp_path / "train/image" / f"{i}.png"
        if i < 2:
            Image.fromarray(np.concatenate([colour, alpha], axis=-1)).save(path)
        else:
            write_image(path, colour)
        write_image(tmp_path / "train/groundtruth" / f"{i}.png", texture(i))
    report = inspect_project(tmp_path, "regression")
    assert report.problems == []
    alpha, grey = report.warnings
    assert "Got one in 2 of 8: train/image/0.png, train/image/1.png." in alpha
    assert "Got three equal channels in 2 of 8: train/image/2.png, " in grey
    for i in range(8):
        path = tmp_path / "train/image" / f"{i}.png"
        image = read_image(path)
        path.unlink()
        full = np.full((96, 128, 1), 255, np.uint8)
        np.save(path.with_suffix(".npy"), np.concatenate([image, full], axis=-1))
    report = inspect_project(tmp_path, "regression")
    (line,) = report.warnings
    assert "Got one value throughout each image in channel 3." in line


def test_alpha_of_tiff_files(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    for i in range(6):
        colour = np.stack([texture(i + 20 * k) for k in range(4)], axis=-1)
        path = tmp_path / "train/image" / f"{i}.tif"
        Image.fromarray(colour).save(path)
    lines = inspect_project(tmp_path, "regression").warnings
    assert [line for line in lines if "Got one in 6 of 6: train/image/0.tif" in line]


def test_mixed_pixel_types_and_images_without_contrast(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    for i in range(6):
        image = texture(i) if i else np.full((96, 128), 3, np.uint8)
        image = image.astype(np.uint16) if i == 4 else image
        write_image(tmp_path / "train/image" / f"{i}.png", image)
    lines = inspect_project(tmp_path, "regression").warnings
    assert len(lines) == 2
    assert (
        "train/image/0.png: an image should show something. Got the value 3"
        in (lines[0])
    )
    assert "Got uint8 in 5 of 6, but uint16 in train/image/4.png." in lines[1]


def test_no_neighbour_in_fluorescence_is_taken_for_the_same(shared_data):
    report = inspect_project(shared_data / "dsb2018", "instance_segmentation", read=120)
    assert not [line for line in report.warnings if NEARLY in line or SHIFT in line]


@pytest.mark.slow
def test_real_neighbours_are_told_from_equal_cells(shared_data):
    """Of 664 nuclei images one pair shows the same; of 300 blood cells three do."""
    index = shared_data / "dsb2018" / "index.csv"
    with index.open(encoding="utf-8") as file:
        names = [
            f"{row['split']}/image/{row['file']}.png" for row in csv.DictReader(file)
        ]
    cells = shared_data / "wbc_zheng" / "dataset1" / "images"
    for paths, n_pairs in (
        ([shared_data / "dsb2018" / name for name in names], 1),
        (sorted(cells.iterdir()), 4),
    ):
        prints = []
        for path in paths:
            image = read_image(path)
            prints.append(fingerprint(image[..., None] if image.ndim == 2 else image))
        found = 0
        for i in range(1, len(prints)):
            pairs, _ = find_alike(prints[:i], prints[i : i + 1])
            found += len(pairs)
        assert found == n_pairs


def test_copying_a_project_does_not_change_what_is_found(tmp_path):
    (tmp_path / "a/train/image").mkdir(parents=True)
    for i in range(5):
        write_image(tmp_path / "a/train/image" / f"{i}.png", texture(i % 4))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first, second = (inspect_project(tmp_path / x, "regression") for x in "ab")
    assert first.warnings == second.warnings
    assert len([line for line in first.warnings if "same pixels" in line]) == 1
