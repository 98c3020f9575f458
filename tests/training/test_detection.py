"""Detectors as compiled networks: batches, draws, tiles, determinism."""

import numpy as np
import pytest

from instantdl.images import Normalizer
from instantdl.networks import Detector, build_mask_rcnn
from instantdl.training import (
    CompiledDetector,
    DetectorSpec,
    Tiling,
    borrow_network,
    detect_parts,
)

ANCHORS = [[(16, 16), (12, 20), (20, 12)]] * 4


@pytest.fixture(scope="module")
def network():
    """Return a detector with weights as drawn; its last layers begin undecided."""
    spec = DetectorSpec(
        key=("test_detection",),
        build=lambda: build_mask_rcnn(1, 1, depth=18, filters=2, dropout_rate=0.5),
        connect=lambda model: Detector(model, ANCHORS, first_stride=4, n_objects=8),
    )
    with borrow_network(spec) as borrowed:
        assert isinstance(borrowed, CompiledDetector)
        borrowed.load_weights(borrowed.initial_weights(seed=0))
        yield borrowed


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((3, 64, 64, 1), np.float32)


def _train(network, images, seed=0):
    network.load_weights(network.initial_weights(seed))
    network.load_optimizer_state(None)
    target = np.zeros((3, 64, 64, 2), np.int32)
    target[:, 10:30, 10:34] = 1
    return [
        network.train(
            images,
            target,
            class_weight=np.ones(2, np.float32),
            sample_weight=np.ones(3, np.float32),
            noise=np.full((3, network.n_noise), 0.7, np.float32),
            learning_rate=2e-3,
        )
        for _ in range(20)
    ]


def test_training_is_the_same_every_time_and_learns(network, images):
    losses = _train(network, images)
    first = network.get_weights()
    assert losses[-1] < losses[0]
    assert _train(network, images) == losses
    for a, b in zip(first, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert _train(network, images, seed=1) != losses


def test_a_batch_gives_what_single_images_give(network, images):
    together = network.detect(images)
    for number, image in enumerate(images):
        alone = network.detect(image[np.newaxis])
        n_found = int(np.count_nonzero(alone.scores))
        assert n_found == np.count_nonzero(together.scores[number])
        np.testing.assert_allclose(
            together.scores[number, :n_found], alone.scores[0, :n_found], rtol=1e-4
        )


def test_every_row_of_noise_is_another_network(network, images):
    noise = np.random.default_rng(0).random((6, network.n_noise), np.float32)
    noise[1] = noise[0]
    drawn = network.draw_detections(images[0], noise)
    assert len(drawn) == 6
    np.testing.assert_array_equal(drawn[0].scores, drawn[1].scores)
    assert not np.array_equal(drawn[0].scores, drawn[2].scores)
    again = network.draw_detections(images[0], noise[2:3])[0]
    np.testing.assert_allclose(again.scores, drawn[2].scores, rtol=1e-4)


def test_parts_tell_their_image_and_tile(network, images):
    tiling = Tiling(stride=(32, 32), margin=(32, 32), tile_shape=(32, 32))
    wide = np.concatenate([*images, images[0]], axis=1)
    parts = list(detect_parts(network, [wide, images[0]], Normalizer("minmax"), tiling))
    assert [part.number for part in parts] == [0] * 8 + [1]
    assert {tile.tile.outer[1].start for tile in parts[:8]} == set(range(0, 256, 32))
    for part in parts:
        found = part.objects
        assert len(found.boxes) == len(found.scores) == len(found.masks)
        assert (found.scores > 0).all()
    noise = np.zeros((2, network.n_noise), np.float32)
    drawn = list(detect_parts(network, images[:1], Normalizer("minmax"), tiling, noise))
    assert [len(part.objects) for part in drawn] == [2] * len(drawn)
