"""Folders of runs as far as a report reads them, made without any training."""

import dataclasses
import json

import numpy as np

from instantdl.io import write_image
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._inspect_report import PartSummary

# What must be shown as it is, and take part in no mark-up.
NAMES = ['<b>cell & "co".png', "b.png", "c.png", "d.png"]
SECTIONS = ("training", "metrics", "examples", "worst", "uncertainty")


def evaluation_of(task):
    """Evaluate four images, one of which has undefined measures."""
    rng = np.random.default_rng(0)
    if task == "classification":
        classes = np.array([0, 7])
        probability = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
        return evaluate(
            task,
            np.array([0, 7, 7, 7]),
            classes[probability.argmax(axis=1)],
            probability=probability,
            uncertainty=np.array([0.1, 0.5, 0.2, 0.4]),
            names=NAMES,
            classes=classes,
        )
    labels = rng.integers(0, 3, (4, 150, 150))
    found = np.where(rng.random(labels.shape) < 0.1, 0, labels)
    uncertainty = rng.random(labels.shape)
    probability = None
    if task == "semantic_segmentation":
        # Without foreground its ROC AUC is not known.
        labels[1] = 0
        labels, found = labels > 0, found > 0
        probability = 0.5 * found + 0.5 * uncertainty
    elif task == "regression":
        labels, found = labels + rng.random(labels.shape), found.astype(float)
    return evaluate(
        task,
        labels,
        found,
        probability=probability,
        uncertainty=uncertainty,
        names=NAMES,
    )


def write_run(root, task, *, warnings=0, evaluated=True, alt=True, val_loss=True):
    """Write what a run leaves for its report, with one small figure in each section."""
    for part in ("training", "figures", "evaluation"):
        (root / part).mkdir(parents=True)
    config = {"task": task, "path": "/data/<i>cells", "n_draws": 20}
    (root / "config.json").write_text(json.dumps(config))
    part = dataclasses.asdict(PartSummary(n_images=4, channels={1: 4}))
    checked = {"parts": {"train": part, "test": part}}
    (root / "check.json").write_text(json.dumps(checked))
    environment = {"python": "3.13.1", "packages": {"numpy": "2.4.6", "keras": "3.15"}}
    (root / "environment.json").write_text(json.dumps(environment))
    lines = [
        "Training on 4 images.",
        *(f"Warning: No {i} <u>." for i in range(warnings)),
    ]
    log = [f"2026-11-27T03:50:52+00:00  {line}\n" for line in lines]
    (root / "run.log").write_text("".join(log))
    history = "epoch,loss,val_loss\n0,1.5,1.25\n1,0.5,1.0\n2,0.25,1.125\n"
    if not val_loss:
        history = "epoch,loss\n0,1.5\n1,0.5\n"
    (root / "training" / "history.csv").write_text(history)
    write_figure_files(root / "figures", alt=alt)
    if evaluated:
        evaluation_of(task).save(root / "evaluation")
    return root


def write_figure_files(folder, *, alt):
    entries = []
    for section in SECTIONS:
        file = f"{section}.png"
        write_image(folder / file, np.zeros((50, 100), np.uint8))
        entry = {
            "section": section,
            "file": file,
            "title": f'The "{section}" figure',
            "caption": "What it shows.",
        }
        entries.append(entry | ({"alt": f"Seen in {section}: 1 < 2."} if alt else {}))
    (folder / "figures.json").write_text(json.dumps({"figures": entries}))
