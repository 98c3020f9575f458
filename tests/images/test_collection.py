"""Tests of the lazy sequence of images."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_val_score,
    train_test_split,
)

from instantdl.images import ImageCollection


def read_square(path):
    """Return an image that holds the number its file is named after."""
    return np.full((2, 2), int(Path(path).stem))


class CountingReader:
    """Counts how many images it has read."""

    def __init__(self):
        self.n_read = 0

    def __call__(self, path):
        self.n_read += 1
        return read_square(path)


class MeanEstimator(BaseEstimator):
    """Learns the mean over a collection; its score is that mean."""

    def __init__(self, offset=0):
        self.offset = offset

    def fit(self, X, y):
        if not (isinstance(X, ImageCollection) and isinstance(y, ImageCollection)):
            raise TypeError("expected collections")
        self.mean_ = np.mean([image.mean() for image in X])
        return self

    def score(self, X, y):
        return float(np.mean([image.mean() for image in X])) + self.offset


@pytest.fixture
def paths():
    return [f"{number}.png" for number in range(6)]


@pytest.fixture
def images(paths):
    return ImageCollection(paths, read=read_square)


def values(collection):
    return [int(image[0, 0]) for image in collection]


def test_an_int_reads_the_image(images):
    np.testing.assert_array_equal(images[4], np.full((2, 2), 4))


@pytest.mark.parametrize("index", [-1, np.int64(5), np.uint8(5), (5,), (5, ...)])
def test_every_kind_of_int_reads_the_image(images, index):
    assert images[index][0, 0] == 5


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (slice(1, 5, 2), [1, 3]),
        (slice(None, None, -1), [5, 4, 3, 2, 1, 0]),
        ([4, 0, 4], [4, 0, 4]),
        ([-1, 1], [5, 1]),
        (np.array([2, 3]), [2, 3]),
        (np.array([True, False, False, False, False, True]), [0, 5]),
        ([False, True, False, False, False, False], [1]),
        ([], []),
        ((np.array([2, 3]), ...), [2, 3]),
        (([1, 2],), [1, 2]),
        (..., [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_selection_gives_a_smaller_collection(images, key, expected):
    view = images[key]
    assert isinstance(view, ImageCollection)
    assert values(view) == expected


def test_a_selection_of_a_selection_counts_in_the_first(images):
    assert values(images[[5, 3, 1]][[2, 0]]) == [1, 5]


def test_selecting_reads_nothing(paths):
    reader = CountingReader()
    images = ImageCollection(paths, read=reader)
    train, test = train_test_split(images, random_state=0)
    train_test_split(train, test_size=1, random_state=0)
    assert (len(train), len(test), len(images[::2])) == (4, 2, 3)
    assert repr(images) == "<ImageCollection of 6 images>"
    assert reader.n_read == 0


def test_it_looks_like_an_array_of_objects(images):
    assert (images.shape, images.ndim, images.dtype) == ((6,), 1, np.dtype(object))
    assert not hasattr(images, "__array__")


def test_names_follow_the_selection(images):
    assert images[[3, 1]].names == ["3.png", "1.png"]


def test_names_come_from_path_objects():
    images = ImageCollection([Path("a") / "1.png"], read=read_square)
    assert images.names == [str(Path("a") / "1.png")]


def test_names_of_several_files_per_image_are_the_first_ones():
    images = ImageCollection([("a/1.png", "b/1.png")], read=lambda item: item)
    assert images.names == ["a/1.png"]


def test_arrays_have_no_names():
    assert ImageCollection([np.zeros((2, 2))]).names is None


def test_without_a_reader_items_are_the_images():
    stack = np.arange(8).reshape(2, 2, 2)
    np.testing.assert_array_equal(ImageCollection(stack)[1], stack[1])


def test_a_pickled_selection_reads_the_same(images):
    view = pickle.loads(pickle.dumps(images[[4, 2]]))
    assert values(view) == [4, 2]


@pytest.mark.parametrize("cv", [KFold(3), ShuffleSplit(3, test_size=2)])
def test_cross_validation_hands_out_collections(images, cv):
    scores = cross_val_score(
        MeanEstimator(), images, images, cv=cv, error_score="raise"
    )
    folds = [test for _, test in cv.split(images)]
    if isinstance(cv, KFold):
        np.testing.assert_allclose(scores, [np.mean(fold) for fold in folds])
    assert len(scores) == 3


def test_grid_search_runs_in_two_processes(images):
    search = GridSearchCV(
        MeanEstimator(), {"offset": [0, 1]}, cv=2, n_jobs=2, error_score="raise"
    )
    search.fit(images, images)
    assert search.best_params_ == {"offset": 1}
    assert search.best_score_ == 3.5


@pytest.mark.parametrize("index", [6, -7])
def test_an_int_out_of_range_names_both_numbers(images, index):
    with pytest.raises(IndexError, match=rf"0 and 5 .* 6 images. Got {index}"):
        images[index]


def test_a_list_out_of_range_names_both_numbers(images):
    with pytest.raises(IndexError, match="0 and 5 .* 6 images. Got 9"):
        images[[0, 9]]


def test_a_mask_of_another_length_is_refused(images):
    with pytest.raises(IndexError, match="one value per image. Got 2 values for 6"):
        images[[True, False]]


@pytest.mark.parametrize("key", ["a", 1.5, [[0, 1]], ["0.png"]])
def test_an_index_that_is_none_is_refused(images, key):
    with pytest.raises(IndexError, match="must be an int, a slice, a list of ints"):
        images[key]


def test_two_indices_are_refused(images):
    with pytest.raises(IndexError, match="takes one index. Got 2"):
        images[0, 1]


def test_a_reader_that_cannot_be_called_is_refused(paths):
    with pytest.raises(TypeError, match="`read` must be a callable.*Got str"):
        ImageCollection(paths, read="png")


def test_a_source_without_length_is_refused():
    with pytest.raises(TypeError, match="`source` must be a sequence.*Got generator"):
        ImageCollection(path for path in "ab")
