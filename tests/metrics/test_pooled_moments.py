import numpy as np
import pytest

from instantdl import metrics
from instantdl.metrics._pooled_moments import (
    MEASURES_OF_MOMENTS,
    moments_of_images,
    pool_moments,
)

RNG = np.random.default_rng(0)


def _images(n):
    shapes = [(int(rows), 7) for rows in RNG.integers(3, 9, n)]
    true = [RNG.normal(RNG.normal(0, 3), 1, shape) for shape in shapes]
    return true, [image + RNG.normal(0, 0.5, image.shape) for image in true]


@pytest.mark.parametrize("name", MEASURES_OF_MOMENTS)
def test_measures_are_those_of_the_images_that_were_drawn(name):
    true, pred = _images(5)
    weights = np.array([[1, 1, 1, 1, 1], [0, 2, 0, 3, 0], [0, 0, 0, 0, 4]])
    pooled = pool_moments(moments_of_images(true, pred), weights)
    for row, moments in zip(weights, pooled, strict=True):
        drawn = np.repeat(np.arange(5), row)
        images = [true[i] for i in drawn], [pred[i] for i in drawn]
        expected = getattr(metrics, name)(*images)
        assert MEASURES_OF_MOMENTS[name](moments) == pytest.approx(expected, rel=1e-9)


def test_large_offsets_do_not_cancel_out():
    true, pred = _images(4)
    far = [[image + 1e6 for image in images] for images in (true, pred)]
    weights = np.array([[2, 0, 1, 1]])
    found = pool_moments(moments_of_images(*far), weights)[0]
    expected = pool_moments(moments_of_images(true, pred), weights)[0]
    for name in ("r2", "pearson"):
        value_of = MEASURES_OF_MOMENTS[name]
        assert value_of(found) == pytest.approx(value_of(expected), rel=1e-6)


def test_constant_images_are_known_by_their_extremes():
    true = [np.full((4, 5), 0.1), np.full((4, 5), 0.1), RNG.random((4, 5))]
    moments = moments_of_images(true, true)
    constant, other = pool_moments(moments, np.array([[2, 1, 0], [1, 1, 1]]))
    assert constant.constant.all()
    assert not other.constant.any()
    assert MEASURES_OF_MOMENTS["r2"](constant) == 1.0
