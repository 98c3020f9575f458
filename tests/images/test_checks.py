"""Tests of the checks of images and masks."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection, check_images, check_images_and_masks


class ArrayLike:
    """Reads single images only, as zarr arrays and h5py datasets do."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __len__(self):
        return len(self._array)

    def __getitem__(self, index):
        if not isinstance(index, int):
            raise TypeError("one image at a time")
        return self._array[index]


class NotAnArray:
    """Has nothing but a way to become an array."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


def images_of(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [(rng.random(shape) * 9).astype(dtype) for shape in shapes]


def as_objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def collection_of(items):
    names = [f"{index}.png" for index in range(len(items))]
    return ImageCollection(names, read=lambda name: items[int(name[0])])


CONTAINERS = [list, tuple, as_objects, collection_of, ImageCollection]


@pytest.mark.parametrize(
    ("shape", "spatial_ndim", "expected"),
    [
        ((2, 5, 6), 2, (5, 6, 1)),
        ((2, 5, 6, 3), 2, (5, 6, 3)),
        ((2, 4, 5, 6), 3, (4, 5, 6, 1)),
        ((2, 4, 5, 6, 2), 3, (4, 5, 6, 2)),
    ],
)
@pytest.mark.parametrize("wrap", [np.asarray, ArrayLike, NotAnArray])
def test_a_stack_gives_images_with_channels(wrap, shape, spatial_ndim, expected):
    stack = images_of(shape)[0]
    images = check_images(wrap(stack), spatial_ndim=spatial_ndim)
    assert images.stacked
    assert images.n_channels == expected[-1]
    assert images.spatial_ndim == spatial_ndim
    assert [image.shape for image in images] == [expected, expected]
    np.testing.assert_array_equal(images[1], stack[1].reshape(expected))


@pytest.mark.parametrize("wrap", CONTAINERS)
def test_images_of_different_sizes_are_kept_in_order(wrap):
    items = images_of((4, 5, 3), (7, 3, 3), (2, 2, 3))
    images = check_images(wrap(items), spatial_ndim=2)
    assert not images.stacked
    assert [images.shape(index) for index in range(3)] == [(4, 5), (7, 3), (2, 2)]
    for image, item in zip(images, items, strict=True):
        np.testing.assert_array_equal(image, item)


def test_grey_images_without_channels_get_one():
    images = check_images(images_of((4, 5), (3, 3, 1)), spatial_ndim=2)
    assert [image.shape for image in images] == [(4, 5, 1), (3, 3, 1)]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64])
def test_images_keep_their_dtype_and_memory(dtype):
    stack = images_of((2, 4, 4), dtype=dtype)[0]
    image = check_images(stack, spatial_ndim=2)[0]
    assert image.dtype == dtype
    assert np.shares_memory(image, stack)


def test_nested_lists_of_numbers_are_images():
    images = check_images([[[1, 2], [3, 4]]], spatial_ndim=2)
    assert images[0][..., 0].tolist() == [[1, 2], [3, 4]]


def test_an_object_array_of_numbers_becomes_float():
    images = check_images(np.ones((2, 3, 3), dtype=object), spatial_ndim=2)
    assert images[0].dtype == np.float64


def test_images_of_a_memmap_stay_on_disk(tmp_path):
    stack = np.memmap(tmp_path / "x", np.uint16, "w+", shape=(2, 4, 4))
    assert isinstance(check_images(stack, spatial_ndim=2)[0], np.memmap)


def test_a_collection_has_only_its_first_image_read():
    read = []

    def reader(item):
        read.append(item)
        return np.zeros((4, 4))

    check_images(ImageCollection([0, 1, 2], read=reader), spatial_ndim=2)
    assert read == [0]


def test_taking_some_images_keeps_their_numbers_in_messages():
    items = images_of((4, 4), (4, 4), (4, 4))
    items[2][0, 0] = np.nan
    some = check_images(items, spatial_ndim=2).take([2, 0])
    np.testing.assert_array_equal(some[1][..., 0], items[0])
    with pytest.raises(ImageError, match="Image 2 of `X`"):
        some[0]


def test_a_slice_gives_checked_images():
    items = images_of((2, 2), (3, 3), (4, 4))
    some = check_images(items, spatial_ndim=2)[1:]
    assert [image.shape for image in some] == [(3, 3, 1), (4, 4, 1)]
    assert repr(some) == "<CheckedImages of length 2>"


def test_an_index_out_of_range_is_refused():
    images = check_images(np.zeros((2, 4, 4)), spatial_ndim=2)
    with pytest.raises(IndexError, match="0 and 1 .* 2 images of `X`. Got 2"):
        images[2]


@pytest.mark.parametrize("wrap", [np.asarray, as_objects, collection_of])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused_with_the_index(wrap, value):
    items = [np.zeros((4, 4)), np.full((4, 4), value)]
    images = check_images(wrap(items), spatial_ndim=2)
    with pytest.raises(ImageError, match=r"Image 1.*finite.*NaN, inf.* 16 of 16"):
        images[1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_one_nan_is_found(dtype):
    stack = np.zeros((1, 8, 8), dtype)
    stack[0, 3, 3] = np.nan
    with pytest.raises(ImageError, match="at 1 of 64 values"):
        check_images(stack, spatial_ndim=2)[0]


def test_the_file_is_named_in_messages():
    images = check_images(
        collection_of([np.zeros((4, 4)), np.full((4, 4), np.nan)]), spatial_ndim=2
    )
    with pytest.raises(ImageError, match=r"Image 1 \(1.png\) of `X` must be finite"):
        images[1]


@pytest.mark.parametrize(
    ("shape", "spatial_ndim", "message"),
    [
        ((8, 32), 2, r"\(n_samples, height, width\[, channels\]\). Got \(8, 32\). For"),
        ((8,), 2, r".*Got \(8,\)"),
        ((2, 3, 4, 5, 6), 2, r".*Got \(2, 3, 4, 5, 6\)"),
        ((8, 32, 32), 3, r"\(n_samples, depth, height, width\[, channels\]\). Got"),
    ],
)
def test_a_stack_of_other_axes_is_refused(shape, spatial_ndim, message):
    with pytest.raises(ImageError, match=f"`X` must have shape {message}"):
        check_images(np.zeros(shape), spatial_ndim=spatial_ndim)


@pytest.mark.parametrize("wrap", [list, as_objects])
def test_an_item_of_other_axes_is_refused_with_the_index(wrap):
    items = images_of((4, 4, 3), (4, 4, 4, 3))
    with pytest.raises(
        ImageError, match=r"Image 1 of `X` must have.*Got \(4, 4, 4, 3\)"
    ):
        check_images(wrap(items), spatial_ndim=2)


def test_images_of_another_number_of_channels_than_fitted_are_refused():
    with pytest.raises(
        ImageError, match="fitted on images with 3 channels. Got 1 in image 0 of `X`"
    ):
        check_images(np.zeros((2, 4, 4)), spatial_ndim=2, n_channels=3)


def test_images_of_unequal_channels_are_refused():
    with pytest.raises(
        ImageError, match="same number of channels. Image 0 has 3, image 1 of `X` has 1"
    ):
        check_images(images_of((4, 4, 3), (4, 4)), spatial_ndim=2)


@pytest.mark.parametrize("X", [[], (), np.zeros((0, 8, 8)), ImageCollection([])])
def test_no_images_are_refused(X):
    with pytest.raises(
        ImageError, match=r"Found array with 0 sample\(s\): `X` .* one image. Got 0"
    ):
        check_images(X, spatial_ndim=2)


@pytest.mark.parametrize("X", [np.zeros((2, 0, 8)), [np.zeros((0, 8))]])
def test_an_image_without_pixels_is_refused(X):
    with pytest.raises(ImageError, match="Image 0 of `X` must hold at least one pixel"):
        check_images(X, spatial_ndim=2)


def test_complex_images_are_refused():
    with pytest.raises(
        ImageError, match=r"Complex data not supported: image 0.*np.abs"
    ):
        check_images(np.zeros((2, 4, 4), complex), spatial_ndim=2)


@pytest.mark.parametrize("X", [["a.png", "b.png"], np.array(["a.png"])])
def test_file_names_are_refused_with_a_way_out(X):
    with pytest.raises(
        (TypeError, ImageError), match="ImageCollection|must have shape"
    ):
        check_images(X, spatial_ndim=2)


def test_ragged_lists_are_refused():
    with pytest.raises(TypeError, match="Image 0 of `X` must be an array of bool"):
        check_images([[[1, 2], [3]]], spatial_ndim=2)


def test_sparse_matrices_are_refused():
    with pytest.raises(TypeError, match="sparse matrices cannot hold images"):
        check_images(csr_array(np.eye(3)), spatial_ndim=2)


@pytest.mark.parametrize("X", [None, "a.png", {"a": 1}, 3])
def test_what_is_no_sequence_is_refused(X):
    with pytest.raises(TypeError, match="`X` must be an array, a list of arrays or an"):
        check_images(X, spatial_ndim=2)


def test_a_single_value_is_refused():
    with pytest.raises(ImageError, match="`X` must hold images. Got a single value"):
        check_images(np.array(3), spatial_ndim=2)


def test_one_spatial_axis_is_refused():
    with pytest.raises(ValueError, match="`spatial_ndim` must be 2 or 3. Got 1"):
        check_images(np.zeros((2, 4, 4)), spatial_ndim=1)


def test_another_name_is_used_in_messages():
    with pytest.raises(ImageError, match="`y` must have shape"):
        check_images(np.zeros((2, 4)), spatial_ndim=2, name="y")


@pytest.mark.parametrize("spatial", [(6, 7), (3, 6, 7)])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("wrap", [np.asarray, list, collection_of])
def test_masks_settle_the_number_of_spatial_axes(wrap, spatial, channels):
    X = np.zeros((2, *spatial, *channels))
    y = np.zeros((2, *spatial), np.uint8)
    images, masks = check_images_and_masks(wrap(X), wrap(y))
    assert images.spatial_ndim == masks.spatial_ndim == len(spatial)
    assert images[1].shape == (*spatial, *(channels or (1,)))
    assert masks[1].shape == spatial
    assert masks.stacked == (wrap is np.asarray)


@pytest.mark.parametrize(
    ("mask", "dtype"),
    [
        (np.eye(4, dtype=bool), bool),
        (np.eye(4, dtype=np.uint8), np.uint8),
        (np.eye(4), np.int64),
    ],
)
def test_masks_are_bool_or_whole_numbers(mask, dtype):
    _, masks = check_images_and_masks([np.zeros((4, 4))], [mask])
    assert masks[0].dtype == dtype
    np.testing.assert_array_equal(masks[0], mask)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([[0, 255], [3, 255]], np.uint8, [0, 3, 255]),
        ([[-1, 5], [5, 5]], np.int16, [-1, 5]),
        ([[0, 10**9], [7, 7]], np.int64, [0, 7, 10**9]),
        ([[False, True], [True, True]], bool, [False, True]),
        ([[2.0, 1.0], [0.0, 0.0]], np.float32, [0, 1, 2]),
    ],
)
def test_classes_are_the_values_of_all_masks(values, dtype, expected):
    y = [np.full((3, 3), value, dtype) for pair in values for value in pair]
    _, masks = check_images_and_masks(np.zeros((4, 3, 3)), y)
    classes = masks.classes()
    assert classes.tolist() == expected
    assert classes.dtype.kind == ("b" if dtype is bool else np.dtype(dtype).kind) or (
        classes.dtype == np.int64
    )


def test_classes_of_a_selection_are_its_own():
    y = np.arange(3)[:, None, None] * np.ones((3, 2, 2), int)
    _, masks = check_images_and_masks(np.zeros((3, 2, 2)), y)
    assert masks.take([2, 0]).classes().tolist() == [0, 2]


def test_a_collection_is_read_once_and_its_shapes_are_known_then():
    read = []

    def reader(item):
        read.append(item)
        return np.zeros((4, 4 + item), np.uint8)

    images, _ = check_images_and_masks(
        ImageCollection([0, 1], read=reader), [np.zeros((4, 4)), np.zeros((4, 5))]
    )
    n_read = len(read)
    assert images.shape(1) == (4, 5)
    assert len(read) == n_read
    assert read.count(1) == 1


def test_unequal_numbers_are_refused():
    with pytest.raises(
        ImageError, match="one mask per image of `X`. Got 3 images and 2"
    ):
        check_images_and_masks(np.zeros((3, 4, 4)), np.zeros((2, 4, 4)))


@pytest.mark.parametrize("wrap", [list, collection_of])
def test_unequal_shapes_are_listed_with_both_numbers(wrap):
    X = wrap(images_of((4, 4), (5, 5), (6, 6)))
    y = wrap(images_of((4, 3), (5, 5), (6, 7), dtype=np.uint8))
    with pytest.raises(
        ImageError,
        match=r"same height, width.*image 0.* is \(4, 4\), its mask \(4, 3\); image 2",
    ):
        check_images_and_masks(X, y)


def test_a_long_list_of_problems_is_cut():
    X, y = np.zeros((8, 4, 4)), np.zeros((8, 4, 5), int)
    with pytest.raises(ImageError, match="image 4 is.*; and 3 more"):
        check_images_and_masks(X, y)


@pytest.mark.parametrize(
    ("X_shape", "y_shape"),
    [
        ((2, 8, 8, 3), (2, 8, 8, 1)),
        ((2, 8, 8, 1), (2, 8, 8, 1)),
        ((2, 8, 8), (2, 8, 8, 1)),
        ((2, 4, 8, 8, 3), (2, 4, 8, 8, 1)),
    ],
)
@pytest.mark.parametrize("wrap", [np.asarray, list])
def test_a_channel_axis_of_masks_is_refused_with_a_way_out(wrap, X_shape, y_shape):
    with pytest.raises(ImageError, match=r"Drop the last axis of `y`: `y\[..., 0\]`"):
        check_images_and_masks(wrap(np.zeros(X_shape)), wrap(np.zeros(y_shape)))


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("n_colours", [2, 3, 4])
@pytest.mark.parametrize("wrap", [np.asarray, list, collection_of])
def test_masks_in_colours_are_refused(wrap, n_colours, channels):
    X, y = np.zeros((2, 8, 9, *channels)), np.zeros((2, 8, 9, n_colours), np.uint8)
    with pytest.raises(ImageError, match=r"`y` .* no colours.* one number for each"):
        check_images_and_masks(wrap(X), wrap(y))


@pytest.mark.parametrize("spatial", [(8, 9, 5), (3, 9, 4), (8, 4, 4)])
def test_volumes_are_not_taken_for_colours(spatial):
    y = np.zeros((2, *spatial), int)
    assert check_images_and_masks(y * 1.0, y)[0].spatial_ndim == 3
    narrow = np.zeros((2, 8, 9, 3), int)
    images, _ = check_images_and_masks(narrow[..., np.newaxis], narrow)
    assert images.spatial_ndim == 3


def test_volumes_one_pixel_wide_with_channels_are_no_mistake():
    images, _ = check_images_and_masks(
        np.zeros((2, 4, 8, 1, 2)), np.zeros((2, 4, 8, 1), int)
    )
    assert images.spatial_ndim == 3


def test_a_channel_axis_of_one_mask_is_refused():
    y = [np.zeros((4, 4), int), np.zeros((4, 4, 1), int)]
    with pytest.raises(ImageError, match=r"Mask 1 of `y` .*Drop its last axis"):
        check_images_and_masks(np.zeros((2, 4, 4)), y)


@pytest.mark.parametrize("y", [[0, 1], np.array([0, 1]), ["a", "b"], np.array(["a"])])
def test_one_label_per_image_is_refused_with_a_way_out(y):
    with pytest.raises(
        ImageError, match="`y` must hold one mask per image.*ImageClassifier"
    ):
        check_images_and_masks(np.zeros((2, 4, 4)), y)


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 4, 4, 4)])
def test_masks_that_are_neither_2d_nor_3d_are_refused(shape):
    with pytest.raises(ImageError, match=r"`y` must have shape \(n_samples, height"):
        check_images_and_masks(np.zeros((2, 4, 4)), np.zeros(shape))


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_masks_of_other_than_whole_numbers_are_refused(value):
    y = np.zeros((2, 4, 4))
    y[1, 2, 2] = value
    with pytest.raises(
        ImageError, match=f"Mask 1 of `y` must hold whole numbers.*Got {value}"
    ):
        check_images_and_masks(np.zeros((2, 4, 4)), y)


def test_a_bad_image_is_found_before_training():
    X = np.zeros((2, 4, 4))
    X[1] = np.nan
    with pytest.raises(ImageError, match="Image 1 of `X` must be finite"):
        check_images_and_masks(X, np.zeros((2, 4, 4)))


def test_no_masks_are_refused():
    with pytest.raises(ImageError, match=r"Found array with 0 sample\(s\): `y`"):
        check_images_and_masks(np.zeros((2, 4, 4)), [])


def test_images_named_y_are_still_images():
    images = check_images(np.full((1, 4, 4), np.nan), spatial_ndim=2, name="y")
    with pytest.raises(ImageError, match="Image 0 of `y` must be finite"):
        images[0]


def test_reading_images_looks_up_no_names_of_others():
    class Paths(list):
        looked_up = 0

        def __getitem__(self, index):
            self.looked_up += 1
            return super().__getitem__(index)

    paths = Paths(f"{index}.png" for index in range(1000))
    collection = ImageCollection(paths, read=lambda path: np.zeros((2, 2)))
    images = check_images(collection, spatial_ndim=2)
    paths.looked_up = 0
    images[500]
    assert paths.looked_up < 10
