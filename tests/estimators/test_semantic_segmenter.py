"""What is special to SemanticSegmenter: classes, thresholds, probabilities."""

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from instantdl import SemanticSegmenter
from instantdl.exceptions import InstantDLWarning
from instantdl.images import Augmentation
from instantdl.metrics import jaccard, jaccard_scorer

TINY = {
    "filters": 2,
    "levels": 1,
    "epochs": 1,
    "augmentation": None,
    "precision": "float32",
    "random_state": 0,
}


def make(**parameters):
    return SemanticSegmenter(**(TINY | parameters))


@pytest.fixture(scope="module")
def fitted(discs_2d):
    return make(epochs=8, learning_rate=0.03).fit(*discs_2d)


@pytest.fixture(scope="module")
def three_classes(discs_2d):
    """Masks of 3 classes: background, disc, left half of the disc."""
    _, masks = discs_2d
    y = masks.astype(np.uint8)
    y[:, :, :8] *= 2
    return y


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((False, True), bool),
        ((0, 1), np.uint8),
        ((0, 255), np.uint8),
        ((-1, 1), np.int8),
        ((3, 70_000), np.int64),
        ((0.0, 1.0), np.float32),
    ],
    ids=str,
)
def test_any_two_values_may_be_the_classes(discs_2d, values, dtype):
    X, masks = discs_2d
    y = np.where(masks, *values[::-1]).astype(dtype)
    segmenter = make(epochs=8, learning_rate=0.03).fit(X, y)
    np.testing.assert_array_equal(segmenter.classes_, values)
    assert set(np.unique(segmenter.predict(X))) <= set(values)
    assert segmenter.score(X, y) > 0


@pytest.mark.parametrize(
    ("axis", "flip"), [(0, [1]), (1, [0]), (None, True)], ids=["down", "across", "none"]
)
def test_images_with_a_direction_are_not_mirrored_along_it(rng, axis, flip):
    masks = np.zeros((30, 16, 16), bool)
    for mask in masks:
        start = rng.integers(0, 12, 2)
        if axis is not None:
            start[axis] = 0
        mask[start[0] : start[0] + 5, start[1] : start[1] + 5] = True
    segmenter = make(augmentation="auto", epochs=1).fit(masks.astype(float), masks)
    assert segmenter.directed_axes_ == (() if axis is None else (axis,))
    augmentation = segmenter._chosen_augmentation()
    assert augmentation.flip == flip
    assert augmentation.rotate90 is (axis is None)


def test_an_augmentation_that_is_given_stays_as_it_is():
    masks = np.zeros((10, 16, 16), bool)
    masks[:, :6] = True
    augmentation = Augmentation(flip=True)
    segmenter = make(augmentation=augmentation).fit(masks.astype(float), masks)
    assert segmenter.directed_axes_ == (0,)
    assert segmenter._chosen_augmentation() is augmentation


def test_the_values_of_classes_make_no_difference_to_what_is_learned(discs_2d):
    X, masks = discs_2d
    small = make().fit(X, masks)
    large = make().fit(X, np.where(masks, 255, 7).astype(np.uint8))
    np.testing.assert_array_equal(small.predict(X), large.predict(X) == 255)


@pytest.mark.parametrize("n_classes", [3, 5])
def test_more_than_two_classes_are_told_apart(discs_2d, n_classes):
    X, _ = discs_2d
    y = np.random.default_rng(0).integers(0, n_classes, X.shape[:-1]) * 10
    segmenter = make().fit(X, y)
    np.testing.assert_array_equal(segmenter.classes_, np.arange(n_classes) * 10)
    probabilities = segmenter.predict_proba(X)
    assert probabilities.shape == (*X.shape[:-1], n_classes)
    likeliest = segmenter.classes_[probabilities.argmax(axis=-1)]
    np.testing.assert_array_equal(segmenter.predict(X), likeliest)


def test_one_class_only_is_an_error(discs_2d):
    X, masks = discs_2d
    with pytest.raises(ValueError, match=r"at least two classes. Got one: \[True\]"):
        make().fit(X, np.ones_like(masks))


def test_masks_of_fractions_are_an_error(discs_2d):
    X, _ = discs_2d
    with pytest.raises(ValueError, match="whole numbers"):
        make().fit(X, X[..., 0])


def test_one_label_per_image_is_an_error(discs_2d):
    with pytest.raises(ValueError, match="ImageClassifier"):
        make().fit(discs_2d[0], np.arange(6) % 2)


def test_masks_of_strings_are_an_error(discs_2d):
    X, masks = discs_2d
    with pytest.raises((TypeError, ValueError), match="y"):
        make().fit(X, np.where(masks, "cell", "none"))


def test_an_unknown_class_at_scoring_is_named(discs_2d, fitted):
    X, masks = discs_2d
    with pytest.raises(ValueError, match="5"):
        fitted.score(X, masks * 5)


def test_a_mask_without_foreground_is_scored(discs_2d, fitted):
    X, masks = discs_2d
    assert 0 <= fitted.score(X[:1], np.zeros_like(masks[:1])) <= 1


def test_the_score_is_the_jaccard_index_of_all_pixels_together(discs_2d, fitted):
    X, masks = discs_2d
    found = fitted.predict(X)
    expected = (found & masks).sum() / (found | masks).sum()
    assert fitted.score(X, masks) == pytest.approx(expected)


def test_the_score_of_three_classes_is_the_mean_over_them(discs_2d, three_classes):
    X, _ = discs_2d
    segmenter = make().fit(X, three_classes)
    each = jaccard(three_classes, segmenter.predict(X), labels=[0, 1, 2], average=None)
    assert segmenter.score(X, three_classes) == pytest.approx(np.mean(each))


def test_a_class_that_is_nowhere_is_left_out_of_the_score(monkeypatch):
    y, found = np.random.default_rng(0).integers(0, 2, (2, 3, 8, 8))
    segmenter = SemanticSegmenter()
    segmenter.classes_ = np.array([0, 1, 2])
    monkeypatch.setattr(segmenter, "predict", lambda X: found)
    expected = jaccard(y, found, average="macro")
    assert segmenter.score(None, y) == pytest.approx(expected)
    assert segmenter.score(None, y) == jaccard_scorer(segmenter, None, y)


def test_images_in_which_a_class_is_missing_are_learned_from(discs_2d):
    X, masks = discs_2d
    y = masks.copy()
    y[1:4] = False
    segmenter = make().fit(X, y)
    np.testing.assert_array_equal(segmenter.classes_, [False, True])


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_a_pixel_is_foreground_from_the_threshold_on(discs_2d, threshold):
    X, masks = discs_2d
    segmenter = make(threshold=threshold).fit(X, masks)
    assert segmenter.threshold_ == threshold
    foreground = segmenter.predict_proba(X)[..., 1] >= threshold
    np.testing.assert_array_equal(segmenter.predict(X), foreground)


def test_the_tuned_threshold_is_the_best_on_the_validation_images(
    discs_2d, monkeypatch
):
    from instantdl import training

    X, masks = discs_2d
    split, seen = training.split_validation, []

    def spy(*args, **kwargs):
        seen.append(split(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(training, "split_validation", spy)
    segmenter = make(threshold="tuned", validation_fraction=0.5, epochs=3)
    segmenter.fit(X, masks)
    held_back = seen[0][1]
    foreground = segmenter.predict_proba(X[held_back])[..., 1]
    truth = masks[held_back]

    def index(threshold):
        found = foreground >= threshold
        return (found & truth).sum() / max(1, (found | truth).sum())

    best = max(index(threshold) for threshold in np.linspace(0, 1, 201))
    assert index(segmenter.threshold_) == pytest.approx(best, abs=0.01)


def test_without_validation_images_there_is_nothing_to_tune_on(discs_2d):
    segmenter = make(threshold="tuned", validation_fraction=0).fit(*discs_2d)
    assert segmenter.threshold_ == 0.5


@pytest.mark.parametrize("container", [np.asarray, list])
def test_otsus_threshold_is_that_of_each_image(discs_2d, fitted, container):
    X, masks = discs_2d
    segmenter = make(epochs=8, learning_rate=0.03, threshold="otsu").fit(X, masks)
    assert np.isnan(segmenter.threshold_)
    foreground = segmenter.predict_proba(X)[..., 1]
    for found, probability in zip(
        segmenter.predict(container(X)), foreground, strict=True
    ):
        one_sided = probability.max() < 0.5 or probability.min() >= 0.5
        threshold = 0.5 if one_sided else threshold_otsu(probability)
        np.testing.assert_array_equal(found, probability >= threshold)


@pytest.mark.parametrize("threshold", ["otsu", "tuned", 0.7])
def test_a_threshold_is_of_no_account_with_three_classes(
    discs_2d, three_classes, threshold
):
    X, _ = discs_2d
    plain = make().fit(X, three_classes)
    other = make(threshold=threshold).fit(X, three_classes)
    np.testing.assert_array_equal(plain.predict(X), other.predict(X))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "best", None])
def test_a_wrong_threshold_is_named(discs_2d, threshold):
    with pytest.raises(ValueError, match="'threshold' parameter"):
        make(threshold=threshold).fit(*discs_2d)


def test_more_weight_for_the_foreground_finds_more_of_it(discs_2d):
    X, masks = discs_2d
    little, much = (
        make(epochs=4, learning_rate=0.02, class_weight={False: 1, True: weight})
        .fit(X, masks)
        .predict_proba(X)[..., 1]
        .mean()
        for weight in (0.01, 100)
    )
    assert much > little


def test_balanced_weights_are_inverse_to_the_pixels_of_a_class(discs_2d):
    X, masks = discs_2d
    share = masks.mean()
    weight = {False: 0.5 / (1 - share), True: 0.5 / share}
    balanced, by_hand = (
        make(class_weight=one, validation_fraction=0, epochs=2).fit(X, masks)
        for one in ("balanced", weight)
    )
    losses = by_hand.history_["loss"]
    np.testing.assert_allclose(balanced.history_["loss"], losses, rtol=1e-5)


def test_a_weight_of_an_unknown_class_is_an_error(discs_2d):
    message = r"which are \[False, True\]. Got \[7\]"
    with pytest.raises(ValueError, match=message):
        make(class_weight={0: 1, 7: 2}).fit(*discs_2d)


@pytest.mark.parametrize("weight", [0, -1, np.inf, np.nan])
def test_a_weight_of_a_class_that_is_no_positive_number_is_an_error(discs_2d, weight):
    with pytest.raises(ValueError, match="finite numbers > 0"):
        make(class_weight={True: weight}).fit(*discs_2d)


def test_a_class_without_a_weight_has_1(discs_2d):
    X, masks = discs_2d
    one = make(class_weight={True: 3}).fit(X, masks)
    other = make(class_weight={True: 3, False: 1}).fit(X, masks)
    assert one.history_ == other.history_


@pytest.mark.parametrize(
    "loss",
    [
        "binary_crossentropy",
        "categorical_crossentropy",
        "dice",
        "dice_crossentropy",
        "focal",
        "tversky",
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_loss_fits_any_number_of_classes(
    discs_2d, three_classes, loss, n_classes
):
    X, masks = discs_2d
    y = masks if n_classes == 2 else three_classes
    segmenter = make(loss=loss, levels=0).fit(X, y)
    assert np.isfinite(segmenter.history_["loss"]).all()
    assert len(segmenter.classes_) == n_classes


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "sgd", "rmsprop"])
def test_every_optimizer_works_and_starts_afresh(discs_2d, optimizer):
    first = make(optimizer=optimizer, levels=0, epochs=2).fit(*discs_2d)
    second = make(optimizer=optimizer, levels=0, epochs=2).fit(*discs_2d)
    assert first.history_ == second.history_


@pytest.mark.parametrize(
    "normalization", ["percentile", "minmax", "standard", "dataset", None]
)
def test_every_normalization_works(discs_2d, normalization):
    X, masks = discs_2d
    segmenter = make(normalization=normalization).fit(X, masks)
    assert segmenter.normalizer_.method == (normalization or "none")
    assert np.isfinite(segmenter.predict_proba(X)).all()


@pytest.mark.parametrize("patch_shape", [(8, 8), [8, 16], (9, 7), np.array([8, 8])])
def test_patches_are_rounded_up_to_what_the_network_takes(discs_2d, patch_shape):
    segmenter = make(patch_shape=patch_shape).fit(*discs_2d)
    stride = np.prod(segmenter.strides_, axis=0)
    found = np.array(segmenter.patch_shape_)
    assert np.all(found % stride == 0)
    assert np.all((found >= patch_shape) & (found < np.array(patch_shape) + stride))


@pytest.mark.parametrize("name", ["patch_shape", "tile_shape"])
@pytest.mark.parametrize("shape", [(8,), (8, 8, 8), (8, 0), (8.5, 8)])
def test_a_shape_that_does_not_fit_the_images_is_named(discs_2d, name, shape):
    X, masks = discs_2d
    with pytest.raises(ValueError, match=f"`{name}` must hold 2 ints >= 1"):
        make(**{name: shape}).fit(X, masks).predict(X)


def test_early_and_late_patches_cover_images_larger_than_them():
    X = np.random.default_rng(0).random((3, 40, 50))
    segmenter = make(patch_shape=(16, 16), tile_shape=(16, 16)).fit(X, X > 0.5)
    assert segmenter.predict(X).shape == X.shape


def test_warm_start_with_other_classes_is_an_error(discs_2d, three_classes):
    segmenter = make(warm_start=True).fit(*discs_2d)
    with pytest.raises(ValueError, match="warm_start can only be used .* same classes"):
        segmenter.fit(discs_2d[0], three_classes)


def test_another_number_of_classes_takes_over_all_but_the_end(
    discs_2d, three_classes, fitted
):
    X, _ = discs_2d
    segmenter = make(pretrained=fitted)
    with pytest.warns(InstantDLWarning, match="Trained from scratch") as caught:
        segmenter.fit(X, three_classes)
    [warning] = caught
    left = str(warning.message).partition("scratch: ")[2].rstrip(".").split(", ")
    assert len(left) == 2  # kernel and bias of the last convolution
    assert segmenter.predict_proba(X).shape[-1] == 3


def test_one_draw_has_no_epistemic_uncertainty(discs_2d, fitted):
    maps = fitted.predict_uncertainty(discs_2d[0], n_draws=1, kind="epistemic")
    np.testing.assert_allclose(maps, 0, atol=1e-6)


def test_the_network_grows_no_deeper_than_the_images_allow(discs_2d):
    segmenter = make(levels=8).fit(*discs_2d)
    assert 1 <= len(segmenter.strides_) < 8


def test_a_network_of_another_output_is_an_error(discs_2d):
    def half(input_shape, n_outputs):
        import keras

        inputs = keras.Input(input_shape)
        return keras.Model(
            inputs, keras.layers.Conv2D(n_outputs, 3, strides=2, padding="same")(inputs)
        )

    with pytest.raises(ValueError, match="network|output|shape"):
        make(network=half).fit(*discs_2d)


@pytest.fixture
def training_data(monkeypatch):
    """Collect what the networks are trained on."""
    from instantdl.estimators._base import BaseImageEstimator

    train, seen = BaseImageEstimator._train, []

    def spy(self, data, *args, **kwargs):
        seen.append(data)
        return train(self, data, *args, **kwargs)

    monkeypatch.setattr(BaseImageEstimator, "_train", spy)
    return seen


@pytest.mark.parametrize("threshold", [0.5, "tuned"])
def test_of_few_large_images_the_ends_are_held_back(rng, training_data, threshold):
    X = rng.random((2, 40, 360))
    y = X > 0.5
    segmenter = make(threshold=threshold).fit(X, y, sample_weight=[1.0, 3.0])
    (data,) = training_data
    assert data.training.tolist() == [0, 1]
    assert data.validation.tolist() == [2, 3]
    for i, weight in ((0, 1.0), (1, 3.0)):
        np.testing.assert_array_equal(data.images[i][..., 0], X[i, :, :324])
        np.testing.assert_array_equal(data.targets[i], y[i, :, :324])
        np.testing.assert_array_equal(data.images[i + 2][..., 0], X[i, :, 324:])
        np.testing.assert_array_equal(data.targets[i + 2], y[i, :, 324:])
        assert data.weight[i] == data.weight[i + 2] == weight
    assert "val_loss" in segmenter.history_


@pytest.mark.parametrize(
    ("n_samples", "width", "groups"), [(2, 40, None), (2, 360, [0, 1]), (5, 360, None)]
)
def test_small_or_many_images_and_groups_are_held_back_whole(
    rng, training_data, n_samples, width, groups
):
    X = rng.random((n_samples, 40, width))
    make().fit(X, X > 0.5, groups=groups)
    (data,) = training_data
    assert len(data.validation) == 1
    assert sorted([*data.training, *data.validation]) == list(range(n_samples))
    for i in range(n_samples):
        np.testing.assert_array_equal(data.images[i][..., 0], X[i])


def test_the_best_weights_are_chosen_by_what_is_measured(discs_2d):
    # Cross-entropy would also punish masks that are right with too much confidence.
    segmenter = make(epochs=5, learning_rate=0.03).fit(*discs_2d)
    losses = segmenter.history_["val_loss"]
    assert all(0 <= loss <= 1 for loss in losses)
    X, y = discs_2d
    dice_loss = 1 - np.array(
        [
            np.mean(
                [
                    2 * p[mask == k].sum() / ((mask == k).sum() + p.sum())
                    for k, p in enumerate(np.moveaxis(proba, -1, 0))
                ]
            )
            for mask, proba in zip(y, segmenter.predict_proba(X), strict=True)
        ]
    )
    # one image of the six is held back
    assert np.abs(dice_loss - min(losses)).min() < 0.01
