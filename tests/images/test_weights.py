"""Tests of how much each image counts."""

import numpy as np
import pytest

from instantdl.images import check_sample_weight


@pytest.mark.parametrize(
    "given", [[1, 0, 2.5], (1, 0, 2.5), np.array([1, 0, 2.5], np.float32)]
)
def test_sample_weights_become_float64(given):
    weight = check_sample_weight(given, 3)
    assert weight.dtype == np.float64
    np.testing.assert_array_equal(weight, [1, 0, 2.5])


def test_without_sample_weights_each_image_counts_once():
    np.testing.assert_array_equal(check_sample_weight(None, 3), [1, 1, 1])


@pytest.mark.parametrize("given", [[1, 2], [[1, 2, 3]], 1, [], np.ones((3, 4, 4))])
def test_sample_weights_of_another_shape_are_refused(given):
    with pytest.raises(ValueError, match="one number per image. Got shape .* 3 images"):
        check_sample_weight(given, 3)


@pytest.mark.parametrize("given", [[1, -1, 1], [1, np.nan, 1], [np.inf, 1, 1]])
def test_sample_weights_that_are_none_are_refused(given):
    with pytest.raises(ValueError, match="finite numbers >= 0.* Got values from"):
        check_sample_weight(given, 3)


def test_sample_weights_that_are_all_zero_are_refused():
    with pytest.raises(
        ValueError, match="not zero for all images. Got values from 0.0 to 0"
    ):
        check_sample_weight([0, 0], 2)
