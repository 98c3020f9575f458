import json

import numpy as np
import pytest

from instantdl.datasets import make_nuclei
from instantdl.io import write_image

# As small as a network can be: what is tested is what stands around it.
TINY = {"filters": 2, "validation_fraction": 0.25}


def write_part(folder, task, n, seed, *, targets=True):
    """Write n images of a task, and targets, as the folders of a project have them."""
    images, labels = make_nuclei(n, shape=(40, 32), n_nuclei=(2, 4), random_state=seed)
    (folder / "image").mkdir(parents=True)
    if targets:
        (folder / "groundtruth").mkdir()
    rows = ["filename,groundtruth"]
    for number in range(n):
        name = f"{number}.tif"
        image = images[number]
        if task == "classification":
            kind = ("dim", "bright")[number % 2]
            image = (image * (1 + number % 2) / 2).astype(image.dtype)
            rows.append(f"{name},{kind}")
        write_image(folder / "image" / name, image)
        if not targets or task == "classification":
            continue
        target = {
            "semantic_segmentation": (labels[number] > 0).astype(np.uint8) * 255,
            "instance_segmentation": labels[number].astype(np.uint16),
            "regression": 3 * image.astype(np.float32) + 7,
        }[task]
        write_image(folder / "groundtruth" / name, target)
    if targets and task == "classification":
        text = "\n".join(rows) + "\n"
        (folder / "groundtruth" / "groundtruth.csv").write_text(text)


@pytest.fixture
def make_project(tmp_path):
    """Return a function that makes a project and the configuration of a short run."""

    def make(task, *, n_train=6, n_test=3, test_targets=True, **changes):
        root = tmp_path / "project of Jürgen"
        write_part(root / "train", task, n_train, 0)
        if n_test:
            write_part(root / "test", task, n_test, 1, targets=test_targets)
        estimator = dict(TINY)
        estimator.update({"network": "resnet10"} if task == "classification" else {})
        estimator.update({} if task == "classification" else {"levels": 1})
        config = {
            "task": task,
            "path": str(root),
            "epochs": 2,
            "n_draws": 2,
            "estimator": {**estimator, **changes.pop("estimator", {})},
            **changes,
        }
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        return file

    return make
