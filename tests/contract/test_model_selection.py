"""Every estimator in scikit-learn's cross-validation, searches and pipelines."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from instantdl import ImageCollection
from instantdl.metrics import dice_scorer, jaccard_scorer, pixel_accuracy_scorer

GROUPS = np.array([0, 0, 1, 1, 2, 2])


class ReadCounter:
    """Read arrays from memory and count how often."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.n_read = 0

    def __call__(self, index):
        self.n_read += 1
        return self.arrays[index]


@pytest.fixture
def seen_groups(monkeypatch, case):
    """Collect the groups that each fit was given."""
    seen, fit = [], case.kind.fit

    def spy(self, X, y, sample_weight=None, groups=None):
        seen.append(None if groups is None else list(groups))
        return fit(self, X, y, sample_weight=sample_weight, groups=groups)

    monkeypatch.setattr(case.kind, "fit", spy)
    return seen


def _wrapped(case, data, wrap, container):
    return wrap[container](data[0]), case.wrap_target(data[1], container)


def _twice_inverted(X):
    return 1 - X


def test_cross_val_score_works(case, data, wrap, container):
    X, y = _wrapped(case, data, wrap, container)
    scores = cross_val_score(case.make(), X, y, cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_cross_val_score_is_fit_and_score_by_hand(case, data):
    X, y = data
    cv = KFold(3)
    scores = cross_val_score(case.make(), X, y, cv=cv, error_score="raise")
    by_hand = [
        case.make().fit(X[train], y[train]).score(X[test], y[test])
        for train, test in cv.split(X)
    ]
    np.testing.assert_array_equal(scores, by_hand)


def test_shuffled_folds_work(case, data, wrap, container):
    X, y = _wrapped(case, data, wrap, container)
    cv = ShuffleSplit(2, test_size=3, random_state=0)
    scores = cross_val_score(case.make(), X, y, cv=cv, error_score="raise")
    assert np.isfinite(scores).all()


def test_cross_val_score_of_a_collection_reads_nothing_itself(case, data):
    X, y = data
    reader = ReadCounter(X)
    collection = ImageCollection(range(len(X)), read=reader)

    class Blind(case.kind):
        def __init__(self):
            super().__init__()

        def fit(self, X, y, sample_weight=None, groups=None):
            return self

        def score(self, X, y):
            return 0.0

    cross_val_score(Blind(), collection, y, cv=3, error_score="raise")
    assert reader.n_read == 0


def test_cross_validate_takes_several_scorers(case, data, wrap, container):
    if case.target != "masks":
        pytest.skip("scorers of masks")
    X, y = _wrapped(case, data, wrap, container)
    scoring = {
        "jaccard": jaccard_scorer,
        "dice": dice_scorer,
        "accuracy": pixel_accuracy_scorer,
    }
    result = cross_validate(
        case.make(),
        X,
        y,
        cv=2,
        scoring=scoring,
        return_train_score=True,
        return_estimator=True,
        error_score="raise",
    )
    assert all(np.all(result[f"test_{name}"] <= 1) for name in scoring)
    assert all(np.all(result[f"train_{name}"] <= 1) for name in scoring)
    assert [estimator.n_epochs_ for estimator in result["estimator"]] == [1, 1]


def test_cross_val_predict_gives_one_prediction_per_image(case, data, wrap, container):
    X, y = _wrapped(case, data, wrap, container)
    predicted = cross_val_predict(case.make(), X, y, cv=3)
    assert len(predicted) == len(data[0])
    if container == "array" or case.target == "labels":
        assert predicted.shape == data[1].shape
    else:
        assert predicted.dtype == object
        assert [one.shape for one in predicted] == [one.shape for one in data[1]]


def test_cross_val_predict_works_on_images_of_different_sizes(case, data):
    sizes = [(16, 16), (12, 20), (9, 33), (16, 16), (5, 7), (40, 8)]
    X = [np.random.default_rng(i).random(size) for i, size in enumerate(sizes)]
    y = case.targets_of(X) if case.target != "labels" else data[1]
    predicted = cross_val_predict(case.make(), X, y, cv=3)
    if case.target != "labels":
        assert [one.shape for one in predicted] == sizes


def test_train_test_split_cuts_images_and_targets_alike(case, data, wrap, container):
    X, y = _wrapped(case, data, wrap, container)
    X, X_test, y, y_test = train_test_split(X, y, test_size=2, random_state=0)
    assert len(case.make().fit(X, y).predict(X_test)) == len(y_test) == 2


def test_a_grid_search_in_two_processes_finds_what_one_finds(case, tmp_path):
    paths = {"X": [], "y": []}
    masks = np.random.default_rng(0).random((6, 8, 8)) > 0.5
    for i, mask in enumerate(masks):
        for name, array in (("X", mask.astype(np.float32)), ("y", mask)):
            paths[name].append(str(tmp_path / f"{name}{i}.npy"))
            np.save(paths[name][-1], array)
    X = ImageCollection(paths["X"], read=np.load)
    labels = np.where(np.arange(6) % 2, "odd", "even")
    y = labels if case.target == "labels" else ImageCollection(paths["y"], read=np.load)
    grid = {"learning_rate": [1e-4, 1e-2]}
    searches = [
        GridSearchCV(case.make(), grid, cv=2, n_jobs=n_jobs, error_score="raise")
        for n_jobs in (2, 1)
    ]
    for search in searches:
        search.fit(X, y)
    parallel, single = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(parallel, single, atol=1e-6)
    assert len(searches[0].predict(X)) == 6


def test_a_grid_search_reaches_into_the_augmentation(case, data):
    case.require("augmentation")
    from instantdl import Augmentation

    search = GridSearchCV(
        case.make(augmentation=Augmentation()),
        {"augmentation__flip": [True, False]},
        cv=2,
        error_score="raise",
    ).fit(*data)
    assert set(search.best_params_) == {"augmentation__flip"}


def test_group_folds_keep_groups_together(case, data):
    scores = cross_val_score(
        case.make(), *data, groups=GROUPS, cv=GroupKFold(3), error_score="raise"
    )
    assert scores.shape == (3,)


def test_without_routing_groups_reach_the_folds_only(case, data, seen_groups):
    cross_validate(
        case.make(), *data, groups=GROUPS, cv=GroupKFold(3), error_score="raise"
    )
    assert seen_groups == [None] * 3


def test_without_routing_groups_as_a_parameter_reach_fit(case, data, seen_groups):
    cross_validate(
        case.make(),
        *data,
        groups=GROUPS,
        params={"groups": GROUPS},
        cv=GroupKFold(3),
        error_score="raise",
    )
    assert sorted(map(tuple, seen_groups)) == [(0, 0, 1, 1), (0, 0, 2, 2), (1, 1, 2, 2)]


def test_with_routing_groups_reach_folds_and_fit(case, data, seen_groups):
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = case.make().set_fit_request(groups=True, sample_weight=False)
        cross_validate(
            estimator,
            *data,
            params={"groups": GROUPS},
            cv=GroupKFold(3),
            error_score="raise",
        )
    assert sorted(map(tuple, seen_groups)) == [(0, 0, 1, 1), (0, 0, 2, 2), (1, 1, 2, 2)]


def test_with_routing_weights_of_images_reach_fit(case, data, digest_of):
    X, y = data
    weight = np.arange(1.0, 7)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = case.make().set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=False)
        search = GridSearchCV(estimator, {"epochs": [1]}, cv=2, error_score="raise")
        best = search.fit(X, y, sample_weight=weight).best_estimator_
    expected = case.make().fit(X, y, sample_weight=weight)
    assert digest_of(best, X) == digest_of(expected, X)


def test_prediction_asks_for_no_metadata(case):
    with sklearn.config_context(enable_metadata_routing=True):
        assert not hasattr(case.make(), "set_predict_request")


def test_a_pipeline_with_a_function_works(case, data, wrap, container):
    X, y = _wrapped(
        case, data, wrap, "array" if container == "collection" else container
    )
    if container == "list":
        change = FunctionTransformer(lambda images: [1 - image for image in images])
    else:
        change = FunctionTransformer(_twice_inverted)
    pipeline = make_pipeline(change, case.make()).fit(X, y)
    assert len(pipeline.predict(X)) == len(X)
    assert np.isfinite(pipeline.score(X, y))


def test_with_routing_a_pipeline_passes_weights_on_to_fit_and_score(case, data):
    X, y = data
    weight = np.array([3.0, 0, 1, 1, 2, 1])
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = case.make().set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
        pipeline = make_pipeline(FunctionTransformer(), estimator)
        pipeline.fit(X, y, sample_weight=weight)
        score = pipeline.score(X, y, sample_weight=weight)
        assert np.isfinite(pipeline.score(X, y))
    alone = case.make().fit(X, y, sample_weight=weight)
    assert score == alone.score(X, y, sample_weight=weight)


def test_a_pipeline_is_searched(case, data):
    pipeline = Pipeline(
        [("change", FunctionTransformer(_twice_inverted)), ("net", case.make())]
    )
    grid = {"net__epochs": [1, 2]}
    search = GridSearchCV(clone(pipeline), grid, cv=2, error_score="raise").fit(*data)
    assert search.best_params_["net__epochs"] in (1, 2)


def test_a_learning_curve_works(case, data):
    sizes, _, scores = learning_curve(
        case.make(), *data, cv=3, train_sizes=[3, 4], error_score="raise"
    )
    assert list(sizes) == [3, 4]
    assert np.isfinite(scores).all()
