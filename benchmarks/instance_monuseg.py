"""Nuclei in H&E slides, one by one: 24 -> 6 crops of 512 x 512 pixels.

    python benchmarks/instance_monuseg.py --time-limit 1800

Default parameters but the time limit. Of the names in order every fifth, beginning with
the third, is a test image; four of these six have maps of instances and are scored.
Training images without one get theirs from their binary mask (`label_mask`). Prints the
aggregated Jaccard index of Kumar 2017, its one-to-one variant and the mean average
precision. `--develop` tests on images 4, 9, 14, ... of the training part.
"""

import numpy as np
from _data import DATA, Clock, parse_arguments, report

from instantdl import InstanceSegmenter
from instantdl.images import label_mask
from instantdl.io import read_image
from instantdl.metrics import (
    aggregated_jaccard,
    aggregated_jaccard_plus,
    average_precision,
)


def main():
    arguments = parse_arguments(__doc__, time_limit=1800)
    folder = DATA / "monuseg" / "train"
    names = sorted(path.name for path in (folder / "image").glob("*.png"))
    test = names[2::5]
    train = [name for name in names if name not in test]
    if arguments.develop:
        test = train[3::5]
        train = [name for name in train if name not in test]
    test = [name for name in test if (folder / "instance" / name).exists()]

    clock = Clock()
    segmenter = InstanceSegmenter(
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    )
    segmenter.fit(
        [read_image(folder / "image" / name) for name in train],
        [read_instances(folder, name) for name in train],
    )
    fitted = clock.seconds()
    y = [read_instances(folder, name) for name in test]
    predicted = segmenter.predict(
        [read_image(folder / "image" / name) for name in test]
    )
    report(
        "instance_monuseg",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        aggregated_jaccard=round(aggregated_jaccard(y, predicted), 4),
        per_image=np.round(
            aggregated_jaccard(y, predicted, per_image=True), 3
        ).tolist(),
        aggregated_jaccard_plus=round(aggregated_jaccard_plus(y, predicted), 4),
        mean_average_precision=round(average_precision(y, predicted), 4),
        at_half=round(average_precision(y, predicted, thresholds=0.5), 4),
        thresholds=[segmenter.foreground_threshold_, segmenter.object_threshold_],
        epochs=segmenter.n_epochs_,
        best_epoch=segmenter.best_epoch_,
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


def read_instances(folder, name):
    """Return the label image, from the binary mask where there is no better one."""
    path = folder / "instance" / name
    if path.exists():
        return read_image(path, keep_palette=True)
    return label_mask(read_image(folder / "binary" / name) > 0)


if __name__ == "__main__":
    main()
