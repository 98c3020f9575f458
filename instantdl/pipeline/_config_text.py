"""Read a configuration's text: JSON as people write it, or YAML."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml

__all__ = ["parse_config"]

_PYTHON = {"True": "true", "False": "false", "None": "null"}
_TOKEN = re.compile(
    r"""(?P<double>"(?:\\.|[^"\\\n])*")|(?P<single>'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<comment>//[^\n]*|\#[^\n]*|/\*.*?\*/)|\b(?P<word>True|False|None)\b""",
    re.DOTALL,
)
# Whole numbers of more digits are none that a run could use, and levels of YAML slow.
_MOST_DIGITS, _MOST_LEVELS = 20, 100
_TRAILING_COMMA = re.compile(r'(?P<double>"(?:\\.|[^"\\\n])*")|,(?=\s*[}\]])')


def parse_config(text: str, name: str | Path) -> dict[str, Any]:
    r"""Parse the text of a configuration.

    Parameters
    ----------
    text : str
        A JSON object, or YAML without aliases. In JSON there may be comments (``//``,
        ``#``, ``/* */``), commas before a closing bracket, single quotes, and Python's
        ``True``, ``False`` and ``None``.

    name : str or Path
        The file's name, for messages; YAML ends with ``.yaml`` or ``.yml``.

    Returns
    -------
    dict
        Keys and values.

    Raises
    ------
    ValueError
        If the text cannot be parsed, holds a key twice or is no object. The message
        tells the line.

    Examples
    --------
    >>> from instantdl.pipeline._config_text import parse_config
    >>> parse_config("{'path': 'data', 'seeds': False,  # fixed?\n}", "config.json")
    {'path': 'data', 'seeds': False}
    """
    is_yaml = Path(name).suffix.lower() in {".yaml", ".yml"}
    content = _parse_yaml(text, name) if is_yaml else _parse_json(text, name)
    if not isinstance(content, dict):
        raise ValueError(
            f"{name} must hold one object of keys and values. Got"
            f" {type(content).__name__}. Begin it with {{ and end it with }}."
        )
    if not all(isinstance(key, str) for key in content):
        raise ValueError(f"{name} must have text as keys. Got {list(content)}.")
    return content


def _parse_json(text: str, name: str | Path) -> Any:
    text = _TOKEN.sub(_plain_token, text)
    text = _TRAILING_COMMA.sub(lambda found: found["double"] or " ", text)
    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _no_doubles(pairs, name),
            parse_constant=lambda word: _number(word, name),
            parse_float=lambda word: _number(word, name),
            parse_int=lambda digits: _whole_number(digits, name),
        )
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{name}, line {error.lineno}, column {error.colno}: {error.msg}. It must"
            " be JSON: keys and text in quotes, a comma between two entries, \\\\ for a"
            " backslash."
        ) from None
    except RecursionError:
        raise ValueError(f"{name} must be a few levels deep. Got too many.") from None


def _parse_yaml(text: str, name: str | Path) -> Any:
    try:
        _check_events(yaml.parse(text))
        return yaml.load(text, _EachKeyOnce)
    # PyYAML raises the others on tags, dates and numbers that are none.
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ValueError(f"{name}{place}: {reason}. It must be YAML.") from None


def _check_events(events: Iterable[Any]) -> None:
    """Raise if a text is not plain, before anything is made of it."""
    depth = 0
    for event in events:
        # By aliases of aliases, a few lines are gigabytes.
        if isinstance(event, yaml.AliasEvent):
            raise _yaml_error("aliases are not taken", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS:
            raise _yaml_error("there are too many levels", event.start_mark)


def _plain_token(found: re.Match[str]) -> str:
    """Return a token as strict JSON has it; lines keep their numbers."""
    if found["comment"]:
        return "\n" * found["comment"].count("\n")
    if found["word"]:
        return _PYTHON[found["word"]]
    if found["single"]:
        inner = found["single"][1:-1].replace("\\'", "'").replace('"', '\\"')
        return f'"{inner}"'
    return found["double"]


def _no_doubles(pairs: list[tuple[str, Any]], name: str | Path) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    if doubled := sorted(key for key, count in counts.items() if count > 1):
        raise ValueError(
            f"{name} must have each key once. Got {', '.join(doubled)} more than once."
        )
    return dict(pairs)


def _number(word: str, name: str | Path) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{name} must hold finite numbers. Got {word:.30}.")
    return number


def _whole_number(digits: str, name: str | Path) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(
            f"{name} must hold whole numbers of {_MOST_DIGITS} digits at most. Got one"
            f" of {len(digits)}."
        )
    return int(digits)


class _EachKeyOnce(yaml.SafeLoader):
    """Loads plain values, and refuses what JSON is refused for."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            known: set[str] = set()
            for key, _ in node.value:
                if f"{key.value}" in known:
                    problem = f"{key.value} is there more than once"
                    raise _yaml_error(problem, key.start_mark)
                known.add(f"{key.value}")
        return super().construct_mapping(node, deep)


def _yaml_error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
