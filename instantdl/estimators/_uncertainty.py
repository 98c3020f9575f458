"""Uncertainty of a class, from the mean over Monte Carlo draws."""

import numpy as np
from numpy.typing import NDArray

_KINDS = ("total", "epistemic", "aleatoric")


def check_kind(kind: str) -> None:
    """Raise unless `kind` is a known kind of uncertainty.

    Parameters
    ----------
    kind : str
        What a user asked for.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"`kind` must be one of {_KINDS}. Got {kind!r}.")


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
