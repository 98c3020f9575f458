"""What a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["unknown_names"]


def unknown_names(
    names: Iterable[str], known: Iterable[str], *, within: str | None = None
) -> list[str]:
    """Return a line for each name that is not known, with the one that is next to it.

    Parameters
    ----------
    names : iterable of str
        As they were given.

    known : iterable of str
        Those there are.

    within : str, default=None
        The key whose value they stand in.

    Returns
    -------
    list of str
        Empty if all are known.

    Examples
    --------
    >>> from instantdl.pipeline._suggest import unknown_names
    >>> unknown_names(["epoch"], ["epochs", "path"])
    ['epoch is not a known key. Did you mean epochs?']
    """
    choices = list(known)
    place = f"{within}, " if within else ""
    return [
        f"{place}{name} is not a known key. {_advice(name, choices)}"
        for name in names
        if name not in choices
    ]


def _advice(name: str, choices: list[str]) -> str:
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {by_lower[close[0]]}?"
    return f"There are {', '.join(choices)}."
