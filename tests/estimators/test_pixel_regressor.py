"""Tests of what only PixelRegressor promises."""

import numpy as np
import pytest
from scipy.stats import pearsonr

import instantdl
from instantdl import PixelRegressor
from instantdl.networks import build_regression_loss

TINY = {
    "filters": 2,
    "levels": 1,
    "epochs": 1,
    "augmentation": None,
    "precision": "float32",
    "random_state": 0,
}


@pytest.fixture
def pairs(rng):
    """Images (6, 16, 16, 3) and targets of two channels in far apart units."""
    X = rng.random((6, 16, 16, 3)).astype(np.float32)
    y = np.stack([1e4 + 500 * X[..., 0], 1e-3 * X[..., 1]], axis=-1)
    return X, y


def test_several_target_channels_come_back_in_their_own_units(pairs):
    X, y = pairs
    regressor = PixelRegressor(spatial_ndim=2, **(TINY | {"epochs": 30})).fit(X, y)
    predicted = regressor.predict(X)
    assert predicted.shape == y.shape
    assert predicted.dtype == np.float32
    for channel in range(2):
        truth, found = y[..., channel], predicted[..., channel]
        assert abs(found.mean() - truth.mean()) < truth.std()
    expected = np.mean(
        [
            pearsonr(y[i, ..., c].ravel(), predicted[i, ..., c].ravel())[0]
            for i in range(6)
            for c in range(2)
        ]
    )
    assert regressor.score(X, y) == pytest.approx(expected, abs=1e-4)


def test_uncertainty_is_in_the_units_of_the_target(pairs):
    X, y = pairs
    regressor = PixelRegressor(spatial_ndim=2, **TINY).fit(X, y)
    maps = regressor.predict_uncertainty(X)
    assert maps.shape == y.shape
    assert maps.min() >= 0
    ratio = maps[..., 0].mean() / maps[..., 1].mean()
    assert ratio > 1e3


def test_a_list_of_several_channels_gives_object_arrays(pairs):
    X, y = pairs
    regressor = PixelRegressor(spatial_ndim=2, **TINY).fit(list(X), list(y))
    predicted = regressor.predict(list(X))
    assert predicted.dtype == object
    assert predicted[0].shape == y[0].shape


def test_a_short_last_axis_of_targets_must_be_explained(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match=r"spatial_ndim=2 for images with channels"):
        PixelRegressor(**TINY).fit(X, y)


def test_targets_with_other_channels_are_an_error(pairs):
    X, y = pairs
    y = [*y[:5], y[5, ..., :1]]
    with pytest.raises(ValueError, match=r"Target 5 of `y` must have shape .*, 2\)"):
        PixelRegressor(spatial_ndim=2, **TINY).fit(list(X), y)


def test_targets_that_are_not_finite_are_an_error(pairs):
    X, y = pairs
    y[2, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="Target 2 of `y` must be finite"):
        PixelRegressor(spatial_ndim=2, **TINY).fit(X, y)


def test_labels_are_sent_to_the_classifier(pairs):
    with pytest.raises(ValueError, match="use an ImageClassifier"):
        PixelRegressor(**TINY).fit(pairs[0], np.arange(6))


def test_the_kinds_of_deviation_add_up_in_squares(discs_2d, rng):
    X, _ = discs_2d
    y = X[..., 0] + rng.normal(0, 1, X.shape[:3])
    regressor = PixelRegressor(predict_variance=True, **(TINY | {"epochs": 60}))
    regressor.fit(X, y)
    total, epistemic, aleatoric = (
        regressor.predict_uncertainty(X, kind=kind)
        for kind in ("total", "epistemic", "aleatoric")
    )
    np.testing.assert_allclose(total**2, epistemic**2 + aleatoric**2, rtol=1e-3)
    np.testing.assert_array_equal(regressor.predict_uncertainty(X), total)
    # the noise that was put on the targets
    assert np.median(aleatoric) == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("kind", ["total", "aleatoric"])
def test_a_variance_that_was_not_learnt_cannot_be_asked_for(discs_2d, kind):
    X, _ = discs_2d
    regressor = PixelRegressor(**TINY).fit(X, X[..., 0])
    with pytest.raises(ValueError, match="predict_variance=True"):
        regressor.predict_uncertainty(X, kind=kind)


def test_a_variance_needs_squares(discs_2d):
    X, _ = discs_2d
    regressor = PixelRegressor(predict_variance=True, loss="huber", **TINY)
    with pytest.raises(ValueError, match="needs loss='mean_squared_error'"):
        regressor.fit(X, X[..., 0])


def test_constant_targets_are_learnt(discs_2d):
    X, _ = discs_2d
    regressor = PixelRegressor(**TINY).fit(X, np.full(X.shape[:3], 7, np.uint8))
    assert np.isfinite(regressor.predict(X)).all()
    assert regressor.score(X, np.full(X.shape[:3], 7)) == 0


def test_targets_of_16_bits_keep_their_range(discs_2d):
    X, masks = discs_2d
    y = (masks * 60000 + 1000).astype(np.uint16)
    regressor = PixelRegressor(**(TINY | {"epochs": 60, "filters": 4})).fit(X, y)
    predicted = regressor.predict(X)
    assert predicted[masks].mean() > 40000
    assert predicted[~masks].mean() < 15000


def test_a_saved_regressor_keeps_its_units(pairs, tmp_path):
    X, y = pairs
    regressor = PixelRegressor(spatial_ndim=2, **TINY).fit(X, y)
    regressor.save(tmp_path / "stain.instantdl")
    twin = instantdl.load(tmp_path / "stain.instantdl")
    assert twin.target_normalizer_ == regressor.target_normalizer_
    np.testing.assert_array_equal(twin.predict(X), regressor.predict(X))


def test_a_warm_start_needs_the_same_target_channels(pairs):
    X, y = pairs
    regressor = PixelRegressor(spatial_ndim=2, warm_start=True, **TINY).fit(X, y)
    with pytest.raises(ValueError, match="same channels as in the first fit"):
        regressor.fit(X, y[..., 0])


@pytest.mark.parametrize("depth", [16, 8, 1])
def test_thin_volumes_are_learnt(rng, depth):
    X = rng.random((3, depth, 16, 16))
    regressor = PixelRegressor(**(TINY | {"levels": 2})).fit(X, 5 * X)
    assert regressor.predict(X).shape == X.shape


def test_of_a_single_large_image_the_end_is_held_back(rng):
    X = rng.random((1, 40, 360))
    regressor = PixelRegressor(**TINY).fit(X, X)
    assert "val_loss" in regressor.history_


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mean_squared_error", lambda e: e**2),
        ("mean_absolute_error", abs),
        ("huber", lambda e: np.where(abs(e) < 1, e**2 / 2, abs(e) - 0.5)),
    ],
)
def test_losses_follow_their_formulas(rng, name, formula):
    target, found = rng.normal(0, 2, (2, 3, 4, 5, 1))
    weight = np.array([1.0, 0.0, 3.0])
    loss = build_regression_loss(name)(target, found, None, weight)
    per_sample = formula(found - target).mean(axis=(1, 2, 3))
    assert float(loss) == pytest.approx(np.average(per_sample, weights=weight), 1e-5)
    assert float(build_regression_loss(name)(target, found, None, 0 * weight)) == 0


def test_an_unknown_loss_is_an_error():
    with pytest.raises(ValueError, match="`loss` must be one of.*'dice'"):
        build_regression_loss("dice")


@pytest.mark.parametrize(
    ("shape", "method", "rate"),
    [((16, 16), "percentile", 1e-3), ((8, 8, 8), "standard", 2e-3)],
)
def test_images_and_volumes_have_a_scale_and_a_rate_of_their_own(shape, method, rate):
    X = np.random.default_rng(0).random((4, *shape))
    small = {"epochs": 1, "filters": 2, "levels": 1, "random_state": 0}
    constant = {"learning_rate_schedule": "constant"}
    regressor = PixelRegressor(**small, **constant).fit(X, X)
    assert regressor.normalizer_.method == method
    assert regressor.history_["learning_rate"] == [rate]
    given = PixelRegressor(**small, **constant, normalization=None, learning_rate=0.1)
    assert given.fit(X, X).history_["learning_rate"] == [0.1]
    assert given.normalizer_.method == "none"


def test_planes_of_a_volume_are_predicted_as_they_were_learnt(rng):
    X = rng.random((6, 1, 24, 24), np.float32)
    given = {"filters": 2, "levels": 1, "epochs": 3, "precision": "float32"}
    regressor = PixelRegressor(**given, normalization=None, random_state=0)
    regressor.fit(X, 2 * X)
    assert regressor.patch_shape_[0] == 1
    together = regressor.predict([X[:3, 0]])[0]
    alone = regressor.predict(X[:3])[:, 0]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_learnt_variance_is_judged_by_its_likelihood(rng):
    from instantdl.networks import judge_variance

    X = rng.random((4, 16, 16))
    given = {"filters": 2, "levels": 1, "epochs": 1, "random_state": 0}
    plain = PixelRegressor(**given).fit(X, X)
    assert plain._network_spec().judge is None
    both = PixelRegressor(**given, predict_variance=True).fit(X, X)
    assert both._network_spec().judge is judge_variance
