"""The inner validation split."""

import warnings

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

from instantdl.exceptions import InstantDLWarning


def split_validation(
    n_samples: int,
    *,
    validation_fraction: float,
    seed: int,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
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
        All images of a group, say a patient, go to the same part.

    Returns
    -------
    training, validation : ndarray of int
        Sorted positions; `validation` is empty if the images or groups are too few,
        which is warned of.

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
        warnings.warn(
            f"Two {kind}s at least are needed to hold one back for validation. Got "
            f"{len(units)}. Training goes on without validation; set "
            "`validation_fraction=0` to say so yourself.",
            InstantDLWarning,
            stacklevel=2,
        )
        return everything, nothing
    n_validation = min(max(1, round(validation_fraction * len(units))), len(units) - 1)
    if groups is not None:
        splitter = GroupShuffleSplit(1, test_size=n_validation, random_state=seed)
        training, validation = next(splitter.split(everything, groups=groups))
    elif strata is not None and _can_stratify(strata, n_validation):
        stratified = StratifiedShuffleSplit(
            1, test_size=n_validation, random_state=seed
        )
        training, validation = next(stratified.split(everything, strata))
    else:
        order = np.random.default_rng(seed).permutation(n_samples)
        validation, training = order[:n_validation], order[n_validation:]
    return np.sort(training), np.sort(validation)


def _can_stratify(strata: np.ndarray, n_validation: int) -> bool:
    _, counts = np.unique(strata, return_counts=True)
    n_training = len(strata) - n_validation
    return bool(1 < len(counts) <= min(n_validation, n_training) and counts.min() >= 2)
