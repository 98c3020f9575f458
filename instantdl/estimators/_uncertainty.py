"""Uncertainty of classes and of values, from means over Monte Carlo draws."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

_KINDS = ("total", "epistemic", "aleatoric")


def check_kind(kind: str, kinds: Sequence[str] = _KINDS) -> None:
    """Raise unless `kind` is a known kind of uncertainty.

    Parameters
    ----------
    kind : str
        What a user asked for.

    kinds : sequence of str, default=("total", "epistemic", "aleatoric")
        Those that there are.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in kinds:
        raise ValueError(f"`kind` must be one of {tuple(kinds)}. Got {kind!r}.")


def uncertainty_of(values: NDArray, kind: str) -> NDArray:
    """Return one kind of uncertainty.

    Parameters
    ----------
    values : ndarray of shape (..., n_classes + 1)
        Means over the draws: of each class's probability and, last, of the
        normalised entropy.

    kind : {"total", "epistemic", "aleatoric"}
        Entropy of the mean, the difference of both, or the mean entropy.

    Returns
    -------
    ndarray of shape (...)
        In [0, 1].
    """
    mean, aleatoric = values[..., :-1], np.clip(values[..., -1], 0, 1)
    if kind == "aleatoric":
        return aleatoric
    safe = np.clip(mean, np.finfo(np.float32).tiny, 1)
    total = np.clip(-(mean * np.log(safe)).sum(-1) / np.log(mean.shape[-1]), 0, 1)
    return total if kind == "total" else np.clip(total - aleatoric, 0, 1)


def mean_summary(foregrounds: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return means over draws of probabilities and their normalised entropy.

    Parameters
    ----------
    foregrounds : iterable of ndarray of shape (*spatial,)
        Probability of the foreground in each draw; one at a time is held.

    Returns
    -------
    ndarray of shape (*spatial, 3)
        Of background, foreground and entropy.
    """
    total: Any = 0
    n_draws = 0
    for p in foregrounds:
        both = np.stack([1 - p, p], axis=-1)
        entropy = special.entr(both).sum(axis=-1, keepdims=True) / np.log(2)
        total = total + np.concatenate([both, entropy], axis=-1)
        n_draws += 1
    return np.asarray(total / n_draws)


def deviation_of(values: NDArray, n_values: int, kind: str) -> NDArray:
    """Return one kind of standard deviation of real values.

    Parameters
    ----------
    values : ndarray of shape (..., 2 * n_values) or (..., 3 * n_values)
        Means over the draws: of the values, of their squares and, if they were
        learnt, of their variances.

    n_values : int
        Number of values.

    kind : {"total", "epistemic", "aleatoric"}
        Deviation of the draws, the learnt one, or the root of the sum of both squares.

    Returns
    -------
    ndarray of shape (..., n_values)
        In the units of the values.
    """
    mean, square = values[..., :n_values], values[..., n_values : 2 * n_values]
    epistemic = np.maximum(square - mean**2, 0)
    if kind == "epistemic":
        return np.sqrt(epistemic)
    aleatoric = values[..., 2 * n_values :]
    return np.sqrt(aleatoric if kind == "aleatoric" else epistemic + aleatoric)
