"""
A whole study from one file
===========================

Who does not want to program puts images into folders, writes what to do into one file
and runs ``instantdl run config.json``. What the command does, `run_project` does in
Python: train, predict the test images, evaluate them, draw figures and write a report.
"""

# %%
# A project folder holds ``train/`` and ``test/``, each with images in ``image/`` and
# their masks in ``groundtruth/``, by the same names. Here drawn nuclei are put into a
# temporary folder.
import json
import tempfile
from pathlib import Path

import pandas as pd

from instantdl.datasets import make_nuclei
from instantdl.io import load_folder, read_image, write_image
from instantdl.pipeline import run_project
from instantdl.plotting import plot_metric_boxes, plot_predictions

temporary = tempfile.TemporaryDirectory()
project = Path(temporary.name) / "nuclei"
X, labels = make_nuclei(28, shape=(96, 96), random_state=0)
for number, (image, mask) in enumerate(zip(X, labels > 0, strict=True), start=1):
    part = project / ("train" if number <= 20 else "test")
    for folder, pixels in (("image", image), ("groundtruth", mask)):
        (part / folder).mkdir(parents=True, exist_ok=True)
        write_image(part / folder / f"{number:02}.tif", pixels)

# %%
# The file needs the first two keys only. The others are here to be done in seconds.
config = {
    "task": "semantic_segmentation",
    "path": str(project),
    "epochs": 12,
    "n_draws": 5,
    "estimator": {"filters": 8, "levels": 3},
}
file = Path(temporary.name) / "config.json"
file.write_text(json.dumps(config, indent=2))
run = run_project(file, verbose=0)

for path in sorted(run.iterdir()):
    print(path.relative_to(project))

# %%
# Metrics are those of all test images, with 95 % intervals from 1000 draws of as many
# images. ``report.html`` tells it all on one page.
metrics = pd.read_csv(run / "evaluation" / "metrics.csv", index_col=0)
print(metrics[["value", "low", "high", "n"]].round(3).to_string())

# %%
# The same for each image, and the images themselves as files to go on with: masks,
# probabilities and uncertainty.
per_image = pd.read_csv(run / "evaluation" / "per_image.csv", index_col=0)
plot_metric_boxes(per_image[["jaccard", "dice", "sensitivity", "specificity"]])

# %%
# The three worst images, from these files.
test = load_folder(project / "test")
worst = [test.names.index(name) for name in per_image["jaccard"].nsmallest(3).index]


def read(folder):
    """Return the results of the worst images that lie in a folder."""
    return [read_image(run / "results" / folder / test.names[i]) for i in worst]


plot_predictions(
    [test.X[i] for i in worst],
    [test.y[i] > 0 for i in worst],
    [mask > 0 for mask in read("predictions")],
    read("uncertainty"),
    names=[test.names[i] for i in worst],
)

# %%
# The temporary folder is no longer needed.
temporary.cleanup()
