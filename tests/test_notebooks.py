"""Every notebook is clean, runs from first cell to last, and shows something."""

import ast
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from instantdl.io import write_image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
FIRST = "instance_labels_from_binary_masks"


def read(path):
    return json.loads(path.read_text("utf-8"))


def run(path, without=(), **names):
    """Run the code cells in one namespace; return it and what each cell ends with."""
    namespace, shown = {"__name__": "__main__", **names}, {}
    for cell in read(path)["cells"]:
        if cell["cell_type"] != "code" or cell["id"] in without:
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


def write_own_run(project, folder):
    """Write a test part and its results as a run of 2D masks leaves them."""
    rows = ["name,jaccard"]
    # Of different sizes, targets of another kind than images, a name with a full stop.
    for number, name in enumerate(["a.1", "b", "c"]):
        mask = np.zeros((40 + 4 * number, 48), bool)
        mask[8:20, 8:20] = True
        found = np.roll(mask, 1 + number, axis=0)
        uncertainty = np.where(mask != found, 0.9, 0.1)
        for path, content in (
            (project / "test" / "image" / f"{name}.png", mask),
            (project / "test" / "groundtruth" / f"{name}.npy", mask),
            (folder / "results" / "predictions" / f"{name}.tif", found),
            (folder / "results" / "uncertainty" / f"{name}.tif", uncertainty),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, content)
        rows.append(f"{name}.png,{0.8 - number / 10}")
    (folder / "evaluation").mkdir()
    text = "\n".join(rows)
    (folder / "evaluation" / "per_image.csv").write_text(text, encoding="utf-8")


def test_a_run_of_your_own_is_looked_at(tmp_path):
    project, folder = tmp_path / "cells", tmp_path / "cells" / "runs" / "001"
    write_own_run(project, folder)
    path = ROOT / "examples" / "notebooks" / "qualitative_evaluation.ipynb"
    left_out = {"project", "run", "clean"}
    _, shown = run(path, left_out, project=project, run=folder)
    assert len(shown["worst"].axes) >= 9
    # Of each object a stripe on both sides is wrong, and that is where it is unsure.
    assert sorted(shown["regions"]["pixels"]) == [12, 12, 24, 24, 36, 36]
    assert shown["uncertain"] == 1


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


def test_on_colab_the_repository_must_be_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    monkeypatch.setattr("subprocess.check_call", print)
    with pytest.raises(ValueError, match="Set REPOSITORY: version 2 is not released"):
        run(ROOT / "examples" / "notebooks" / "colab.ipynb")
