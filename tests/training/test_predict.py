"""Tests of prediction tile by tile."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instantdl.images import Normalizer
from instantdl.networks import build_loss, build_unet, dropout_noise, unet_margin
from instantdl.training import (
    CompiledNetwork,
    NetworkSpec,
    Tiling,
    class_probabilities,
    class_summary,
    draw_parts,
    predict_parts,
)

PLAIN = Normalizer("none")


@pytest.fixture(scope="module")
def network_of():
    """Return networks of random weights and statistics, each compiled once."""
    made = {}

    def give(rank, levels, **kwargs):
        key = (rank, levels, *kwargs.items())
        if key not in made:
            made[key] = _random_network(rank, levels, **kwargs)
        return made[key]

    return give


def _random_network(rank, levels, activate=lambda x: x, dropout_rate=0.5):
    shape = (*(None,) * rank, 1)
    network = CompiledNetwork(
        NetworkSpec(
            key=(rank, levels),
            build=lambda: build_unet(
                shape, 1, filters=2, levels=levels, dropout_rate=dropout_rate
            ),
            loss=build_loss("dice"),
            activate=activate,
            summarise=class_summary,
        )
    )
    rng = np.random.default_rng(0)
    weights = network.initial_weights(0)
    for i, variable in enumerate(network.model.weights):
        if variable.name in ("gamma", "moving_variance"):
            weights[i] = rng.uniform(0.5, 1.5, variable.shape).astype(np.float32)
        elif variable.name != "kernel":
            weights[i] = rng.normal(0, 0.5, variable.shape).astype(np.float32)
    network.load_weights(weights)
    return network


def _tiling(rank, levels, tile_shape):
    stride = (2**levels,) * rank
    return Tiling(stride, unet_margin([(2,) * rank] * levels, rank), tuple(tile_shape))


def _collect(parts, images, n):
    results = [np.full((*image.shape[:-1], n), np.nan) for image in images]
    for part in parts:
        assert np.isnan(results[part.number][part.place]).all()
        results[part.number][part.place] = part.values
    return results


def _check_tiles(network, rank, levels, size, tile):
    """Compare tiles with the whole image, at the image's borders too.

    Only where an image is mirrored up to a size that suits TensorFlow, how far depends
    on the tiles, and so does what is seen from its end.
    """
    image = np.random.default_rng(size).normal(size=(*size, 1)).astype(np.float32)
    whole, tiled = (
        _collect(
            predict_parts(network, [image], PLAIN, _tiling(rank, levels, shape)),
            [image],
            1,
        )[0]
        for shape in (size, tile)
    )
    assert np.isfinite(tiled).all()
    margin = _tiling(rank, levels, tile).margin
    inside = tuple(
        slice(0, length if length % 64 == 0 else max(0, length - reach))
        for length, reach in zip(size, margin, strict=True)
    )
    np.testing.assert_allclose(tiled[inside], whole[inside], atol=1e-4)


LENGTHS = st.sampled_from([64, 128, 192]) | st.integers(1, 200)


@settings(max_examples=20)
@given(
    levels=st.integers(1, 3),
    size=st.tuples(LENGTHS, LENGTHS),
    tile=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
def test_tiles_give_what_the_whole_image_gives_2d(network_of, levels, size, tile):
    # Not more than some dozen tiles.
    tile = np.maximum(tile, np.array(size) // 5).tolist()
    _check_tiles(network_of(2, levels), 2, levels, size, tile)


@settings(max_examples=12)
@given(
    levels=st.integers(1, 3),
    axis=st.integers(0, 2),
    long=st.sampled_from([64, 128, 192]) | st.integers(70, 180),
    short=st.sampled_from([(64, 2), (2, 64), (64, 64)]),
    tile=st.integers(4, 64),
)
def test_tiles_give_what_the_whole_image_gives_3d(
    network_of, levels, axis, long, short, tile
):
    size = list(short)
    size.insert(axis, long)
    tile = max(tile, long // 4)
    _check_tiles(network_of(3, levels), 3, levels, tuple(size), (tile,) * 3)


@given(data=st.data(), rank=st.integers(1, 3))
def test_tiles_cover_each_pixel_once(data, rank):
    def draw(low, high):
        return data.draw(st.tuples(*[st.integers(low, high)] * rank))

    stride = draw(1, 4)
    patch = tuple(
        step * factor for step, factor in zip(stride, draw(1, 6), strict=True)
    )
    chosen = data.draw(st.sampled_from([None, patch]))
    tiling = Tiling(stride, draw(0, 6), draw(1, 12), chosen)
    shape = draw(1, 40)
    seen = np.zeros(shape, int)
    sizes = set()
    for tile in tiling.tiles(shape):
        seen[tile.outer] += 1
        sizes.add(tuple(axis.stop - axis.start for axis in tile.window))
        for window, inner, outer, stride in zip(*tile, tiling.stride, strict=True):
            assert window.start % stride == 0
            assert (window.stop - window.start) % stride == 0
            assert window.start + inner.start == outer.start
            assert inner.stop - inner.start == outer.stop - outer.start
            assert inner.stop <= window.stop - window.start
    assert (seen == 1).all()
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("patch", "size", "windows"),
    [
        (1, 1, [(0, 1)]),
        (1, 3, [(0, 1), (1, 2), (2, 3)]),
        (5, 5, [(0, 5)]),
        (5, 4, [(0, 5)]),
        (5, 9, [(0, 16)]),
        (64, 9, [(0, 16)]),
        (None, 5, [(0, 8)]),
    ],
)
def test_no_more_is_shown_than_was_learnt_from(patch, size, windows):
    patch_shape = None if patch is None else (patch, 64, 64)
    tiling = Tiling((1, 8, 8), (4, 32, 32), (64, 64, 64), patch_shape)
    tiles = tiling.tiles((size, 64, 64))
    assert [(t.window[0].start, t.window[0].stop) for t in tiles] == windows


def test_images_of_many_sizes_come_back_in_order(network_of):
    network = network_of(2, 1)
    rng = np.random.default_rng(0)
    images = [rng.random((*rng.integers(1, 40, 2), 1), np.float32) for _ in range(12)]
    tiling = _tiling(2, 1, (16, 16))
    together = _collect(predict_parts(network, images, PLAIN, tiling), images, 1)
    for image, result in zip(images, together, strict=True):
        alone = _collect(predict_parts(network, [image], PLAIN, tiling), [image], 1)
        np.testing.assert_allclose(result, alone[0], atol=1e-5)


def test_each_image_is_scaled_by_statistics_of_the_whole_of_it(network_of):
    network, rng = network_of(2, 1), np.random.default_rng(0)
    image = (1000 * rng.random((60, 50, 1))).astype(np.uint16)
    normalizer = Normalizer("standard")
    tiling = _tiling(2, 1, (8, 8))
    tiled = _collect(predict_parts(network, [image], normalizer, tiling), [image], 1)
    ready = normalizer(image)
    plain = _collect(predict_parts(network, [ready], PLAIN, tiling), [image], 1)
    np.testing.assert_allclose(tiled[0], plain[0], atol=1e-5)


def test_many_image_sizes_trace_no_more_than_three_functions():
    network = _random_network(2, 1, activate=class_probabilities)
    rng = np.random.default_rng(0)
    images = [rng.random((*rng.integers(1, 90, 2), 1), np.float32) for _ in range(12)]
    tiling = _tiling(2, 1, (16, 16))
    list(predict_parts(network, images, PLAIN, tiling))
    assert network.n_traces == 1
    for n_draws in (1, 2, 7):
        noise = rng.random((n_draws, network.n_noise), np.float32)
        list(draw_parts(network, images[:4], PLAIN, tiling, noise))
    assert network.n_traces <= 3


@pytest.fixture(scope="module")
def sampled():
    """Return a network with dropout, three images, noise and the expected means."""
    network = _random_network(2, 2, activate=class_probabilities)
    rng = np.random.default_rng(1)
    images = [rng.random((*size, 1), np.float32) for size in ((64, 64), (64, 128))]
    noise = rng.random((5, network.n_noise), np.float32)
    expected = []
    for image in images:
        draws = []
        for row in noise:
            with dropout_noise(row[np.newaxis]):
                logits = network.model(image[np.newaxis], training=False)
            draws.append(np.asarray(class_summary(class_probabilities(logits)))[0])
        expected.append(np.mean(draws, axis=0))
    return network, images, noise, expected


@pytest.mark.parametrize("tile_shape", [(64, 128), (16, 16), (64, 4)])
def test_draws_are_the_mean_over_single_networks(sampled, tile_shape):
    network, images, noise, expected = sampled
    tiling = _tiling(2, 2, tile_shape)
    parts = draw_parts(network, images, PLAIN, tiling, noise)
    for result, wanted in zip(_collect(parts, images, 3), expected, strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_draws_do_not_depend_on_the_order_of_the_images(sampled):
    network, images, noise, expected = sampled
    parts = draw_parts(network, images[::-1], PLAIN, _tiling(2, 2, (16, 16)), noise)
    results = _collect(parts, images[::-1], 3)[::-1]
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_draws_differ_from_each_other(sampled):
    network, images, noise, _ = sampled
    tiling = _tiling(2, 2, (64, 128))
    first, second = (
        _collect(draw_parts(network, images, PLAIN, tiling, rows), images, 3)
        for rows in (noise[:1], noise[1:2])
    )
    assert not np.allclose(first[1], second[1], atol=1e-3)


def test_draws_in_several_goes_are_the_same(sampled, monkeypatch):
    network, images, noise, expected = sampled
    monkeypatch.setattr("instantdl.training._predict._PIXELS_PER_BATCH", 64 * 128 * 2)
    parts = draw_parts(network, images, PLAIN, _tiling(2, 2, (64, 128)), noise)
    for result, wanted in zip(_collect(parts, images, 3), expected, strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_batches_of_windows_are_bounded(network_of, monkeypatch):
    network, sizes = network_of(2, 1), []
    monkeypatch.setattr("instantdl.training._predict._PIXELS_PER_BATCH", 3 * 64**2)
    predict = network.predict
    monkeypatch.setattr(
        network, "predict", lambda x: sizes.append(len(x)) or predict(x)
    )
    images = [np.zeros((64, 64, 1), np.float32)] * 7
    list(predict_parts(network, images, PLAIN, _tiling(2, 1, (64, 64))))
    assert sizes == [3, 3, 1]


def test_images_are_read_one_after_the_other(network_of):
    read = []

    class Images:
        def __iter__(self):
            for i in range(3):
                read.append(i)
                yield np.zeros((300, 300, 1), np.float32)

    parts = predict_parts(network_of(2, 1), Images(), PLAIN, _tiling(2, 1, (300, 300)))
    next(parts)
    assert len(read) <= 4 * math.ceil(2**18 / 300**2)
    assert len(read) <= 3
