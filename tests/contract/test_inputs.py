"""What every estimator takes, what it gives back, and what it refuses."""

import copy

import numpy as np
import pytest
from scipy import sparse

from instantdl.exceptions import InstantDLWarning

DTYPES = ["bool", "uint8", "int16", "uint16", "float16", "float32", "float64"]


def _images(array):
    """Return a float copy that may be written to."""
    return np.array(array, np.float32)


def test_predictions_have_the_shapes_of_targets(
    case, ranked, fitted_ranked, wrap, container
):
    X, y = ranked
    predicted = fitted_ranked.predict(wrap[container](X))
    assert isinstance(predicted, np.ndarray)
    assert len(predicted) == len(X)
    if container == "array" or case.target == "labels":
        assert predicted.shape == y.shape
    else:
        assert predicted.dtype == object
        assert [one.shape for one in predicted] == [one.shape for one in y]


def test_predictions_are_the_same_from_any_container(
    case, ranked, fitted_ranked, wrap, container
):
    X, _ = ranked
    expected = fitted_ranked.predict(X)
    predicted = fitted_ranked.predict(wrap[container](X))
    np.testing.assert_array_equal(np.stack(list(predicted)), expected)


def test_fits_are_the_same_from_any_container(
    case, ranked, fitted_ranked, wrap, container, digest_of
):
    X, y = ranked
    wrapped = case.wrap_target(y, container)
    estimator = case.make().fit(wrap[container](X), wrapped)
    assert digest_of(estimator, X) == digest_of(fitted_ranked, X)


def test_the_score_is_the_same_from_any_container(
    case, ranked, fitted_ranked, wrap, container
):
    X, y = ranked
    score = fitted_ranked.score(wrap[container](X), case.wrap_target(y, container))
    assert score == fitted_ranked.score(X, y)


def test_probabilities_sum_to_one(case, ranked, fitted_ranked, wrap, container):
    case.require("predict_proba")
    X, _ = ranked
    probabilities = fitted_ranked.predict_proba(wrap[container](X))
    dense = case.target != "labels"
    assert (probabilities.dtype == object) == (dense and container != "array")
    stacked = np.stack(list(probabilities))
    assert stacked.dtype == np.float32
    assert stacked.shape[-1] == len(fitted_ranked.classes_)
    assert stacked.min() >= 0
    np.testing.assert_allclose(stacked.sum(-1), 1, atol=1e-5)


def test_images_without_a_channel_axis_have_one_channel(
    case, ranked, fitted_ranked, digest_of
):
    X, y = ranked
    grey = case.make().fit(X[..., 0], y)
    assert grey.n_channels_in_ == 1
    assert digest_of(grey, X[..., 0]) == digest_of(fitted_ranked, X)


def test_several_channels_are_learned_from(case, ranked):
    X, y = ranked
    colour = np.concatenate([X, -X, X**2], axis=-1)
    estimator = case.make().fit(colour, y)
    assert estimator.n_channels_in_ == 3
    assert len(estimator.predict(colour)) == len(X)


def test_read_only_memory_maps_work(case, ranked, fitted_ranked, digest_of):
    for name, array in zip(("X", "y"), ranked, strict=True):
        np.save(f"{name}.npy", array)
    X, y = (np.load(f"{name}.npy", mmap_mode="r") for name in ("X", "y"))
    estimator = case.make().fit(X, y)
    assert digest_of(estimator, X) == digest_of(fitted_ranked, ranked[0])


def test_fortran_order_makes_no_difference(case, ranked, fitted_ranked, digest_of):
    X, y = (np.asfortranarray(array) for array in ranked)
    assert digest_of(case.make().fit(X, y), X) == digest_of(fitted_ranked, ranked[0])


def test_negative_strides_make_no_difference(case, ranked, fitted_ranked, digest_of):
    X, y = (array[::-1].copy()[::-1] for array in ranked)
    assert digest_of(case.make().fit(X, y), X) == digest_of(fitted_ranked, ranked[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dtype_works(case, data, dtype):
    X, y = data
    X = (X > 0.5) if dtype == "bool" else (np.clip(X, 0, 1) * 100).astype(dtype)
    estimator = case.make().fit(X, y)
    assert all(np.isfinite(array).all() for array in estimator._weights)
    assert estimator.predict(X).dtype == case.make().fit(*data).predict(data[0]).dtype


def test_large_numbers_of_16_bits_do_not_overflow(case, data):
    X, y = data
    wide = (np.clip(X, 0, 1) * 65535).astype(np.uint16)
    from_wide = case.make(normalization="standard").fit(wide, y).history_["loss"]
    from_float = case.make(normalization="standard").fit(wide / 65535, y)
    np.testing.assert_allclose(from_wide, from_float.history_["loss"], rtol=1e-3)


def test_predictions_keep_the_order_of_the_images(case, ranked, fitted_ranked):
    X, _ = ranked
    np.testing.assert_array_equal(
        fitted_ranked.predict(X[::-1]), fitted_ranked.predict(X)[::-1]
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_prediction_does_not_depend_on_the_other_images(
    case, ranked, fitted_ranked, k
):
    X, _ = ranked
    few, all_of_them = fitted_ranked.predict(X[:k]), fitted_ranked.predict(X)
    if case.target == "values":  # sums of another order in a batch of another size
        np.testing.assert_allclose(few, all_of_them[:k], atol=1e-5)
    else:
        np.testing.assert_array_equal(few, all_of_them[:k])


def test_smaller_tiles_predict_the_same_away_from_borders(case, data, fitted):
    case.require("tile_shape")
    name = "predict_proba" if hasattr(fitted, "predict_proba") else "predict"
    if case.target == "instances":
        # Objects that reach the border are flooded from there: pixels, not numbers.
        name = "predict_uncertainty"
    big = np.tile(data[0][:1], (1, 5, 5, 1))
    whole = getattr(fitted, name)(big)
    tiled = getattr(copy.deepcopy(fitted).set_params(tile_shape=(8, 8)), name)(big)
    inner = (0, *(slice(margin, -margin) for margin in fitted.margin_))
    assert whole[inner].size > 0
    np.testing.assert_allclose(tiled[inner], whole[inner], atol=1e-4)


@pytest.mark.parametrize("size", [(17, 23), (15, 16), (1, 40), (3, 5)])
def test_images_of_any_size_are_predicted(case, fitted, size):
    X = np.random.default_rng(0).random((2, *size))
    predicted = fitted.predict(X)
    if case.target != "labels":
        assert predicted.shape == X.shape


@pytest.mark.parametrize("size", [(17, 23), (7, 40), (3, 5), (2, 2)])
def test_images_of_any_size_are_learned_from(case, data, size):
    X = np.random.default_rng(0).random((6, *size))
    y = case.targets_of([X])[0] if case.target != "labels" else data[1]
    estimator = case.make(**case.levels(4)).fit(X, y)
    assert len(estimator.predict(X)) == 6


def test_thin_volumes_are_learned_from(case):
    if case.target == "labels":
        pytest.skip("labels have images only")
    X = np.random.default_rng(0).random((3, 3, 16, 16))
    estimator = case.make(**case.levels(3)).fit(X, case.targets_of([X])[0])
    assert estimator.predict(X).shape == X.shape


def test_images_of_different_sizes_are_learned_from(case, data):
    sizes = [(16, 16), (12, 20), (9, 33), (16, 16), (5, 7), (40, 8)]
    X = [np.random.default_rng(i).random(size) for i, size in enumerate(sizes)]
    y = case.targets_of(X) if case.target != "labels" else data[1]
    predicted = case.make().fit(X, y).predict(X)
    if case.target != "labels":
        assert [one.shape for one in predicted] == sizes


def test_a_batch_may_be_larger_than_the_data(case, ranked):
    X, y = ranked
    estimator = case.make(batch_size=64).fit(X, y)
    assert np.isfinite(estimator.history_["loss"]).all()


def test_one_image_is_learned_from_with_a_warning(case, data):
    X, y = data
    if case.target == "labels":
        pytest.skip("one image has one class")
    with pytest.warns(InstantDLWarning, match="validation_fraction=0"):
        estimator = case.make().fit(X[:1], y[:1])
    assert "val_loss" not in estimator.history_
    assert len(estimator.predict(X[:1])) == 1


def test_one_image_is_learned_from_without_validation(case, data):
    X, y = data
    if case.target == "labels":
        pytest.skip("one image has one class")
    estimator = case.make(validation_fraction=0).fit(X[:1], y[:1])
    assert set(estimator.history_) == {"loss", "learning_rate"}


def test_two_images_are_enough_to_hold_one_back(case, data):
    if case.target == "labels":
        pytest.skip("needs one image of each class for training")
    X, y = data
    assert "val_loss" in case.make().fit(X[:2], y[:2]).history_


def test_no_images_are_an_error(case, data, fitted, wrap, container):
    X, y = (wrap[container](array[:0]) for array in data)
    with pytest.raises(ValueError, match="at least one"):
        case.make().fit(X, y)
    with pytest.raises(ValueError, match="at least one"):
        fitted.predict(X)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error(
    case, data, fitted, wrap, container, value
):
    X = _images(data[0])
    X[3, 1, 1] = value
    with pytest.raises(ValueError, match="Image 3 of `X` must be finite"):
        case.make().fit(wrap[container](X), case.wrap_target(data[1], container))
    with pytest.raises(ValueError, match="Image 3 of `X` must be finite"):
        fitted.predict(wrap[container](X))


def test_other_channels_than_in_fit_are_an_error(
    case, ranked, fitted_ranked, wrap, container
):
    X = wrap[container](np.repeat(ranked[0], 3, axis=-1))
    with pytest.raises(ValueError, match="with 1 channel. Got 3"):
        fitted_ranked.predict(X)


def test_other_axes_than_in_fit_are_an_error(
    case, ranked, fitted_ranked, wrap, container
):
    X = ranked[0]
    axes = r"height, width\[?, ?channels"
    with pytest.raises(ValueError, match=axes):
        fitted_ranked.predict(wrap[container](X[..., 0, 0, 0]))
    with pytest.raises(ValueError, match=axes):
        fitted_ranked.predict(wrap[container](X[..., np.newaxis, np.newaxis]))


def test_a_single_image_is_told_to_need_an_axis(case, data, fitted):
    with pytest.raises(ValueError, match=r"\(n_samples, height, width"):
        fitted.predict(data[0][0, ..., 0])


def test_targets_of_another_number_are_an_error(case, ranked, wrap, container):
    X, y = ranked
    wrapped = case.wrap_target(y[:-1], container)
    with pytest.raises(ValueError, match=f"{len(X)} images and {len(X) - 1} "):
        case.make().fit(wrap[container](X), wrapped)


def test_targets_of_another_size_are_an_error(case, ranked, wrap, container):
    if case.target == "labels":
        pytest.skip("labels have no size")
    X, y = ranked
    wrapped = case.wrap_target(y[:, :-1], container)
    with pytest.raises(ValueError, match="image 0 is .* its (mask|target)"):
        case.make().fit(wrap[container](X), wrapped)


def test_targets_with_a_channel_axis_are_an_error(case, ranked, wrap, container):
    if case.target in ("labels", "values"):
        pytest.skip("is about masks")
    X, y = ranked
    wrapped = case.wrap_target(y[..., np.newaxis], container)
    with pytest.raises(ValueError, match="Drop (the|its) last axis|y`\\.ndim"):
        case.make().fit(wrap[container](np.repeat(X, 3, -1)), wrapped)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (sparse.csr_array(np.eye(6)), TypeError),
        (
            ["a.png", "b.png", "c.png", "d.png", "e.png", "f.png"],
            (TypeError, ValueError),
        ),
        (np.zeros((6, 16, 16), complex), ValueError),
        (3, TypeError),
        (None, TypeError),
    ],
    ids=["sparse", "file names", "complex", "number", "None"],
)
def test_what_is_no_image_is_an_error(case, data, fitted, wrong, error):
    with pytest.raises(error, match=r"`X`|image 0"):
        case.make().fit(wrong, data[1])
    with pytest.raises(error, match=r"`X`|image 0"):
        fitted.predict(wrong)


def test_a_fit_without_targets_is_an_error(case, data):
    with pytest.raises((TypeError, ValueError), match="y"):
        case.make().fit(data[0], None)


def test_constant_images_are_predicted(case, ranked, fitted_ranked):
    X = np.zeros_like(ranked[0])
    assert len(fitted_ranked.predict(X)) == len(X)
