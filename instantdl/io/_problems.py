"""All that is wrong with a folder or a file, told at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# So many problems are written out; of the rest the number is given.
_SHOWN = 20


def describe_problems(path: Path, rule: str, problems: Sequence[str]) -> str:
    """Write down what must hold, how many problems there are, and each of them.

    Parameters
    ----------
    path : Path
        Folder or file.

    rule : str
        What must hold, without a full stop.

    problems : sequence of str
        What does not.

    Returns
    -------
    str
        A message of several lines.
    """
    lines = [f"  {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN} more")
    noun = "problem" if len(problems) == 1 else "problems"
    first = (
        f"{path}: {rule}. Got {len(problems)} {noun}. Add, rename, correct or remove"
    )
    return "\n".join([f"{first} these:", *lines])
