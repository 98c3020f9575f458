"""Seconds and megabytes of a run's report, after prediction.

    python benchmarks/report.py --repeats 3

A small network learns for a minute and predicts all test images; then evaluation,
figures and page are made anew some times. Nuclei one by one and their foreground (66
test images of the Data Science Bowl 2018), and red blood cells with malaria or without
(100 images). Prints a line for each; seconds are medians. `--keep FOLDER` keeps
projects and runs, and measures those that it finds there.
"""

import argparse
import csv
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _data import DATA, report

from instantdl import load
from instantdl.io import read_image, write_image
from instantdl.pipeline import load_config, run_project, write_report
from instantdl.pipeline._figures import write_figures
from instantdl.pipeline._project import load_part
from instantdl.pipeline._run import evaluate_results
from instantdl.pipeline._run_folder import RunFolder

N_TRAIN = 60
N_CLASSIFIED = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PROJECTS, default=list(PROJECTS))
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.keep or Path(folder)
        for name in arguments.only:
            done = root / name / "runs" / "001"
            if not (done / "report.html").exists():
                config = PROJECTS[name](root / name)
                config |= {"time_limit": arguments.time_limit, "n_draws": 2}
                done = run_project(config, verbose=0)
            measure(name, done, arguments.repeats)


def measure(name, folder, repeats):
    """Make everything after prediction anew, and print how long it took."""
    run, config = RunFolder(folder), load_config(folder / "config.json")
    channels = {"n_channels": 3, "cut": None}
    test = load_part(config.path / "test", task=config.task, **channels)
    model = load(run.model)
    seconds = {"evaluation": [], "figures": [], "page": []}
    for _ in range(repeats):
        began = time.perf_counter()
        evaluation = evaluate_results(config, model, test, run)
        seconds["evaluation"].append(time.perf_counter() - began)
        began = time.perf_counter()
        write_figures(model, test, run, evaluation)
        seconds["figures"].append(time.perf_counter() - began)
        began = time.perf_counter()
        write_report(folder)
        seconds["page"].append(time.perf_counter() - began)
    median = {part: statistics.median(values) for part, values in seconds.items()}
    report(
        "report",
        project=name,
        n_test=len(test.names),
        seconds_evaluation=round(median["evaluation"], 1),
        seconds_report=round(median["figures"] + median["page"], 1),
        seconds_of_which_page=round(median["page"], 1),
        megabytes=round(run.report.stat().st_size / 1e6, 1),
    )


def nuclei(root, change=lambda labels: labels):
    """Lay out a tenth of the training images and all test images."""
    for part in ("train", "test"):
        images = sorted((DATA / "dsb2018" / part / "image").glob("*.png"))
        step = len(images) // N_TRAIN if part == "train" else 1
        for folder in ("image", "groundtruth"):
            (root / part / folder).mkdir(parents=True)
        for image in images[::step]:
            shutil.copyfile(image, root / part / "image" / image.name)
            labels = read_image(image.parents[1] / "groundtruth" / image.name)
            write_image(root / part / "groundtruth" / image.name, change(labels))
    return {
        "task": "instance_segmentation",
        "path": str(root),
        "estimator": {"filters": 16},
    }


def foreground(root):
    config = nuclei(root, lambda labels: np.uint8(255) * (labels > 0))
    return config | {"task": "semantic_segmentation"}


def cells(root):
    """Blocks of neighbours are on one side."""
    with (DATA / "malaria" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    held_out = set(sorted({row["block"] for row in rows})[::5])
    for part in ("train", "test"):
        for folder in ("image", "groundtruth"):
            (root / part / folder).mkdir(parents=True)
        some = [row for row in rows if (row["block"] in held_out) == (part == "test")]
        lines = ["filename,groundtruth"]
        for row in some[:: len(some) // N_CLASSIFIED][:N_CLASSIFIED]:
            name = Path(row["file"]).name
            shutil.copyfile(
                DATA / "malaria" / row["file"], root / part / "image" / name
            )
            lines.append(f"{name},{row['label']}")
        table = root / part / "groundtruth" / "groundtruth.csv"
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "task": "classification",
        "path": str(root),
        "image_size": [64, 64],
        "estimator": {"network": "resnet18", "filters": 16},
    }


PROJECTS = {"nuclei": nuclei, "foreground": foreground, "cells": cells}

if __name__ == "__main__":
    main()
