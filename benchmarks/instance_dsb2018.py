"""Nuclei of the Data Science Bowl 2018, one by one: train part -> 66 test images.

    python benchmarks/instance_dsb2018.py --time-limit 2700

Default parameters but the time limit. Prints the mean average precision of the
competition, over all test images and per kind of image, that at an intersection over
union of 0.5, and the learning curve: the validation loss of each epoch.
"""

import numpy as np
from _data import DATA, Clock, hold_out, parse_arguments, read_folder, report
from semantic_dsb2018 import as_rgb, read_kinds

from instantdl import InstanceSegmenter
from instantdl.metrics import aggregated_jaccard, average_precision


def main():
    arguments = parse_arguments(__doc__, time_limit=2700)
    X, y, names = read_folder(DATA / "dsb2018" / "train")
    X_test, y_test, names_test = read_folder(DATA / "dsb2018" / "test")
    if arguments.develop:
        test, rest = hold_out(len(X))
        X_test, y_test = [X[i] for i in test], [y[i] for i in test]
        names_test = [names[i] for i in test]
        X, y = [X[i] for i in rest], [y[i] for i in rest]

    clock = Clock()
    segmenter = InstanceSegmenter(
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    )
    segmenter.fit(as_rgb(X), y)
    fitted = clock.seconds()
    predicted = segmenter.predict(as_rgb(X_test))
    scores = average_precision(y_test, predicted, per_image=True)
    kinds = read_kinds()
    kind = np.array([kinds[name.split(".")[0]] for name in names_test])
    report(
        "instance_dsb2018",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        mean_average_precision=round(float(scores.mean()), 4),
        at_half=round(average_precision(y_test, predicted, thresholds=0.5), 4),
        aggregated_jaccard=round(aggregated_jaccard(y_test, predicted), 4),
        **{k: round(float(scores[kind == k].mean()), 4) for k in np.unique(kind)},
        n_test=len(scores),
        thresholds=[segmenter.foreground_threshold_, segmenter.object_threshold_],
        min_size=segmenter.min_size_,
        epochs=segmenter.n_epochs_,
        best_epoch=segmenter.best_epoch_,
        curve=[round(loss, 3) for loss in segmenter.history_["val_loss"]],
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


if __name__ == "__main__":
    main()
