import numpy as np
import pytest
import tifffile
from PIL import Image

from instantdl.exceptions import ImageError
from instantdl.io import read_image, write_image

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize(
    "shape", [(8, 9), (8, 9, 2), (8, 9, 3), (5, 8, 9), (5, 8, 9, 2), (5, 8, 9, 3)]
)
def test_tiff_gives_back_what_was_written(tmp_path, shape, dtype):
    image = (RNG.random(shape) * 200).astype(dtype)
    write_image(tmp_path / "a.tif", image)
    read = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read, image)
    assert read.dtype == dtype


def test_channels_of_tiff_are_pages_for_other_programs(tmp_path):
    image = RNG.random((8, 9, 6)).astype(np.float32)
    write_image(tmp_path / "a.tif", image, channels_last=True)
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "a.tif"), np.moveaxis(image, -1, 0)
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)


def test_planes_may_be_three_columns_wide(tmp_path):
    image = RNG.integers(0, 255, (5, 8, 3)).astype(np.uint8)
    write_image(tmp_path / "a.tif", image, channels_last=False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)


def test_tiff_is_compressed(tmp_path):
    write_image(tmp_path / "a.tif", np.zeros((500, 500), np.uint16))
    assert (tmp_path / "a.tif").stat().st_size < 10_000


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_png_gives_back_what_was_written(tmp_path, shape, dtype):
    image = RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    write_image(tmp_path / "a.png", image)
    read = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read, image)
    assert read.dtype == dtype


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float64, np.float16])
def test_npy_gives_back_what_was_written(tmp_path, dtype):
    image = (RNG.random((4, 5, 6)) * 2).astype(dtype)
    write_image(tmp_path / "a.npy", image)
    read = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(read, image)
    assert read.dtype == dtype


@pytest.mark.parametrize("name", ["a.bmp", "a.jpg"])
def test_bmp_and_jpeg_take_8_bits(tmp_path, name):
    image = np.full((8, 9, 3), 100, np.uint8)
    write_image(tmp_path / name, image)
    np.testing.assert_allclose(np.array(Image.open(tmp_path / name)), image, atol=2)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_bool_becomes_0_and_255(tmp_path, name):
    mask = RNG.random((8, 9)) > 0.5
    write_image(tmp_path / name, mask)
    read = read_image(tmp_path / name)
    np.testing.assert_array_equal(read, mask * 255)
    assert read.dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "largest", "dtype"),
    [
        ("a.png", 40_000, np.uint16),
        ("a.tif", 40_000, np.uint16),
        ("a.tif", 70_000, np.int32),
    ],
)
@pytest.mark.parametrize("source", [np.int32, np.int64, np.uint32])
def test_label_images_get_the_dtype_that_holds_them(
    tmp_path, name, largest, dtype, source
):
    labels = np.array([[0, 1], [2, largest]], source)
    write_image(tmp_path / name, labels)
    read = read_image(tmp_path / name)
    np.testing.assert_array_equal(read, labels)
    assert read.dtype == dtype


def test_float64_becomes_float32_in_tiff(tmp_path):
    image = RNG.random((8, 9))
    write_image(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif"), image.astype(np.float32)
    )


BAD = [
    ("a.png", np.zeros((4, 4), np.float32), r"holds uint8 or uint16.*Got float32"),
    ("a.png", np.zeros((2, 4, 4), np.uint8), r"Got uint8 of shape \(2, 4, 4\). Write"),
    ("a.png", np.full((4, 4), 70_000), r"Got int32 .*\.tif or \.npy file"),
    ("a.jpg", np.zeros((4, 4), np.uint16), r"a .jpg file holds uint8 of shape"),
    ("a.tif", np.full((4, 4), 2**40), r"fit into 32 bits.*Got values from 1099511"),
    ("a.tif", np.zeros((4, 4), complex), r"bool, integer or float values. Got complex"),
    ("a.tif", np.zeros(4), r"two to four axes.*Got shape \(4,\)"),
    ("a.tif", np.zeros((0, 4)), r"at least one pixel. Got shape \(0, 4\)"),
    ("a.gif", np.zeros((4, 4)), r"can be written to .tif.*Got .gif"),
    ("a", np.zeros((4, 4)), r"Got no ending. Use .tif"),
]


@pytest.mark.parametrize(("name", "image", "match"), BAD)
def test_what_a_file_cannot_hold_is_refused(tmp_path, name, image, match):
    with pytest.raises(ImageError, match=match):
        write_image(tmp_path / name, image)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder must exist. Got no folder"):
        write_image(tmp_path / "results" / "a.tif", np.zeros((4, 4)))


def test_a_failing_write_leaves_the_older_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    write_image(path, np.ones((4, 4), np.uint8))

    def fail(file, *args, **kwargs):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    with pytest.raises(OSError, match="disk full"):
        write_image(path, np.zeros((4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == [path]
    assert read_image(path).all()


def test_the_image_is_not_changed(tmp_path):
    image = RNG.random((8, 9, 3))
    copy = image.copy()
    write_image(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(image, copy)
