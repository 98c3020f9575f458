"""One self-contained page that tells how a run went."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import jinja2

from instantdl._version import __version__
from instantdl.pipeline._files import write_text
from instantdl.pipeline._inspect_report import PartSummary, part_lines
from instantdl.pipeline._report_words import (
    FIRST,
    MEANING,
    TASKS,
    metric_name,
    uncertainty_lines,
)
from instantdl.pipeline._run_folder import RunFolder

__all__ = ["write_report"]

# Pixels of a page for one of a figure: its letters of 10 points become 15 pixels high.
_SHRINK = 0.72
# Columns that hold classes, which may look like numbers.
_LABELS = ("true", "predicted")
# More warnings than these are folded.
_N_WARNINGS = 8


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
    environment.filters["cell"] = _cell
    environment.filters["metric"] = metric_name
    template = environment.get_template("report.html.j2")
    write_text(run.report, template.render(**_collect(run)))
    return run.report


def _collect(run: RunFolder) -> dict[str, Any]:
    """Return what the page is filled with."""
    config = _read_json(run.config)
    evaluation = _read_json(run.evaluation / "metrics.json")
    checked = _read_json(run.check)
    warnings = _warnings(run.log)
    return {
        "version": __version__,
        "task": TASKS[config["task"]],
        "title": Path(config["path"]).name or config["path"],
        "date": _date(run.log),
        "config": config,
        "config_text": json.dumps(config, indent=2, ensure_ascii=False),
        "numbers": {n: p["n_images"] for n, p in checked.get("parts", {}).items()},
        "parts": _parts(checked),
        "environment": _read_json(run.environment),
        "warnings": warnings[:_N_WARNINGS],
        "more_warnings": warnings[_N_WARNINGS:],
        "training": _training(run.training / "history.csv"),
        "evaluation": evaluation,
        "metrics": _metrics(evaluation),
        "summary": _summary(evaluation),
        "why_not": _why_not(config, checked),
        "images": _table(run.evaluation / "per_image.csv"),
        "classes": _table(run.evaluation / "per_class.csv"),
        "figures": _figures(run.figures),
        "meaning": MEANING,
        "uncertainty": uncertainty_lines(
            evaluation.get("uncertainty") or {}, config["task"], _number
        ),
    }


def _date(log: Path) -> str:
    """Return the day on which a run began, empty if that is not known."""
    if not log.exists():
        return ""
    with log.open(encoding="utf-8") as file:
        day = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", file.readline())
    return day[0] if day else ""


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
    """Return how many epochs there were, and which was the best if that is known."""
    table = _table(history)
    header, rows = table["header"], table["rows"]
    if not rows:
        return {}
    if "val_loss" not in header:
        return {"n_epochs": len(rows), "best": None}
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
    names = FIRST.get(evaluation.get("task", ""), ())
    return [{"metric": name, **found[name]} for name in names if name in found]


def _why_not(config: dict[str, Any], checked: dict[str, Any]) -> str:
    """Return why there is no evaluation, where there is none."""
    test = checked.get("parts", {}).get("test", {})
    if not config.get("evaluation", True):
        return "Nothing was evaluated, since `evaluation` is false."
    if not test.get("n_images"):
        return "There are no test images, so nothing was evaluated."
    if test.get("n_with_target"):
        return "The run has not come as far as the evaluation."
    return "There are no test targets, so nothing was evaluated."


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


def _figures(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the figures of each section, with their pixels in the address."""
    found: dict[str, list[dict[str, Any]]] = {}
    content = _read_json(folder / "figures.json")
    for figure in content.get("figures", []):
        data = (folder / figure["file"]).read_bytes()
        # Where a PNG file has its size.
        width, height = struct.unpack(">II", data[16:24])
        about = {
            "source": f"data:image/png;base64,{base64.b64encode(data).decode()}",
            "width": round(_SHRINK * width),
            "height": round(_SHRINK * height),
        }
        found.setdefault(figure["section"], []).append({**figure, **about})
    return found


def _cell(text: str, column: str) -> str:
    """Return what stands in a table."""
    if column in _LABELS:
        return text
    return {"True": "yes", "False": "no"}.get(text) or _number(text)


def _number(value: Any, digits: int = 4) -> str:
    """Return a number as text, a dash where there is none."""
    if value is None or value == "":
        return "\N{EN DASH}"
    if isinstance(value, str):
        if not re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?", value):
            return value
        value = float(value)
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.{digits}g}"
