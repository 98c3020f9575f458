"""The table of the old version's faults names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
TABLE = (FOLDER / "FAULTS.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(.+?)::(\w+)` \|$", TABLE, flags=re.MULTILINE)


def test_every_row_of_the_table_is_read():
    n_lines = sum(line.startswith("| ") for line in TABLE.splitlines())
    assert len(ROWS) == n_lines - 1 > 40


@pytest.mark.parametrize(("fault", "file", "name"), ROWS)
def test_the_test_of_a_fault_exists(fault, file, name):
    tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name in names, f"{fault}: {file} has no {name}"
