"""In-silico staining: DAPI and MAP2 from 13 planes of transmitted light (2D).

    python benchmarks/regression_isl.py --time-limit 900

One field of 1024 x 1024 pixels; columns 0 to 703 train, 720 to 1023 are the test part
(`--develop`: 0 to 583 and 600 to 703). Both stains are learnt at once, with default
parameters but the time limit. Prints Pearson's correlation of each, and whether
uncertainty finds errors: pixels whose error is above its 90th percentile.
"""

import numpy as np
from _data import DATA, Clock, judge_uncertainty, parse_arguments, report

from instantdl import PixelRegressor
from instantdl.io import read_image
from instantdl.metrics import mean_absolute_error, pearson

STAINS = ("dapi", "map2")
N_JUDGED = 20_000


def main():
    arguments = parse_arguments(__doc__, time_limit=900)
    train, test = (slice(0, 704), slice(720, None))
    if arguments.develop:
        train, test = slice(0, 584), slice(600, 704)
    X, y = read_field(DATA / "isl")

    clock = Clock()
    regressor = PixelRegressor(
        spatial_ndim=2,
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    )
    regressor.fit(X[np.newaxis, :, train], y[np.newaxis, :, train])
    fitted = clock.seconds()
    predicted = regressor.predict(X[np.newaxis, :, test])[0]
    uncertainty = regressor.predict_uncertainty(X[np.newaxis, :, test])[0]
    truth = y[:, test]
    figures = {}
    for i, stain in enumerate(STAINS):
        pair = [truth[..., i]], [predicted[..., i]]
        error = np.abs(truth[..., i] - predicted[..., i]).ravel()
        shown = np.random.default_rng(0).permutation(error.size)[:N_JUDGED]
        wrong = error > np.percentile(error, 90)
        figures |= {
            f"pearson_{stain}": round(float(pearson(*pair)), 4),
            f"mean_absolute_error_{stain}": round(float(mean_absolute_error(*pair)), 1),
        }
        judged = judge_uncertainty(uncertainty[..., i].ravel()[shown], wrong[shown])
        figures |= {f"{name}_{stain}": value for name, value in judged.items()}
    report(
        "regression_isl",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        **figures,
        epochs=regressor.n_epochs_,
        best_epoch=regressor.best_epoch_,
        patch_shape=regressor.patch_shape_,
        precision=regressor.precision_,
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


def read_field(folder):
    """Return the planes and the stains, channels last."""
    planes = [read_image(path) for path in sorted(folder.glob("phase_z*.png"))]
    stains = [
        read_image(folder / f"{stain}_confocal_maxproject.png") for stain in STAINS
    ]
    return np.stack(planes, axis=-1), np.stack(stains, axis=-1)


if __name__ == "__main__":
    main()
