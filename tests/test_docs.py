"""The pages name everything that is public, their code runs, broken links are found."""

import importlib
import inspect
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import instantdl

DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = sorted(
    f"instantdl.{module.name}"
    for module in pkgutil.iter_modules(instantdl.__path__)
    if module.ispkg or module.name == "exceptions"
)
BLOCKS = [
    (path.name, code)
    for path in sorted(DOCS.glob("*.md"))
    for code in re.findall(
        r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S
    )
]


def listed_names():
    """Return the whole names in all tables of the reference, with their repeats."""
    names = []
    for path in sorted((DOCS / "api").glob("*.rst")):
        module = ""
        for line in path.read_text("utf-8").splitlines():
            if found := re.match(r"\.\. currentmodule:: (\S+)", line):
                module = found[1]
            elif found := re.match(r"(?:   |\.\. data:: )(\w[\w.]*)$", line):
                names.append(f"{module}.{found[1]}")
    return [name for name in names if name.startswith("instantdl.")]


def find(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("package", ["instantdl", *PACKAGES])
def test_the_reference_names_all_that_is_public(package):
    module = importlib.import_module(package)
    public = [getattr(module, name) for name in module.__all__ if name[0] != "_"]
    listed = [find(name) for name in listed_names()]
    assert [
        value
        for value in public
        if not inspect.ismodule(value) and not any(value is one for one in listed)
    ] == []


def test_the_reference_names_nothing_twice():
    names = listed_names()
    assert len(names) > 100
    assert len({id(find(name)) for name in names}) == len(names)


def test_the_reference_has_a_page_for_each_package():
    pages = {path.stem for path in (DOCS / "api").glob("*.rst")} - {"index"}
    packages = {name.rpartition(".")[2] for name in PACKAGES} - {"estimators"}
    assert pages == packages | {"instantdl"}


@pytest.mark.parametrize(("page", "code"), BLOCKS)
def test_code_on_a_page_is_python(page, code):
    compile(code, page, "exec")


@pytest.mark.slow
def test_the_first_steps_run(tmp_path, capsys):
    code = "\n".join(code for page, code in BLOCKS if page == "first_steps.md")
    assert "time_limit=60" in code
    exec(code.replace("time_limit=60", "time_limit=3"), {"__name__": "__main__"})
    assert (tmp_path / "nuclei.png").is_file()
    printed = capsys.readouterr().out
    shown = re.findall(r"^print\(.*\)  # ([(<T].+)$", code, re.M)
    assert len(shown) == 5
    assert [text for text in shown if text not in printed] == []


def find_faults(folder):
    return runpy.run_path(str(DOCS / "check_links.py"))["find_faults"](folder)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('<a href="none.html">', "none.html is not there"),
        ('<a href="b.html#none">', "b.html#none names a place that is not there"),
        ('<a href="#none">', "#none names a place that is not there"),
        ('<img src="none.png">', "none.png is not there"),
        (
            '<script src="https://example.org/a.js"></script>',
            "https://example.org/a.js is loaded from elsewhere",
        ),
    ],
)
def test_a_broken_link_is_found(tmp_path, line, fault):
    (tmp_path / "b.html").write_text('<p id="there">', "utf-8")
    (tmp_path / "a.html").write_text(line, "utf-8")
    assert find_faults(tmp_path) == [f"a.html: {fault}"]


def test_links_that_lead_somewhere_are_no_faults(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a b.html").write_text('<p id="there">', "utf-8")
    (tmp_path / "folder" / "c.html").write_text(
        '<a href="../a%20b.html?x=1#there"><a href="#"><a href="https://example.org">'
        '<img src="data:image/png;base64,AA=="><a name="d"><a href="#d">',
        "utf-8",
    )
    assert find_faults(tmp_path) == []


def test_a_folder_without_pages_is_a_fault(tmp_path):
    assert find_faults(tmp_path) == [f"{tmp_path} holds no pages"]
