"""Files of truth and predictions that belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.images import ImageCollection
from instantdl.io import image_stem, list_images, read_image
from instantdl.io._problems import describe_problems

__all__ = ["Found", "match_bool_masks", "read_folders"]

_RULE = "each image must have one file of the same name in every folder"
_TIFF = (".tif", ".tiff")
# Greater values are hardly those of a class.
_MOST = 2**16


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


def match_bool_masks(found: Found) -> Found:
    """Give bool masks the values of those that they are compared with, as 0 and 255.

    Parameters
    ----------
    found : Found
        Of :func:`read_folders`; the first mask of each side tells whether it is bool.

    Returns
    -------
    Found
        The same unless one side alone is bool, and the other one has two values.

    Raises
    ------
    ImageError
        If a mask cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluation._files import match_bool_masks, read_folders
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = {part: Path(folder, part) for part in ("truth", "predicted")}
    ...     for path, mask in zip(paths.values(), (np.eye(2) > 0, np.eye(2) * 255)):
    ...         path.mkdir()
    ...         np.save(path / "a.npy", mask)
    ...     match_bool_masks(read_folders(paths, is_mask=True)).y_true[0]
    array([[255.,   0.],
           [  0., 255.]])
    """
    true, pred = found.y_true, found.y_pred
    true_is_bool, pred_is_bool = (masks[0].dtype == bool for masks in (true, pred))
    if true_is_bool and not pred_is_bool:
        return found._replace(y_true=_with_values_of(pred, true))
    if pred_is_bool and not true_is_bool:
        return found._replace(y_pred=_with_values_of(true, pred))
    return found


def _with_values_of(others: Any, masks: Any) -> Any:
    """Return bool masks with the foreground of others, if they have a single one."""
    for mask in others:
        foreground = np.unique(mask[mask != 0])
        if len(foreground):
            break
    if len(foreground) != 1 or not 1 < float(foreground[0]) < _MOST:
        return masks
    read = partial(_read_with, foreground=foreground[0])
    return ImageCollection(masks.names, read=read)


def _read_with(path: str, foreground: Any) -> NDArray[Any]:
    mask = read_image(path, keep_palette=True)
    return np.where(mask, foreground, 0) if mask.dtype == bool else mask


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
