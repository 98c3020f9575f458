"""The inner validation split."""

import warnings

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

from instantdl.exceptions import InstantDLWarning

_N_DRAWS = 50


def split_validation(
    n_samples: int,
    *,
    validation_fraction: float,
    seed: int,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    keep_strata: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the images that training holds back for validation.

    Parameters
    ----------
    n_samples : int
        Number of images.

    validation_fraction : float
        Share of the images (of the groups, when given); 0 for none.

    seed : int
        Settles the choice.

    strata : ndarray of shape (n_samples,), default=None
        Both parts get each stratum in its proportion, where there are enough.

    groups : ndarray of shape (n_samples,), default=None
        All images of a group, say a patient, go to the same part. Of some draws the
        one is taken whose strata are spread most alike.

    keep_strata : bool, default=False
        Leave an image of each stratum to training, as where they are the classes to
        be learnt; fewer are held back for that, if need be.

    Returns
    -------
    training, validation : ndarray of int
        Sorted positions; `validation` is empty if the images or groups are too few,
        which is warned of, as is a stratum that is in groups held back only.

    Examples
    --------
    >>> from instantdl.training import split_validation
    >>> training, validation = split_validation(
    ...     10, validation_fraction=0.2, seed=0)
    >>> len(training), len(validation)
    (8, 2)
    """
    everything = np.arange(n_samples)
    nothing = everything[:0]
    if validation_fraction == 0:
        return everything, nothing
    units = np.arange(n_samples) if groups is None else np.unique(groups)
    if len(units) < 2:
        kind = "image" if groups is None else "group"
        _warn_of_none(f"Two {kind}s at least", str(len(units)))
        return everything, nothing
    n_validation = min(max(1, round(validation_fraction * len(units))), len(units) - 1)
    if groups is not None:
        splitter = GroupShuffleSplit(
            _N_DRAWS, test_size=n_validation, random_state=seed
        )
        pairs = splitter.split(everything, groups=groups)
        if strata is None:
            training, validation = next(pairs)
        else:
            training, validation = min(pairs, key=lambda pair: _cost(strata, *pair))
            if keep_strata and _n_missing(strata, training):
                warnings.warn(
                    "Each class must be in two groups at least, so that one can be "
                    "held back for validation. Got a class in one group only, and it "
                    "is not trained on. Set `validation_fraction=0` to train on all.",
                    InstantDLWarning,
                    stacklevel=2,
                )
    elif strata is not None and _can_stratify(strata, n_validation):
        stratified = StratifiedShuffleSplit(
            1, test_size=n_validation, random_state=seed
        )
        training, validation = next(stratified.split(everything, strata))
    else:
        order = np.random.default_rng(seed).permutation(n_samples)
        if strata is not None and keep_strata:
            _, first = np.unique(strata[order], return_index=True)
            order = np.concatenate([np.delete(order, first), order[first]])
            n_validation = min(n_validation, n_samples - len(first))
        if n_validation == 0:
            _warn_of_none("Two images of a class at least", "one of each")
        validation, training = order[:n_validation], order[n_validation:]
    return np.sort(training), np.sort(validation)


def _warn_of_none(needed: str, got: str) -> None:
    warnings.warn(
        f"{needed} are needed to hold one back for validation. Got {got}. Training "
        "goes on without validation; set `validation_fraction=0` to say so yourself.",
        InstantDLWarning,
        stacklevel=3,
    )


def _n_missing(strata: np.ndarray, part: np.ndarray) -> int:
    return len(np.setdiff1d(strata, strata[part]))


def _cost(
    strata: np.ndarray, training: np.ndarray, validation: np.ndarray
) -> tuple[int, float]:
    """Return how many strata training lacks, and how unlike the two parts are."""
    _, codes = np.unique(strata, return_inverse=True)
    shares = [
        np.bincount(codes[part], minlength=codes.max() + 1) / len(part)
        for part in (training, validation)
    ]
    return _n_missing(strata, training), float(np.abs(shares[0] - shares[1]).sum())


def _can_stratify(strata: np.ndarray, n_validation: int) -> bool:
    _, counts = np.unique(strata, return_counts=True)
    n_training = len(strata) - n_validation
    return bool(1 < len(counts) <= min(n_validation, n_training) and counts.min() >= 2)
