"""InstanceSegmenter by Mask R-CNN: what it promises besides the contract."""

import copy

import numpy as np
import pytest

import instantdl
from instantdl import ImageClassifier, InstanceSegmenter
from instantdl.datasets import make_nuclei
from instantdl.exceptions import ModelFileError
from instantdl.metrics import average_precision, match_instances

SMALL = {
    "method": "mask_rcnn",
    "network": "resnet10",
    "filters": 8,
    "epochs": 40,
    "learning_rate": 5e-3,
    "precision": "float32",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def nuclei():
    return make_nuclei(
        20, shape=(64, 64), n_nuclei=(4, 7), radius=(6, 10), random_state=0
    )


@pytest.fixture(scope="module")
def fitted(nuclei):
    """Of few epochs, and taking all that it finds, however unsure."""
    X, y = nuclei
    segmenter = InstanceSegmenter(**SMALL | {"epochs": 3}).fit(X[4:], y[4:])
    segmenter.object_threshold_ = 0.0
    return segmenter


@pytest.fixture(scope="module")
def trained(nuclei):
    X, y = nuclei
    return InstanceSegmenter(**SMALL).fit(X[4:], y[4:])


@pytest.mark.slow
def test_it_finds_nuclei(trained, nuclei):
    X, y = nuclei[0][:4], nuclei[1][:4]
    predicted = trained.predict(X)
    assert predicted.dtype == np.int32
    assert average_precision(y, predicted, thresholds=0.5) > 0.6
    assert trained.score(X, y) == average_precision(y, predicted)


def test_anchors_and_most_objects_come_from_the_labels(fitted):
    assert len(fitted.anchors_) == 4
    nearest = min(
        abs(np.sqrt(h * w) - 16) for level in fitted.anchors_ for h, w in level
    )
    assert nearest < 4
    assert fitted.max_objects_ == 16
    assert fitted.strides_ == ((2, 2),) * 4


def test_tables_draws_and_maps_fit_the_labels(fitted, nuclei):
    X = nuclei[0][:2]
    found = fitted.predict_instances(X, n_draws=3)
    for instances, labels in zip(found, fitted.predict(X), strict=True):
        assert labels.max() > 2
        np.testing.assert_array_equal(instances.labels, labels)
        table = instances.table
        assert len(table) == labels.max()
        assert table["score"].between(fitted.object_threshold_, 1).all()
        assert table["existence"].between(0, 1).all()
    maps = fitted.predict_uncertainty(X, n_draws=3)
    parts = fitted.predict_uncertainty(X, n_draws=3, kind="epistemic")
    assert maps.shape == X.shape
    assert ((maps >= 0) & (maps <= 1)).all()
    assert (parts <= maps + 1e-6).all()
    inside = found[0].labels == 1
    assert found[0].table["uncertainty"][0] == pytest.approx(maps[0][inside].mean())


@pytest.mark.slow
def test_tiles_give_the_objects_of_the_whole_image(trained, nuclei):
    image = np.block([[*nuclei[0][:3]], [*nuclei[0][3:6]]])
    whole = trained.predict([image])[0]
    tiled = trained.set_params(tile_shape=(64, 64)).predict([image])[0]
    trained.set_params(tile_shape="auto")
    matches = match_instances(whole, tiled, threshold=0.7)
    assert len(matches.true) >= 0.9 * max(whole.max(), tiled.max())


def test_a_saved_one_finds_the_same(fitted, nuclei, tmp_path):
    fitted.save(tmp_path / "model.instantdl")
    loaded = instantdl.load(tmp_path / "model.instantdl")
    np.testing.assert_array_equal(loaded.predict(nuclei[0]), fitted.predict(nuclei[0]))
    assert loaded.anchors_ == fitted.anchors_


def test_pieces_of_a_crop_are_numbered_with_their_class():
    segmenter = InstanceSegmenter(method="mask_rcnn")
    segmenter.classes_ = np.array(["a", "b", "c"])
    codes = np.zeros((12, 20), np.int64)
    codes[1:5, 1:5] = 3 * 7 + 2
    codes[1:5, 10:15] = 3 * 7 + 2  # mirrored, or cut in two by the border
    codes[7:10, 1:9] = 3 * 4 + 0
    codes[11, 19] = 3 * 5 + 1  # a sliver
    target = segmenter._method().finish(codes)
    assert target.dtype == np.int32
    labels, kinds = target[..., 0], target[..., 1]
    assert labels.max() == 3
    assert labels[11, 19] == kinds[11, 19] == 0
    assert len({labels[2, 2], labels[2, 12], labels[8, 3]}) == 3
    assert (kinds[2, 2], kinds[2, 12], kinds[8, 3], kinds[0, 0]) == (3, 3, 1, 0)


@pytest.mark.slow
def test_a_classifiers_backbone_is_taken_over(nuclei):
    X, y = nuclei
    classifier = ImageClassifier(
        network="resnet10",
        filters=2,
        epochs=1,
        image_shape=(64, 64),
        precision="float32",
        random_state=0,
    ).fit(X, np.arange(len(X)) % 2)
    short = SMALL | {"epochs": 1, "filters": 2, "learning_rate": 1e-12}
    with pytest.warns(instantdl.exceptions.InstantDLWarning, match="from scratch"):
        segmenter = InstanceSegmenter(**short, pretrained=classifier).fit(X, y)
    kernels = [a for a in classifier._weights if a.ndim == 4][1:5]
    taken = [a for a in segmenter._weights if a.ndim == 4][1:5]
    for a, b in zip(kernels, taken, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_volumes_are_an_error():
    X, y = make_nuclei(
        4, shape=(8, 32, 32), n_nuclei=(2, 3), radius=(3, 5), random_state=0
    )
    with pytest.raises(ValueError, match="must be 2D for method='mask_rcnn'"):
        InstanceSegmenter(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("method", "network"), [("mask_rcnn", "unet"), ("watershed", "resnet18")]
)
def test_a_network_of_the_other_method_is_an_error(nuclei, method, network):
    with pytest.raises(ValueError, match=f"Got '{network}'. Use it with method="):
        InstanceSegmenter(method=method, network=network).fit(*nuclei)


@pytest.mark.parametrize("method", ["watershed", "mask_rcnn"])
def test_the_method_of_a_fit_stays(fitted, nuclei, method):
    X, y = nuclei
    other = {"watershed": "mask_rcnn", "mask_rcnn": "watershed"}[method]
    segmenter = copy.copy(fitted)
    if method == "watershed":
        small = {"method": method, "network": "auto", "epochs": 1, "filters": 2}
        segmenter = InstanceSegmenter(**SMALL | small, levels=1).fit(X, y)
    segmenter.set_params(method=other, network="auto")
    with pytest.raises(ValueError, match=f"stay the one of the fit, '{method}'"):
        segmenter.predict(X)
    with pytest.raises(ValueError, match=f"stay the one of the fit, '{method}'"):
        segmenter.set_params(warm_start=True).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anchors_", ()),
        ("anchors_", (((8.0, 8.0),) * 3,) * 3),
        ("anchors_", (((8.0, 8.0),) * 9,) * 4),
        ("anchors_", (((8.0, float("nan")),) * 3,) * 4),
        ("anchors_", (((8.0, "8"),) * 3,) * 4),
        ("max_objects_", 10**9),
        ("strides_", ((64, 64),) * 4),
        ("classes_", np.zeros((2, 2))),
        ("classes_", np.array(["a", "a"])),
    ],
)
def test_a_file_with_wrong_attributes_is_not_loaded(fitted, tmp_path, name, value):
    broken = copy.copy(fitted)
    setattr(broken, name, value)
    broken.save(tmp_path / "model.instantdl")
    with pytest.raises(ModelFileError):
        instantdl.load(tmp_path / "model.instantdl")


def test_objects_that_are_too_small_to_be_learnt_are_an_error():
    y = np.zeros((8, 32, 32), int)
    y[:, 4:30:6, 4:30:6] = np.arange(1, 26).reshape(5, 5)
    with pytest.raises(ValueError, match="4 pixels or more .* Got a median of 1"):
        InstanceSegmenter(**SMALL).fit(y > 0, y)


def test_tiles_are_no_larger_than_their_objects_allow(fitted):
    assert fitted._auto_tile() == [384, 384]
    crowded = copy.copy(fitted)
    crowded.max_objects_ = 64
    assert crowded._auto_tile() == [128, 128]
