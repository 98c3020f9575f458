"""Foreground of the Data Science Bowl 2018 nuclei: train part -> 66 test images.

    python benchmarks/semantic_dsb2018.py --time-limit 1200

Default parameters but the time limit. Prints the mean over the test images of the
foreground's Jaccard index, over all and per kind of image, and the pooled index.
"""

import csv

import numpy as np
from _data import DATA, Clock, hold_out, parse_arguments, read_folder, report

from instantdl import SemanticSegmenter
from instantdl.metrics import jaccard


def main():
    arguments = parse_arguments(
        __doc__,
        time_limit=1200,
        thresholds="fit with threshold='tuned' and compare it with 0.5 and 'otsu'",
    )
    X, labels, names = read_folder(DATA / "dsb2018" / "train")
    X_test, labels_test, names_test = read_folder(DATA / "dsb2018" / "test")
    if arguments.develop:
        test, rest = hold_out(len(X))
        X_test = [X[i] for i in test]
        labels_test = [labels[i] for i in test]
        names_test = [names[i] for i in test]
        X, labels = [X[i] for i in rest], [labels[i] for i in rest]
    X, X_test = as_rgb(X), as_rgb(X_test)
    y, y_test = [m > 0 for m in labels], [m > 0 for m in labels_test]

    clock = Clock()
    parameters = {"threshold": "tuned"} if arguments.thresholds else {}
    segmenter = SemanticSegmenter(
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **parameters,
        **arguments.parameters,
    )
    segmenter.fit(X, y)
    fitted = clock.seconds()
    if arguments.thresholds:
        compare_thresholds(segmenter, X_test, y_test)
    predicted = segmenter.predict(X_test)
    index = jaccard(y_test, predicted, labels=[False, True], per_image=True)
    kinds = read_kinds()
    kind = np.array([kinds[name.split(".")[0]] for name in names_test])
    report(
        "semantic_dsb2018",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        mean_jaccard=round(float(np.mean(index)), 4),
        pooled_jaccard=round(segmenter.score(X_test, y_test), 4),
        **{k: round(float(index[kind == k].mean()), 4) for k in np.unique(kind)},
        n_test=len(index),
        epochs=segmenter.n_epochs_,
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


def compare_thresholds(segmenter, X, y):
    """Print the mean Jaccard index for each way to choose the threshold."""
    tuned = segmenter.threshold_
    for name, value in (("0.5", 0.5), ("otsu", np.nan), ("tuned", tuned)):
        segmenter.threshold_ = value
        index = jaccard(y, segmenter.predict(X), labels=[False, True], per_image=True)
        report(
            "thresholds",
            threshold=name,
            value=None if np.isnan(value) else value,
            mean_jaccard=round(float(index.mean()), 4),
        )


def as_rgb(images):
    """Give grey images three equal channels, as the others have."""
    return [
        np.repeat(image[..., np.newaxis], 3, axis=-1) if image.ndim == 2 else image
        for image in images
    ]


def read_kinds():
    """Return the kind of each image by its name."""
    with (DATA / "dsb2018" / "index.csv").open(newline="") as file:
        return {row["file"]: row["kind"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
