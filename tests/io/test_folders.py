import pickle
import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import _safe_indexing

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.io import list_images, load_folder, write_image


def fill(folder, names, shape=(4, 5), dtype=np.uint8):
    folder.mkdir(parents=True)
    for value, name in enumerate(names):
        write_image(folder / name, np.full(shape, value, dtype))


@pytest.fixture
def root(tmp_path):
    names = ["img10.png", "img2.png", "img1.png"]
    fill(tmp_path / "image", names)
    fill(tmp_path / "groundtruth", names)
    return tmp_path


def test_images_and_targets_come_in_natural_order(root):
    data = load_folder(root)
    assert data.names == ["img1.png", "img2.png", "img10.png"]
    assert data.channels == ["image"]
    assert [int(image[0, 0]) for image in data.X] == [2, 1, 0]
    assert [int(mask[0, 0]) for mask in data.y] == [2, 1, 0]


def test_no_pixels_are_read_before_they_are_asked_for(root):
    (root / "image" / "img1.png").write_bytes(b"broken")
    data = load_folder(root)
    assert isinstance(data.X, ImageCollection)
    with pytest.raises(ImageError, match=r"img1.png"):
        data.X[0]


def test_without_groundtruth_there_is_no_target(tmp_path):
    fill(tmp_path / "image", ["a.tif"])
    assert load_folder(tmp_path).y is None


def test_endings_may_differ_between_image_and_target(tmp_path):
    fill(tmp_path / "image", ["a.ome.tif", "b.TIF"])
    fill(tmp_path / "groundtruth", ["b.png", "a.png"])
    assert [int(mask[0, 0]) for mask in load_folder(tmp_path).y] == [1, 0]


def test_letters_with_marks_pair_in_either_form(tmp_path):
    name = unicodedata.normalize("NFD", "für.png")
    fill(tmp_path / "image", [name])
    fill(tmp_path / "groundtruth", [unicodedata.normalize("NFC", name)])
    data = load_folder(tmp_path)
    assert data.names == [name]
    assert data.X[0].shape == data.y[0].shape


def test_hidden_files_are_ignored(root):
    for name in [".DS_Store", "._img1.png", "Thumbs.db", "desktop.ini"]:
        (root / "image" / name).touch()
    assert len(load_folder(root).X) == 3


def test_further_folders_give_further_channels(root):
    names = ["img1.png", "img2.png", "img10.png"]
    fill(root / "image2", names, shape=(4, 5, 3))
    fill(root / "image1", names)
    data = load_folder(root)
    assert data.channels == ["image", "image1", "image2"]
    assert data.X[0].shape == (4, 5, 5)
    np.testing.assert_array_equal(data.X[1][0, 0], [1, 1, 1, 1, 1])
    assert data.X.names[0].endswith("img1.png")


def test_volumes_of_several_folders_give_channels(tmp_path):
    for part in ["image", "image1"]:
        fill(tmp_path / part, ["a.tif"], shape=(6, 7, 8))
    assert load_folder(tmp_path).X[0].shape == (6, 7, 8, 2)


@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}])
def test_channels_that_a_file_names_are_joined_however_many(tmp_path, kind):
    image = np.arange(5 * 8 * 9, dtype=np.uint16).reshape(5, 8, 9)
    for part in ["image", "image1"]:
        (tmp_path / part).mkdir()
        path = tmp_path / part / "a.tif"
        tifffile.imwrite(path, image, metadata={"axes": "CYX"}, **kind)
    expected = np.moveaxis(np.concatenate([image, image]), 0, -1)
    np.testing.assert_array_equal(load_folder(tmp_path).X[0], expected)


def test_channels_of_different_size_are_refused_by_name(root):
    fill(root / "image1", ["img1.png", "img2.png", "img10.png"], shape=(4, 6))
    with pytest.raises(ImageError, match=r"img1.png is \(4, 5\), .* is \(4, 6\)"):
        load_folder(root).X[0]


def test_palette_masks_keep_their_numbers(tmp_path):
    fill(tmp_path / "image", ["a.png"])
    (tmp_path / "groundtruth").mkdir()
    mask = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(tmp_path / "groundtruth" / "a.png")
    np.testing.assert_array_equal(load_folder(tmp_path).y[0], [[0, 1], [2, 1]])


@pytest.mark.parametrize(
    "target",
    [
        np.array([[0, 300], [40_000, 65_535]], np.uint16),
        np.array([[-1.5, 0.0], [1e-7, 70_000.25]], np.float32),
    ],
)
def test_targets_of_regression_keep_values_and_dtype(tmp_path, target):
    fill(tmp_path / "image", ["a.tif"], shape=(2, 2))
    (tmp_path / "groundtruth").mkdir()
    write_image(tmp_path / "groundtruth" / "a.tif", target)
    read = load_folder(tmp_path).y[0]
    np.testing.assert_array_equal(read, target)
    assert read.dtype == target.dtype


def test_all_problems_are_reported_at_once(root):
    (root / "image" / "img2.png").unlink()
    (root / "groundtruth" / "img10.png").unlink()
    (root / "image" / "notes.txt").touch()
    write_image(root / "image" / "img1.tif", np.zeros((4, 5), np.uint8))
    (root / "image1").mkdir()
    with pytest.raises(ImageError) as caught:
        load_folder(root)
    text = str(caught.value)
    for problem in [
        "groundtruth/img2.png has no partner in image/",
        "image/img10.png has no partner in groundtruth/",
        "image/notes.txt is not a known image file",
        "image/ has img1.png and img1.tif, one name too many",
        "image1/ is empty",
    ]:
        assert problem in text


def test_links_that_lead_nowhere_are_told_of(root):
    for folder in ["image", "groundtruth"]:
        (root / folder / "img2.png").unlink()
        (root / folder / "img2.png").symlink_to(root / "absent.png")
    (root / "image1").symlink_to(root / "absent")
    with pytest.raises(ImageError, match="Got 3 problems") as caught:
        load_folder(root)
    for name in ["image/img2.png", "groundtruth/img2.png", "image1"]:
        assert f"{name} is a link that leads nowhere" in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"Got 1 that .* such as img2\.png"):
        list_images(root / "image")


def test_links_in_folders_of_classes_are_told_of(tmp_path):
    for name in ["a", "b", "c"]:
        fill(tmp_path / name, ["1.png"] if name != "c" else [])
        (tmp_path / name / "2.png").symlink_to(tmp_path / "absent.png")
    with pytest.raises(ImageError) as caught:
        load_folder(tmp_path)
    for name in ["a", "b", "c"]:
        assert f"{name}/2.png is a link that leads nowhere" in str(caught.value)


def test_a_long_report_is_cut(tmp_path):
    fill(tmp_path / "image", [f"{i}.npy" for i in range(40)])
    fill(tmp_path / "groundtruth", ["a.npy"])
    with pytest.raises(ImageError, match=r"Got 41 problems(.|\n)*and 21 more"):
        load_folder(tmp_path)


def test_a_folder_without_image_says_what_is_there(tmp_path):
    fill(tmp_path / "train" / "image", ["a.png"])
    with pytest.raises(FileNotFoundError, match=r"a folder `image/`. Got train. Load"):
        load_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Got nothing. Put the images into it"):
        load_folder(tmp_path / "absent")


def test_listing_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there must be a folder. Got nothing"):
        list_images(tmp_path / "absent")
    (tmp_path / "a").touch()
    with pytest.raises(FileNotFoundError, match=r"there must be a folder. Got a file"):
        list_images(tmp_path / "a")


def test_a_collection_can_be_pickled(root):
    fill(root / "image1", ["img1.png", "img2.png", "img10.png"])
    data = pickle.loads(pickle.dumps(load_folder(root)))
    assert data.X[2].shape == (4, 5, 2)
    assert data.y[2].shape == (4, 5)


def test_cross_validation_cuts_collections_without_reading(root, monkeypatch):
    data = load_folder(root)
    for path in (root / "image").iterdir():
        path.write_bytes(b"broken")
    X_train, X_test, y_train, _ = train_test_split(data.X, data.y, random_state=0)
    assert len(X_train) == len(y_train) == 2
    assert isinstance(X_test, ImageCollection)
    for train, _ in KFold(3).split(data.X):
        assert len(_safe_indexing(data.X, train)) == 2
