"""Predict image files with a saved model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from instantdl.estimators import PixelRegressor, load
from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.images._checks import may_be_colours
from instantdl.io import load_folder, read_image
from instantdl.io._read import image_ending
from instantdl.io._visible import image_files, is_hidden, natural_key
from instantdl.pipeline._inspect_facts import blocks, count_not_finite
from instantdl.pipeline._inspect_reading import read_or_reason
from instantdl.pipeline._predictions import predict_images
from instantdl.pipeline._project import map_images, with_channels
from instantdl.pipeline._run_log import RunLog
from instantdl.pipeline._text import showable

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

    All images are looked at before the first is predicted.

    Parameters
    ----------
    model : path-like
        A file that an estimator's `save`, or a run, has written.

    images : sequence of path-like
        Files, folders of them, or patterns such as ``*.tif``, which leave out hidden
        files. A folder that holds ``image/`` is read by `instantdl.io.load_folder`,
        with channels of several folders.

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
    ImageError
        If images cannot be read, or not be predicted by this model; the text tells all
        of them.

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
    paths = found.names or names
    # As a run does: other numbers of channels come of several images.
    in_colour = (estimator.spatial_ndim_in_, estimator.n_channels_in_) == (2, 3)
    if in_colour and not isinstance(estimator, PixelRegressor):
        found = map_images(found, partial(with_channels, n_channels=3))
    with RunLog(verbose=verbose) as log, log.listening():
        log.say(f"Looking at {len(names)} images.")
        _refuse_unfit(found, paths, estimator)
        steps = predict_images(
            estimator,
            found,
            names,
            folder,
            n_draws=n_draws,
            png=png,
            image_size=getattr(estimator, "resized_to_", None),
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
        Their file names, as they can be shown.

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
    # The path, which messages name, and how to read what is there.
    sources: list[tuple[Any, Any, Any]] = []
    names: list[str] = []
    for given in images:
        path = Path(given)
        if path.is_dir() and (path / "image").is_dir():
            data = load_folder(path)
            files = data.X.names
            sources += [(file, data.X, number) for number, file in enumerate(files)]
            names += data.names
            continue
        files = _files(path)
        sources += [(file, None, None) for file in files]
        names += [file.name for file in files]
    return ImageCollection(sources, read=_read), [showable(name) for name in names]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        # What is no file, but is called like one, must be told of.
        odd = [p for p in path.iterdir() if image_ending(p.name) and not p.is_file()]
        files = image_files(path) + sorted(p for p in odd if not is_hidden(p))
    elif path.exists():
        files = [path]
    else:
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        files = [file for file in found if not _is_left_out(file, path)]
        files.sort(key=lambda file: [natural_key(Path(part)) for part in file.parts])
    if not files:
        raise FileNotFoundError(
            f"{path}: there must be an image, a folder of images or a pattern that"
            " fits some. Got none."
        )
    return files


def _is_left_out(file: Path, pattern: Path) -> bool:
    """Tell whether a file or its folder is hidden, unless the pattern names it."""
    return any(is_hidden(Path(part)) for part in set(file.parts) - set(pattern.parts))


def _read(source: tuple[Any, Any, Any]) -> Any:
    path, images, number = source
    return read_image(path) if images is None else images[number]


def _refuse_unfit(images: ImageCollection, paths: Sequence[str], model: Any) -> None:
    """Raise if there are images that the model cannot predict, and name them all."""
    problems = []
    for number, path in enumerate(paths):
        image = read_or_reason(partial(images.__getitem__, number), Path(path))
        reason = image if isinstance(image, str) else _unfit(image, model)
        if reason:
            start = "" if isinstance(image, str) else f"{path}: "
            problems.append(f"{start}{reason}")
    if problems:
        listed = "".join(f"\n  {showable(problem)}" for problem in problems)
        raise ImageError(
            f"{len(problems)} of {len(paths)} images must be mended or left"
            f" out.{listed}"
        )


def _unfit(image: NDArray[Any], model: Any) -> str | None:
    """Return why a model cannot predict an image, if it cannot."""
    rank, n_channels = model.spatial_ndim_in_, model.n_channels_in_
    if rank == image.ndim == 3 and may_be_colours(image.shape):
        return (
            f"the model takes volumes. Got shape {image.shape}, a plane in colours."
            " Join planes to volumes of shape (depth, height, width)."
        )
    if image.ndim < rank or (image.shape[rank:] or (1,)) != (n_channels,):
        noun = "channel" if n_channels == 1 else "channels"
        return (
            f"the model takes images of {rank} axes and {n_channels} {noun}. Got shape"
            f" {image.shape}. Convert it."
        )
    if any(count_not_finite(block) for block in blocks(image)):
        return (
            "an image must hold finite numbers. Got NaN, inf or what is too large for"
            " float32. Replace them, say with `np.nan_to_num`."
        )
    return None
