"""Tests of batches and predictions of whole images, each of one class."""

import numpy as np
import pytest

from instantdl.images import Augmentation, Normalizer
from instantdl.networks import build_loss, build_resnet, dropout_noise
from instantdl.training import (
    CompiledNetwork,
    LabelledImages,
    NetworkSpec,
    TrainingBatches,
    class_probabilities,
    class_votes,
    draw_images,
    predict_images,
    validation_batches,
)

PLAIN = Normalizer("none")
SIZE = 200  # so that a batch holds fewer images than there are


@pytest.fixture(scope="module")
def network():
    return CompiledNetwork(
        NetworkSpec(
            key=("whole images",),
            build=lambda: build_resnet(
                (SIZE, SIZE, 1), 3, depth=10, filters=2, dropout_rate=0.5
            ),
            loss=build_loss("crossentropy"),
            activate=class_probabilities,
            summarise=class_votes,
        )
    )


@pytest.fixture
def images(rng):
    return list(rng.normal(size=(9, SIZE, SIZE, 1)).astype(np.float32))


@pytest.fixture
def source(rng):
    return LabelledImages(
        images=list(rng.random((5, 8, 6, 1))),
        targets=np.array([2, 0, 1, 1, 0]),
        encode=np.asarray,
        normalizer=PLAIN,
        patch_shape=(8, 6),
        sample_weight=np.arange(5.0),
    )


@pytest.mark.parametrize("augmentation", [None, Augmentation(rotation=20, blur=1)])
def test_an_epoch_shows_each_image_once_with_its_class(source, augmentation):
    batches = TrainingBatches(
        source, batch_size=5, augmentation=augmentation, seed=0, n_noise=2
    )
    assert len(batches) == 1
    batch = batches.make(0, 0)
    assert batch.x.shape == (5, 8, 6, 1)
    # weights are different, so they tell the images
    order = batch.sample_weight.astype(int)
    assert sorted(order) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(batch.target, source.targets[order])
    same = [
        np.allclose(x, source.images[i]) for x, i in zip(batch.x, order, strict=True)
    ]
    assert all(same) == (augmentation is None)


def test_each_image_is_validated_on_once(source):
    batches = validation_batches(source, batch_size=2)
    targets = np.concatenate([batch.target for batch in batches])
    np.testing.assert_array_equal(targets[:5], source.targets)
    weights = np.concatenate([batch.sample_weight for batch in batches])
    np.testing.assert_array_equal(weights, [0, 1, 2, 3, 4, 0])


def test_whole_images_are_predicted_in_their_order(network, images):
    predicted = predict_images(network, images, PLAIN)
    assert predicted.shape == (9, 3)
    alone = [network.predict(image[np.newaxis])[0] for image in images]
    np.testing.assert_allclose(predicted, alone, atol=1e-5)


def test_whole_images_are_normalised(network, images):
    shifted = [100 + 7 * image for image in images]
    found = predict_images(network, shifted, Normalizer("standard"))
    expected = predict_images(network, images, Normalizer("standard"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_draws_of_whole_images_are_means_over_sampled_networks(network, images, rng):
    noise = rng.random((4, network.n_noise), np.float32)
    found = draw_images(network, images, PLAIN, noise)
    assert found.shape == (9, 7)
    draws = []
    for row in noise:
        with dropout_noise(np.repeat(row[np.newaxis], 9, axis=0)):
            logits = network.model(np.stack(images), training=False)
        draws.append(np.asarray(class_votes(class_probabilities(logits))))
    np.testing.assert_allclose(found, np.mean(draws, axis=0), atol=1e-5)
    votes = found[:, 4:]
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-6)


def test_several_images_and_several_draws_at_once_are_kept_apart(network, images, rng):
    noise = rng.random((3, network.n_noise), np.float32)
    together = network.draw(network.features(np.stack(images[:2])), noise)
    for image, total in zip(images[:2], together, strict=True):
        one = network.draw(network.features(image[np.newaxis]), noise)[0]
        np.testing.assert_allclose(total, one, atol=1e-5)
