"""In-silico staining in 3D: the nuclear envelope from volumes of brightfield.

    python benchmarks/regression_nuclear_envelope.py --time-limit 1200

10 volumes of 16 x 128 x 128 voxels train, 2 of another plate are the test part
(`--develop`: the last 2 of the training part). Default parameters but the time limit.
Prints Pearson's correlation of each test volume and the learning curve.
"""

import numpy as np
from _data import DATA, Clock, parse_arguments, read_folder, report

from instantdl import PixelRegressor
from instantdl.metrics import pearson

N_DEVELOP = 2


def main():
    arguments = parse_arguments(__doc__, time_limit=1200)
    X, y, _ = read_folder(DATA / "nuclear_envelope_3d" / "train")
    if arguments.develop:
        X_test, y_test = X[-N_DEVELOP:], y[-N_DEVELOP:]
        X, y = X[:-N_DEVELOP], y[:-N_DEVELOP]
    else:
        X_test, y_test, _ = read_folder(DATA / "nuclear_envelope_3d" / "test")

    clock = Clock()
    regressor = PixelRegressor(
        time_limit=arguments.time_limit,
        random_state=arguments.seed,
        verbose=1,
        **arguments.parameters,
    ).fit(np.stack(X), np.stack(y))
    fitted = clock.seconds()
    scores = pearson(y_test, regressor.predict(X_test), per_image=True)
    curve = regressor.history_["val_loss"]
    report(
        "regression_nuclear_envelope",
        part="validation" if arguments.develop else "test",
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        mean_pearson=round(float(np.mean(scores)), 4),
        pearson=np.round(scores, 4).tolist(),
        n_train=len(X),
        patch_shape=regressor.patch_shape_,
        strides=regressor.strides_,
        precision=regressor.precision_,
        epochs=regressor.n_epochs_,
        best_epoch=regressor.best_epoch_,
        validation_loss=[round(loss, 3) for loss in curve[:: max(1, len(curve) // 20)]],
        training_loss=round(regressor.history_["loss"][-1], 3),
        seconds_fit=fitted,
        seconds_all=clock.seconds(),
        parameters=arguments.parameters,
    )


if __name__ == "__main__":
    main()
