"""A segmenter trained and tested on stained tissue in two minutes."""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from instantdl.datasets import load_ihc
from instantdl.estimators import SemanticSegmenter
from instantdl.io import write_image
from instantdl.metrics import dice, jaccard, pixel_accuracy
from instantdl.plotting import plot_predictions

__all__ = ["run_demo"]

METRICS = {"jaccard": jaccard, "dice": dice, "pixel_accuracy": pixel_accuracy}
FILES = ("figure.png", "metrics.csv", "model.instantdl")
FOLDERS = ("images", "masks", "probability", "truth", "uncertainty")

TRAINING_TILE, TEST_TILE = (128, 128), (256, 256)

Sample: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.bool_]]


def run_demo(
    output: str | Path = "instantdl-demo",
    *,
    time_limit: float = 75,
    verbose: int = 1,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Train on stained tissue, test on a part not seen, and write the results.

    The image is an immunohistochemical stain that scikit-image brings along; what is
    looked for is the brown, DAB-positive tissue. The left half of it trains a
    :class:`~instantdl.SemanticSegmenter`, the right half tests it, as two images.

    Parameters
    ----------
    output : str or Path, default="instantdl-demo"
        Folder for the results, made where it is missing. One that holds anything but
        the results of a former demo is refused.

    time_limit : float, default=75
        Seconds to train. Loading, prediction and 20 draws for the uncertainty come on
        top.

    verbose : int, default=1
        0 prints nothing, 1 the progress, the metrics and where to look.

    random_state : int or None, default=0
        Seed of the training; with a time limit, the speed of the computer still
        decides how far it gets.

    Returns
    -------
    metrics : DataFrame of shape (3, 3)
        Jaccard index, Dice coefficient and pixel accuracy of each test image, and in
        the row "all" over the pixels of all. The same is in ``metrics.csv``.

    Raises
    ------
    FileExistsError
        If `output` is a file, or a folder with anything else in it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from instantdl.pipeline import run_demo
    >>> metrics = run_demo(time_limit=60)  # doctest: +SKIP
    >>> sorted(path.name for path in Path("instantdl-demo").iterdir())  # doctest: +SKIP
    ['figure.png', 'images', 'masks', 'metrics.csv', 'model.instantdl', 'probability',
    'truth', 'uncertainty']
    """
    output = _check_output(Path(output))
    console = Console(quiet=not verbose, highlight=False, markup=False)
    X, y = _load_half(TRAINING_TILE, test=False)
    X_test, y_test = _load_half(TEST_TILE, test=True)
    names = [f"test-{i}" for i in range(1, len(X_test) + 1)]
    console.print(
        f"Training on {len(X)} images of stained tissue for at most "
        f"{time_limit:g} s ..."
    )
    segmenter = SemanticSegmenter(
        time_limit=time_limit, random_state=random_state, verbose=verbose
    )
    segmenter.fit(X, y)
    console.print(f"Testing on {len(X_test)} images from the other half ...")
    results = {
        "images": X_test,
        "truth": y_test,
        "masks": segmenter.predict(X_test),
        "probability": segmenter.predict_proba(X_test)[..., 1],
        "uncertainty": segmenter.predict_uncertainty(X_test),
    }
    metrics = _measure(names, y_test, results["masks"])
    _write_maps(output, names, results)
    metrics.to_csv(output / "metrics.csv", float_format="%.4f")
    _draw(results, names).savefig(output / "figure.png", dpi=150)
    segmenter.save(output / "model.instantdl")
    console.print(_table(metrics))
    console.print(
        f"Look at {output / 'figure.png'} first; the rest is beside it.", soft_wrap=True
    )
    return metrics


def _check_output(output: Path) -> Path:
    """Make the folder; refuse one that holds anything the demo does not write."""
    if output.exists() and not output.is_dir():
        raise FileExistsError(
            f"`output` must be a folder. Got {output}, which is a file. Choose another "
            "name, with --output on the command line."
        )
    own = {*FILES, *FOLDERS}
    foreign = [path.name for path in output.glob("*") if path.name not in own]
    if foreign:
        raise FileExistsError(
            "`output` must be a new or empty folder, or the one of a former demo. Got "
            f"{output}, which holds {min(foreign)!r}. Choose another name, with "
            "--output on the command line."
        )
    for folder in FOLDERS:
        (output / folder).mkdir(parents=True, exist_ok=True)
    return output


def _load_half(tile_shape: tuple[int, int], *, test: bool) -> Sample:
    """Tiles of the left half of the slide, or of the right half to test on."""
    X, y = load_ihc(tile_shape=tile_shape, return_X_y=True)
    half = slice(len(X) // 2, None) if test else slice(len(X) // 2)
    return X[half], y[half]


def _measure(
    names: list[str], y_test: NDArray[Any], predictions: NDArray[Any]
) -> pd.DataFrame:
    """Metrics of each image, and over the pixels of all."""
    rows = pd.Index([*names, "all"], name="image")
    columns = {
        name: [
            *np.atleast_1d(metric(y_test, predictions, per_image=True)),
            metric(y_test, predictions),
        ]
        for name, metric in METRICS.items()
    }
    return pd.DataFrame(columns, index=rows)


def _write_maps(
    output: Path, names: list[str], results: dict[str, NDArray[Any]]
) -> None:
    """Write images and masks as PNG, which anything opens, and maps as float TIFF."""
    for folder, arrays in results.items():
        for name, array in zip(names, arrays, strict=True):
            ending = "tif" if np.issubdtype(array.dtype, np.floating) else "png"
            write_image(output / folder / f"{name}.{ending}", array)


def _draw(results: dict[str, NDArray[Any]], names: list[str]) -> Figure:
    return plot_predictions(
        results["images"],
        results["truth"],
        results["masks"],
        results["uncertainty"],
        names=names,
    )


def _table(metrics: pd.DataFrame) -> Table:
    table = Table("image", *metrics.columns)
    for name, values in metrics.iterrows():
        table.add_row(str(name), *(f"{value:.3f}" for value in values))
    return table
