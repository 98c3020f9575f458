"""Text that can be shown, whatever the names of files are."""

from __future__ import annotations

import unicodedata

__all__ = ["showable"]

# Control characters, and halves of characters: bytes of a name that are no text.
_HARMFUL = ("Cc", "Cs")


def showable(text: str, *, lines: bool = False) -> str:
    r"""Return a text that any terminal or file takes, and that steers none.

    Names of files may hold line breaks, codes that terminals obey, and bytes that are
    no text.

    Parameters
    ----------
    text : str
        Any.

    lines : bool, default=False
        Whether line breaks are meant, and stay.

    Returns
    -------
    str
        With such characters as escapes.

    Examples
    --------
    >>> from instantdl.pipeline._text import showable
    >>> print(showable("für\x1b[31m\n.png"))
    für\x1b[31m\n.png
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _HARMFUL
        and not (lines and character == "\n")
        else character
        for character in text
    )
