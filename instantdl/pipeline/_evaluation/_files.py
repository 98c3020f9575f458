"""Files of truth and predictions that belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.io import image_stem, list_images, read_image
from instantdl.io._problems import describe_problems

__all__ = ["Found", "read_folders"]

_RULE = "each image must have one file of the same name in every folder"
_TIFF = (".tif", ".tiff")


class Found(NamedTuple):
    """What files hold, in the order of the true ones.

    Attributes
    ----------
    names : list of str
        Of the images.

    y_true, y_pred : sequence
        Truth and predictions.

    probability, uncertainty : sequence or None
        None where there are no such files.

    classes : list or None
        Labels that the files tell.
    """

    names: list[str]
    y_true: Any
    y_pred: Any
    probability: Any
    uncertainty: Any
    classes: list[Any] | None


def read_folders(paths: Mapping[str, Path], *, is_mask: bool) -> Found:
    """Find the files that belong together; images are read when they are asked for.

    Parameters
    ----------
    paths : mapping of str to Path
        Folders "truth" and "predicted", and maybe "probability" and "uncertainty".

    is_mask : bool
        Whether truth and prediction are numbers of classes or objects.

    Returns
    -------
    Found
        Collections of images.

    Raises
    ------
    FileNotFoundError
        If a folder is not there.
    ImageError
        If files have no partner, or more than one.
    """
    problems: list[str] = []
    files = {part: _by_stem(folder, problems) for part, folder in paths.items()}
    problems += _missing(paths, files)
    if not any(files.values()):
        problems.append("there are no images in any folder")
    if problems:
        raise ImageError(describe_problems(paths["truth"], _RULE, problems))
    stems = list(files["truth"])
    read_target = partial(read_image, keep_palette=is_mask)

    def images(part: str, read: Any) -> ImageCollection | None:
        if part not in files:
            return None
        return ImageCollection([files[part][stem] for stem in stems], read=read)

    return Found(
        names=[files["truth"][stem].name for stem in stems],
        y_true=images("truth", read_target),
        y_pred=images("predicted", read_target),
        probability=images("probability", read_image),
        uncertainty=images("uncertainty", read_image),
        classes=None,
    )


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Return the images of a folder by name without ending; note doubled ones."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in list_images(folder):
        found[image_stem(path.name)].append(path)
    for stem, alike in found.items():
        # A run may write masks as PNG beside the TIFF files, to look at.
        tiff = [path for path in alike if path.suffix.lower() in _TIFF]
        if len(alike) > 1 and len(tiff) == 1:
            found[stem] = tiff
        elif len(alike) > 1:
            names = " and ".join(path.name for path in alike)
            problems.append(f"{folder} has {names}, one name too many")
    return {stem: alike[0] for stem, alike in found.items()}


def _missing(
    paths: Mapping[str, Path], files: Mapping[str, Mapping[str, Path]]
) -> list[str]:
    """Return a line for each file that a folder has no partner for."""
    problems = []
    for part, folder in paths.items():
        if part == "truth":
            continue
        for mine, theirs, lacking in (
            (files["truth"], files[part], folder),
            (files[part], files["truth"], paths["truth"]),
        ):
            problems += [
                f"{path} has no partner in {lacking}"
                for stem, path in mine.items()
                if stem not in theirs
            ]
    return problems
