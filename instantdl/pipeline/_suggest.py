"""What a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["unknown_names"]

# The file may be another one altogether, with thousands of keys.
_SHOWN = 10


def unknown_names(
    names: Iterable[str], known: Iterable[str], *, within: str | None = None
) -> list[str]:
    """Return lines for names that are not known, with the ones that are next to them.

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
        One for each of the first ten; empty if all are known.

    Examples
    --------
    >>> from instantdl.pipeline._suggest import unknown_names
    >>> unknown_names(["epoch"], ["epochs", "path"])
    ['epoch is not a known key. Did you mean epochs?']
    """
    choices = list(known)
    place = f"{within}, " if within else ""
    # Keys of YAML need not be text.
    unknown = [str(name) for name in names if name not in choices]
    lines = [
        f"{place}{name:.60} is not a known key. {_advice(name, choices)}"
        for name in unknown[:_SHOWN]
    ]
    if len(unknown) > _SHOWN:
        lines.append(f"{place}{len(unknown) - _SHOWN} more are not known keys")
    return lines


def _advice(name: str, choices: list[str]) -> str:
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {by_lower[close[0]]}?"
    return f"There are {', '.join(choices)}."
