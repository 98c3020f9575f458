"""What is particular to ImageClassifier."""

import json
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    HalvingGridSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
)

import instantdl
from instantdl import ImageClassifier
from instantdl.estimators import _saving
from instantdl.exceptions import InstantDLWarning

N_CLASSES = 3


def small_network(input_shape, n_outputs):
    """Build what learns the classes below in a second."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


def pooling(input_shape, n_outputs):
    """Build what works on a single pixel too."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


def make(**parameters):
    tiny = {
        "network": small_network,
        "epochs": 20,
        "learning_rate": 0.05,
        "augmentation": None,
        "precision": "float32",
        "random_state": 0,
    }
    return ImageClassifier(**(tiny | parameters))


@pytest.fixture(scope="module")
def stripes():
    """Return images with horizontal, vertical or no stripes, and these words."""
    rng = np.random.default_rng(0)
    names = np.array(["across", "down", "none"])
    y = names[np.arange(45) % N_CLASSES]
    X = rng.normal(0, 0.3, (45, 12, 12, 1)).astype(np.float32)
    wave = np.sin(np.arange(12) * np.pi / 2)
    X[y == "across"] += wave[:, np.newaxis, np.newaxis]
    X[y == "down"] += wave[:, np.newaxis]
    return X, y


@pytest.fixture(scope="module")
def fitted(stripes):
    return make().fit(*stripes)


@pytest.fixture
def two_classes(stripes):
    X, y = stripes
    return X[y != "none"], y[y != "none"]


def test_it_learns(fitted, stripes):
    X, y = stripes
    assert fitted.score(X, y) > 0.95
    assert accuracy_score(y, fitted.predict(X)) > 0.9


LABELS = {
    "strings": ["b", "a", "c"],
    "objects": np.array(["b", "a", "c"], object),
    "integers": [7, -1, 3],
    "small integers": np.array([7, 0, 3], np.uint8),
    "real numbers": [7.0, -1.0, 3.0],
    "series": pd.Series(["b", "a", "c"]),
    "categories": pd.Series(["b", "a", "c"], dtype="category"),
    "one truth": [True, False, False],
    "objects that are numbers": np.array([7, -1, 3], object),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_come_back_as_they_were(stripes, kind):
    X, y = stripes[0][:9], np.tile(np.asarray(LABELS[kind]), 3)
    given = y
    if isinstance(LABELS[kind], pd.Series):
        given = pd.Series(y, index=np.arange(9)[::-1], dtype=LABELS[kind].dtype)
    classifier = make(epochs=1).fit(X, given)
    y = y.astype(int) if kind == "objects that are numbers" else y
    np.testing.assert_array_equal(classifier.classes_, np.unique(y))
    assert classifier.classes_.dtype == y.dtype
    assert classifier.predict(X).dtype == y.dtype
    classifier.save("labels.instantdl")
    twin = instantdl.load("labels.instantdl", network=small_network)
    np.testing.assert_array_equal(twin.classes_, classifier.classes_)
    assert twin.classes_.dtype == classifier.classes_.dtype
    np.testing.assert_array_equal(twin.predict(X), classifier.predict(X))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a"] * 6, r"at least two classes. Got one class: \['a'\]"),
        (["a", "b"] * 2, "Got 6 images and 4 labels"),
        ([0.0, 1.0, np.nan] * 2, "NaN"),
        ([0.5, 1.5, 2.7] * 2, "continuous"),
        (np.array(["a", None] * 3, object), "of one type.* Got NoneType, str"),
        (np.array(["a", 1] * 3, object), "of one type.* Got int, str"),
        (pd.Series(["a", pd.NA] * 3), "of one type"),
        (np.zeros((6, 12, 12), int), "Got shape .* there is SemanticSegmenter"),
    ],
)
def test_wrong_labels_are_an_error(stripes, y, message):
    with pytest.raises(ValueError, match=message):
        make().fit(stripes[0][:6], y)


def test_labels_in_a_column_are_taken_with_a_warning(stripes):
    X, y = stripes
    with pytest.warns(Warning, match="column-vector"):
        classifier = make(epochs=1).fit(X, y[:, np.newaxis])
    assert classifier.predict(X).shape == y.shape


def test_two_classes_have_one_output_and_two_probabilities(two_classes):
    X, y = two_classes
    classifier = make(epochs=1).fit(X, y)
    assert classifier._weights[-1].shape == (1,)
    assert classifier.predict_proba(X).shape == (len(X), 2)


def test_the_score_is_the_area_under_the_curve(fitted, stripes, two_classes):
    X, y = stripes
    proba = fitted.predict_proba(X)
    expected = roc_auc_score(y, proba, multi_class="ovr", average="macro")
    assert fitted.score(X, y) == pytest.approx(expected)
    X, y = two_classes
    binary = make(epochs=1).fit(X, y)
    expected = roc_auc_score(y, binary.predict_proba(X)[:, 1])
    assert binary.score(X, y) == pytest.approx(expected)


def test_a_class_that_is_not_in_the_test_part_is_told_of(fitted, two_classes):
    with pytest.warns(InstantDLWarning, match=r"No image is of \['none'\]"):
        assert 0 <= fitted.score(*two_classes) <= 1


def test_a_class_that_was_not_learnt_is_an_error(fitted, stripes):
    with pytest.raises(ValueError, match="zigzag"):
        fitted.score(stripes[0][:2], ["zigzag", "down"])


def test_the_scorers_of_scikit_learn_work(stripes):
    scoring = [
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "matthews_corrcoef",
        "neg_log_loss",
        "roc_auc_ovr",
        "top_k_accuracy",
    ]
    found = cross_validate(make(), *stripes, scoring=scoring, cv=3, error_score="raise")
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scoring)
    assert found["test_accuracy"].mean() > 0.8


def test_uncertainties_follow_from_the_draws(fitted, stripes):
    X, _ = stripes
    kinds = ["total", "aleatoric", "epistemic", "variation_ratio"]
    found = {kind: fitted.predict_uncertainty(X, kind=kind) for kind in kinds}
    for values in found.values():
        assert values.shape == (len(X),)
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
    np.testing.assert_allclose(
        found["total"], found["aleatoric"] + found["epistemic"], atol=1e-5
    )
    votes = found["variation_ratio"] * 20
    np.testing.assert_allclose(votes, np.rint(votes), atol=1e-4)
    assert votes.max() >= 1


def test_noise_is_more_uncertain_than_what_was_learnt(fitted, stripes):
    noise = np.random.default_rng(1).normal(0, 3, (20, 12, 12, 1))
    known = fitted.predict_uncertainty(stripes[0][::3])
    assert np.median(fitted.predict_uncertainty(noise / 4)) > np.median(known)


SHAPES = [
    ([(30, 40)] * 3, (30, 40)),
    ([(448, 224)] * 3, (224, 112)),
    ([(30, 40), (50, 20), (10, 60)], (64, 64)),
    ([(300, 40), (500, 20), (100, 600)], (224, 224)),
    ([(1, 5)] * 3, (1, 5)),
]


@pytest.mark.parametrize(("shapes", "expected"), SHAPES)
def test_the_size_inside_follows_from_the_images(shapes, expected):
    X = [np.zeros(shape, np.uint8) for shape in shapes]
    classifier = make(network=pooling, epochs=1).fit(X, np.arange(3) % 2)
    assert classifier.image_shape_ == expected


def test_a_size_of_ones_own_is_taken(stripes):
    classifier = make(image_shape=(9, 20), epochs=1).fit(*stripes)
    assert classifier.image_shape_ == (9, 20)
    with pytest.raises(ValueError, match="`image_shape` must hold 2 ints"):
        make(image_shape=(9,)).fit(*stripes)


def test_images_of_another_size_are_told_apart_too(fitted, stripes):
    X, y = stripes
    larger = [np.kron(image, np.ones((3, 3, 1))) for image in X]
    assert fitted.score(larger, y) > 0.9


def test_smoothed_labels_keep_probabilities_from_the_ends(fitted, stripes):
    X, y = stripes
    smoothed = make(label_smoothing=0.3).fit(X, y).predict_proba(X)
    assert np.median(smoothed.max(axis=1)) < np.median(
        fitted.predict_proba(X).max(axis=1)
    )


def test_only_cross_entropy_is_smoothed(stripes):
    with pytest.raises(ValueError, match="label_smoothing can only be used with"):
        make(label_smoothing=0.1, loss="focal").fit(*stripes)


def test_a_heavy_class_is_predicted_more_often(stripes):
    X = np.random.default_rng(0).normal(size=(60, 12, 12))
    y = np.arange(60) % 2
    plain, heavy = (
        make(epochs=5, class_weight=weight).fit(X, y).predict_proba(X)[:, 1].mean()
        for weight in (None, {1: 9.0})
    )
    assert heavy > plain + 0.2


def test_balanced_weights_are_those_of_scikit_learn(stripes):
    X, y = stripes[0][:12], np.array(["a"] * 9 + ["b"] * 3)
    whole = {"epochs": 2, "validation_fraction": 0}
    balanced = make(**whole, class_weight="balanced").fit(X, y)
    by_hand = make(**whole, class_weight={"a": 12 / 18, "b": 12 / 6}).fit(X, y)
    np.testing.assert_array_equal(balanced.predict_proba(X), by_hand.predict_proba(X))


def test_weights_count_in_batches_of_one_class_too():
    # By folders of classes a batch of two is of one class, as is half of the images.
    X = np.random.default_rng(0).normal(size=(60, 12, 12))
    y = np.repeat([0, 1], 30)
    plain, heavy = (
        make(epochs=5, batch_size=1, class_weight=weight).fit(X, y).predict_proba(X)
        for weight in (None, {1: 9.0})
    )
    assert heavy[:, 1].mean() > plain[:, 1].mean() + 0.2


def test_the_validation_loss_does_not_depend_on_the_order(monkeypatch):
    from instantdl.estimators._base import BaseImageEstimator

    X = np.random.default_rng(0).normal(size=(60, 12, 12))
    y = np.arange(60) % 2
    losses = []
    for order in (np.arange(60), np.argsort(y, kind="stable")):
        held_back = np.flatnonzero(order >= 40)

        def split(self, *_, held_back=held_back, **__):
            return np.setdiff1d(np.arange(60), held_back), held_back

        monkeypatch.setattr(BaseImageEstimator, "_split", split)
        classifier = make(
            epochs=1, learning_rate=1e-12, batch_size=4, class_weight={1: 9.0}
        ).fit(X[order], y[order])
        losses.append(classifier.history_["val_loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("n_outputs", [5, (4, 4, 1)])
def test_a_network_with_another_output_is_told_of(two_classes, n_outputs):
    def build(input_shape, _):
        import keras

        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(inputs)
        if n_outputs == 5:
            return keras.Model(inputs, keras.layers.Dense(5)(x))
        return keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs))

    with pytest.raises(ValueError, match="must give n_outputs numbers for each image"):
        make(network=build).fit(*two_classes)


def test_images_in_a_series_keep_their_labels(stripes):
    X, y = stripes
    order = np.random.default_rng(0).permutation(len(y))
    table = pd.DataFrame({"image": list(X), "label": y}).iloc[order]
    classifier = make().fit(table["image"], table["label"])
    assert classifier.score(X, y) > 0.95


def test_one_image_of_each_class_is_trained_on_with_a_warning(stripes):
    X, y = stripes
    with pytest.warns(InstantDLWarning, match="Two images of a class at least"):
        classifier = make(epochs=1).fit(X[:3], y[:3])
    assert "val_loss" not in classifier.history_


def test_a_warm_start_with_another_size_is_an_error(stripes):
    classifier = make(epochs=1, warm_start=True).fit(*stripes)
    with pytest.raises(ValueError, match=r"Previously got \(12, 12\), now \(9, 9\)"):
        classifier.set_params(image_shape=(9, 9)).fit(*stripes)


def test_images_held_back_are_of_every_class(stripes, monkeypatch):
    from instantdl import training

    split, seen = training.split_validation, []

    def spy(*args, **kwargs):
        seen.append(split(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(training, "split_validation", spy)
    X, y = stripes
    make(epochs=1, validation_fraction=0.2).fit(X, y)
    [(_, held_back)] = seen
    assert sorted(set(y[held_back])) == ["across", "down", "none"]


def test_a_frozen_classifier_is_calibrated(fitted, stripes):
    X, y = stripes
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    np.testing.assert_array_equal(calibrated.classes_, fitted.classes_)


def test_calibration_mends_overconfident_probabilities(stripes):
    X, y = stripes
    rng = np.random.default_rng(0)
    half_wrong = np.where(rng.random(len(y)) < 0.4, np.roll(y, 1), y)
    frozen = FrozenEstimator(make(early_stopping=False).fit(X, y))
    calibrated = CalibratedClassifierCV(frozen, cv=3).fit(X, half_wrong)
    assert log_loss(half_wrong, calibrated.predict_proba(X)) < log_loss(
        half_wrong, frozen.predict_proba(X)
    )


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_classifiers_vote(stripes, voting):
    X, y = stripes
    members = [(str(seed), make(random_state=seed)) for seed in range(3)]
    vote = VotingClassifier(members, voting=voting).fit(X, y)
    assert vote.score(X, y) > 0.9


def test_classifiers_are_stacked(stripes):
    X, y = stripes
    members = [(str(seed), make(random_state=seed)) for seed in range(2)]
    stack = StackingClassifier(members, LogisticRegression(), cv=3).fit(X, y)
    assert stack.score(X, y) > 0.9


def test_a_halving_search_spends_epochs(stripes):
    search = HalvingGridSearchCV(
        make(),
        {"learning_rate": [1e-5, 1e-4, 0.03]},
        resource="epochs",
        min_resources=3,
        max_resources=27,
        factor=3,
        cv=3,
        random_state=0,
        error_score="raise",
    ).fit(*stripes)
    assert search.n_resources_ == [3, 9]
    assert search.best_params_ == {"epochs": 9, "learning_rate": 0.03}


def test_a_learning_curve_rises(stripes):
    X, y = stripes
    sizes, _, scores = learning_curve(
        make(epochs=15),
        X,
        y,
        cv=3,
        train_sizes=[6, 30],
        shuffle=True,
        random_state=0,
        error_score="raise",
    )
    assert list(sizes) == [6, 30]
    assert scores[1].mean() > scores[0].mean()


def test_a_permutation_test_tells_learning_from_chance(stripes):
    X, y = stripes
    score, permuted, p_value = permutation_test_score(
        make(epochs=15), X, y, cv=3, n_permutations=5, random_state=0
    )
    assert score > permuted.max()
    assert p_value == pytest.approx(1 / 6)


def test_probabilities_are_cross_validated(stripes):
    X, y = stripes
    proba = cross_val_predict(make(), X, y, cv=3, method="predict_proba")
    assert proba.shape == (len(X), N_CLASSES)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


def test_other_weights_of_another_estimator_keep_the_head_new(fitted, stripes):
    X, y = stripes
    with pytest.warns(InstantDLWarning, match="from scratch: .*dense"):
        twin = make(pretrained=fitted, epochs=1).fit(X[y != "none"], y[y != "none"])
    assert twin.predict_proba(X).shape == (len(X), 2)


@pytest.mark.parametrize(
    "network",
    [
        "resnet18",
        pytest.param("resnet50", marks=pytest.mark.slow),
        pytest.param("efficientnet_lite0", marks=pytest.mark.slow),
    ],
)
def test_each_network_is_built_fitted_and_saved(stripes, network):
    X, y = stripes[0][:9], stripes[1][:9]
    classifier = make(network=network, filters=2, epochs=1).fit(X, y)
    classifier.save("network.instantdl")
    twin = instantdl.load("network.instantdl")
    np.testing.assert_array_equal(twin.predict_proba(X), classifier.predict_proba(X))
    assert classifier.predict_uncertainty(X, n_draws=2).shape == (9,)


def test_volumes_are_refused():
    with pytest.raises(ValueError, match="height, width"):
        make().fit(np.zeros((4, 8, 8, 8, 1)), [0, 1, 0, 1])


def test_a_fit_warns_of_nothing(stripes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(epochs=1).fit(*stripes)


def forged(classifier, **fitted):
    """Save it with other fitted attributes, and a right checksum."""
    classifier.save("forged.instantdl")
    with zipfile.ZipFile("forged.instantdl") as archive:
        contents = {one: archive.read(one) for one in archive.namelist()}
    about = json.loads(contents["model.json"])
    about["fitted"] |= fitted
    about["parameters"]["log_dir"] = "elsewhere"
    contents["model.json"] = json.dumps(about).encode()
    contents["sha256"] = _saving._checksum(contents).encode()
    with zipfile.ZipFile("forged.instantdl", "w") as archive:
        for one, content in contents.items():
            archive.writestr(one, content)
    return instantdl.load("forged.instantdl", network=small_network)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image_shape_", {"__tuple__": [2**20, 2**20]}, "image_shape_ must hold"),
        ("image_shape_", {"__tuple__": [12]}, "image_shape_ must hold"),
        ("spatial_ndim_in_", 3, "image_shape_ must hold .* and 3 axes"),
        ("classes_", {"__labels__": ["a", "a"], "dtype": "U"}, "different labels"),
        ("classes_", {"__labels__": ["a", ["b"]], "dtype": "O"}, "labels must be"),
        ("classes_", {"__labels__": ["a", 1], "dtype": "U"}, "labels must be"),
        ("classes_", {"__labels__": ["a", "b"], "dtype": "V"}, "labels must be"),
        (
            "classes_",
            {
                "__labels__": ["x" * 10_000] + [str(i) for i in range(9000)],
                "dtype": "U",
            },
            "far too long",
        ),
    ],
)
def test_a_hostile_file_is_refused(fitted, name, value, message):
    with pytest.raises(instantdl.exceptions.ModelFileError, match=message):
        forged(fitted, **{name: value})


def test_a_file_does_not_say_where_a_later_fit_writes(fitted):
    assert forged(fitted).log_dir is None
