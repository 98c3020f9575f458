"""The report in a real browser: axe finds nothing, tables are sorted, nothing is asked.

Needs Chromium and axe-core (`npm install axe-core`), of which `INSTANTDL_AXE` names the
file `axe.min.js`.
"""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from instantdl.pipeline import write_report
from tests.pipeline.report_runs import write_run

TASKS = ("semantic_segmentation", "instance_segmentation", "classification")
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
AXE = Path(os.environ.get("INSTANTDL_AXE", "axe.min.js"))
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not AXE.is_file(),
    reason="needs Chromium, and INSTANTDL_AXE must name axe.min.js",
)

# Before all else: what goes wrong is kept.
LISTEN = """
window.wrong = [];
window.addEventListener("error", (event) => window.wrong.push(event.message));
for (const kind of ["error", "warn"]) console[kind] = (text) => window.wrong.push(text);
"""
# Sorts the last table by its second column, there and back, as the keyboard does.
LOOK = """
const table = [...document.querySelectorAll("table.sortable")].pop();
const button = table.querySelectorAll("th button")[COLUMN];
const text = (row) => row.cells[COLUMN].textContent;
const sorted = {};
button.focus();
const focused = document.activeElement === button;
for (let turn = 0; turn < 2; turn++) {
  button.click();
  const order = button.parentElement.getAttribute("aria-sort");
  sorted[order] = [...table.tBodies[0].rows].map(text);
}
axe.run(document).then((found) => {
  parent.document.body.textContent = JSON.stringify({
    sorted,
    focused,
    violations: found.violations.map((one) => `${one.impact}: ${one.id}`),
    passes: found.passes.length,
    wrong: window.wrong,
    requests: performance.getEntriesByType("resource").map((one) => one.name),
    width: window.innerWidth,
    beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  });
});
"""


def look_at(report, folder, width, column):
    """Open a report in a frame of a width, and return what was seen."""
    page = report.read_text("utf-8").replace(
        "<head>", f"<head><script>{LISTEN}</script>"
    )
    axe = AXE.read_text("utf-8").replace("</script", "<\\/script")
    look = LOOK.replace("COLUMN", str(column))
    scripts = f"<script>{axe}</script><script>{look}</script></body>"
    frame = html.escape(page.replace("</body>", scripts))
    file = folder / "frame.html"
    file.write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>t</title>'
        f'</head><body><iframe title="t" style="border: 0; width: {width}px; height: '
        f'900px" srcdoc="{frame}"></iframe></body></html>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=60000",
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = re.search(r"<body>(\{.*\})</body>", done.stdout, flags=re.DOTALL)
    return json.loads(html.unescape(seen[1]))


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("task", TASKS)
def test_everybody_can_use_it(tmp_path, task, width):
    report = write_report(write_run(tmp_path / "run", task, warnings=12))
    seen = look_at(report, tmp_path, width, column=1)
    assert seen["violations"] == []
    assert seen["passes"] > 20
    assert seen["wrong"] == seen["requests"] == []
    # Nothing but tables is wider than the screen.
    assert (seen["width"], seen["beyond"]) == (width, 0)
    assert seen["focused"]
    ascending = [float(text) for text in seen["sorted"]["ascending"]]
    assert ascending == sorted(ascending)
    descending = [float(text) for text in seen["sorted"]["descending"]]
    assert descending == ascending[::-1]


def test_what_is_not_known_comes_last(tmp_path):
    run = write_run(tmp_path / "run", "regression")
    table = run / "evaluation" / "per_image.csv"
    table.write_text("name,n_true\na,9\nb,\nc,12345\nd,700\n", encoding="utf-8")
    seen = look_at(write_report(run), tmp_path, 1400, column=1)
    grouped = "12\N{NARROW NO-BREAK SPACE}345"
    dash = "\N{EN DASH}"
    assert seen["sorted"]["ascending"] == ["9", "700", grouped, dash]
    assert seen["sorted"]["descending"] == [grouped, "700", "9", dash]
