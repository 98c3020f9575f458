"""One self-contained page that tells how a run went."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import jinja2

from instantdl._version import __version__
from instantdl.pipeline._files import write_text
from instantdl.pipeline._inspect_report import PartSummary, part_lines
from instantdl.pipeline._run_folder import RunFolder

__all__ = ["write_report"]

_TASKS = {
    "semantic_segmentation": "Semantic segmentation",
    "instance_segmentation": "Instance segmentation",
    "regression": "Pixel-wise regression",
    "classification": "Classification",
}
# What stands in the summary, in this order.
_FIRST = {
    "semantic_segmentation": ("jaccard", "dice", "accuracy", "roc_auc"),
    "instance_segmentation": (
        "average_precision",
        "average_precision_50",
        "f1",
        "panoptic_quality",
    ),
    "regression": ("pearson", "r2", "mean_absolute_error", "ssim"),
    "classification": ("roc_auc", "accuracy", "balanced_accuracy", "f1"),
}
# What the numbers are, for those who meet them for the first time.
_MEANING = {
    "accuracy": "share that is right",
    "average_precision": "share of objects that are found, by how well they fit; 1 is"
    " perfect",
    "balanced_accuracy": "share that is right, each class counting alike",
    "average_precision_50": "the same where half an overlap is enough",
    "f1": "balance of what is missed and what is found wrongly; 1 is perfect",
    "mean_absolute_error": "mean difference of prediction and truth",
    "panoptic_quality": "how many objects are found, times how well they fit",
    "r2": "share of the variance that is predicted; 1 is perfect",
    "ssim": "similarity of structures; 1 is perfect",
    "dice": "overlap of what was marked and what was found; 1 is perfect",
    "jaccard": "what both marked by what either marked; 1 is perfect",
    "pearson": "correlation of prediction and truth; 1 is perfect",
    "roc_auc": "chance that a positive case ranks before a negative one; 0.5 is"
    " guessing",
}


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write the report of a run: one page that needs neither network nor scripts.

    Parameters
    ----------
    folder : path-like
        Of the run. What is in its files is told.

    Returns
    -------
    Path
        ``report.html`` in the folder.

    Raises
    ------
    FileNotFoundError
        If it is no folder of a run.

    Examples
    --------
    >>> from instantdl.pipeline import write_report
    >>> write_report("data/runs/001")  # doctest: +SKIP
    PosixPath('data/runs/001/report.html')
    """
    run = RunFolder(Path(folder))
    if not run.config.exists():
        raise FileNotFoundError(
            f"{run.root} must be the folder of a run, with config.json. Got none. Name"
            " a folder that `instantdl run` has written."
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = _number
    template = environment.get_template("report.html.j2")
    write_text(run.report, template.render(**_collect(run)))
    return run.report


def _collect(run: RunFolder) -> dict[str, Any]:
    """Return what the page is filled with."""
    config = _read_json(run.config)
    evaluation = _read_json(run.evaluation / "metrics.json")
    return {
        "version": __version__,
        "task": _TASKS[config["task"]],
        "title": Path(config["path"]).name or config["path"],
        "config": config,
        "config_text": json.dumps(config, indent=2, ensure_ascii=False),
        "parts": _parts(_read_json(run.check)),
        "environment": _read_json(run.environment),
        "warnings": _warnings(run.log),
        "training": _training(run.training / "history.csv"),
        "evaluation": evaluation,
        "metrics": _metrics(evaluation),
        "summary": _summary(evaluation),
        "images": _table(run.evaluation / "per_image.csv"),
        "classes": _table(run.evaluation / "per_class.csv"),
        "figures": _figures(run.figures),
        "meaning": _MEANING,
    }


def _read_json(path: Path) -> dict[str, Any]:
    """Return what is in a file, nothing if there is none."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _warnings(log: Path) -> list[str]:
    """Return each warning of a run once, in order."""
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8").splitlines()
    found = [line.partition("  Warning: ")[2] for line in lines]
    return list(dict.fromkeys(text for text in found if text))


def _training(history: Path) -> dict[str, Any]:
    rows = _table(history)["rows"] if history.exists() else []
    if not rows:
        return {}
    header = _table(history)["header"]
    if "val_loss" not in header:
        return {"n_epochs": len(rows), "best": len(rows)}
    column = header.index("val_loss")
    losses = [float(row[column] or "inf") for row in rows]
    return {"n_epochs": len(rows), "best": losses.index(min(losses)) + 1}


def _metrics(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the overall metrics as rows."""
    return [
        {"metric": name, **values}
        for name, values in evaluation.get("metrics", {}).items()
    ]


def _summary(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that tell most."""
    found = evaluation.get("metrics", {})
    names = _FIRST.get(evaluation.get("task", ""), ())
    return [{"metric": name, **found[name]} for name in names if name in found]


def _parts(checked: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return what the images of each part look like, in words."""
    return {
        name: [("images", str(part["n_images"])), *part_lines(PartSummary(**part))]
        for name, part in checked.get("parts", {}).items()
    }


def _table(path: Path) -> dict[str, Any]:
    """Return header and rows of a csv file, both empty if there is none."""
    if not path.exists():
        return {"header": [], "rows": []}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {"header": rows[0], "rows": rows[1:]} if rows else {"header": [], "rows": []}


def _figures(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the figures of each section, with their pixels in the address."""
    found: dict[str, list[dict[str, str]]] = {}
    content = _read_json(folder / "figures.json")
    for figure in content.get("figures", []):
        data = base64.b64encode((folder / figure["file"]).read_bytes()).decode()
        source = f"data:image/png;base64,{data}"
        found.setdefault(figure["section"], []).append({**figure, "source": source})
    return found


def _number(value: Any, digits: int = 4) -> str:
    """Return a number as text, a dash where there is none."""
    if value is None or value == "":
        return "\N{EN DASH}"
    if isinstance(value, str):
        if not re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?", value):
            return value
        value = float(value)
    if float(value).is_integer() and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.{digits}g}"
