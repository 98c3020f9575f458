"""Two parts of the hippocampus in small MRI volumes (3D, three classes).

    python benchmarks/semantic_hippocampus.py --time-limit 1200

The last 40 names (in natural order) are the test part, the others train. Default
parameters but the time limit. Prints the mean over the test volumes of the Dice
coefficient of each of the two structures, and of the worst volume.
"""

import numpy as np
from _data import DATA, Clock, hold_out, parse_arguments, report

from instantdl import SemanticSegmenter
from instantdl.io import list_images, read_image
from instantdl.metrics import dice

N_TEST = 40


def main():
    arguments = parse_arguments(__doc__, time_limit=1200)
    volumes, masks = read_volumes(DATA / "hippocampus_3d")
    order = np.arange(len(volumes))
    test, rest = order[-N_TEST:], order[:-N_TEST]
    if arguments.develop:
        test, rest = hold_out(len(rest))

    clock = Clock()
    segmenter = SemanticSegmenter(
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    )
    segmenter.fit([volumes[i] for i in rest], [masks[i] for i in rest])
    fitted = clock.seconds()
    predicted = segmenter.predict([volumes[i] for i in test])
    scores = dice(
        [masks[i] for i in test],
        predicted,
        labels=[0, 1, 2],
        average=None,
        per_image=True,
    )[:, 1:]
    report(
        "semantic_hippocampus",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        mean_dice=round(float(scores.mean()), 4),
        dice_1=round(float(scores[:, 0].mean()), 4),
        dice_2=round(float(scores[:, 1].mean()), 4),
        worst_dice=round(float(scores.mean(axis=1).min()), 4),
        n_train=len(rest),
        n_test=len(test),
        patch_shape=segmenter.patch_shape_,
        precision=segmenter.precision_,
        epochs=segmenter.n_epochs_,
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


def read_volumes(folder):
    """Return volumes and masks in memory, in natural order of their names."""
    paths = list_images(folder / "images")
    volumes = [read_image(path) for path in paths]
    masks = [read_image(folder / "labels" / path.name) for path in paths]
    return volumes, [mask.astype(np.uint8) for mask in masks]


if __name__ == "__main__":
    main()
