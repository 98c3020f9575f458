"""Damaged inputs are told of by name, soon, and before anything is done with them.

A fifth of the cases is run always, all of them with ``--run-slow``.
"""

import contextlib
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from instantdl import SemanticSegmenter
from instantdl.io import image_stem, load_folder
from instantdl.pipeline import _cli, _run, run_project
from instantdl.pipeline._text import showable
from tests.pipeline.damaged_cases import (
    CASES,
    CONFIG,
    DENSE,
    IMAGE,
    MODEL,
    NAMES,
    SEMANTIC,
    TABLE,
    TARGET,
    make_project,
)

SECONDS, MEGABYTES = 5, 200
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
OFTEN = 5


class Trained(Exception):
    """A run has come as far as training."""


class Outcome(NamedTuple):
    """What a command ended with, and what it took."""

    code: int | str
    said: str
    seconds: float
    megabytes: float


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return a function that makes a sound project once, and gives its folder."""
    root = tmp_path_factory.mktemp("sound")

    def get(kind):
        if not (root / kind).exists():
            make_project(root / kind, kind)
        return root / kind

    return get


@pytest.fixture(scope="module")
def model(sound):
    """Return a small model that fits the new images."""
    data = load_folder(sound(SEMANTIC) / "project" / "train")
    segmenter = SemanticSegmenter(filters=2, levels=1, epochs=1, random_state=0)
    return segmenter.fit(data.X, data.y)


def test_the_cases_are_many_and_each_is_another_one():
    assert len({case.name for case in CASES}) == len(CASES) >= 200


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=case.name, marks=[pytest.mark.slow] if number % OFTEN else []
        )
        for number, case in enumerate(CASES)
    ],
)
def test_a_damaged_input_is_told_of(
    case, sound, request, tmp_path, monkeypatch, capfd, caplog
):
    folder = tmp_path / "mine"
    shutil.copytree(sound(case.project), folder)
    if any(MODEL in command for command in case.commands):
        request.getfixturevalue("model").save(folder / MODEL)
    fine = files(folder / "project")
    at_fault = case.damage(folder)
    before = everything(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_run, "_carry_out", read_everything)
    for command in case.commands:
        outcome = call(monkeypatch, capfd, command)
        assert outcome.code == 2 or case.may_work, outcome
        assert outcome.code in (0, 2, Trained.__name__), outcome
        assert outcome.seconds < SECONDS, outcome
        assert outcome.megabytes < MEGABYTES, outcome
        assert "Traceback" not in outcome.said
        assert caplog.records == []
        if outcome.code == 2:
            assert_named(outcome.said, at_fault, fine)
            assert everything(folder) == before


def assert_named(said, at_fault, fine):
    """What is at fault is named, and no other file without it but in warnings."""
    # Lines on single images name the table only, not its folder.
    name = Path(at_fault).name if at_fault == TABLE else showable(at_fault)
    others = [
        file for file in fine if file != at_fault and not partners(file, at_fault)
    ]
    problems = re.split(r"^\d+ warnings?, to be looked at:$", said, flags=re.MULTILINE)
    assert name in problems[0]
    for line in problems[0].splitlines():
        if name not in line:
            assert [file for file in others if file in line] == [], line


def partners(file, at_fault):
    """Tell whether two files belong to one image."""
    one, other = Path(file), Path(at_fault)
    alike = image_stem(one.name) == image_stem(other.name)
    return alike and one.parent.parent == other.parent.parent


def call(monkeypatch, capfd, command):
    """Call the command line as a script does, in this process."""
    monkeypatch.setattr(sys, "argv", ["instantdl", *command])
    before, start = peak_memory(anew=True), time.perf_counter()
    code = 0
    try:
        _cli.main()
    except SystemExit as stopped:
        code = stopped.code
    except Trained:
        code = Trained.__name__
    seconds = time.perf_counter() - start
    return Outcome(code, "".join(capfd.readouterr()), seconds, peak_memory() - before)


def peak_memory(*, anew=False):
    """Return the most memory held so far, or from now on, in MB; 0 if not known."""
    with contextlib.suppress(OSError):
        if anew:
            CLEAR.write_text("5")
        return int(re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())[1]) / 1e3
    return 0


def read_everything(config, checked, folder, log):
    """Read all that a run would read, instead of training."""
    for name in checked.parts:
        part = _run._load(config, checked, name, None)
        for number in range(len(part.names)):
            assert part.X[number].size
            assert part.y[number] is not None
    raise Trained


def files(root):
    return [path.relative_to(root).as_posix() for path in root.rglob("*.*")]


def everything(folder):
    """Return all paths, links not followed."""
    return sorted(
        os.path.join(parent, name)  # noqa: PTH118
        for parent, folders, names in os.walk(folder)
        for name in folders + names
    )


@pytest.mark.slow
@pytest.mark.parametrize("task", DENSE)
def test_files_of_any_name_go_through_a_run(sound, tmp_path, capfd, task):
    shutil.copytree(sound(task), tmp_path / "mine")
    for part, (number, name) in (
        (part, one) for part in ("train", "test") for one in enumerate(NAMES[-6:])
    ):
        for path in (IMAGE, TARGET):
            old = tmp_path / "mine/project" / path.replace("train", part)
            old.with_name(f"{number}.png").rename(old.with_name(name))
    folder = run_project(tmp_path / "mine" / CONFIG, verbose=1)
    assert (folder / "report.html").is_file()
    results = {path.name for path in (folder / "results" / "predictions").iterdir()}
    assert len(results) == 6
    assert {"x" * 250 + ".tif", "x1b[31mred.tif", "udcff_udcfe.tif"} <= results
    assert r"\udcff\udcfe.png" in (folder / "report.html").read_text("utf-8")
    assert "\x1b[31m" not in "".join(capfd.readouterr())
