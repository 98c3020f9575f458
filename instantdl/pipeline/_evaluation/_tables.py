"""Labels and predicted labels of whole images, in csv files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instantdl.exceptions import ImageError
from instantdl.io import image_stem

# Private, but how a csv file is read should be the same for all.
from instantdl.io._labels import _read_lines, _to_array
from instantdl.io._problems import describe_problems
from instantdl.io._read import composed
from instantdl.pipeline._evaluation._files import Found

__all__ = ["read_tables"]

_RULE = "each image must have one row in every csv file, with all that is needed"
_PROBABILITY = "probability "

# Cells by column; rows are named by the column "filename".
Table = dict[str, list[str]]


def read_tables(paths: Mapping[str, Path], classes: ArrayLike | None) -> Found:
    """Read true and predicted labels from csv files.

    Parameters
    ----------
    paths : mapping of str to Path
        Files "truth" and "predicted", and maybe "probability" and "uncertainty", which
        are else looked for in "predicted".

    classes : array-like of shape (n_classes,) or None
        Labels in the order that probabilities should have.

    Returns
    -------
    Found
        Labels are integers if all are whole numbers, else strings; or those of
        `classes` that are written in the same way.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ImageError
        If rows have no partner, or cells are not as they must be.
    """
    problems: list[str] = []
    tables = {path: _read(path, problems) for path in dict.fromkeys(paths.values())}
    if not problems:
        problems += _match(tables, paths["truth"])
    predicted = paths["predicted"]
    needed = {paths["truth"]: "groundtruth", predicted: "prediction"}
    labels = [
        _column(tables, path, column, problems) for path, column in needed.items()
    ]
    source = paths.get("probability", predicted)
    found = _probability_columns(tables[source])
    if "probability" in paths and not found:
        problems.append(f"{source} has no column {_PROBABILITY}and a class")
    known, columns = _choose(source, found, classes, problems)
    numbers = [_numbers(tables, source, column, problems) for column in columns]
    source = paths.get("uncertainty", predicted)
    uncertainty = None
    if "uncertainty" in paths or "uncertainty" in tables[source]:
        uncertainty = _numbers(tables, source, "uncertainty", problems)
    if problems:
        raise ImageError(describe_problems(paths["truth"], _RULE, problems))
    true, pred, known = _convert(labels[0], labels[1], known, classes)
    return Found(
        names=tables[paths["truth"]]["filename"],
        y_true=true,
        y_pred=pred,
        probability=np.column_stack(numbers) if numbers else None,
        uncertainty=uncertainty,
        classes=known or None,
    )


def _read(path: Path, problems: list[str]) -> Table:
    """Return the cells of each column; none if the file as a whole is wrong."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there must be a csv file. Got"
            f" {'a folder' if path.exists() else 'nothing of this name'}."
            " Check its spelling."
        )
    try:
        lines = _read_lines(path)
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path} is no csv text in UTF-8: {error}")
        return {}
    if len(lines) < 2:
        problems.append(f"{path} is empty: it needs a header and a row per image")
        return {}
    header = [_plain_name(name) for name in lines[0][1]]
    problems += [
        f"{path} has {header.count(name)} columns {name}"
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]
    problems += [
        f"{path}, line {line} has {len(cells)} cells, the header {len(header)}"
        for line, cells in lines[1:]
        if any(cells[len(header) :])
    ]
    if "filename" not in header:
        problems.append(f"{path} has no column filename")
    rows = [[*cells, *[""] * len(header)] for _, cells in lines[1:]]
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _plain_name(name: str) -> str:
    """Return a column's name in lower case, but for the class in it."""
    if name.lower().startswith(_PROBABILITY):
        return _PROBABILITY + name[len(_PROBABILITY) :].strip()
    return name.lower()


def _match(tables: dict[Path, Table], truth: Path) -> list[str]:
    """Order the rows of all tables as in that of the truth; return what is wrong."""
    names = {path: table["filename"] for path, table in tables.items()}
    key_of = _key_of(names)
    problems = []
    keys = {path: [key_of(name) for name in each] for path, each in names.items()}
    for path, each in keys.items():
        doubled = [key for key, number in Counter(each).items() if number > 1]
        problems += [f"{path} has more than one row for {key}" for key in doubled]
        problems += [f"{path} has a row without a filename"] * ("" in each)
    for path, each in keys.items():
        for mine, theirs, lacking in (
            (keys[truth], each, path),
            (each, keys[truth], truth),
        ):
            there = set(theirs)
            problems += [
                f"{key} has no row in {lacking}" for key in mine if key not in there
            ]
    if problems:
        return problems
    for path, table in tables.items():
        place = {key: row for row, key in enumerate(keys[path])}
        order = [place[key] for key in keys[truth]]
        tables[path] = {
            name: [cells[row] for row in order] for name, cells in table.items()
        }
    return []


def _key_of(names: Mapping[Path, list[str]]) -> Callable[[str], str]:
    """Return what makes a name comparable: endings count if they tell files apart."""
    for each in names.values():
        whole = {composed(name) for name in each}
        if len({image_stem(name) for name in whole}) < len(whole):
            return composed
    return image_stem


def _column(
    tables: Mapping[Path, Table], path: Path, name: str, problems: list[str]
) -> list[str]:
    """Return the cells of a column that must be there and full."""
    table = tables[path]
    if not table:
        return []
    if name not in table:
        problems.append(f"{path} has no column {name}")
        return []
    problems += [
        f"{path} has no {name} for {image}"
        for image, cell in zip(table.get("filename", []), table[name], strict=False)
        if not cell
    ]
    return table[name]


def _numbers(
    tables: Mapping[Path, Table], path: Path, name: str, problems: list[str]
) -> NDArray[np.float64]:
    """Return the numbers of a column that must be there and full."""
    cells = _column(tables, path, name, problems)
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            numbers[row] = float(cell)
        except ValueError:
            if cell:
                problems.append(f"{path} has {cell!r} as {name}, which is no number")
    return numbers


def _probability_columns(table: Table) -> list[str]:
    return [name for name in table if name.startswith(_PROBABILITY)]


def _choose(
    path: Path, found: list[str], classes: ArrayLike | None, problems: list[str]
) -> tuple[list[str], list[str]]:
    """Return the classes that have probabilities, as texts, and their columns."""
    texts = [name[len(_PROBABILITY) :] for name in found]
    if classes is None or not found:
        return texts, found
    wanted = [str(label) for label in np.asarray(classes).tolist()]
    problems += [
        f"{path} has no column {_PROBABILITY}{text}"
        for text in wanted
        if text not in texts
    ]
    problems += [
        f"{path} has a column {_PROBABILITY}{text}, which is not in `classes`"
        for text in texts
        if text not in wanted
    ]
    return wanted, [_PROBABILITY + text for text in wanted if text in texts]


def _convert(
    true: list[str], pred: list[str], known: list[str], classes: ArrayLike | None
) -> tuple[Any, Any, list[Any]]:
    """Return labels in the type of `classes`, or that all of them allow."""
    if classes is None:
        every: list[Any] = _to_array([*true, *pred, *known]).tolist()
        n = len(true)
        return every[:n], every[n : n + len(pred)], every[n + len(pred) :]
    labels = np.asarray(classes).tolist()
    by_text = {str(label): label for label in labels}
    # An unknown one stays a text, and is told of when labels are checked.
    return (
        _objects([by_text.get(text, text) for text in true]),
        _objects([by_text.get(text, text) for text in pred]),
        labels,
    )


def _objects(labels: list[Any]) -> NDArray[Any]:
    """Return labels in an array that leaves their types alone."""
    values = np.empty(len(labels), dtype=object)
    values[:] = labels
    return values
