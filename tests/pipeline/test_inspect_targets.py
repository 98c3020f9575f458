"""Targets that a task cannot be learnt from."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from instantdl.io import read_image, write_image
from instantdl.pipeline._inspect import inspect_project
from tests.pipeline.projects import (
    CLASSIFICATION,
    INSTANCE,
    REGRESSION,
    SEMANTIC,
    TARGETS,
    assert_found,
    cells,
    classes_of,
    make,
    make_both,
    objects_of,
    write_table,
)


@pytest.mark.parametrize("task", [SEMANTIC, INSTANCE])
def test_masks_in_colour_and_with_fractions(tmp_path, task):
    make(tmp_path, task)
    folder = tmp_path / "train/groundtruth"
    write_image(folder / "1.png", np.repeat(cells(1)[..., None], 3, axis=-1))
    for i, mask in ((2, cells(2) / 255), (3, TARGETS[task](cells(3)) * 1.0)):
        (folder / f"{i}.png").unlink()
        write_image(folder / f"{i}.tif", mask)
    report = inspect_project(tmp_path, task)
    assert_found(
        report.problems,
        r"^train/groundtruth/1\.png: a mask must have no channels.*number for each pix",
        r"^train/groundtruth/2\.tif: a mask must hold whole numbers\. Got float32",
    )
    assert_found(report.warnings, r"^train/groundtruth/3\.tif.* saved as integers")


@pytest.mark.parametrize("n_classes", [None, 2])
def test_label_images_are_no_masks_of_classes(tmp_path, n_classes):
    make(tmp_path, INSTANCE)
    for seed in range(3):
        image = cells(20 + seed, (256, 256))
        assert objects_of(image).max() > 30
        write_image(tmp_path / f"train/image/{seed}.png", image)
        write_image(tmp_path / f"train/groundtruth/{seed}.png", objects_of(image))
    problems = inspect_project(tmp_path, SEMANTIC, n_classes=n_classes).problems
    expected = r"^train/groundtruth/0\.png, .* like a label image.* instance_seg"
    assert_found(problems, expected)


def test_photos_are_no_masks(tmp_path):
    make_both(tmp_path, SEMANTIC)
    for part, name in (("train", "2.png"), ("test", "5.png")):
        noise = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
        write_image(tmp_path / part / "groundtruth" / name, noise)
    assert_found(
        inspect_project(tmp_path, SEMANTIC).problems,
        r"^train/groundtruth/2\.png: .* like a photo: up to 2\d\d values \(0 to 254\)",
        r"^test/groundtruth/5\.png: .* like a photo",
    )
    assert_found(
        [x for x in inspect_project(tmp_path, INSTANCE).problems if "photo" in x],
        r"^train/groundtruth/2\.png: a label image",
        r"^test/groundtruth/5\.png: a label image",
    )


@pytest.mark.parametrize("most", [256, 2**16, 2**24])
@pytest.mark.parametrize("task", [INSTANCE, SEMANTIC])
def test_photos_of_any_depth_are_no_label_images(tmp_path, most, task):
    make(tmp_path, task)
    (tmp_path / "train/groundtruth/2.png").unlink()
    noise = np.random.default_rng(0).integers(0, most, (48, 64)).astype(np.int32)
    write_image(tmp_path / "train/groundtruth/2.tif", noise)
    problems = inspect_project(tmp_path, task).problems
    assert_found(problems, r"^train/groundtruth/2\.tif: .* like a photo")


def test_small_large_and_far_numbered_objects_are_label_images(tmp_path):
    make(tmp_path, INSTANCE)
    numbers = np.arange(1, 193).reshape(12, 16)
    small = np.kron(numbers, np.pad(np.ones((3, 3), int), ((0, 1), (0, 1))))
    assert (small[:, 1:] != small[:, :-1]).mean() > 0.3
    one_large = np.zeros((48, 64), int)
    one_large[:, :40] = 12
    for i in range(11):
        one_large[4 * i : 4 * i + 3, 45:50] = i + 1
    far = small * 100_003
    for i, labels in enumerate((small, one_large, far)):
        (tmp_path / f"train/groundtruth/{i}.png").unlink()
        write_image(tmp_path / f"train/groundtruth/{i}.tif", labels)
    report = inspect_project(tmp_path, INSTANCE)
    assert report.problems == report.warnings == []


def smooth_mask():
    inside = gaussian_filter(cells(2, (96, 128)).astype(float), 2)
    return classes_of(inside) * np.uint8(255)


def stored(mask, quality):
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(mask):
    height, width = mask.shape
    picture = Image.fromarray(mask).resize((2 * width // 3, 2 * height // 3))
    return np.asarray(picture)


@pytest.mark.parametrize("change", [50, 75, 95, 100, None])
def test_masks_that_were_stored_with_loss(tmp_path, change):
    make(tmp_path, SEMANTIC)
    mask = smooth_mask()
    mask = resized(mask) if change is None else stored(mask, change)
    write_image(tmp_path / "train/image/2.png", cells(2, mask.shape))
    write_image(tmp_path / "train/groundtruth/2.png", mask)
    expected = r"^train/groundtruth/2\.png: .* like a mask stored as JPEG"
    assert_found(inspect_project(tmp_path, SEMANTIC).problems, expected)
    # A run sets a threshold between two classes.
    report = inspect_project(tmp_path, SEMANTIC, n_classes=2)
    assert report.problems == []
    assert_found(report.warnings, expected)
    assert max(report.parts["train"].classes) > 200


def test_one_value_far_from_the_others_is_no_loss(tmp_path):
    make(tmp_path, SEMANTIC)
    for i in range(6):
        mask = cells(i) // 18
        mask[:, 20:24] = 255
        write_image(tmp_path / f"train/groundtruth/{i}.png", mask)
    report = inspect_project(tmp_path, SEMANTIC)
    assert report.problems == []
    assert len(report.parts["train"].classes) == 16


def test_many_classes_are_taken_if_they_are_said(tmp_path):
    make(tmp_path, SEMANTIC)
    for i in range(6):
        mask = np.kron(np.arange(24).reshape(4, 6), np.ones((12, 11)))[:, :64]
        write_image(tmp_path / f"train/groundtruth/{i}.png", mask.astype(np.uint8))
    problems = inspect_project(tmp_path, SEMANTIC).problems
    assert_found(problems, r"like a label image: .* say so by n_classes\.")
    assert inspect_project(tmp_path, SEMANTIC, n_classes=24).problems == []
    for i in range(6):
        mask = np.kron(np.arange(6).reshape(2, 3), np.ones((24, 22)))[:, :64]
        write_image(tmp_path / f"train/groundtruth/{i}.png", mask.astype(np.uint8))
    assert inspect_project(tmp_path, SEMANTIC).problems == []
    problems = inspect_project(tmp_path, SEMANTIC, n_classes=3).problems
    assert_found(problems, r"Got 6 instead of 3: 0, 1, 2, 3, 4 and 1 more")


@pytest.mark.parametrize("task", [SEMANTIC, CLASSIFICATION])
def test_the_number_of_classes_must_be_right(tmp_path, task):
    make(tmp_path, task)
    assert inspect_project(tmp_path, task, n_classes=2).problems == []
    problems = inspect_project(tmp_path, task, n_classes=3).problems
    assert_found(problems, r"^train: .* as n_classes says\. Got 2 instead of 3: ")
    if task == CLASSIFICATION:
        rows = [f"{i}.png,{'abcd'[i % 4]}" for i in range(6)]
        write_table(tmp_path, "train", rows)
        problems = inspect_project(tmp_path, task, n_classes=3).problems
        assert_found(problems, r"Got 4 instead of 3: a, b, c, d")


def test_a_class_of_test_must_be_in_train(tmp_path):
    make_both(tmp_path / "masks", SEMANTIC)
    mask = classes_of(cells(102))
    mask[:20] = 5
    write_image(tmp_path / "masks/test/groundtruth/2.png", mask)
    problems = inspect_project(tmp_path / "masks", SEMANTIC).problems
    assert_found(problems, r"^test/groundtruth/2\.png: .* Got 5, where train has 0, 1")
    make_both(tmp_path / "labels", CLASSIFICATION)
    rows = [f"{i}.png,{'abc'[i % 3]}" for i in range(6)]
    write_table(tmp_path / "labels", "test", rows)
    problems = inspect_project(tmp_path / "labels", CLASSIFICATION).problems
    expected = r"^test/image/2\.png, test/image/5\.png: .* Got c, where train has a, b"
    assert_found(problems, expected)


def test_one_class_only(tmp_path):
    make(tmp_path / "masks", SEMANTIC)
    for path in (tmp_path / "masks/train/groundtruth").iterdir():
        write_image(path, np.zeros((48, 64), np.uint8))
    report = inspect_project(tmp_path / "masks", SEMANTIC)
    assert_found(report.problems, r"^train: there must be two classes .* Got 0 only")
    assert_found(report.warnings, r"^train: masks .* Got 6 of 6 \(100%\)")
    problems = inspect_project(tmp_path / "masks", INSTANCE).problems
    assert_found(problems, r"^train: label images must mark .* Got background only")
    make(tmp_path / "labels", CLASSIFICATION)
    write_table(tmp_path / "labels", "train", [f"{i}.png,a" for i in range(6)])
    problems = inspect_project(tmp_path / "labels", CLASSIFICATION).problems
    assert_found(problems, r"there must be two classes or more\. Got a only")


@pytest.mark.parametrize("value", [1, 255])
def test_binary_masks_are_no_label_images(tmp_path, value):
    make(tmp_path, SEMANTIC)
    for path in (tmp_path / "train/groundtruth").iterdir():
        write_image(path, read_image(path) * np.uint8(value))
    problems = inspect_project(tmp_path, INSTANCE).problems
    expected = rf"^train/groundtruth/0\.png, .*of value {value}\).*images\.label_mask"
    assert_found(problems, expected)


def test_one_object_per_image_is_no_binary_mask(tmp_path):
    make(tmp_path, INSTANCE)
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 10:30] = 1
    mask[40, 40:42] = 1  # a speck is no object
    for path in (tmp_path / "train/groundtruth").iterdir():
        write_image(path, mask)
    assert inspect_project(tmp_path, INSTANCE).problems == []


def test_a_binary_mask_among_label_images_is_warned_of(tmp_path):
    make(tmp_path, INSTANCE)
    mask = (objects_of(cells(2)) > 0).astype(np.uint8)
    write_image(tmp_path / "train/groundtruth/2.png", mask)
    report = inspect_project(tmp_path, INSTANCE)
    assert report.problems == []
    assert_found(report.warnings, r"^train/groundtruth/2\.png: .* like a binary mask")


def test_negative_labels_and_no_background(tmp_path):
    make(tmp_path, INSTANCE)
    for i in range(6):
        (tmp_path / f"train/groundtruth/{i}.png").unlink()
        labels = objects_of(cells(i)).astype(np.int32) + 1
        labels[:4] = -1 if i == 0 else labels[:4]
        write_image(tmp_path / f"train/groundtruth/{i}.tif", labels)
    (tmp_path / "train/image/0.png").unlink()
    (tmp_path / "train/groundtruth/0.tif").unlink()
    problems = inspect_project(tmp_path, INSTANCE).problems
    assert_found(
        problems, r"^train: label images must mark .* Got no background at all"
    )
    write_image(tmp_path / "train/groundtruth/1.tif", labels - 20)
    problems = inspect_project(tmp_path, INSTANCE).problems
    assert any(re.search(r"^train/groundtruth/1\.tif: .* Got -19", x) for x in problems)


def test_constant_targets_of_regression(tmp_path):
    make(tmp_path, REGRESSION)
    write_image(tmp_path / "train/groundtruth/2.png", np.full((48, 64), 7, np.uint8))
    report = inspect_project(tmp_path, REGRESSION)
    assert report.problems == []
    expected = r"^train/groundtruth/2\.png: a target .* the value 7 everywhere"
    assert_found(report.warnings, expected)
    for path in (tmp_path / "train/groundtruth").iterdir():
        write_image(path, np.full((48, 64), 7, np.uint8))
    problems = inspect_project(tmp_path, REGRESSION).problems
    assert_found(problems, r"^train: targets must show something\. Got one value")


def test_targets_of_regression_have_one_number_of_channels(tmp_path):
    make(tmp_path, REGRESSION)
    target = np.stack([cells(40 + i) for i in range(3)], axis=-1)
    write_image(tmp_path / "train/groundtruth/2.png", target)
    problems = inspect_project(tmp_path, REGRESSION).problems
    assert_found(problems, r"^train/groundtruth/2\.png: all targets .* \(48, 64, 3\)")


def test_rare_classes_and_empty_masks(tmp_path):
    make(tmp_path, SEMANTIC)
    for i in range(6):
        mask = np.zeros((48, 64), np.uint8)
        mask[:3, : 20 * (i % 3)] = 1
        write_image(tmp_path / f"train/groundtruth/{i}.png", mask)
    report = inspect_project(tmp_path, SEMANTIC)
    assert report.problems == []
    assert report.parts["train"].n_empty_masks == 2
    assert_found(
        report.warnings,
        r"^train: masks should mark something\. Got 2 of 6 \(33%\) that are empty: "
        r"train/groundtruth/0\.png, train/groundtruth/3\.png",
        r"^train: each class should have 5% of the pixels.* class 1 with 1\.95%\.",
    )
    make(tmp_path / "labels", CLASSIFICATION, n=25)
    rows = [f"{i}.png,{'b' if i == 7 else 'a'}" for i in range(25)]
    write_table(tmp_path / "labels", "train", rows)
    warnings = inspect_project(tmp_path / "labels", CLASSIFICATION).warnings
    assert_found(warnings, r"5% of the images or more\. Got class b with 4\.00%\.")
