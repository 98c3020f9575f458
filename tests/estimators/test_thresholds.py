import numpy as np
import pytest
from skimage.filters import threshold_otsu

from instantdl.estimators._thresholds import best_threshold, guarded_otsu

RNG = np.random.default_rng(0)


def test_otsus_threshold_is_kept_where_there_are_two_sides():
    probability = np.concatenate([RNG.normal(0.2, 0.05, 99), RNG.normal(0.8, 0.05, 99)])
    assert guarded_otsu(probability) == threshold_otsu(probability)


@pytest.mark.parametrize("value", [0.1, 0.9])
def test_otsus_threshold_is_half_where_there_is_one_side_only(value):
    assert guarded_otsu(value + RNG.normal(0, 0.02, (16, 16))) == 0.5


def _index(probability, truth, threshold):
    found = probability >= threshold
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_best_threshold_has_the_best_jaccard_index(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((3, 16, 16)) < 0.3
    probability = np.clip(rng.normal(0.3 + 0.3 * truth, 0.2), 0, 1)
    found = best_threshold(zip(probability, truth, strict=True))
    best = max(_index(probability, truth, one) for one in np.linspace(0, 1, 201))
    assert _index(probability, truth, found) == pytest.approx(best, abs=1e-3)


def test_the_best_threshold_does_not_depend_on_how_pixels_are_parted():
    truth = RNG.random((4, 8, 8)) < 0.5
    probability = np.clip(RNG.normal(0.4 + 0.2 * truth, 0.2), 0, 1)
    parts = zip(probability.ravel(), truth.ravel(), strict=True)
    parted = best_threshold((np.array([p]), np.array([t])) for p, t in parts)
    assert parted == best_threshold([(probability, truth)])
