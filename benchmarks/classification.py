"""Classes of breast tissue, malaria cells or red blood cells, by cross-validation.

    python benchmarks/classification.py idc_breast --time-limit 300
    python benchmarks/classification.py malaria --time-limit 120
    python benchmarks/classification.py chula_rbc --time-limit 120

Folds keep together what belongs together: patients, blocks of neighbours in the set,
smear pictures. `--pretrained` begins with ImageNet weights. Prints the area under the
ROC curve (mean over classes) of each fold, balanced accuracy, and whether uncertainty
finds the images that are classified wrongly. `--n-train` takes so many training
images of each fold, `--n-folds` does only the first ones, `--develop` cross-validates
inside the training part of the first fold.
"""

import numpy as np
import pandas as pd
from _data import DATA, Clock, judge_uncertainty, parse_arguments, report
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from instantdl import ImageClassifier
from instantdl.io import read_image

# Columns of the class and of the group, what comes before a file's name, and the folds.
SETS = {
    "idc_breast": ("label", "patient", ".", GroupKFold(5)),
    "malaria": ("label", "block", ".", StratifiedGroupKFold(5)),
    "chula_rbc": ("class_name", "smear_image", "images", StratifiedGroupKFold(5)),
}
# What did best with `--develop`, in the training part of fold 1, with ImageNet weights
# and without.
BEST = {
    True: {"network": "efficientnet_lite0"},
    False: {"network": "resnet18", "filters": 32},
}


def main():
    arguments = parse_arguments(
        __doc__,
        time_limit=300,
        options={
            "set_name": {"choices": SETS},
            "--n-train": {"type": int},
            "--n-folds": {"type": int, "default": 5},
        },
        pretrained="begin with ImageNet weights",
    )
    X, y, groups, folds = read_set(arguments.set_name)
    if arguments.develop:
        first, _ = next(iter(folds.split(X, y, groups)))
        X, y, groups = [X[i] for i in first], y[first], groups[first]
    clock = Clock()
    areas, accuracies, uncertainties, wrongs = [], [], [], []
    splits = list(folds.split(np.zeros(len(y)), y, groups))
    for train, test in splits[: arguments.n_folds]:
        if arguments.n_train:
            rng = np.random.default_rng(arguments.seed)
            train = rng.permutation(train)[: arguments.n_train]
        classifier = fit(arguments, [X[i] for i in train], y[train], groups[train])
        shown = [X[i] for i in test]
        areas.append(classifier.score(shown, y[test]))
        predicted = classifier.predict(shown)
        accuracies.append(balanced_accuracy_score(y[test], predicted))
        uncertainties.append(classifier.predict_uncertainty(shown))
        wrongs.append(predicted != y[test])
        report(
            arguments.set_name,
            fold=len(areas),
            auc=round(areas[-1], 4),
            balanced_accuracy=round(accuracies[-1], 4),
            epochs=classifier.n_epochs_,
            best_epoch=classifier.best_epoch_,
            image_shape=classifier.image_shape_,
            seconds=clock.seconds(),
        )
    report(
        arguments.set_name,
        part="validation" if arguments.develop else "test",
        folds=len(areas),
        time_limit=arguments.time_limit,
        pretrained=arguments.pretrained,
        n_train=arguments.n_train,
        seed=arguments.seed,
        mean_auc=round(float(np.mean(areas)), 4),
        mean_balanced_accuracy=round(float(np.mean(accuracies)), 4),
        **judge_uncertainty(np.concatenate(uncertainties), np.concatenate(wrongs)),
        seconds=clock.seconds(),
        parameters=BEST[arguments.pretrained] | arguments.parameters,
    )


def fit(arguments, X, y, groups):
    """Return a classifier that has learnt one fold."""
    classifier = ImageClassifier(
        time_limit=arguments.time_limit,
        pretrained="imagenet" if arguments.pretrained else None,
        random_state=arguments.seed,
        verbose=1,
    )
    classifier.set_params(**BEST[arguments.pretrained] | arguments.parameters)
    return classifier.fit(X, y, groups=groups)


def read_set(name):
    """Return images, labels, groups and the folds."""
    label, group, folder, folds = SETS[name]
    table = pd.read_csv(DATA / name / "labels.csv")
    X = [read_image(DATA / name / folder / file) for file in table["file"]]
    groups = table[group].to_numpy()
    if name == "malaria":  # p00 and u00 are blocks of two classes
        groups = table[group].str[1:].to_numpy()
    return X, table[label].to_numpy(), groups, folds


if __name__ == "__main__":
    main()
