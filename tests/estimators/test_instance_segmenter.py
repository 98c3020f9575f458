"""Tests of what only InstanceSegmenter promises."""

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops_table
from sklearn.model_selection import cross_val_score

import instantdl
from instantdl import InstanceSegmenter
from instantdl.datasets import make_nuclei
from instantdl.estimators import Instances
from instantdl.images import label_mask, relabel
from instantdl.metrics import (
    average_precision,
    average_precision_scorer,
    match_instances,
)

NUCLEI = {"n_nuclei": (6, 10), "radius": (5, 9), "random_state": 0}
SMALL = {
    "filters": 8,
    "levels": 2,
    "epochs": 25,
    "learning_rate": 5e-3,
    "precision": "float32",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def nuclei():
    """Images (20, 64, 64), some of whose objects touch, and their label images."""
    return make_nuclei(20, shape=(64, 64), **NUCLEI)


@pytest.fixture(scope="module")
def fitted(nuclei):
    X, y = nuclei
    return InstanceSegmenter(**SMALL).fit(X[4:], y[4:])


def test_objects_are_told_apart_better_than_by_their_form_alone(fitted, nuclei):
    X, y = nuclei[0][:4], nuclei[1][:4]
    by_form = [label_mask(labels > 0) for labels in y]
    score = fitted.score(X, y)
    assert score > 0.6
    found = average_precision(y, fitted.predict(X), thresholds=0.5)
    assert found > 0.85
    assert found >= average_precision(y, by_form, thresholds=0.5) - 0.05
    assert score == average_precision(y, fitted.predict(X))


def test_labels_of_each_image_are_numbered_without_gaps(fitted, nuclei):
    predicted = fitted.predict(nuclei[0][:4])
    assert predicted.dtype == np.int32
    for labels in predicted:
        numbers = np.unique(labels)
        np.testing.assert_array_equal(numbers, np.arange(len(numbers)))


@pytest.mark.parametrize("tile", [16, 32, 64])
def test_tiles_of_any_size_give_the_same_objects(fitted, tile):
    # One object is larger than the smaller tiles.
    rows, columns = np.ogrid[:150, :130]
    large = np.hypot(rows - 60, columns - 70) < 40
    image = large + np.random.default_rng(0).normal(0, 0.05, large.shape)
    whole = fitted.predict([image])[0]
    tiled = fitted.set_params(tile_shape=(tile, tile)).predict([image])[0]
    fitted.set_params(tile_shape="auto")
    matches = match_instances(whole, tiled, threshold=0.98)
    assert len(matches.missed) == len(matches.spurious) == 0


def test_the_table_describes_the_objects(fitted, nuclei):
    X = nuclei[0][:2]
    found = fitted.predict_instances(X)
    assert len(found) == 2
    for instances, labels in zip(found, fitted.predict(X), strict=True):
        np.testing.assert_array_equal(instances.labels, labels)
        expected = pd.DataFrame(
            regionprops_table(labels, properties=["label", "area", "centroid", "bbox"])
        )
        table = instances.table
        for ours, theirs in {
            "label": "label",
            "area": "area",
            "centroid_row": "centroid-0",
            "centroid_column": "centroid-1",
            "start_row": "bbox-0",
            "start_column": "bbox-1",
            "stop_row": "bbox-2",
            "stop_column": "bbox-3",
        }.items():
            np.testing.assert_allclose(table[ours], expected[theirs])
        assert table["score"].between(fitted.foreground_threshold_, 1).all()
        assert "existence" not in table


def test_draws_tell_how_sure_each_object_is(fitted, nuclei):
    X = nuclei[0][:2].copy()
    found = fitted.predict_instances(X, n_draws=4)
    again = fitted.predict_instances(X, n_draws=4)
    for one, same in zip(found, again, strict=True):
        pd.testing.assert_frame_equal(one.table, same.table)
        sure = one.table[["existence", "iou_mean", "uncertainty"]]
        assert ((sure >= 0) & (sure <= 1)).all(axis=None)
        assert (one.table["iou_std"] <= 0.5).all()
        assert set(one.table["existence"] * 4) <= {0, 1, 2, 3, 4}
        assert one.table["existence"].mean() > 0.7
    maps = fitted.predict_uncertainty(X, n_draws=4)
    labels, table = found[0].labels, found[0].table
    means = [maps[0][labels == number].mean() for number in table["label"]]
    np.testing.assert_allclose(table["uncertainty"], means, rtol=1e-4, atol=1e-6)


def test_an_object_that_is_hardly_there_is_less_sure(fitted):
    rows, columns = np.ogrid[:64, :64]
    image = 1.0 * (np.hypot(rows - 16, columns - 16) < 8)
    image[np.hypot(rows - 46, columns - 46) < 8] = 0.25
    noisy = image + np.random.default_rng(0).normal(0, 0.1, image.shape)
    table = fitted.predict_instances([noisy], n_draws=8)[0].table
    clear = table["centroid_row"] < 32
    assert clear.sum() == 1
    assert table.loc[clear, "existence"].item() == 1
    assert (
        table.loc[~clear, "uncertainty"] > table.loc[clear, "uncertainty"].item()
    ).all()
    assert (~clear).any()


def test_an_image_without_objects_has_an_empty_table(fitted):
    fitted = fitted.set_params(normalization="percentile")
    black = np.zeros((64, 64))
    instances = fitted.predict_instances([black], n_draws=2)[0]
    assert not instances.labels.any()
    assert len(instances.table) == 0
    assert {"label", "score", "area", "existence"} <= set(instances.table)


def test_thresholds_are_tuned_or_as_given(fitted, nuclei):
    X, y = nuclei
    assert 0 < fitted.foreground_threshold_ < 1
    assert 0 < fitted.object_threshold_ < 1
    given = InstanceSegmenter(
        **SMALL | {"epochs": 1},
        foreground_threshold=0.25,
        object_threshold=0.75,
        min_size=7,
    ).fit(X, y)
    thresholds = given.foreground_threshold_, given.object_threshold_, given.min_size_
    assert thresholds == (0.25, 0.75, 7)


def test_small_objects_are_dropped_as_in_training(fitted, nuclei):
    sizes = [np.unique(y[y > 0], return_counts=True)[1] for y in nuclei[1][4:]]
    smallest = np.quantile(np.concatenate(sizes), 0.01)
    assert fitted.min_size_ == int(smallest / 2)
    assert (
        fitted.predict_instances(nuclei[0])[0].table["area"].min() >= fitted.min_size_
    )


@pytest.mark.parametrize("value", [0, 3])
def test_a_set_without_objects_or_without_background_is_an_error(nuclei, value):
    X, y = nuclei
    with pytest.raises(ValueError, match="must mark objects in some images, and"):
        InstanceSegmenter(**SMALL).fit(X, np.full_like(y, value))


def test_some_images_may_have_no_objects(nuclei):
    X, y = nuclei[0].copy(), nuclei[1].copy()
    X[::3], y[::3] = 0, 0
    segmenter = InstanceSegmenter(**SMALL | {"epochs": 1}).fit(X, y)
    assert segmenter.predict(X).shape == y.shape


def test_numbers_of_objects_do_not_matter(nuclei, fitted):
    X, y = nuclei
    other = np.where(y > 0, y * 1000 + 5, 0)
    again = InstanceSegmenter(**SMALL).fit(X[4:], other[4:])
    np.testing.assert_array_equal(again.predict(X[:2]), fitted.predict(X[:2]))


@pytest.mark.slow
def test_volumes_with_planes_far_apart():
    X, y = make_nuclei(
        6, shape=(8, 32, 32), n_nuclei=(2, 4), radius=(3, 5), random_state=0
    )
    segmenter = InstanceSegmenter(**SMALL | {"epochs": 2}, spacing=(3, 1, 1)).fit(X, y)
    table = segmenter.predict_instances(X[:1])[0].table
    assert {"centroid_plane", "start_plane", "stop_plane"} <= set(table)


@pytest.mark.parametrize("spacing", [(1, 1, 1), 0, (1, -1)])
def test_wrong_spacing_is_an_error(nuclei, spacing):
    with pytest.raises(ValueError, match="spacing"):
        InstanceSegmenter(**SMALL, spacing=spacing).fit(*nuclei)


def test_a_saved_segmenter_finds_the_same_objects(fitted, nuclei, tmp_path):
    fitted.save(tmp_path / "model.instantdl")
    loaded = instantdl.load(tmp_path / "model.instantdl")
    np.testing.assert_array_equal(loaded.predict(nuclei[0]), fitted.predict(nuclei[0]))


@pytest.fixture(scope="module")
def two_kinds():
    """Return images of bright discs and darker squares, and pairs of their labels."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:64, :64]
    X, pairs = [], []
    for _ in range(16):
        image, labels = rng.normal(0, 0.05, (64, 64)), np.zeros((64, 64), int)
        classes = {}
        for number, (row, column) in enumerate(
            [(16, 16), (16, 46), (46, 16), (46, 46)], start=3
        ):
            row, column = np.array([row, column]) + rng.integers(-5, 6, 2)
            kind = str(rng.choice(["disc", "square"]))
            distance = (
                np.hypot(rows - row, columns - column)
                if kind == "disc"
                else np.maximum(abs(rows - row), abs(columns - column))
            )
            labels[distance < 8] = number
            image[distance < 8] += 1 if kind == "disc" else 0.5
            classes[number] = kind
        X.append(image)
        pairs.append((labels, classes))
    return X, pairs


@pytest.mark.parametrize(
    ("method", "epochs"),
    [("watershed", 50), ("mask_rcnn", 80)],
)
@pytest.mark.slow
def test_classes_of_objects_are_told_apart(two_kinds, method, epochs, tmp_path):
    X, pairs = two_kinds
    small = SMALL | {"epochs": epochs, "normalization": None, "method": method}
    segmenter = InstanceSegmenter(**small).fit(X[2:], pairs[2:])
    assert segmenter.classes_.tolist() == ["disc", "square"]
    assert segmenter.score(X[:2], pairs[:2]) > 0.5
    for image, (labels, classes) in zip(X[:2], pairs[:2], strict=True):
        found = segmenter.predict_instances([image])[0]
        matches = match_instances(labels, found.labels, threshold=0.5)
        assert len(matches.true) >= 3
        mine = found.classes()
        for true, number in zip(matches.true, matches.pred, strict=True):
            assert mine[int(number)] == classes[int(true)]
    # What is found in the wrong class counts as missed and as spurious.
    swapped = [
        (labels, {n: {"disc": "square", "square": "disc"}[k] for n, k in kinds.items()})
        for labels, kinds in pairs[:2]
    ]
    assert segmenter.score(X[:2], swapped) < 0.2
    segmenter.save(tmp_path / "model.instantdl")
    loaded = instantdl.load(tmp_path / "model.instantdl")
    again = loaded.predict_instances(X[:1])[0]
    pd.testing.assert_frame_equal(
        again.table, segmenter.predict_instances(X[:1])[0].table
    )


def test_pairs_of_labels_and_classes_work_in_cross_validation(two_kinds):
    X, pairs = two_kinds
    segmenter = InstanceSegmenter(**SMALL | {"epochs": 1})
    scoring = {"own": None, "half": average_precision_scorer}
    for scorer in scoring.values():
        scores = cross_val_score(
            segmenter, X, pairs, cv=2, scoring=scorer, error_score="raise"
        )
        assert ((scores >= 0) & (scores <= 1)).all()


def test_a_class_that_few_images_have_counts_as_much_as_others(two_kinds):
    X, pairs = two_kinds
    segmenter = InstanceSegmenter(**SMALL | {"epochs": 1}).fit(X, pairs)

    def predict_instances(images):
        found = []
        for labels, _ in pairs[: len(images)]:
            labels = relabel(labels)
            table = pd.DataFrame({"label": [1, 2, 3, 4], "class": "disc"})
            found.append(Instances(labels, table))
        return found

    segmenter.predict_instances = predict_instances
    rare = [(labels, dict.fromkeys(kinds, "disc")) for labels, kinds in pairs]
    rare[0][1][3] = "square"
    discs = [3 / 4, *[1] * 15]
    assert segmenter.score(X, rare) == pytest.approx((np.mean(discs) + 0) / 2)
    unknown = [(labels, dict.fromkeys(kinds, "star")) for labels, kinds in pairs]
    with pytest.raises(ValueError, match=r"those of the fit, .* Got \['star'\]"):
        segmenter.score(X, unknown)


def test_without_classes_all_are_objects(fitted, nuclei):
    assert fitted.classes_.tolist() == ["object"]
    table = fitted.predict_instances(nuclei[0][:1])[0].table
    assert set(table["class"]) == {"object"}


def test_an_object_without_a_class_is_an_error(two_kinds):
    X, pairs = two_kinds
    labels, classes = pairs[1]
    broken = [*pairs]
    broken[1] = (labels, {3: classes[3]})
    with pytest.raises(ValueError, match="none for object 4 of image 1"):
        InstanceSegmenter(**SMALL).fit(X, broken)
    with pytest.raises(TypeError, match="other than a pair for image 2"):
        InstanceSegmenter(**SMALL).fit(X, [*pairs[:2], *(p[0] for p in pairs[2:])])
    mixed = [*pairs[:-1], (pairs[-1][0], dict.fromkeys(range(1, 9), 7))]
    with pytest.raises(TypeError, match="all numbers or all text"):
        InstanceSegmenter(**SMALL).fit(X, mixed)
