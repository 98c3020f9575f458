"""StarDist trained beside us, on the same nuclei for the same time, in one run.

    pip install stardist==0.9.2
    python benchmarks/instance_stardist.py --time-limit 900

Data Science Bowl 2018, train part -> 66 test images. Ours has default parameters but
the time limit. StarDist has its default 2D configuration, its documentation's
normalisation, augmentation and thresholds, and the same share of images held back; its
best weights of the time are taken. What comes after the training is not counted, for
neither.
"""

import tempfile
import time

import keras
import numpy as np
from _data import DATA, Clock, hold_out, parse_arguments, read_folder, report
from csbdeep.utils import normalize
from semantic_dsb2018 import as_rgb
from stardist.models import Config2D, StarDist2D

from instantdl import InstanceSegmenter
from instantdl.metrics import average_precision


class Stop(keras.callbacks.Callback):
    """End training when the time is over."""

    def __init__(self, seconds):
        super().__init__()
        self.end = time.perf_counter() + seconds

    def on_train_batch_end(self, batch, logs=None):
        if time.perf_counter() > self.end:
            self.model.stop_training = True


def main():
    arguments = parse_arguments(__doc__, time_limit=900)
    X, y, _ = read_folder(DATA / "dsb2018" / "train")
    X_test, y_test, _ = read_folder(DATA / "dsb2018" / "test")
    if arguments.develop:
        test, rest = hold_out(len(X))
        X_test, y_test = [X[i] for i in test], [y[i] for i in test]
        X, y = [X[i] for i in rest], [y[i] for i in rest]
    X, X_test = as_rgb(X), as_rgb(X_test)
    limit, seed = arguments.time_limit, arguments.seed
    for name, train in {"instantdl": train_ours, "stardist": train_stardist}.items():
        clock = Clock()
        predict = train(X, y, limit, seed)
        fitted = clock.seconds()
        predicted = [predict(image) for image in X_test]
        report(
            "instance_stardist",
            who=name,
            part="validation" if arguments.develop else "test",
            time_limit=limit,
            seed=seed,
            mean_average_precision=round(average_precision(y_test, predicted), 4),
            at_half=round(average_precision(y_test, predicted, thresholds=0.5), 4),
            seconds_fit=fitted,
            seconds_all=clock.seconds(),
        )


def train_ours(X, y, limit, seed):
    """Return a function of one image that gives its label image."""
    segmenter = InstanceSegmenter(time_limit=limit, random_state=seed).fit(X, y)
    return lambda image: segmenter.predict([image])[0]


def train_stardist(X, y, limit, seed):
    """Return a function of one image that gives its label image."""
    scaled = [scale(image) for image in X]
    test, rest = hold_out(len(X), seed=seed)
    training = [scaled[i] for i in rest], [y[i].astype(np.int32) for i in rest]
    validation = [scaled[i] for i in test], [y[i].astype(np.int32) for i in test]
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        config = Config2D(n_channel_in=3, train_tensorboard=False)
        model = StarDist2D(config, name="stardist", basedir=folder)
        model.prepare_for_training()
        model.callbacks.append(Stop(limit))
        model.train(
            *training,
            validation_data=validation,
            augmenter=lambda image, labels: augment(image, labels, rng),
            seed=seed,
        )
        model.optimize_thresholds(*validation)
    return lambda image: model.predict_instances(scale(image))[0]


def scale(image):
    """Return the image as StarDist's examples normalise it."""
    return normalize(image, 1, 99.8, axis=(0, 1))


def augment(image, labels, rng):
    """Flip, turn, and vary intensities, as StarDist's examples do."""
    turns, flip = rng.integers(4), rng.integers(2)
    image, labels = np.rot90(image, turns), np.rot90(labels, turns)
    if flip:
        image, labels = image[::-1], labels[::-1]
    return image * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2), labels


if __name__ == "__main__":
    main()
