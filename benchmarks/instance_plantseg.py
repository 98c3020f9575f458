"""Nuclei of a plant's ovule, one by one, 3D: left half -> right half of one volume.

    python benchmarks/instance_plantseg.py --time-limit 600

Default parameters but the time limit and the spacing of the volume. Prints the average
precision at an intersection over union of 0.5, and the mean over 0.50:0.05:0.95.
`--develop` learns from the left quarter and tests on the next one.
"""

import h5py
from _data import DATA, Clock, parse_arguments, report

from instantdl import InstanceSegmenter
from instantdl.metrics import average_precision, match_instances

# Micrometres between planes, rows and columns.
SPACING = (0.28, 0.13, 0.13)


def main():
    arguments = parse_arguments(__doc__, time_limit=600)
    with h5py.File(DATA / "plantseg_3d" / "1135_mini.h5") as file:
        raw, labels = file["raw"][:], file["label"][:]
    half = raw.shape[-1] // 2
    if arguments.develop:
        raw, labels, half = raw[..., :half], labels[..., :half], half // 2
    clock = Clock()
    segmenter = InstanceSegmenter(
        spacing=SPACING,
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    )
    segmenter.fit(raw[None, ..., :half], labels[None, ..., :half])
    fitted = clock.seconds()
    truth = labels[..., half:]
    predicted = segmenter.predict(raw[None, ..., half:])[0]
    matches = match_instances(truth, predicted, threshold=0.5)
    report(
        "instance_plantseg",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        at_half=round(average_precision([truth], [predicted], thresholds=0.5), 4),
        mean_average_precision=round(average_precision([truth], [predicted]), 4),
        n_matched=len(matches.true),
        n_missed=len(matches.missed),
        n_spurious=len(matches.spurious),
        thresholds=[segmenter.foreground_threshold_, segmenter.object_threshold_],
        patch_shape=segmenter.patch_shape_,
        epochs=segmenter.n_epochs_,
        best_epoch=segmenter.best_epoch_,
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


if __name__ == "__main__":
    main()
