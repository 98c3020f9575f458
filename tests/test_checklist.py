"""The page for users of version 1 points at files, tests and commands that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from instantdl.pipeline import _cli
from instantdl.pipeline._original import _AUGMENTATIONS, _KEYS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coming_from_1x.md").read_text(encoding="utf-8")
STATES = {"done", "partly", "not done", "not measured"}
COMMANDS = {
    command.name or command.callback.__name__
    for command in _cli.app.registered_commands
}
# What begins like this is meant as a file of the repository, wherever it stands.
FOLDERS = ("benchmarks/", "docker/", "docs/", "examples/", "instantdl/", "tests/")


def read_rows(text):
    """Return feature, state and pointers of each row of the checklist."""
    rows = []
    for line in text.partition("\n## Checklist\n")[2].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells[-1] in {"shown by", "---"}:
            continue
        states = [cell for cell in cells if cell in STATES]
        rows.append((cells[0], states, re.findall(r"`(.+?)`", cells[-1])))
    return rows


ROWS = read_rows(PAGE)


@cache
def functions_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def fault_of(pointer):
    """Return what is wrong with a pointer, or None."""
    if found := re.match(r"instantdl(?: (\S+)|$)", pointer):
        return None if found[1] in COMMANDS else f"{pointer}: no such command"
    file, _, name = pointer.partition("::")
    if not (ROOT / file).is_file():
        return f"{pointer}: no such file"
    if name and name not in functions_of(ROOT / file):
        return f"{pointer}: no such test"
    return None


def pointers_of(text):
    """Return what is meant as a file or a command, in the text and in its blocks."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    files = [span for span in spans if span.startswith(FOLDERS)]
    commands = [span for span in spans if re.match(r"instantdl \w", span)]
    return files + commands + re.findall(r"^\$ (instantdl .+)$", text, re.M)


def test_every_row_of_the_checklist_is_read():
    tables = PAGE.partition("\n## Checklist\n")[2].split("\n### ")
    assert [len(read_rows("\n## Checklist\n" + part)) for part in tables] == [0, 7, 38]


@pytest.mark.parametrize(("feature", "states", "pointers"), ROWS)
def test_a_row_has_a_state_and_points_at_what_exists(feature, states, pointers):
    assert len(states) == 1, feature
    assert pointers, feature
    assert [fault for fault in map(fault_of, pointers) if fault] == []


def test_the_text_points_at_what_exists():
    pointers = pointers_of(PAGE)
    assert "instantdl run old.json" in pointers
    assert "tests/FAULTS.md" in pointers
    assert [fault for fault in map(fault_of, pointers) if fault] == []


@pytest.mark.parametrize(
    ("pointer", "fault"),
    [
        ("tests/test_of_nothing.py", "no such file"),
        ("tests", "no such file"),
        ("tests/test_checklist.py::test_of_nothing", "no such test"),
        ("tests/test_of_nothing.py::test_of_nothing", "no such file"),
        ("instantdl conjure", "no such command"),
        ("instantdl", "no such command"),
    ],
)
def test_a_made_up_pointer_is_noticed(pointer, fault):
    assert fault_of(pointer) == f"{pointer}: {fault}"


def test_made_up_pointers_in_the_text_are_found():
    text = (
        "See `tests/none.py`, `a/b.tif`, `instantdl conjure x`.\n$ instantdl vanish\n"
    )
    assert pointers_of(text) == [
        "tests/none.py",
        "instantdl conjure x",
        "instantdl vanish",
    ]


def test_a_row_without_a_state_is_noticed():
    head = "\n## Checklist\n| feature | state | shown by |\n|---|---|---|\n"
    text = f"{head}| a | fine | `b` |"
    assert read_rows(text) == [("a", [], ["b"])]


def test_the_page_names_every_key_of_version_1():
    old = PAGE.partition("\n## Folders\n")[0]
    assert {*_KEYS, *_AUGMENTATIONS} - set(re.findall(r"`(\w+)`", old)) == set()
