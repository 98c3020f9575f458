"""Five projects as InstantDL 1.x documents them, run by its own configurations.

    python benchmarks/original_projects.py --epochs 2

Lung (semantic, 2D), nuclear envelope (regression, 3D), malaria (classification),
nuclei (instances, a mask for each object) and hippocampus (semantic, 3D) are copied
into a temporary folder, each with a `config.json` in the keys of 1.x, and run from
start to report. Prints a line for each. `--keep FOLDER` keeps the projects there.
"""

import argparse
import csv
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from _data import DATA, report

from instantdl.io import read_image, write_image
from instantdl.pipeline import run_project

FLIPS = {"horizontal_flip": True, "vertical_flip": True}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=PROJECTS, default=list(PROJECTS))
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.keep or Path(folder)
        for name in arguments.only:
            carry_out(name, root / name, arguments.epochs)


def carry_out(name, root, epochs):
    """Lay a project out, run it and print what was found."""
    config = {
        "use_algorithm": "",
        "path": str(root) + "/",
        "pretrained_weights": False,
        "batchsize": 2,
        "iterations_over_dataset": epochs,
        "data_gen_args": FLIPS,
        "image_size": False,
        "calculate_uncertainty": True,
        "evaluation": True,
        **PROJECTS[name](root),
    }
    # As its own examples have it: words of Python.
    (root / "config.json").write_text(repr(config), encoding="utf-8")
    began = time.perf_counter()
    folder = run_project(root / "config.json", verbose=0)
    found = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    main_metric = found["main_metric"]
    report(
        "original_projects",
        project=name,
        task=found["task"],
        n_test=len(found["per_image"]),
        **{main_metric: round(found["metrics"][main_metric]["value"], 3)},
        report_megabytes=round((folder / "report.html").stat().st_size / 1e6, 1),
        seconds=round(time.perf_counter() - began, 1),
    )


def copy_tree(source, root):
    """Copy files, but not that they may only be read."""
    shutil.copytree(source, root, copy_function=shutil.copyfile)
    root.chmod(0o755)


def lung(root):
    copy_tree(DATA / "vessel12_lung", root)
    return {
        "use_algorithm": "SemanticSegmentation",
        "loss_function": "binary_crossentropy",
        "num_classes": 1,
    }


def envelope(root):
    copy_tree(DATA / "nuclear_envelope_3d", root)
    return {
        "use_algorithm": "Regression",
        "loss_function": "mse",
        "num_classes": 1,
        "image_size": [16, 128, 128, 1],
    }


def malaria(root):
    """Blocks of neighbours go to one side."""
    with (DATA / "malaria" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    blocks = sorted({row["block"] for row in rows})
    held_out = set(blocks[::5])
    for part in ("train", "test"):
        (root / part / "image").mkdir(parents=True)
        (root / part / "groundtruth").mkdir()
        chosen = [r for r in rows if (r["block"] in held_out) == (part == "test")]
        lines = ["filename,groundtruth"]
        for row in chosen:
            name = Path(row["file"]).name
            target = root / part / "image" / name
            shutil.copyfile(DATA / "malaria" / row["file"], target)
            lines.append(f"{name},{row['label']}")
        table = root / part / "groundtruth" / "groundtruth.csv"
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "use_algorithm": "Classification",
        "loss_function": "categorical_crossentropy",
        "num_classes": 2,
        "image_size": [80, 80, 3],
        "batchsize": 16,
    }


def nuclei(root):
    """Twenty images, each in a folder of its own with a mask for each object."""
    names = sorted(p.name for p in (DATA / "dsb2018/train/image").glob("*.png"))
    for number, name in enumerate(names[::30][:20]):
        part = "test" if number % 4 == 3 else "train"
        folder = root / part / Path(name).stem
        (folder / "image").mkdir(parents=True)
        (folder / "mask").mkdir()
        image = read_image(DATA / "dsb2018/train/image" / name)
        labels = read_image(DATA / "dsb2018/train/groundtruth" / name)
        write_image(folder / "image" / name, image)
        for label in np.unique(labels[labels > 0]):
            write_image(folder / "mask" / f"{label}.png", labels == label)
    return {"use_algorithm": "InstanceSegmentation", "num_classes": 1}


def hippocampus(root):
    """Thirty volumes of which six test; labels 0, 1, 2."""
    images = sorted((DATA / "hippocampus_3d/images").glob("*.nii.gz"))[:30]
    for number, path in enumerate(images):
        part = "test" if number % 5 == 4 else "train"
        for source, target in (("images", "image"), ("labels", "groundtruth")):
            (root / part / target).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(
                DATA / "hippocampus_3d" / source / path.name,
                root / part / target / path.name,
            )
    return {
        "use_algorithm": "SemanticSegmentation",
        "loss_function": "categorical crossentropy dice",
        "num_classes": 3,
    }


PROJECTS = {
    "lung": lung,
    "envelope": envelope,
    "malaria": malaria,
    "nuclei": nuclei,
    "hippocampus": hippocampus,
}

if __name__ == "__main__":
    main()
