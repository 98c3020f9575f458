import numpy as np
import pytest
from scipy import ndimage as ndi

from instantdl.datasets import make_nuclei

SHAPES = [(64, 80), (12, 40, 48)]


@pytest.mark.parametrize("shape", SHAPES)
def test_images_and_label_images_have_the_shape_asked_for(shape):
    X, y = make_nuclei(3, shape=shape, random_state=0)
    assert X.shape == y.shape == (3, *shape)
    assert X.dtype == np.uint16
    assert y.dtype == np.int32


def test_the_same_seed_draws_the_same_images():
    first, again, other = (make_nuclei(2, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_a_seed_leaves_the_global_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_nuclei(1, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("shape", SHAPES)
def test_labels_are_consecutive_and_within_the_number_asked_for(shape):
    _, y = make_nuclei(5, shape=shape, n_nuclei=(2, 9), random_state=0)
    for labels in y:
        n = labels.max()
        assert 1 <= n <= 9
        np.testing.assert_array_equal(np.unique(labels), np.arange(n + 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_label_is_one_piece(shape):
    _, y = make_nuclei(5, shape=shape, touching=0.8, random_state=0)
    for labels in y:
        for number in range(1, labels.max() + 1):
            assert ndi.label(labels == number)[1] == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_without_touching_two_pixels_of_background_lie_between(shape):
    _, y = make_nuclei(5, shape=shape, touching=0, random_state=0)
    for labels in y:
        for number in range(1, labels.max() + 1):
            grown = ndi.binary_dilation(labels == number, iterations=2)
            assert set(np.unique(labels[grown])) <= {0, number}


def test_touching_nuclei_touch():
    _, y = make_nuclei(5, touching=0.8, n_nuclei=(15, 15), random_state=0)
    pieces = sum(ndi.label(labels > 0)[1] for labels in y)
    assert pieces < 0.7 * sum(labels.max() for labels in y)


@pytest.mark.parametrize("shape", SHAPES)
def test_nuclei_are_brighter_than_the_background(shape):
    X, y = make_nuclei(3, shape=shape, random_state=0)
    for image, labels in zip(X, y, strict=True):
        background = image[labels == 0]
        for number in range(1, labels.max() + 1):
            assert image[labels == number].mean() > background.mean() + 200


def test_noise_spreads_the_background_and_without_it_there_is_none():
    spread = []
    for noise in (0, 1, 3):
        X, y = make_nuclei(1, noise=noise, blur=0, n_nuclei=(3, 3), random_state=0)
        rows = np.diff(X[0].astype(float), axis=1)[y[0][:, 1:] + y[0][:, :-1] == 0]
        spread.append(rows.std())
    assert spread[0] < 3 < 50 < spread[1] < 0.5 * spread[2]


def test_radii_set_the_size():
    _, y = make_nuclei(5, radius=(8, 8), touching=0, shape=(200, 200), random_state=0)
    inner = [
        np.sum(labels == number)
        for labels in y
        for number in range(1, labels.max() + 1)
        if not (labels[[0, -1]] == number).any()
        and not (labels[:, [0, -1]] == number).any()
    ]
    assert np.median(inner) == pytest.approx(np.pi * 8**2, rel=0.15)


def test_an_image_without_nuclei_can_be_drawn():
    _, y = make_nuclei(2, n_nuclei=(0, 0), random_state=0)
    assert not y.any()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"n_samples": 0},
            r"'n_samples' parameter .* must be an int.*Got 0",
        ),
        (
            {"touching": 2},
            r"'touching' parameter .* must be a float.*Got 2",
        ),
        ({"blur": -1}, r"'blur' parameter .* must be a float.*Got -1"),
        ({"noise": -1}, r"'noise' parameter .* must be a float.*Got -1"),
        ({"shape": (64,)}, r"'shape' parameter .* 2 or 3 ints .* Got \(64,\) instead"),
        ({"shape": (4, 64)}, r"'shape' parameter .* \[8, inf\). Got \(4, 64\) instead"),
        ({"n_nuclei": (5, 2)}, r"'n_nuclei' parameter .* Got \(5, 2\) instead"),
        ({"radius": (0, 2)}, r"'radius' parameter .* \[1, inf\). Got \(0, 2\) instead"),
    ],
)
def test_parameters_outside_their_range_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        make_nuclei(**options)
