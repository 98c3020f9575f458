"""Folders of one image each, with one mask for each of its objects."""

import shutil

import numpy as np
import pytest
from PIL import Image

from instantdl.exceptions import ImageError
from instantdl.io import load_folder, read_masks, write_image


def _write(root, name, labels, *, image="image", mask="mask"):
    (root / name / image).mkdir(parents=True)
    (root / name / mask).mkdir()
    write_image(root / name / image / f"{name}.png", labels.astype(np.uint8))
    for number in np.unique(labels[labels > 0]):
        found = 255 * (labels == number).astype(np.uint8)
        write_image(root / name / mask / f"{number}.png", found)


LABELS = np.array([[1, 1, 0, 2], [0, 0, 3, 2]])


@pytest.mark.parametrize("names", [("image", "mask"), ("images", "masks")])
def test_each_folder_is_an_image_and_its_objects(tmp_path, names):
    for name in ("b10", "b9"):
        _write(tmp_path, name, LABELS, image=names[0], mask=names[1])
    (tmp_path / ".hidden" / "image").mkdir(parents=True)
    data = load_folder(tmp_path)
    assert data.names == ["b9", "b10"]
    for image, labels in zip(data.X, data.y, strict=True):
        np.testing.assert_array_equal(image, LABELS)
        np.testing.assert_array_equal(labels, LABELS)
    assert data.groups is None
    assert data.channels == []


@pytest.mark.parametrize("name", ["image", "images"])
def test_without_any_masks_there_are_no_targets(tmp_path, name):
    for item in ("b10", "b9"):
        _write(tmp_path, item, LABELS, image=name)
        shutil.rmtree(tmp_path / item / "mask")
    data = load_folder(tmp_path)
    assert data.names == ["b9", "b10"]
    assert data.y is None
    np.testing.assert_array_equal(data.X[0], LABELS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "a").rename(root / "test"),
        lambda root: (root / "a" / "image" / "a.png").unlink(),
        lambda root: shutil.copy(root / "a/image/a.png", root / "a/image/more.png"),
        lambda root: (root / "a" / "groundtruth").mkdir(),
        lambda root: (root / "a" / "image1").mkdir(),
    ],
    ids=["name", "none", "two", "targets", "channels"],
)
def test_folders_of_many_images_are_not_taken_for_images(tmp_path, spoil):
    for item in ("a", "b"):
        _write(tmp_path, item, LABELS)
        shutil.rmtree(tmp_path / item / "mask")
    spoil(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"a folder `image/`.* Load .* instead"):
        load_folder(tmp_path)


def test_of_masks_that_overlap_the_first_has_the_pixels(tmp_path):
    write_image(tmp_path / "2.png", np.array([[1, 1, 0]], np.uint8))
    write_image(tmp_path / "10.png", np.array([[0, 1, 1]], np.uint8))
    np.testing.assert_array_equal(read_masks(tmp_path), [[1, 1, 2]])


def test_a_black_mask_is_no_object_and_colours_are_one(tmp_path):
    write_image(tmp_path / "1.png", np.zeros((2, 2), np.uint8))
    assert not read_masks(tmp_path).any()
    (tmp_path / "1.png").unlink()
    colour = np.zeros((2, 2, 3), np.uint8)
    colour[0, 0, 1] = 9
    write_image(tmp_path / "1.png", colour)
    np.testing.assert_array_equal(read_masks(tmp_path), [[1, 0], [0, 0]])


def test_of_masks_with_a_palette_the_numbers_count(tmp_path):
    mask = Image.fromarray(np.array([[0, 1], [0, 0]], np.uint8))
    mask.putpalette([255, 255, 255, 0, 0, 0])
    mask.save(tmp_path / "1.png")
    np.testing.assert_array_equal(read_masks(tmp_path), [[0, 1], [0, 0]])


def test_links_to_masks_that_lead_nowhere_are_told_of(tmp_path):
    for name in ("a", "b"):
        _write(tmp_path, name, LABELS)
    link = tmp_path / "b" / "mask" / "2.png"
    link.unlink()
    link.symlink_to(tmp_path / "absent.png")
    told = r"Got 1 problem\.(.|\n)*b/mask/2\.png is a link"
    with pytest.raises(ImageError, match=told):
        load_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"lead nowhere, such as 2\.png"):
        read_masks(link.parent)


def test_masks_of_different_sizes_are_named(tmp_path):
    write_image(tmp_path / "1.png", np.zeros((2, 2), np.uint8))
    write_image(tmp_path / "2.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(ImageError, match=r"2\.png: masks of one image .* \(2, 3\)"):
        read_masks(tmp_path)


def test_a_folder_without_masks_is_named(tmp_path):
    with pytest.raises(ImageError, match="mask of each object"):
        read_masks(tmp_path)
    with pytest.raises(FileNotFoundError, match="none"):
        read_masks(tmp_path / "none")


def test_all_problems_are_reported_at_once(tmp_path):
    for name in ("a", "b", "c", "d"):
        _write(tmp_path, name, LABELS)
    write_image(tmp_path / "b" / "image" / "more.png", LABELS.astype(np.uint8))
    for path in (tmp_path / "c" / "mask").iterdir():
        path.unlink()
    for path in (tmp_path / "d" / "mask").iterdir():
        path.unlink()
    (tmp_path / "d" / "mask").rmdir()
    with pytest.raises(ImageError, match="Got 3 problems") as caught:
        load_folder(tmp_path)
    for part in ("b/image/ must hold one image, not 2", "c/mask/", "d/mask/"):
        assert part in str(caught.value)
