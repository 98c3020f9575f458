"""The pages of the user guide run as they stand, and print what they show."""

import contextlib
import inspect
import io
import math
import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[1] / "docs" / "guide"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n*```text\n(.*?)^```$)?", re.M | re.S)
CONTENTS = re.search(
    r"^```\{toctree\}\n(.*?)^```$", (GUIDE / "index.md").read_text("utf-8"), re.M | re.S
)
# In this order pages that train the same network follow each other: it is built once.
PAGES = re.findall(r"^\w+$", CONTENTS[1], re.M) if CONTENTS else []

NUMBER = r"-?\d+\.\d+"
# What a network has learnt depends a little on the processor.
TOLERANCE = {"abs_tol": 0.1, "rel_tol": 0.2}


def matches(shown, printed):
    """Compare outputs: ``...`` is anything, blanks are alike, decimals about right."""
    pattern, wanted = "", []
    for part in re.split(rf"(\.\.\.|{NUMBER}|\s+)", shown.strip()):
        if part == "...":
            pattern += ".*?"
        elif part.isspace():
            pattern += r"\s+"
        elif re.fullmatch(NUMBER, part):
            pattern += f"({NUMBER})"
            wanted.append(float(part))
        else:
            pattern += re.escape(part)
    found = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    return found is not None and all(
        math.isclose(float(number), value, **TOLERANCE)
        for number, value in zip(found.groups(), wanted, strict=True)
    )


def read_blocks(text):
    """Return the line, the code and the output that is shown of each block."""
    return [
        (text.count("\n", 0, found.start(1)), found[1], found[2] or "")
        for found in BLOCK.finditer(text)
    ]


def run_page(text, name):
    """Run the blocks of a page one after the other; compare what they print."""
    namespace = {"__name__": "__main__"}
    for line, code, shown in read_blocks(text):
        printed = io.StringIO()
        # Empty lines before it, so that a traceback tells the line of the page.
        compiled = compile("\n" * line + code, name, "exec")
        with contextlib.redirect_stdout(printed):
            exec(compiled, namespace)
        if not matches(shown, printed.getvalue()):
            raise AssertionError(
                f"{name}, line {line}: the page shows\n{shown}\nbut the code prints\n"
                f"{printed.getvalue()}"
            )


def table_of(page, heading):
    """Return the first cells of the table whose first column has this heading."""
    text = (GUIDE / f"{page}.md").read_text("utf-8")
    table = text.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.M)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_and_prints_what_it_shows(page):
    text = (GUIDE / f"{page}.md").read_text("utf-8")
    assert read_blocks(text)
    run_page(text, f"{page}.md")


def test_the_contents_name_every_page():
    there = {path.stem for path in GUIDE.glob("*.md")} - {"index"}
    assert set(PAGES) == there
    assert len(PAGES) == len(there)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("a 0.85 b", "a  0.81\nb"), ("[1 ... 7]", "[1 2 7]"), ("(2, 3)", "(2, 3)\n")],
)
def test_output_like_that_of_the_page_is_taken(shown, printed):
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("1", "2"), ("", "1"), ("0.85", "0.6"), ("0.85", "nan"), ("0.5 a", "0.5 b")],
)
def test_other_output_than_the_page_shows_is_noticed(shown, printed):
    text = f"```python\nprint({printed!r})\n```\n\n```text\n{shown}\n```\n"
    with pytest.raises(AssertionError, match="a page, line 1: the page shows"):
        run_page(text, "a page")


def test_the_keys_of_a_configuration_are_those_there_are():
    from instantdl.pipeline import RunConfig

    assert table_of("pipeline", "key") == list(RunConfig.model_fields)


def test_the_parameters_of_augmentation_are_those_there_are():
    from instantdl import Augmentation

    parameters = inspect.signature(Augmentation).parameters
    assert sorted(table_of("augmentation", "parameter")) == sorted(parameters)
