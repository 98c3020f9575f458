"""The files of one part of a project, found whatever is wrong with some of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# Private, because `load_folder` raises where an inspection has to go on: the rules of
# folders must be the same in both.
from instantdl.io._folders import (
    _NOT_CLASSES,
    _TABLE,
    _advice_for_one_class,
    _by_stem,
    _channel_folders,
    _class_folders,
    _images,
    _label_table,
    _missing_partners,
)
from instantdl.io._labels import _read_rows, are_whole, read_labels, row_stem
from instantdl.io._nested import _IMAGES, _MASKS, _inner, has_masks, nested_folders
from instantdl.io._read import image_ending
from instantdl.io._visible import image_files, is_hidden, lost_links, visible_folders
from instantdl.pipeline._inspect_report import Findings

# What to do about the lines that the readers of folders write, by their words.
_ADVICE = {
    "has no partner": "Add the file of the same name there, or remove this one.",
    "is not a known image file": "Convert it to TIFF or PNG, or move it elsewhere.",
    "is empty": "Put the files there, or remove it.",
    "one name too many": "Remove or rename all but one.",
    "has no row": "Add its row, or remove the image.",
    "is not in image/": "Add the image, or remove the row.",
    "one of them too many": "Remove one of them.",
    "one kind too many": "Remove one of them.",
    "has no column": "Name the columns `filename` and `groundtruth` in the first line.",
    "no csv text": "Save it as text in UTF-8, separated by commas.",
    "must hold one image": "Put one image there; each needs a folder of its own.",
    "must hold a mask": "Put one there, black where there are no objects.",
}
_OTHER_ADVICE = "Correct this line."


class Entry(NamedTuple):
    """One image and what belongs to it, as paths."""

    name: str
    files: tuple[Path, ...]
    target: Path | None = None
    label: str | None = None
    group: str | None = None


@dataclass
class PartFiles:
    """What lies in the folder of a part."""

    part: str
    root: Path
    entries: list[Entry] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    # What belongs to the images: "labels", "images", "masks" or nothing.
    targets: str | None = None


def find_files(project: Path, part: str, found: Findings) -> PartFiles:
    """Find the images of a part, and note all that is wrong with names and folders.

    Parameters
    ----------
    project : Path
        Folder that holds the part.

    part : str
        Name of its folder.

    found : Findings
        Grows by what is wrong.

    Returns
    -------
    PartFiles
        With those images that can be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.pipeline._inspect_files import find_files
    >>> from instantdl.pipeline._inspect_report import Findings
    >>> found = Findings()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "train", "image").mkdir(parents=True)
    ...     _ = Path(folder, "train", "image", "a.png").write_bytes(b"")
    ...     _ = Path(folder, "train", "image", "b.txt").write_bytes(b"")
    ...     files = find_files(Path(folder), "train", found)
    >>> [entry.name for entry in files.entries], found.problems[0][:23]
    (['a.png'], 'train/image/b.txt is no')
    """
    files = PartFiles(part, project / part)
    try:
        _note_no_folders(files, found)
        if items := nested_folders(files.root):
            _find_nested(files, items, found)
        elif classes := _class_folders(files.root):
            _find_classes(files, classes, found)
        elif (files.root / "image").is_dir():
            _find_flat(files, found)
        else:
            _note_no_images(files, found)
    except OSError as error:
        _note_unreadable(part, error, found)
    return files


def settle_labels(parts: Sequence[PartFiles]) -> None:
    """Write labels plainly if those of all parts are whole numbers, and groups too.

    Parameters
    ----------
    parts : sequence of PartFiles
        All of a project, with labels as they stand in the files; they are changed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from instantdl.pipeline._inspect_files import Entry, PartFiles, settle_labels
    >>> part = PartFiles("train", Path("train"), channels=["image"], targets="labels")
    >>> part.entries = [Entry("a.png", (), label="01", group="p 1")]
    >>> settle_labels([part])
    >>> part.entries[0].label, part.entries[0].group
    ('1', 'p 1')
    """
    every = [entry for files in parts for entry in files.entries]
    # Names of folders stay text when they are loaded.
    named = any(files.targets == "labels" and not files.channels for files in parts)
    whole_labels = not named and _all_whole(entry.label for entry in every)
    whole_groups = _all_whole(entry.group for entry in every)
    for files in parts:
        if whole_labels:
            files.entries = [x._replace(label=_plain(x.label)) for x in files.entries]
        if whole_groups:
            files.entries = [x._replace(group=_plain(x.group)) for x in files.entries]


def _all_whole(cells: Iterable[str | None]) -> bool:
    return are_whole(cell for cell in cells if cell is not None)


def _plain(cell: str | None) -> str | None:
    return None if cell is None else str(int(cell))


def _note_no_folders(files: PartFiles, found: Findings) -> None:
    """Note files and links of names that folders must have."""
    if not files.root.is_dir():
        return
    for path in sorted(files.root.iterdir()):
        named = re.fullmatch(r"image[0-9]*|groundtruth", path.name)
        if named and not path.is_dir():
            kind = "a file" if path.is_file() else "a link that leads nowhere"
            where = f"{files.part}/{path.name}"
            found.problem(where, "it must be a folder", kind, "Remove or replace it.")


def _note_unreadable(part: str, error: OSError, found: Findings) -> None:
    found.problem(
        part,
        "its folders must be readable",
        f"{error.strerror or type(error).__name__}: {error.filename or part}",
        "Check who may read it.",
    )


def _find_flat(files: PartFiles, found: Findings) -> None:
    """Find the files of image/, image1/ and so on, and groundtruth/ or its table."""
    root, problems = files.root, list[str]()
    files.channels = _channel_folders(root)
    table = _label_table(root, problems)
    has_target = table is None and (root / "groundtruth").is_dir()
    folders = [*files.channels, *(["groundtruth"] if has_target else [])]
    by_stem = {folder: _by_stem(root / folder, problems) for folder in folders}
    images = by_stem["image"]
    # A line for each file beside an empty folder would only repeat that it is empty.
    filled = {folder: paths for folder, paths in by_stem.items() if paths}
    problems += _missing_partners(filled) if images else []
    _note_lines(f"{files.part}/", problems, found)
    for folder in folders:
        _note_odd(files, root / folder, found)
    labels = _find_labels(files, table, images, found) if table else {}
    files.targets = "labels" if table else "images" if has_target else None
    targets = by_stem.get("groundtruth", {})
    for stem, path in images.items():
        # A channel that is missing has been noted.
        parts = tuple(
            by_stem[folder][stem]
            for folder in files.channels
            if stem in by_stem[folder]
        )
        if len(parts) == len(files.channels):
            label, group = labels.get(stem, (None, None))
            files.entries.append(
                Entry(path.name, parts, targets.get(stem), label, group)
            )


def _find_labels(
    files: PartFiles, table: Path, images: dict[str, Path], found: Findings
) -> dict[str, tuple[str | None, str | None]]:
    """Return label and group of each image; of a table with faults what it has."""
    problems, left_out = list[str](), list[str]()
    read_labels(table, images, problems, left_out)
    folder = table.parent.relative_to(files.root.parent).as_posix()
    for line in problems:
        start = files.part if line.startswith("image/") else folder
        _note_lines(f"{start}/", [line], found)
    if left_out:
        found.warning(
            f"{folder}/{table.name}",
            "each row should have an image",
            f"{len(left_out)} without one, such as {left_out[0]}",
            "They are left out; add the images if they belong to the data.",
        )
    result: dict[str, tuple[str | None, str | None]] = {}
    for row in _read_rows(table, []):
        stem = row_stem(row.cells["filename"], images)
        label, group = row.cells["groundtruth"], row.cells.get("group")
        result.setdefault(stem, (label or None, group or None))
    return result


def _find_nested(files: PartFiles, items: list[Path], found: Findings) -> None:
    """Find the images that have a folder each, with a mask for each object or none."""
    masked = has_masks(items)
    files.targets = "masks" if masked else None
    for folder in items:
        inner, masks = _inner(folder, _IMAGES), _inner(folder, _MASKS)
        images = image_files(inner) if inner else []
        filled = masks is not None and bool(image_files(masks))
        problems: list[str] = []
        if len(images) != 1:
            problems.append(
                f"{folder.name}/image/ must hold one image, not {len(images)}"
            )
        if masked and not filled:
            problems.append(f"{folder.name}/mask/ must hold a mask of each object")
        _note_lines(f"{files.part}/", problems, found)
        for beside in (inner, masks):
            if beside is not None:
                _note_odd(files, beside, found)
                _note_left_out(files, beside, found)
        if len(images) == 1:
            # A link that leads nowhere has been noted; reading would tell it again.
            whole = filled and masks is not None and not lost_links(masks)
            target = masks if whole else None
            files.entries.append(Entry(folder.name, (images[0],), target))


def _find_classes(files: PartFiles, classes: list[Path], found: Findings) -> None:
    """Find the images of folders that are named after their class."""
    files.targets = "labels"
    problems: list[str] = []
    for folder in classes:
        for path in _images(folder, problems):
            name = f"{folder.name}/{path.name}"
            files.entries.append(Entry(name, (path,), label=folder.name))
        _note_odd(files, folder, found)
    for folder in sorted(set(visible_folders(files.root)) - set(classes)):
        if not _NOT_CLASSES.fullmatch(folder.name.lower()):
            problems.append(f"{folder.name}/ is empty")
    _note_lines(f"{files.part}/", problems, found)


def _note_no_images(files: PartFiles, found: Findings) -> None:
    """Say why no images are found in the folder of a part."""
    root, part = files.root, files.part
    if not root.is_dir():
        kind = "nothing of this name"
        if os.path.lexists(root):
            kind = "a file" if root.is_file() else "a link that leads nowhere"
        found.problem(part, "there must be a folder", kind, "Make it.")
        return
    names = sorted(path.name for path in root.iterdir())
    alone = [x for folder in visible_folders(root) if (x := _inner(folder, _IMAGES))]
    if alone:
        counts = {path: len(image_files(path)) for path in sorted(alone)}
        odd = [f"{n} in {x.parent.name}/{x.name}/" for x, n in counts.items() if n != 1]
        found.problem(
            part,
            "where each image has a folder, its image/ must hold one image, and nothing"
            " but mask/ may lie beside it",
            _some(odd) or "other folders there",
            f"Else put all images into {part}/image/.",
        )
        return
    found.problem(
        part,
        "it must hold a folder `image/`, or two or more folders of classes",
        _some(names) or "nothing",
        _advice_for_one_class(root)
        or "Put the images into image/, and what belongs to them into groundtruth/.",
    )


def _note_odd(files: PartFiles, folder: Path, found: Findings) -> None:
    """Note what lies among the images and is no file that can be read."""
    for path in sorted(folder.iterdir()):
        if is_hidden(path) or path.is_file():
            continue
        where = path.relative_to(files.root.parent).as_posix()
        rule = "only files of images may lie there"
        known = path.name == _TABLE or image_ending(path.name)
        if path.is_dir() and not known:
            found.warning(
                where,
                "folders within a folder of images are left out",
                "one",
                "Move its images up if they belong to the data.",
            )
        elif path.is_dir():
            found.problem(where, rule, "a folder", "Remove or rename it.")
        elif path.is_symlink():
            got = "a link that leads nowhere"
            found.problem(where, rule, got, "Put the file itself there.")
        else:
            found.problem(where, rule, "no regular file", "Remove it.")


def _note_left_out(files: PartFiles, folder: Path, found: Findings) -> None:
    """Warn of files beside masks that are silently left out when they are read."""
    for path in sorted(folder.iterdir()):
        unknown = image_ending(path.name) is None
        if path.is_file() and unknown and not is_hidden(path):
            found.warning(
                path.relative_to(files.root.parent).as_posix(),
                "files of unknown endings are left out",
                path.suffix or "no ending",
                "Convert it to TIFF or PNG if it belongs to the data.",
            )


def _note_lines(start: str, lines: Iterable[str], found: Findings) -> None:
    """Note lines as the readers of folders write them, each with what to do."""
    for line in lines:
        fitting = (text for words, text in _ADVICE.items() if words in line)
        found.problems.append(f"{start}{line}. {next(fitting, _OTHER_ADVICE)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
