"""Tests of the inner validation split."""

import numpy as np
import pytest

from instantdl.exceptions import InstantDLWarning
from instantdl.training import split_validation


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [(10, 0.2, 2), (10, 0.01, 1), (2, 0.9, 1), (5, 0.99, 4), (7, 0.5, 4)],
)
def test_the_fraction_is_kept_with_one_image_left_on_each_side(n, fraction, expected):
    training, validation = split_validation(n, validation_fraction=fraction, seed=0)
    assert len(validation) == expected
    assert sorted([*training, *validation]) == list(range(n))
    assert (np.diff(training) > 0).all()


def test_the_seed_settles_the_split():
    first, again, other = (
        split_validation(50, validation_fraction=0.3, seed=seed)[1].tolist()
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_fraction_zero_holds_nothing_back():
    training, validation = split_validation(3, validation_fraction=0, seed=0)
    assert training.tolist() == [0, 1, 2]
    assert validation.size == 0


def test_strata_are_kept_in_proportion():
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    _, validation = split_validation(
        100, validation_fraction=0.2, seed=0, strata=strata
    )
    assert np.bincount(strata[validation]).tolist() == [12, 6, 2]


@pytest.mark.parametrize("strata", [[0, 0, 0, 0, 0, 1], [0, 1, 2, 3, 0, 1], [0] * 6])
def test_strata_that_are_too_small_are_left_aside(strata):
    training, validation = split_validation(
        6, validation_fraction=0.2, seed=0, strata=np.array(strata)
    )
    assert (len(training), len(validation)) == (5, 1)


def test_groups_stay_together():
    groups = np.repeat(list("abcdefgh"), 3)
    training, validation = split_validation(
        24, validation_fraction=0.25, seed=0, groups=groups
    )
    assert len(validation) == 6
    assert not set(groups[training]) & set(groups[validation])


def test_groups_are_spread_by_strata():
    groups = np.arange(100) // 5
    strata = (groups < 4).astype(int)  # one patient in five is ill
    for seed in range(5):
        training, validation = split_validation(
            100, validation_fraction=0.25, seed=seed, strata=strata, groups=groups
        )
        assert strata[validation].mean() == pytest.approx(0.2, abs=0.01)
        assert not set(groups[training]) & set(groups[validation])


@pytest.mark.parametrize("seed", range(5))
def test_each_stratum_keeps_an_image_for_training(seed):
    strata = np.array([0, 0, 0, 0, 1, 2, 3])
    training, validation = split_validation(
        7, validation_fraction=0.5, seed=seed, strata=strata, keep_strata=True
    )
    assert set(strata[training]) == {0, 1, 2, 3}
    assert len(validation) == 3


def test_a_stratum_in_one_group_only_is_warned_of():
    groups = np.array([0, 1])
    with pytest.warns(InstantDLWarning, match="in two groups at least"):
        split_validation(
            2,
            validation_fraction=0.5,
            seed=0,
            strata=groups,
            groups=groups,
            keep_strata=True,
        )


def test_one_image_is_warned_of():
    with pytest.warns(InstantDLWarning, match="Two images at least .* Got 1\\."):
        training, validation = split_validation(1, validation_fraction=0.2, seed=0)
    assert training.tolist() == [0]
    assert validation.size == 0


def test_one_group_is_warned_of():
    with pytest.warns(InstantDLWarning, match="Two groups at least"):
        split_validation(4, validation_fraction=0.2, seed=0, groups=np.zeros(4))
