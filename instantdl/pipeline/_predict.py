"""Predict image files with a saved model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from instantdl.estimators import load
from instantdl.images import ImageCollection
from instantdl.io import list_images, load_folder, read_image
from instantdl.pipeline._predictions import predict_images
from instantdl.pipeline._project import map_images, with_channels
from instantdl.pipeline._run_log import RunLog

__all__ = ["find_images", "predict_files"]


def predict_files(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] = "predictions",
    *,
    n_draws: int = 20,
    png: bool = False,
    verbose: int = 1,
) -> Path:
    """Predict image files with a saved model.

    Parameters
    ----------
    model : path-like
        A file that an estimator's `save`, or a run, has written.

    images : sequence of path-like
        Files, folders of them, or patterns such as ``*.tif``. A folder that holds
        ``image/`` is read by `instantdl.io.load_folder`, with channels of several
        folders.

    output : path-like, default="predictions"
        Folder for the results, new or empty: ``predictions/``, ``probability/``,
        ``uncertainty/`` and ``objects/``, or ``predictions.csv``.

    n_draws : int, default=20
        Networks that are sampled for the uncertainty; 0 for none.

    png : bool, default=False
        Whether to write masks and label images as PNG, too.

    verbose : int, default=1
        0 shows nothing.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If an image or the model is not there.
    FileExistsError
        If the folder has anything in it.

    Examples
    --------
    >>> from instantdl.pipeline import predict_files
    >>> predict_files("model.instantdl", ["new/*.tif"])  # doctest: +SKIP
    PosixPath('predictions')
    """
    folder = Path(output)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(
            f"{folder}: the folder for results must be new or empty. Got one with"
            " something in it. Name another one."
        )
    found, names = find_images(images)
    estimator = load(model)
    if estimator.spatial_ndim_in_ == 2:
        n_channels = estimator.n_channels_in_
        found = map_images(found, partial(with_channels, n_channels=n_channels))
    with RunLog(verbose=verbose) as log, log.listening():
        steps = predict_images(
            estimator, found, names, folder, n_draws=n_draws, png=png
        )
        log.follow(steps, len(names), "Predicting")
        log.say(f"Done. The results of {len(names)} images are in {folder}")
    return folder


def find_images(
    images: Sequence[str | os.PathLike[str]],
) -> tuple[ImageCollection, list[str]]:
    """Find image files.

    Parameters
    ----------
    images : sequence of path-like
        Files, folders of them, folders that hold ``image/``, or patterns.

    Returns
    -------
    images : ImageCollection
        Read when they are asked for.

    names : list of str
        Their file names.

    Raises
    ------
    FileNotFoundError
        If there are none at one of the places.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_image
    >>> from instantdl.pipeline._predict import find_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder) / "a.png", np.zeros((4, 4), np.uint8))
    ...     find_images([folder + "/*.png"])[1]
    ['a.png']
    """
    sources: list[tuple[Any, Any]] = []
    names: list[str] = []
    for given in images:
        path = Path(given)
        if path.is_dir() and (path / "image").is_dir():
            data = load_folder(path)
            sources += [(data.X, number) for number in range(len(data.X))]
            names += data.names
            continue
        files = _files(path)
        sources += [(None, item) for item in files]
        names += [item.name for item in files]
    return ImageCollection(sources, read=_read), names


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = list_images(path)
    elif path.exists():
        files = [path]
    else:
        files = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not files:
        raise FileNotFoundError(
            f"{path}: there must be an image, a folder of images or a pattern that"
            " fits some. Got none."
        )
    return files


def _read(source: tuple[Any, Any]) -> Any:
    images, item = source
    return read_image(item) if images is None else images[item]
