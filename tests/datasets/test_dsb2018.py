import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import imagecodecs
import numpy as np
import pooch
import pytest

from instantdl.datasets import _dsb2018, fetch_dsb2018
from instantdl.exceptions import ImageError
from instantdl.io import write_image

DATA = Path(
    os.environ.get("INSTANTDL_DATA")
    or Path(__file__).resolve().parents[3] / "shared" / "data"
)
MASKS = np.zeros((3, 8, 10), np.uint8)
MASKS[0, :3, :3] = MASKS[1, 5:, 5:] = MASKS[2, 2:5, 2:5] = 255


def png(image):
    return imagecodecs.png_encode(image)


def members():
    rgba = np.full((8, 10, 4), 255, np.uint8)
    rgba[..., 0] = 7
    files = {}
    for name in ["0a", "1b"]:
        files[f"{name}/images/{name}.png"] = png(rgba)
        for i, mask in enumerate(MASKS):
            files[f"{name}/masks/{name}{i}.png"] = png(mask)
    return files


def write_zip(path, files):
    with ZipFile(path, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)


@pytest.fixture(autouse=True)
def _two_images_are_all(monkeypatch):
    monkeypatch.setattr(_dsb2018, "_N_IMAGES", 2)


def check(data):
    assert data.names == ["0a", "1b"]
    assert data.X[0].shape == (8, 10, 3)
    assert data.X[0][0, 0].tolist() == [7, 255, 255]
    expected = np.where(MASKS[0], 1, np.where(MASKS[1], 2, np.where(MASKS[2], 3, 0)))
    np.testing.assert_array_equal(data.y[1], expected)
    assert data.y[1].dtype == np.int32
    assert data.is_test.tolist() == [False, False]
    assert "CC0" in data.DESCR


def test_an_archive_that_lies_there_is_unpacked_once(tmp_path):
    write_zip(tmp_path / "stage1_train.zip", members())
    check(fetch_dsb2018(tmp_path, download_if_missing=False))
    (tmp_path / "stage1_train.zip").unlink()
    check(fetch_dsb2018(tmp_path, download_if_missing=False))
    assert [path.name for path in tmp_path.iterdir()] == ["stage1_train"]


def test_a_missing_archive_is_downloaded_by_pooch(tmp_path, monkeypatch):
    write_zip(tmp_path / "source.zip", members())
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash))
        path.mkdir()
        return shutil.copy(tmp_path / "source.zip", path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    check(fetch_dsb2018(tmp_path / "home"))
    assert asked == [(_dsb2018._URL, None)]


def test_without_data_home_the_cache_of_the_user_is_taken(tmp_path, monkeypatch):
    write_zip(tmp_path / "stage1_train.zip", members())
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    check(fetch_dsb2018())


def test_a_failing_download_says_where_to_put_the_file(tmp_path, monkeypatch):
    def retrieve(*args, **kwargs):
        raise ConnectionError("unreachable")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(OSError, match=r"reach. Got ConnectionError. Download it"):
        fetch_dsb2018(tmp_path)


def test_missing_data_are_an_error_if_nothing_may_be_downloaded(tmp_path):
    with pytest.raises(OSError, match=r"no stage1_train.zip, nor folders of images"):
        fetch_dsb2018(tmp_path, download_if_missing=False)


def test_unpacked_folders_are_taken_as_they_are(tmp_path):
    for name, data in members().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    check(fetch_dsb2018(tmp_path))


def test_unpacked_folders_without_masks_are_named(tmp_path):
    (tmp_path / "0a" / "images").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"masks in `masks/`. Got 1 without: 0a"):
        fetch_dsb2018(tmp_path)


def test_masks_of_another_size_are_named(tmp_path):
    write_zip(tmp_path / "stage1_train.zip", members())
    data = fetch_dsb2018(tmp_path)
    wrong = tmp_path / "stage1_train" / "0a" / "masks" / "0a2.png"
    wrong.write_bytes(png(MASKS[0, :4]))
    with pytest.raises(ImageError, match=r"0a2.png: .*Got \(4, 10\) after \(8, 10\)"):
        data.y[0]
    shutil.rmtree(wrong.parent)
    wrong.parent.mkdir()
    with pytest.raises(ImageError, match=r"masks: there must be a mask.*Got no image"):
        data.y[0]


def write_flat(folder, names):
    for part in ["image", "groundtruth"]:
        (folder / part).mkdir(parents=True)
        for name in names:
            image = np.full((8, 10), len(name), np.uint16)
            write_image(folder / part / f"{name}.png", image)


def test_flat_folders_give_images_and_label_images(tmp_path):
    write_flat(tmp_path, ["a", "bb"])
    data = fetch_dsb2018(tmp_path)
    assert data.names == ["a", "bb"]
    assert data.X[1].shape == (8, 10, 3)
    assert data.y[1].dtype == np.int32
    assert int(data.y[1][0, 0]) == 2
    assert data.frame is None


def test_train_and_test_folders_are_joined_and_marked(tmp_path):
    write_flat(tmp_path / "train", ["b", "c"])
    write_flat(tmp_path / "test", ["a"])
    (tmp_path / "index.csv").write_text("file,kind\na,x\nb,y\nc,z\n")
    data = fetch_dsb2018(tmp_path)
    assert data.names == ["b", "c", "a"]
    assert data.is_test.tolist() == [False, False, True]
    assert data.frame["kind"].tolist() == ["y", "z", "x"]


def test_flat_folders_need_label_images(tmp_path):
    write_flat(tmp_path, ["a"])
    shutil.rmtree(tmp_path / "groundtruth")
    with pytest.raises(ImageError, match="label images must lie in `groundtruth/`"):
        fetch_dsb2018(tmp_path)


OUTSIDE = {"../evil.png": png(MASKS[0])}
BAD = [
    (lambda files: files | OUTSIDE, r"Got a member '../evil.png'"),
    (lambda files: files | {"/0a/masks/c.png": b""}, r"Got a member '/0a/masks/c.png'"),
    (lambda files: files | {"0a/masks/c.exe": b""}, r"Got a member '0a/masks/c.exe'"),
    (
        lambda files: files | {"0a/masks/c.png": b"text"},
        r"c.png', which is no PNG",
    ),
    (
        lambda files: files | {"0a/masks/c.png": png(MASKS[0, :4])},
        r"masks lack or",
    ),
    (lambda files: files | {"2c/images/2c.png": png(MASKS[0])}, r"Got 3 images"),
    (lambda files: {k: v for k, v in files.items() if k[0] == "0"}, r"Got 1 images"),
    (
        lambda files: {k: v for k, v in files.items() if "1b/masks" not in k},
        r"Got 1 images whose masks lack or differ \(1b\)",
    ),
]


@pytest.mark.parametrize(("change", "match"), BAD)
def test_an_archive_with_other_things_is_refused_and_not_unpacked(
    tmp_path, change, match
):
    write_zip(tmp_path / "stage1_train.zip", change(members()))
    with pytest.raises(ImageError, match=match):
        fetch_dsb2018(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["stage1_train.zip"]


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "stage1_train.zip"
    write_zip(path, members())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match=r"Got a damaged archive.*Remove it and fetch"):
        fetch_dsb2018(tmp_path)


def test_a_changed_byte_in_the_archive_is_noticed(tmp_path):
    path = tmp_path / "stage1_train.zip"
    write_zip(path, members())
    data = bytearray(path.read_bytes())
    data[data.find(b"IDAT") + 6] ^= 255
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"Got a damaged archive"):
        fetch_dsb2018(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["stage1_train.zip"]


def test_an_archive_that_grows_beyond_measure_is_refused(tmp_path, monkeypatch):
    write_zip(tmp_path / "stage1_train.zip", members())
    monkeypatch.setattr(_dsb2018, "_MOST_BYTES", 100)
    with pytest.raises(ImageError, match="more bytes than these images have"):
        fetch_dsb2018(tmp_path)


@pytest.mark.skipif(not (DATA / "dsb2018").is_dir(), reason="the data are not here")
def test_the_real_images_are_read():
    data = fetch_dsb2018(DATA / "dsb2018", download_if_missing=False)
    assert len(data.X) == len(data.y) == len(data.frame) == 664
    assert data.is_test.sum() == 66
    assert (data.frame["split"] == np.where(data.is_test, "test", "train")).all()
    for i in range(0, 664, 120):
        row = data.frame.iloc[i]
        assert data.X[i].shape == (row.height, row.width, 3)
        assert data.y[i].shape == (row.height, row.width)
        assert data.y[i].max() == row.n_nuclei
