"""Tests of random changes of image and target."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.base import clone

from instantdl.images import Augmentation

STILL = {"flip": False, "rotate90": False, "probability": 1.0}
PLACE = {"rotation": 30, "zoom": 0.2, "shift": 0.1, "shear": 10, "elastic": 2}
VALUES = {
    "blur": 1,
    "noise": 0.1,
    "poisson_noise": 0.1,
    "brightness": 0.2,
    "contrast": 0.2,
    "gamma": 0.3,
    "channel_shift": 0.1,
    "invert": 0.5,
}
SHAPES = [(24, 30, 3), (24, 24, 1), (5, 16, 20, 2), (4, 16, 16, 1)]


def rng(seed=0):
    return np.random.default_rng(seed)


def noisy(shape, seed=0):
    return rng(seed).random(shape, dtype=np.float32)


def smooth(shape, seed=0):
    sigmas = [3] * (len(shape) - 1) + [0]
    return ndimage.gaussian_filter(noisy(shape, seed), sigmas) * 10


def centroid(array):
    return np.array(ndimage.center_of_mass(np.asarray(array, dtype=float)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("changes", [{}, PLACE, VALUES, PLACE | VALUES])
def test_shape_and_dtype_stay_and_inputs_are_not_touched(shape, changes):
    augmentation = Augmentation(**changes)
    image, mask = noisy(shape), (noisy(shape[:-1]) > 0.5).astype(np.uint16)
    kept, kept_mask = image.copy(), mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    for seed in range(5):
        changed, moved = augmentation(image, mask, rng=rng(seed))
        assert (changed.shape, changed.dtype) == (shape, np.float32)
        assert (moved.shape, moved.dtype) == (shape[:-1], np.uint16)
        assert changed.flags.c_contiguous
        assert moved.flags.c_contiguous
        assert changed.flags.writeable
        assert np.isfinite(changed).all()
        assert not np.shares_memory(changed, image)
        assert not np.shares_memory(moved, mask)
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(mask, kept_mask)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_state_gives_the_same_result(shape):
    augmentation = Augmentation(**PLACE, **VALUES)
    image, mask = noisy(shape), noisy(shape[:-1]) > 0.5
    first, second = (augmentation(image, mask, rng=rng(3)) for _ in range(2))
    other, _ = augmentation(image, mask, rng=rng(4))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other)


def test_the_image_does_not_depend_on_whether_there_is_a_target():
    augmentation = Augmentation(**PLACE, **VALUES)
    image = noisy((16, 16, 1))
    alone, nothing = augmentation(image, rng=rng(3))
    together, _ = augmentation(image, image[..., 0], rng=rng(3))
    assert nothing is None
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("shape", [(40, 40), (40, 52), (6, 40, 40), (6, 40, 52)])
@pytest.mark.parametrize("change", [{}, *({key: PLACE[key]} for key in PLACE), PLACE])
def test_the_mask_follows_a_landmark_of_the_image(shape, change):
    augmentation = Augmentation(**change, probability=1.0)
    mask = np.zeros(shape, np.uint8)
    mask[(..., slice(12, 17), slice(20, 26))] = 1
    if len(shape) == 3:
        mask[:2] = 0
    image = mask[..., np.newaxis].astype(np.float32)
    for seed in range(8):
        changed, moved = augmentation(image, mask, rng=rng(seed))
        # The nearest of four neighbours is 1 (0) wherever all four are.
        assert (moved[changed[..., 0] == 1] == 1).all()
        assert (moved[changed[..., 0] == 0] == 0).all()
        assert (changed == 1).any()
        assert np.abs(centroid(changed[..., 0]) - centroid(moved)).max() < 0.5


@pytest.mark.parametrize("shape", [(21, 30, 2), (4, 21, 30, 2)])
def test_an_image_as_linear_target_stays_the_same_image(shape):
    image = noisy(shape)
    changed, target = Augmentation(**PLACE, probability=1.0)(
        image, image, rng=rng(), nearest=False
    )
    np.testing.assert_array_equal(changed, target)


def test_nearest_invents_no_values():
    mask = rng().choice([0, 3, 250], size=(40, 40)).astype(np.uint8)
    for seed in range(10):
        _, moved = Augmentation(**PLACE, probability=1.0)(
            noisy((40, 40, 1)), mask, rng=rng(seed)
        )
        assert set(np.unique(moved)) <= {0, 3, 250}


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32, np.float64])
def test_a_linear_target_keeps_its_dtype_and_range(dtype):
    target = (smooth((32, 32, 1))[..., 0] * 20).astype(dtype)
    _, moved = Augmentation(**PLACE, probability=1.0)(
        noisy((32, 32, 1)), target, rng=rng(), nearest=False
    )
    assert moved.dtype == dtype
    assert target.min() <= moved.min() <= moved.max() <= target.max()


@pytest.mark.parametrize("axes", [[], [1], [0, 2], (0,), [-1], [-3, 1]])
def test_flips_keep_to_the_axes_that_are_given(axes):
    image = noisy((2, 3, 4, 1))
    augmentation = Augmentation(flip=axes, rotate90=False)
    allowed = [
        np.flip(image, chosen)
        for n in range(len(axes) + 1)
        for chosen in itertools.combinations([axis % 3 for axis in axes], n)
    ]
    seen = set()
    for seed in range(40):
        changed, _ = augmentation(image, rng=rng(seed))
        matches = [np.array_equal(changed, one) for one in allowed]
        assert any(matches)
        seen.add(matches.index(True))
    assert len(seen) == len(allowed)


@pytest.mark.parametrize("shape", [(7, 9, 2), (3, 7, 9, 2)])
def test_flips_reach_every_axis_and_no_other_image(shape):
    image = noisy(shape)
    ndim = len(shape) - 1
    seen = set()
    for seed in range(60):
        changed, _ = Augmentation(rotate90=False)(image, rng=rng(seed))
        for axes in range(2**ndim):
            flipped = [axis for axis in range(ndim) if axes >> axis & 1]
            if np.array_equal(changed, np.flip(image, flipped)):
                seen.add(axes)
                break
        else:
            pytest.fail("the result is no flip of the image")
    assert len(seen) == 2**ndim


@pytest.mark.parametrize("shape", [(8, 8, 1), (3, 8, 8, 1)])
def test_square_planes_turn_by_all_right_angles(shape):
    image = noisy(shape)
    turned = [np.rot90(image, k, axes=(-3, -2)) for k in range(4)]
    seen = set()
    for seed in range(40):
        changed, _ = Augmentation(flip=False)(image, rng=rng(seed))
        seen.update(k for k in range(4) if np.array_equal(changed, turned[k]))
    assert seen == {0, 1, 2, 3}


def test_other_planes_turn_by_half_a_turn_only():
    image = noisy((6, 8, 1))
    for seed in range(20):
        changed, _ = Augmentation(flip=False)(image, rng=rng(seed))
        same = np.array_equal(changed, image)
        assert same or np.array_equal(changed, image[::-1, ::-1])


def test_rotation_agrees_with_scipy():
    image = smooth((65, 65, 1))
    changed, _ = Augmentation(rotation=40, **STILL)(image, rng=rng(5))
    draws = rng(5)
    draws.random()
    angle = math.radians(draws.uniform(-40, 40))
    matrix = np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    centre = np.array([32, 32])
    expected = ndimage.affine_transform(
        image[..., 0], matrix, centre - matrix @ centre, order=1, mode="mirror"
    )
    np.testing.assert_allclose(changed[..., 0], expected, atol=1e-3)


def test_shift_moves_along_each_axis_within_its_limit():
    mask = np.zeros((40, 80), np.uint8)
    mask[18:22, 38:42] = 1
    moves = []
    for seed in range(40):
        _, moved = Augmentation(shift=0.2, **STILL)(
            noisy((40, 80, 1)), mask, rng=rng(seed)
        )
        moves.append(centroid(moved) - centroid(mask))
    reach = np.abs(moves).max(axis=0)
    assert (reach <= [8.5, 16.5]).all()
    assert (reach > [5, 10]).all()


def test_volumes_shift_by_whole_planes_along_the_depth():
    image = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 8, 1))
    for seed in range(20):
        changed, _ = Augmentation(shift=0.3, **STILL)(
            image.astype(np.float32), rng=rng(seed)
        )
        planes = changed.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(planes, np.rint(planes), atol=1e-5)
        assert np.abs(planes - np.arange(10)).max() <= 6
        assert np.abs(np.diff(planes)).max() <= 1


def test_all_planes_of_a_volume_bend_alike():
    plane = noisy((1, 24, 24, 1))
    image = np.repeat(plane, 5, axis=0)
    changed, _ = Augmentation(elastic=3, rotation=20, **STILL)(image, rng=rng())
    np.testing.assert_array_equal(changed, np.repeat(changed[:1], 5, axis=0))


def test_zoom_changes_areas_by_the_square_of_the_factor():
    mask = ndimage.distance_transform_edt(np.pad([[0]], 50, constant_values=1)) < 15
    areas = []
    for seed in range(40):
        _, zoomed = Augmentation(zoom=0.5, **STILL)(
            noisy((101, 101, 1)), mask, rng=rng(seed)
        )
        areas.append(zoomed.sum() / mask.sum())
    assert 1 / 1.5**2 * 0.95 < min(areas) < 0.6
    assert 1.7 < max(areas) < 1.5**2 * 1.05


@pytest.mark.parametrize("elastic_scale", [10, 32, 500])
def test_the_elastic_displacement_has_the_deviation_asked_for(elastic_scale):
    ramp = np.arange(200, dtype=np.float32)
    image = np.stack(np.meshgrid(ramp, ramp, indexing="ij"), axis=-1)
    augmentation = Augmentation(elastic=2, elastic_scale=elastic_scale, **STILL)
    inside = (slice(20, -20), slice(20, -20))
    displacements = [
        (augmentation(image, rng=rng(seed))[0] - image)[inside] for seed in range(40)
    ]
    assert np.std(displacements) == pytest.approx(2, rel=0.25)


def test_a_constant_image_stays_constant_when_pixels_move():
    changed, _ = Augmentation(**PLACE, probability=1.0)(
        np.full((30, 20, 2), 0.25, np.float32), rng=rng()
    )
    np.testing.assert_allclose(changed, 0.25, rtol=1e-6)


@pytest.mark.parametrize("name", list(VALUES))
def test_changes_of_values_leave_the_target_alone(name):
    image, mask = noisy((16, 16, 2)), noisy((16, 16)) > 0.5
    changes = {**STILL, name: 1.0}
    changed, moved = Augmentation(**changes)(image, mask, rng=rng(0))
    np.testing.assert_array_equal(moved, mask)
    assert not np.array_equal(changed, image)


def test_brightness_adds_one_number_within_its_limit():
    image = noisy((16, 16, 2))
    added = [
        Augmentation(brightness=0.5, **STILL)(image, rng=rng(seed))[0] - image
        for seed in range(30)
    ]
    assert max(np.ptp(difference) for difference in added) < 1e-6
    assert 0.3 < np.abs(added).max() <= 0.5


def test_contrast_keeps_the_mean():
    image = noisy((16, 16, 2))
    changed, _ = Augmentation(contrast=1.0, **STILL)(image, rng=rng(1))
    assert changed.mean() == pytest.approx(image.mean(), abs=1e-5)
    assert 0.5 <= changed.std() / image.std() <= 2


def test_gamma_keeps_range_and_order():
    image = noisy((16, 16, 1)) * 4 - 2
    changed, _ = Augmentation(gamma=1.0, **STILL)(image, rng=rng(1))
    np.testing.assert_array_equal(np.argsort(changed, None), np.argsort(image, None))
    assert changed.min() == pytest.approx(image.min())
    assert changed.max() == pytest.approx(image.max())


def test_gamma_leaves_a_constant_image():
    image = np.full((8, 8, 1), 0.5, np.float32)
    changed, _ = Augmentation(gamma=1.0, **STILL)(image, rng=rng())
    np.testing.assert_array_equal(changed, image)


def test_channel_shift_changes_each_channel_linearly():
    image = noisy((16, 16, 3))
    changed, _ = Augmentation(channel_shift=0.3, **STILL)(image, rng=rng())
    fits = [
        np.polyfit(image[..., k].ravel(), changed[..., k].ravel(), 1) for k in range(3)
    ]
    assert len({round(float(slope), 4) for slope, _ in fits}) == 3
    for k, fit in enumerate(fits):
        np.testing.assert_allclose(
            changed[..., k], np.polyval(fit, image[..., k]), atol=1e-5
        )


def test_invert_turns_dark_into_bright():
    image = noisy((8, 8, 1))
    changed, _ = Augmentation(invert=1.0, **STILL)(image, rng=rng())
    np.testing.assert_allclose(changed, 1 - image, atol=1e-6)


def test_noise_has_a_deviation_within_its_limit():
    image = np.zeros((64, 64, 1), np.float32)
    deviations = [
        Augmentation(noise=0.2, **STILL)(image, rng=rng(seed))[0].std()
        for seed in range(20)
    ]
    assert max(deviations) < 0.21
    assert max(deviations) > 0.15


def test_photon_noise_grows_with_the_square_root_of_brightness():
    image = np.zeros((3, 100, 100, 1), np.float32)
    image[1], image[2] = 0.25, 1.0
    changed, _ = Augmentation(poisson_noise=0.2, **STILL)(image, rng=rng())
    dark, half, full = changed.std(axis=(1, 2, 3))
    assert dark == 0
    assert full / half == pytest.approx(2, rel=0.05)


def test_blur_agrees_with_scipy_and_stays_within_planes():
    image = noisy((3, 20, 20, 2))
    changed, _ = Augmentation(blur=2.0, **STILL)(image, rng=rng(2))
    draws = rng(2)
    draws.random()
    sigma = 2.0 * (1 - draws.random())
    expected = ndimage.gaussian_filter(
        image, (0, sigma, sigma, 0), mode="mirror", truncate=3
    )
    np.testing.assert_allclose(changed, expected, atol=1e-5)


def test_probability_zero_changes_nothing():
    augmentation = Augmentation(
        **{**PLACE, **VALUES, **STILL, "invert": 0.0, "probability": 0.0}
    )
    image = noisy((16, 16, 1))
    np.testing.assert_array_equal(augmentation(image, rng=rng())[0], image)


def test_probability_is_the_part_of_images_changed():
    augmentation = Augmentation(flip=False, rotate90=False, noise=1, probability=0.3)
    image, state = noisy((4, 4, 1)), rng()
    n_changed = sum(
        not np.array_equal(augmentation(image, rng=state)[0], image) for _ in range(400)
    )
    assert n_changed / 400 == pytest.approx(0.3, abs=0.07)


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=3),
    st.integers(1, 2),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_images_of_any_size_stay_finite_and_within_their_range(shape, n_channels, seed):
    image = noisy((*shape, n_channels))
    strong = {**PLACE, "zoom": 4, "shift": 1, "elastic": 20, "probability": 1.0}
    changed, _ = Augmentation(**strong)(image, rng=rng(seed))
    assert changed.shape == image.shape
    assert changed.min() >= image.min() - 1e-6
    assert changed.max() <= image.max() + 1e-6


def test_float64_images_come_as_float32():
    changed, _ = Augmentation()(np.zeros((8, 8, 1)), rng=rng())
    assert changed.dtype == np.float32


def test_parameters_are_kept_by_clone_and_shown_when_changed():
    augmentation = Augmentation(rotation=5)
    assert clone(augmentation).get_params() == augmentation.get_params()
    assert repr(augmentation) == "Augmentation(rotation=5)"


def test_the_defaults_are_in_order():
    Augmentation().check()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("zoom", -1, r"a float in the range \[0.0, inf\)"),
        ("rotation", 200, r"a float in the range \[0.0, 180.0\]"),
        ("probability", 1.5, r"a float in the range \[0.0, 1.0\]"),
        ("elastic_scale", 0.5, r"a float in the range \[1.0, inf\)"),
        ("noise", float("nan"), r"a float in the range \[0.0, inf\)"),
        ("blur", float("inf"), r"a float in the range \[0.0, inf\)"),
    ],
)
def test_numbers_out_of_range_are_refused(name, value, wanted):
    message = (
        f"The '{name}' parameter of Augmentation must be {wanted}. Got {value} instead."
    )
    with pytest.raises(ValueError, match=message):
        Augmentation(**{name: value}).check()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("flip", 1, "a bool or a list"),
        ("flip", [3], "a bool or a list"),
        ("flip", [-4], "a bool or a list"),
        ("flip", "01", "a bool or a list"),
        ("rotate90", [0], "a bool"),
        ("zoom", "0.1", "a float"),
        ("shift", True, "a float"),
        ("noise", None, "a float"),
    ],
)
def test_values_of_another_type_are_refused(name, value, wanted):
    with pytest.raises(TypeError, match=f"The '{name}' parameter .* must be {wanted}"):
        Augmentation(**{name: value})(noisy((4, 4, 1)), rng=rng())


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8)), np.zeros((8, 8, 1), np.uint8), np.zeros((0, 8, 1))]
)
def test_what_is_no_normalised_image_is_refused(image):
    with pytest.raises(ValueError, match="`image` must be a float array of shape"):
        Augmentation()(image, rng=rng())


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"`target` must have.*Got \(8, 7\)"):
        Augmentation()(noisy((8, 8, 1)), np.zeros((8, 7)), rng=rng())


@pytest.mark.parametrize("seed", [0, np.random.RandomState(0)])
def test_what_is_no_generator_is_refused(seed):
    with pytest.raises(TypeError, match="`rng` must be a numpy Generator. Got"):
        Augmentation()(noisy((8, 8, 1)), rng=seed)
