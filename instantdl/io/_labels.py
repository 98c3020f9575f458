"""Read one label per image from a csv file."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instantdl.io._read import composed, image_stem

__all__ = ["read_labels"]

Labels = NDArray[Any]

_NEEDED = ("filename", "groundtruth")
# Columns that must have a value in each row, and what a value of theirs is called.
_VALUES = {"groundtruth": "label", "group": "group"}


class _Row(NamedTuple):
    """A row of the csv file by column, and the line that it stands on."""

    line: int
    cells: dict[str, str]


def read_labels(
    path: Path,
    images: dict[str, Path],
    problems: list[str],
    left_out: list[str],
    *,
    as_text: bool = False,
) -> dict[str, Labels]:
    r"""Read the label of each image, and its group if there is such a column.

    Parameters
    ----------
    path : Path
        Text in UTF-8 with the columns ``filename`` and ``groundtruth``, optionally
        ``group``, separated by comma, semicolon or tab. Others are ignored.

    images : dict of str to Path
        The images by name without ending.

    problems : list of str
        What is wrong is appended here.

    left_out : list of str
        File names of rows without an image are appended here. If no row has an image,
        that is a problem instead.

    as_text : bool, default=False
        Whether labels and groups stay as they stand in the file.

    Returns
    -------
    dict of str to ndarray of shape (n_samples,)
        ``groundtruth`` and, if there is such a column, ``group``, in the order of
        `images`: int64 if all are whole numbers and not `as_text`, else strings. Empty
        if there are problems.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.io._labels import read_labels
    >>> images = {"a": Path("a.png"), "b": Path("b.png")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "groundtruth.csv")
    ...     _ = path.write_text("filename,groundtruth\nb.png,0\na.png,1\n")
    ...     read_labels(path, images, [], [])
    {'groundtruth': array([1, 0])}
    """
    by_stem: dict[str, list[_Row]] = defaultdict(list)
    for row in _read_rows(path, problems):
        by_stem[row_stem(row.cells["filename"], images)].append(row)
    if any(stem in images for stem in by_stem):
        for stem in [stem for stem in by_stem if stem and stem not in images]:
            left_out += [row.cells["filename"] for row in by_stem.pop(stem)]
    kept = (row for same in by_stem.values() for row in same)
    rows = sorted(kept, key=lambda row: row.line)
    problems += [f"{path.name}, {problem}" for problem in _check_cells(rows)]
    if rows:
        problems += _check_names(path, images, by_stem)
    if problems:
        return {}
    ordered = [by_stem[stem][0].cells for stem in images]
    return {
        column: _to_array([cells[column] for cells in ordered], as_text=as_text)
        for column in _VALUES
        if column in ordered[0]
    }


def row_stem(name: str, images: Container[str]) -> str:
    """Return the name of an image without ending from a row, where it may have one."""
    plain = composed(name)
    return plain if plain in images else image_stem(plain)


def are_whole(cells: Iterable[str]) -> bool:
    """Tell whether all are whole numbers."""
    # 18 digits always fit into 64 bits; longer numbers are names, say of patients.
    return all(re.fullmatch(r"[+-]?[0-9]{1,18}", cell) for cell in cells)


def _read_rows(path: Path, problems: list[str]) -> list[_Row]:
    """Return the rows below the header; none if the file as a whole is wrong."""
    try:
        lines = _read_lines(path)
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path.name} is no csv text in UTF-8: {error}")
        return []
    if len(lines) < 2:
        problems.append(f"{path.name} is empty: it needs a header and a row per image")
        return []
    header = lines[0][1]
    columns = [name.lower() for name in header]
    if wrong := _check_columns(path, columns, header):
        problems += wrong
        return []
    problems += [
        f"{path.name}, line {line} has {len(cells)} cells, the header {len(header)}"
        for line, cells in lines[1:]
        if any(cells[len(header) :])
    ]
    blank = [""] * len(columns)
    return [
        _Row(line, dict(zip(columns, cells + blank, strict=False)))
        for line, cells in lines[1:]
    ]


def _read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are not blank, each after its number of line."""
    text = path.read_text(encoding="utf-8-sig")
    header = text.lstrip().partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text),
        delimiter=max(",;\t", key=header.count),
        skipinitialspace=True,
        strict=True,
    )
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    return [(line, cells) for line, cells in rows if any(cells)]


def _check_columns(path: Path, columns: list[str], header: list[str]) -> list[str]:
    """Return a line for each column that is missing or there more than once."""
    problems = [
        f"{path.name} has no column {name}; its first line is {', '.join(header[:10])}"
        for name in _NEEDED
        if name not in columns
    ]
    problems += [
        f"{path.name} has {columns.count(name)} columns {name}"
        for name in (*_NEEDED, "group")
        if columns.count(name) > 1
    ]
    return problems


def _check_cells(rows: list[_Row]) -> list[str]:
    """Return a line for each name, label or group that is empty."""
    problems = []
    for row in rows:
        name = row.cells["filename"]
        if not name:
            problems.append(f"line {row.line} has no filename")
        problems += [
            f"line {row.line} has no {noun}{f' for {name}' if name else ''}"
            for column, noun in _VALUES.items()
            if row.cells.get(column) == ""
        ]
    return problems


def _check_names(
    path: Path, images: dict[str, Path], by_stem: dict[str, list[_Row]]
) -> list[str]:
    """Return a line for each image without a row, and the other way round."""
    problems = [
        f"image/{image.name} has no row in {path.name}"
        for stem, image in images.items()
        if stem not in by_stem
    ]
    for stem, rows in by_stem.items():
        name = rows[0].cells["filename"]
        lines = " and ".join(str(row.line) for row in rows)
        if name and stem not in images:
            problems.append(f"{path.name}, line {lines}: {name} is not in image/")
        elif name and len(rows) > 1:
            problems.append(f"{path.name} has {name} in lines {lines}")
    return problems


def _to_array(cells: list[str], *, as_text: bool = False) -> Labels:
    if not as_text and are_whole(cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    return np.array(cells, dtype=np.str_)
