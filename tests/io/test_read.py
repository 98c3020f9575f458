import gzip
import struct
import sys

import imagecodecs
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from instantdl.exceptions import ImageError
from instantdl.io import read_image

RNG = np.random.default_rng(0)


def pixels(*shape, dtype=np.uint16):
    return RNG.integers(0, 255, shape).astype(dtype)


@pytest.fixture
def tif(tmp_path):
    return tmp_path / "a.tif"


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits"])
def test_compressed_tiff_is_read(tif, compression):
    image = pixels(20, 30)
    tifffile.imwrite(tif, image, compression=compression)
    np.testing.assert_array_equal(read_image(tif), image)


def test_tiff_pages_become_the_first_axis(tif):
    image = pixels(7, 20, 30)
    with tifffile.TiffWriter(tif) as writer:
        for page in image:
            writer.write(page, contiguous=False)
    np.testing.assert_array_equal(read_image(tif), image)


def test_planar_rgb_tiff_has_channels_last(tif):
    image = pixels(3, 20, 30, dtype=np.uint8)
    tifffile.imwrite(tif, image, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tif), np.moveaxis(image, 0, -1))


@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}, {}])
def test_named_channels_go_last_and_single_axes_are_dropped(tif, kind):
    image = pixels(1, 5, 2, 20, 30)
    tifffile.imwrite(tif, image, metadata={"axes": "TZCYX"}, **kind)
    np.testing.assert_array_equal(read_image(tif), np.moveaxis(image[0], 1, -1))


def test_a_single_plane_of_ome_is_a_2d_image(tif):
    image = pixels(1, 1, 1, 20, 30)
    tifffile.imwrite(tif, image, metadata={"axes": "TCZYX"}, ome=True)
    np.testing.assert_array_equal(read_image(tif), image[0, 0, 0])


def test_colours_of_several_channels_are_joined(tif):
    image = pixels(2, 20, 30, 3, dtype=np.uint8)
    tifffile.imwrite(tif, image, photometric="rgb", metadata={"axes": "CYXS"})
    expected = np.concatenate([image[0], image[1]], axis=-1)
    np.testing.assert_array_equal(read_image(tif), expected)


@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}])
def test_several_time_points_are_refused(tif, kind):
    tifffile.imwrite(tif, pixels(4, 20, 30), metadata={"axes": "TYX"}, **kind)
    with pytest.raises(ImageError, match=r"a.tif: .* one time point. Got 4"):
        read_image(tif)


def test_alpha_of_tiff_is_dropped_and_a_fourth_channel_kept(tif):
    image = pixels(20, 30, 4, dtype=np.uint8)
    tifffile.imwrite(tif, image, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(tif), image[..., :3])
    tifffile.imwrite(tif, image, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read_image(tif), image)


def test_big_endian_tiff_becomes_native(tif):
    image = pixels(20, 30)
    tifffile.imwrite(tif, image, byteorder=">")
    assert read_image(tif).dtype.isnative
    np.testing.assert_array_equal(read_image(tif), image)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P"])
def test_png_of_8_bits_is_what_pillow_sees_without_alpha(tmp_path, mode):
    picture = Image.fromarray(pixels(20, 30, 3, dtype=np.uint8)).convert(mode)
    picture.save(tmp_path / "a.PNG")
    expected = np.array(picture.convert("L" if mode in ("L", "LA") else "RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.PNG"), expected)


def test_palette_numbers_can_be_kept(tmp_path):
    picture = Image.fromarray(pixels(20, 30, 3, dtype=np.uint8)).convert("P")
    for name in ["a.png", "a.bmp"]:
        picture.save(tmp_path / name)
        kept = read_image(tmp_path / name, keep_palette=True)
        np.testing.assert_array_equal(kept, np.array(picture))
        assert read_image(tmp_path / name).shape == (20, 30, 3)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_png_of_16_bits_keeps_them(tmp_path, shape):
    image = RNG.integers(0, 2**16, shape).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    expected = image if len(shape) == 2 else image[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.bmp"])
def test_jpeg_and_bmp_are_what_pillow_sees(tmp_path, name, mode):
    Image.fromarray(pixels(20, 30, 3, dtype=np.uint8)).convert(mode).save(
        tmp_path / name
    )
    expected = np.array(Image.open(tmp_path / name))
    np.testing.assert_array_equal(read_image(tmp_path / name), expected)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_turned_as_its_exif_data_say(tmp_path, mode):
    picture = Image.fromarray(pixels(20, 30, 3, dtype=np.uint8)).convert(mode)
    exif = Image.Exif()
    for orientation in range(10):
        exif[0x0112] = orientation  # 6: turn it clockwise
        picture.save(tmp_path / "a.jpg", exif=exif)
        expected = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)
        if orientation == 6:
            stored = np.array(Image.open(tmp_path / "a.jpg"))
            np.testing.assert_array_equal(expected, np.rot90(stored, -1))


@pytest.mark.filterwarnings("ignore:.*orrupt EXIF data:UserWarning")  # Pillow's own
def test_jpeg_with_damaged_exif_data_is_read_as_it_lies(tmp_path):
    picture = Image.fromarray(pixels(20, 30, 3, dtype=np.uint8))
    for damaged in (b"", b"no tags", b"II*\0\xff\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"):
        picture.save(tmp_path / "a.jpg", exif=b"Exif\0\0" + damaged)
        assert read_image(tmp_path / "a.jpg").shape == (20, 30, 3)


def test_npy_keeps_its_dtype(tmp_path):
    image = RNG.random((4, 5, 6))
    np.save(tmp_path / "a.npy", image)
    read = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(read, image)
    assert type(read) is np.ndarray


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_becomes_depth_height_width(tmp_path, name):
    volume = pixels(6, 5, 4, dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / name)
    read = read_image(tmp_path / name)
    assert read.dtype == np.int16
    assert read[3, 4, 5] == volume[5, 4, 3]
    np.testing.assert_array_equal(read, volume.T)


def test_a_fourth_axis_of_nifti_becomes_channels(tmp_path):
    volume = pixels(6, 5, 4, 2, dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii")
    expected = np.stack([volume[..., 0].T, volume[..., 1].T], axis=-1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii"), expected)


def test_a_single_plane_of_nifti_is_a_2d_image(tmp_path):
    plane = pixels(6, 5, 1, dtype=np.int16)
    nibabel.save(nibabel.Nifti1Image(plane, np.eye(4)), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii"), plane[..., 0].T)


def test_scaled_nifti_is_scaled_to_float32(tmp_path):
    image = nibabel.Nifti1Image(pixels(6, 5, 4, dtype=np.int16), np.eye(4))
    image.header.set_slope_inter(2, 1)
    nibabel.save(image, tmp_path / "a.nii")
    read = read_image(tmp_path / "a.nii")
    assert read.dtype == np.float32
    expected = nibabel.load(tmp_path / "a.nii").get_fdata().T
    np.testing.assert_allclose(read, expected, rtol=1e-6)


def test_nifti_without_nibabel_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.nii").touch()
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"need nibabel.*instantdl\[nifti\]"):
        read_image(tmp_path / "a.nii")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a.png: there must be an image file"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.gif", "a", "tif"])
def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path, name):
    with pytest.raises(ImageError, match=r"must end in one of .tif, .*.nii.gz. Got"):
        read_image(tmp_path / name)


def write(path):
    image = pixels(3, 40, 50)
    if path.suffix == ".tif":
        with tifffile.TiffWriter(path) as writer:
            for page in image:
                writer.write(page, contiguous=False, metadata=None)
    elif path.name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), path)
    elif path.suffix == ".npy":
        np.save(path, image)
    else:
        Image.fromarray(image[0].astype(np.uint8)).save(path)


@pytest.mark.parametrize("left", [0.0, 0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    "name", ["a.tif", "a.png", "a.jpg", "a.bmp", "a.npy", "a.nii", "a.nii.gz"]
)
def test_a_file_that_is_cut_off_is_refused_by_name(tmp_path, name, left):
    write(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(left * len(data))])
    with pytest.raises(ImageError, match=rf"{name}: .*\. Got.*\. The file"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.bmp", "a.npy", "a.nii"])
def test_a_file_of_text_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_text("no image, but a long enough line of text" * 20)
    with pytest.raises(ImageError, match=rf"{name}: a readable .* file is needed. Got"):
        read_image(tmp_path / name)


def test_objects_in_npy_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(ImageError, match=r"a.npy: .*Python objects"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("value", [np.zeros((2, 2), complex), np.full((2, 2), "a")])
def test_other_than_numbers_is_refused(tmp_path, value):
    np.save(tmp_path / "a.npy", value)
    with pytest.raises(ImageError, match=r"bool, integer or float values. Got"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(4,), (1,)])
def test_an_array_without_rows_and_columns_is_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(ImageError, match=r"two or more axes.* Got shape"):
        read_image(tmp_path / "a.npy")


def test_an_absurd_size_in_a_png_is_refused_before_it_is_believed(tmp_path):
    data = bytearray(imagecodecs.png_encode(pixels(4, 4, dtype=np.uint8)))
    data[16:24] = struct.pack(">II", 2**20, 2**20)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=r"header must fit the file.*1024.0 GiB"):
        read_image(tmp_path / "a.png")


def test_an_absurd_size_in_a_tiff_is_refused_before_it_is_believed(tif):
    tifffile.imwrite(tif, pixels(4, 4), metadata=None)
    with tifffile.TiffFile(tif, mode="r+") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(60_000)
        tiff.pages[0].tags["ImageLength"].overwrite(60_000)
    with pytest.raises(ImageError, match=r"header must fit the file"):
        read_image(tif)


def test_an_absurd_size_in_nifti_is_refused_before_it_is_believed(tmp_path):
    image = nibabel.Nifti1Image(pixels(4, 4, 4, dtype=np.int16), np.eye(4))
    data = bytearray(image.to_bytes())
    data[42:48] = struct.pack("<3h", 2000, 2000, 2000)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(ImageError, match=r"header must fit the file"):
        read_image(tmp_path / "a.nii.gz")


def test_a_tiff_that_lacks_strips_is_refused_rather_than_filled_up(tif):
    tifffile.imwrite(
        tif, np.ones((32, 8), np.uint8), compression="zlib", rowsperstrip=8
    )
    with tifffile.TiffFile(tif, mode="r+") as tiff:
        tiff.pages.first.tags["ImageLength"].overwrite(64)
    with pytest.raises(ImageError, match="must be in its file. Got 4 of 8"):
        read_image(tif)


def test_ome_that_lacks_planes_is_refused_rather_than_filled_up(tif):
    tifffile.imwrite(tif, pixels(5, 20, 30), metadata={"axes": "ZYX"}, ome=True)
    content = tif.read_bytes()
    assert content.count(b'SizeZ="5"') == 1
    tif.write_bytes(content.replace(b'SizeZ="5"', b'SizeZ="6"'))
    with pytest.raises(ImageError, match=r"a\.tif: all planes .* plane 6 of 6"):
        read_image(tif)


def test_imagej_that_lacks_planes_is_refused(tif):
    stack = pixels(5, 20, 30)
    kind = {"imagej": True, "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(tif, stack, truncate=True, **kind)
    np.testing.assert_array_equal(read_image(tif), stack)
    content = tif.read_bytes()
    tif.write_bytes(content[: -2 * stack[0].nbytes])
    with pytest.raises(ImageError, match=r"a\.tif: all pages .* Got the first 1 only"):
        read_image(tif)
    tifffile.imwrite(tif, stack[0], imagej=True)
    np.testing.assert_array_equal(read_image(tif), stack[0])
