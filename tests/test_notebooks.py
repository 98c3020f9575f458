"""Every notebook is clean, runs from first cell to last, and shows something."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
FIRST = "instance_labels_from_binary_masks"


def read(path):
    return json.loads(path.read_text("utf-8"))


def run(path):
    """Run the code cells in one namespace; return it and what each cell ends with."""
    namespace, shown = {"__name__": "__main__"}, {}
    for cell in read(path)["cells"]:
        if cell["cell_type"] != "code":
            continue
        name = f"{path.name}, cell {cell['id']}"
        tree = ast.parse("".join(cell["source"]), name)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), namespace)
        if last is not None:
            value = ast.Expression(last.value)
            shown[cell["id"]] = eval(compile(value, name, "eval"), namespace)
    return namespace, shown


@pytest.fixture(autouse=True)
def _no_window():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_has_no_outputs(path):
    notebook = read(path)
    assert notebook["nbformat"] == 4
    assert notebook["nbformat_minor"] >= 5
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    cells = notebook["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert cells[0]["source"][0].startswith("# ")
    identifiers = [cell["id"] for cell in cells]
    assert len(set(identifiers)) == len(cells)
    assert all(re.fullmatch(r"[\w-]{1,64}", identifier) for identifier in identifiers)
    for cell in cells:
        assert set(cell) - {"id", "metadata", "source"} == (
            {"cell_type", "execution_count", "outputs"}
            if cell["cell_type"] == "code"
            else {"cell_type"}
        )
        assert cell.get("execution_count") is None
        assert not cell.get("outputs")


def test_the_page_lists_every_notebook():
    page = (ROOT / "docs" / "notebooks.md").read_text("utf-8")
    listed = re.findall(r"<\.\./examples/notebooks/(\w+\.ipynb)>", page)
    assert sorted(listed) == [path.name for path in NOTEBOOKS]
    assert listed


def test_objects_from_masks_come_back():  # about 2 s
    _, shown = run(ROOT / "examples" / "notebooks" / f"{FIRST}.ipynb")
    precision = shown["compare"]["average precision at 0.5"]
    assert precision["label_mask"] > precision["connected parts"] + 0.1
    assert precision["label_mask"] > 0.9
    titles = [axes.get_title() for axes in shown["figure"].axes]
    assert titles[:3] == ["image", "objects", "errors"]
    assert len(shown["folder"]) == 4


@pytest.mark.slow
def test_results_are_looked_at():  # about 15 s
    _, shown = run(ROOT / "examples" / "notebooks" / "qualitative_evaluation.ipynb")
    titles = [axes.get_title() for axes in shown["side"].axes]
    assert titles[:5] == ["image", "truth", "prediction", "errors", "uncertainty"]
    assert shown["read"]["jaccard"].mean() > 0.5
    sizes = shown["regions"]["pixels"].tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert shown["uncertain"] > 0.5


@pytest.mark.slow
def test_results_are_measured():  # about 20 s
    names, shown = run(
        ROOT / "examples" / "notebooks" / "quantitative_evaluation.ipynb"
    )
    table = shown["metrics"].loc["jaccard"]
    assert table["low"] <= table["value"] <= table["high"]
    assert shown["calibration"].axes
    assert shown["risk"].axes
    assert names["jaccard"].notna().all(axis=None)
    assert (names["comparison"]["low"] <= names["comparison"]["high"]).all()
    assert "difference" in shown["verdict"]


@pytest.mark.slow
def test_a_study_runs_outside_of_colab(tmp_path, capsys):  # about 5 s
    names, shown = run(ROOT / "examples" / "notebooks" / "colab.ipynb")
    assert shown["metrics"].loc["jaccard", "n"] == 6
    assert str(names["report"]) in capsys.readouterr().out
    assert (tmp_path / shown["download"]).is_file()
    # What is uploaded may be packed by a Mac, and in a folder or not.
    archive = tmp_path / "own.zip"
    with names["zipfile"].ZipFile(archive, "w") as packed:
        packed.writestr("__MACOSX/cells/train/image/._1.png", b"")
        packed.writestr("cells/train/image/1.png", b"")
    assert names["unzip_project"](archive) == Path("uploaded", "cells")
