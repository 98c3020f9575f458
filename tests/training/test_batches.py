"""Tests of where patches are cut."""

import tracemalloc

import numpy as np
import pytest

from instantdl.images import Augmentation, Crops, Normalizer, check_images
from instantdl.training import PatchSource, TrainingBatches, validation_batches


def _numbered(*shapes):
    """Return images whose pixels are all different, and targets equal to them."""
    images, first = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        images.append(np.arange(first, first + size, dtype=np.int32).reshape(shape))
        first += size
    return images


def _source(shapes, patch_shape=(8, 8), **kwargs):
    targets = _numbered(*shapes)
    settings = {
        "images": [target[..., np.newaxis] for target in targets],
        "targets": targets,
        "encode": lambda crop: crop,
        "normalizer": Normalizer("none"),
        "patch_shape": patch_shape,
        "sample_weight": np.arange(1.0, len(shapes) + 1),
    }
    return PatchSource(**{**settings, **kwargs})


def _batches(source, **kwargs):
    settings = {"batch_size": 4, "augmentation": None, "seed": 0, "n_noise": 3}
    return TrainingBatches(source, **{**settings, **kwargs})


@pytest.mark.parametrize(
    ("shapes", "patch"), [([(20, 30), (5, 40)], (8, 8)), ([(9, 10, 11)], (4, 8, 8))]
)
def test_image_and_mask_are_cut_at_the_same_place(shapes, patch):
    batch = _batches(_source(shapes, patch)).make(0, 0)
    assert batch.x.shape == (4, *patch, 1)
    assert batch.x.dtype == np.float32
    np.testing.assert_array_equal(batch.x[..., 0], batch.target)


@pytest.mark.parametrize("patch", [(8, 8), (4, 4, 4)])
def test_image_and_mask_are_changed_alike(patch):
    augmentation = Augmentation(flip=True, rotate90=True)
    source = _source([(12,) * len(patch)] * 3, patch)
    batches = _batches(source, augmentation=augmentation, batch_size=8)
    batch = batches.make(0, 0)
    np.testing.assert_array_equal(batch.x[..., 0], batch.target)
    plain = _batches(source, batch_size=8).make(0, 0)
    assert not np.array_equal(batch.x, plain.x)


def test_small_images_are_mirrored_at_their_end():
    source = _source([(3, 8)], (6, 8))
    x, target = source.crop(0, (0, 0))
    np.testing.assert_array_equal(target, source.targets[0][[0, 1, 2, 1, 0, 1]])
    np.testing.assert_array_equal(x[..., 0], target)


def test_targets_with_channels_are_mirrored_too():
    source = _source([(3, 8)], (6, 8), encode=lambda crop: np.stack([crop, -crop], -1))
    _, target = source.crop(0, (0, 0))
    assert target.shape == (6, 8, 2)
    np.testing.assert_array_equal(target[..., 0], -target[..., 1])


def test_a_batch_depends_on_seed_epoch_and_step_only():
    source = _source([(40, 40)] * 5)
    first, again = (_batches(source).make(2, 1) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    others = [(0, 2, 0), (0, 1, 1), (1, 2, 1)]
    for seed, epoch, step in others:
        other = _batches(source, seed=seed).make(epoch, step)
        assert not np.array_equal(first.x, other.x)
        assert not np.array_equal(first.noise, other.noise)


def test_an_epoch_is_its_batches_in_order():
    batches = _batches(_source([(16, 16)] * 5))
    made = list(batches.epoch(1))
    assert len(made) == len(batches)
    for step, batch in enumerate(made):
        np.testing.assert_array_equal(batch.x, batches.make(1, step).x)


def test_an_epoch_that_is_left_early_ends_its_thread():
    epoch = _batches(_source([(16, 16)] * 9)).epoch(0)
    next(epoch)
    epoch.close()
    assert list(epoch) == []


def test_an_error_while_a_batch_is_made_reaches_the_caller():
    def broken(crop):
        raise ValueError("no such crop")

    with pytest.raises(ValueError, match="no such crop"):
        list(_batches(_source([(8, 8)], encode=broken)).epoch(0))


def test_each_image_comes_once_an_epoch():
    source = _source([(8, 8)] * 8)
    seen = np.concatenate([batch.sample_weight for batch in _batches(source).epoch(3)])
    assert sorted(seen) == list(range(1, 9))


def test_an_image_comes_as_often_as_it_is_emphasised():
    emphasis = [1, 2.4, 2.6, 0.1]
    batches = _batches(_source([(8, 8)] * 4), emphasis=emphasis, batch_size=1)
    seen = [int(batch.sample_weight[0]) for batch in batches.epoch(0)]
    assert sorted(seen) == [1, 2, 2, 3, 3, 3, 4]


@pytest.mark.parametrize("batch_size", [3, 8])
def test_the_last_batch_is_filled_from_the_beginning(batch_size):
    batches = _batches(_source([(8, 8)] * 4), batch_size=batch_size)
    made = list(batches.epoch(0))
    assert all(len(batch.x) == batch_size for batch in made)
    weights = np.concatenate([batch.sample_weight for batch in made])
    np.testing.assert_array_equal(weights[4:8], weights[: len(weights[4:8])])


def test_noise_is_uniform():
    noise = _batches(_source([(8, 8)]), n_noise=5000).make(0, 0).noise
    assert noise.shape == (4, 5000)
    assert noise.dtype == np.float32
    assert 0 <= noise.min() < 0.01 < 0.99 < noise.max() < 1
    assert noise.mean() == pytest.approx(0.5, abs=0.02)


def test_large_images_give_more_patches_but_none_dominates():
    sizes = [(32, 32)] * 40 + [(8, 8)] * 100 + [(800, 800)] * 4
    made = list(_batches(_source(sizes), batch_size=1, augmentation=None).epoch(0))
    numbers = np.concatenate([batch.sample_weight for batch in made]).astype(int)
    assert (np.bincount(numbers)[1:41] == 4).all()
    assert (np.bincount(numbers)[41:141] == 1).all()
    assert (np.bincount(numbers)[141:] == 4).all()


def test_an_epoch_of_few_large_images_is_long_enough():
    assert len(_batches(_source([(32, 32)]), batch_size=1)) == 256
    assert len(_batches(_source([(800, 800)]), batch_size=1)) == 256
    assert len(_batches(_source([(800, 800), (8, 8)]), batch_size=1)) == 7 * 33
    assert len(_batches(_source([(8, 8)] * 3), batch_size=1)) == 3


def _share_of_object(fraction):
    mask = np.zeros((200, 200), np.int32)
    mask[150, 20] = 1
    source = _source([(200, 200)], images=[mask[..., np.newaxis]], targets=[mask])
    batches = _batches(
        source,
        batch_size=60,
        places=[[np.argwhere(mask)]],
        place_fraction=fraction,
    )
    targets = np.concatenate([batches.make(epoch, 0).target for epoch in range(5)])
    return (targets.sum(axis=(1, 2)) > 0).mean()


@pytest.mark.parametrize("fraction", [0, 1 / 3, 1])
def test_a_share_of_the_patches_shows_the_places_asked_for(fraction):
    assert _share_of_object(fraction) == pytest.approx(fraction, abs=0.08)


def test_rare_classes_are_shown_as_often_as_common_ones():
    mask = np.zeros((64, 64), np.int32)
    mask[:20] = 1
    mask[60, 60] = 2
    source = _source([(64, 64)], (4, 4), targets=[mask])
    places = [[np.argwhere(mask == value) for value in (1, 2)] + [np.empty((0, 2))]]
    batches = _batches(source, batch_size=200, places=places, place_fraction=1)
    has_rare = (batches.make(0, 0).target == 2).any(axis=(1, 2))
    assert has_rare.mean() == pytest.approx(0.5, abs=0.1)


def test_places_at_the_border_give_patches_inside():
    mask = np.zeros((9, 30), np.int32)
    mask[0, 0] = mask[8, 29] = 1
    places = [[np.argwhere(mask)]]
    source = _source([(9, 30)], targets=[mask])
    batches = _batches(source, batch_size=50, places=places, place_fraction=1)
    assert (batches.make(0, 0).target.sum(axis=(1, 2)) >= 1).all()


def test_a_memmap_is_neither_copied_nor_kept(tmp_path):
    file = np.memmap(tmp_path / "image", np.uint8, "w+", shape=(1, 20_000, 20_000, 1))
    source = _source([(8, 8)], (64, 64), images=file, targets=file[..., 0])
    tracemalloc.start()
    batch = _batches(source).make(0, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batch.x.shape == (4, 64, 64, 1)
    assert peak < 4e6


class _ReadAgain:
    """Images that are read anew each time, as views of what was read."""

    def __init__(self, n):
        self.n, self.n_read = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.n_read += 1
        return np.zeros((50, 50), np.uint8)[..., np.newaxis]


def test_images_are_kept_only_while_memory_lasts(monkeypatch):
    monkeypatch.setattr("instantdl.training._batches._CACHE_BYTES", 5 * 2500)
    images = _ReadAgain(10)
    source = _source([(8, 8)] * 10, images=images, targets=_ReadAgain(10))
    for _ in range(2):
        for index in range(10):
            source.read(index)
    assert images.n_read == 18
    assert source._kept_bytes <= 5 * 2500


def test_validation_patches_cover_every_pixel():
    source = _source([(20, 9), (8, 8)])
    batches = validation_batches(source, batch_size=4)
    seen = np.concatenate([batch.target.ravel() for batch in batches])
    assert set(seen) == set(range(20 * 9 + 64))


def test_validation_batches_are_filled_with_patches_of_weight_zero():
    source = _source([(8, 8)] * 5)
    batches = validation_batches(source, batch_size=4)
    assert [batch.sample_weight.tolist() for batch in batches] == [
        [1, 2, 3, 4],
        [5, 0, 0, 0],
    ]
    assert all(batch.x.shape == (4, 8, 8, 1) for batch in batches)


def test_validation_takes_so_many_patches_at_most():
    source = _source([(80, 80)] * 3)
    batches = validation_batches(source, batch_size=4, max_patches=6)
    weights = np.concatenate([batch.sample_weight for batch in batches])
    assert sorted(weights[weights > 0]) == [1, 1, 2, 2, 3, 3]


def test_no_image_at_all_gives_no_validation_batch():
    assert validation_batches(_source([]), batch_size=2) == []


def test_validation_takes_no_more_than_fits(monkeypatch):
    from instantdl.training import _batches as module

    monkeypatch.setattr(module, "_VALIDATION_BYTES", 3 * 4 * 64)
    batches = validation_batches(_source([(8, 8)] * 9), batch_size=1)
    assert len(batches) == 3


def test_parts_of_an_image_are_normalised_as_the_whole_of_it():
    image = np.linspace(0, 1, 64 * 8, dtype=np.float32).reshape(1, 64, 8)
    images = check_images(image, spatial_ndim=2)
    masks = np.zeros((1, 64, 8), int)
    window = (slice(48, 64), slice(0, 8))
    parts = {
        "images": Crops(images, [(0, window)]),
        "targets": Crops(masks, [(0, window)]),
    }
    source = PatchSource(
        **parts,
        encode=np.asarray,
        normalizer=Normalizer("minmax"),
        patch_shape=(16, 8),
        sample_weight=np.ones(1),
    )
    x, _ = source.crop(0, (0, 0))
    np.testing.assert_allclose(x[..., 0], image[0, 48:], atol=1e-5)
