"""All that is wrong with a project folder, found before a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from instantdl.pipeline._inspect_classes import ClassSummary, Targets, check_targets
from instantdl.pipeline._inspect_compare import Labelled, compare_parts
from instantdl.pipeline._inspect_facts import (
    ImageFacts,
    guess_spatial_ndim,
    image_facts,
)
from instantdl.pipeline._inspect_files import (
    Entry,
    PartFiles,
    find_files,
    settle_labels,
)
from instantdl.pipeline._inspect_images import check_images, some, summarize_images
from instantdl.pipeline._inspect_reading import (
    has_alpha,
    read_entry_image,
    read_entry_target,
)
from instantdl.pipeline._inspect_report import (
    Findings,
    PartSummary,
    ProjectReport,
    describe,
)
from instantdl.pipeline._inspect_targets import TargetFacts, check_target, target_facts

__all__ = ["PartSummary", "ProjectReport", "describe", "inspect_project"]

# For each task, what may belong to the images, and how it is put there.
TASKS = {
    "semantic_segmentation": (("images",), "a mask of each image in groundtruth/"),
    "instance_segmentation": (
        ("images", "masks"),
        "a label image of each image in groundtruth/, or mask/ beside each image/",
    ),
    "regression": (("images",), "a target of each image in groundtruth/"),
    "classification": (
        ("labels",),
        "groundtruth/groundtruth.csv, or a folder of images for each class",
    ),
}
_GOT = {
    "labels": "labels of whole images",
    "images": "an image for each image",
    "masks": "a mask for each object",
    None: "nothing of that",
}
_LEAST_IMAGES = 5
# A last axis of more is hardly one of channels.
_MOST_CHANNELS = 32


@dataclass
class _Part:
    """What was read of a part."""

    files: PartFiles
    images: list[Labelled] = field(default_factory=list)
    targets: list[TargetFacts] = field(default_factory=list)
    n_with_target: int = 0

    @property
    def facts(self) -> list[ImageFacts]:
        return [image.facts for image in self.images]


def inspect_project(
    path: str | os.PathLike[str],
    task: str,
    *,
    n_classes: int | None = None,
    read: Literal["all"] | int = "all",
    only_test: bool = False,
    spatial_ndim: int | None = None,
    as_text: bool = False,
) -> ProjectReport:
    """Look through a project folder for all that is wrong with it, before a run.

    It never stops at the first fault, and each file is read once, one at a time.

    Parameters
    ----------
    path : str or path-like
        Folder that holds ``train/`` and, optionally, ``test/``, each as
        :func:`~instantdl.io.load_folder` reads it.

    task : {"semantic_segmentation", "instance_segmentation", "regression", \
"classification"}
        What is to be learnt.

    n_classes : int or None, default=None
        How many classes there should be, the background included, for semantic
        segmentation and classification. None takes what there is.

    read : "all" or int, default="all"
        How many images of each part are read, evenly chosen. Names and labels are
        always looked at all.

    only_test : bool, default=False
        Look at ``test/`` alone, as is enough where a model is only applied.

    spatial_ndim : {2, 3} or None, default=None
        Number of spatial axes of images without targets. None goes by those with
        targets, else takes a third axis of up to four entries for channels.

    as_text : bool, default=False
        Whether labels stay as they stand in csv files, also if all are whole numbers.

    Returns
    -------
    ProjectReport
        With `problems` that stop a run, `warnings` of what should be looked at, and
        a summary of each of the `parts`.

    Raises
    ------
    ValueError
        If a parameter is wrong. Whatever the folder holds raises nothing.

    See Also
    --------
    describe : Writes the report down for a reader.

    Notes
    -----
    A run repeats grey 2D images to three channels where others have colours, and sets
    a threshold in masks of two classes that were stored with loss: such are warnings,
    other mixtures problems.

    Copies are found by their pixels, so also in files of another kind. Images of train
    and test that are nearly the same are found by the correlation of small pictures of
    them, free of illumination, in all eight orientations: also where one was
    compressed, resized, turned, mirrored, or made brighter. Parts that overlap are not
    found, nor images of less than 32 pixels along an axis or with a single spot only,
    which are alike by chance.

    Intensities of train and test are compared by the two-sample test of Kolmogorov and
    Smirnov on the mean, standard deviation and quantiles of each image. A warning needs
    both a distance of 0.35 and a probability of 0.01, after correction for the number
    of features; a few test images are too few for that.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_image
    >>> from instantdl.pipeline._inspect import inspect_project
    >>> rng = np.random.default_rng(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ["image", "groundtruth"]:
    ...         Path(folder, "train", name).mkdir(parents=True)
    ...     for i in range(6):
    ...         image = rng.integers(0, 255, (48, 48), np.uint8)
    ...         write_image(Path(folder, "train", "image", f"{i}.png"), image)
    ...         target = Path(folder, "train", "groundtruth", f"{i}.png")
    ...         write_image(target, image[: 40 if i == 3 else 48] > 127)
    ...     report = inspect_project(folder, "semantic_segmentation")
    >>> for problem in report.problems:
    ...     print(problem)
    train/groundtruth/3.png: a target must have the size of its image. Got shape
    (40, 48) for train/image/3.png of shape (48, 48). Export both again at one size, or
    leave them out.
    """
    _check_arguments(task, n_classes, read, spatial_ndim)
    root, found = Path(path), Findings()
    files = _find_parts(root, found, only_test=only_test)
    if not as_text:
        settle_labels(files)
    parts = {one.part: _Part(one) for one in files}
    known: dict[int, int] = {}
    if spatial_ndim is not None:
        known = {spatial_ndim: spatial_ndim, spatial_ndim + 1: spatial_ndim}
    for part in parts.values():
        _check_files(part, task, found)
        _read_part(part, task, read, known, found)
    images = {name: part.facts for name, part in parts.items()}
    n_axes = check_images(images, found, mix_colours=task != "regression")
    _check_channel_folders(parts, found)
    if task == "classification":
        _check_planes(images, found)
    classes = check_targets(
        task, {name: _targets(part) for name, part in parts.items()}, n_classes, found
    )
    compare_parts({name: part.images for name, part in parts.items()}, found)
    return ProjectReport(
        path=str(path),
        task=task,
        problems=found.problems,
        warnings=found.warnings,
        parts={
            name: _summarize(part, n_axes, classes[name])
            for name, part in parts.items()
        },
    )


def _check_arguments(task: str, n_classes: Any, read: Any, spatial_ndim: Any) -> None:
    if task not in TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}. Got {task!r}.")
    for name, value, least, other in (
        ("n_classes", n_classes, 2, None),
        ("read", read, 1, "all"),
    ):
        is_int = isinstance(value, Integral) and not isinstance(value, bool)
        if not (value == other if isinstance(value, str) else value is other) and (
            not is_int or value < least
        ):
            raise ValueError(
                f"`{name}` must be {other!r} or an int >= {least}. Got {value!r}."
            )
    if spatial_ndim not in (None, 2, 3):
        raise ValueError(f"`spatial_ndim` must be 2, 3 or None. Got {spatial_ndim!r}.")


def _find_parts(root: Path, found: Findings, *, only_test: bool) -> list[PartFiles]:
    """Return train and, if it is there, test, or test alone, with problems noted."""
    if not root.is_dir():
        kind = "a file" if root.is_file() else "nothing of this name"
        found.problem(
            str(root), "there must be a project folder", kind, "Check its spelling."
        )
        return []
    wanted = ("test",) if only_test else ("train", "test")
    needed = wanted[0]
    if not os.path.lexists(root / needed):
        try:
            names = sorted(path.name for path in root.iterdir() if path.name[0] != ".")
        except OSError as error:
            names = [str(error.strerror)]
        found.problem(
            needed,
            f"there must be a folder `{needed}` in the project",
            some(names) if names else "an empty folder",
            f"Move image/ and what lies beside it into {needed}/."
            if "image" in names
            else "Make it, and put image/ and groundtruth/ there.",
        )
    parts = [part for part in wanted if os.path.lexists(root / part)]
    return [find_files(root, part, found) for part in parts]


def _check_files(part: _Part, task: str, found: Findings) -> None:
    """Note too few images, and targets that are not of the kind that a task needs."""
    files, name = part.files, part.files.part
    kinds, needed = TASKS[task]
    n_images = len(files.entries)
    noted = any(text.startswith(name) for text in found.problems)
    if n_images == 0 and not noted:
        found.problem(name, "there must be images in it", "none", "Put them there.")
    elif 0 < n_images < _LEAST_IMAGES:
        note = found.problem if name == "train" else found.warning
        note(
            name,
            f"there must be {_LEAST_IMAGES} images or more",
            f"{n_images}",
            "Add some; so few tell little.",
        )
    is_missing = name == "train" and files.targets is None
    if n_images and (is_missing or files.targets not in (None, *kinds)):
        found.problem(
            name,
            f"for {task} there must be {needed}",
            _GOT[files.targets],
            "Put it there, or choose the task that fits.",
        )
        if files.targets not in (None, *kinds):
            files.entries = [x._replace(target=None, label=None) for x in files.entries]
            files.targets = None
    part.n_with_target = sum(
        entry.target is not None or entry.label is not None for entry in files.entries
    )


def _check_channel_folders(parts: dict[str, _Part], found: Findings) -> None:
    if len(parts) < 2:
        return
    train, test = (parts[name].files.channels for name in ("train", "test"))
    if train and test and train != test:
        found.problem(
            "test",
            "there must be the same folders of channels as in train",
            f"{', '.join(test)} where train has {', '.join(train)}",
            "Add or remove folders.",
        )


def _check_planes(images: dict[str, list[ImageFacts]], found: Findings) -> None:
    """Note volumes, of which classes cannot be learnt."""
    for image in (one for part in images.values() for one in part):
        if image.spatial_ndim != 2:
            found.problem(
                image.where,
                "of a class an image must have shape (height, width[, channels])",
                f"{image.shape}",
                "Save planes in files of their own, or further channels in image1/.",
            )


def _read_part(
    part: _Part,
    task: str,
    read: Literal["all"] | int,
    known: dict[int, int],
    found: Findings,
) -> None:
    """Read images and targets one after the other, and keep some numbers of each."""
    files = part.files
    for entry in _choose(files.entries, read):
        root = files.root.parent
        image = read_entry_image(entry, root, found)
        target = read_entry_target(entry, root, found)
        if image is None:
            continue
        spatial_ndim = _spatial_ndim(task, image, target, files, known)
        with_alpha = False
        with contextlib.suppress(OSError):
            with_alpha = any(has_alpha(path) for path in entry.files)
        where = entry.files[0].relative_to(root).as_posix()
        facts = image_facts(where, image, spatial_ndim, has_alpha=with_alpha)
        part.images.append(Labelled(facts, entry.label, entry.group))
        if target is not None and entry.target is not None:
            is_mask = task != "regression"
            where = entry.target.relative_to(root).as_posix()
            about = target_facts(where, target, spatial_ndim, is_mask=is_mask)
            if check_target(about, facts, is_mask=is_mask, found=found):
                part.targets.append(about)


def _spatial_ndim(
    task: str,
    image: NDArray[Any],
    target: NDArray[Any] | None,
    files: PartFiles,
    known: dict[int, int],
) -> int:
    """Return the spatial axes of an image; `known` has them by number of axes."""
    joined = len(files.channels) > 1
    if task == "classification":
        has_few = joined or image.shape[-1] <= _MOST_CHANNELS
        return image.ndim - 1 if image.ndim > 3 else 2 if has_few else image.ndim
    if target is None and image.ndim in known:
        return known[image.ndim]
    shape = None if target is None else target.shape
    spatial_ndim = guess_spatial_ndim(image.shape, shape, joined=joined)
    if target is not None:
        known.setdefault(image.ndim, spatial_ndim)
    return spatial_ndim


def _choose(entries: list[Entry], read: Literal["all"] | int) -> Sequence[Entry]:
    if read == "all" or read >= len(entries):
        return entries
    chosen = np.linspace(0, len(entries) - 1, read).round().astype(int)
    return [entries[i] for i in chosen]


def _targets(part: _Part) -> Targets:
    entries, root = part.files.entries, part.files.root.parent
    return Targets(
        facts=part.targets,
        labels={
            entry.files[0].relative_to(root).as_posix(): entry.label
            for entry in entries
            if entry.label is not None
        },
        complete=part.n_with_target == len(entries)
        if part.files.targets == "labels"
        else len(part.targets) == part.n_with_target,
    )


def _summarize(
    part: _Part, spatial_ndim: int | None, classes: ClassSummary
) -> PartSummary:
    n_images = len(part.files.entries)
    return PartSummary(
        n_images=n_images,
        **summarize_images(part.facts, spatial_ndim),
        n_with_target=part.n_with_target,
        n_without_target=n_images - part.n_with_target,
        classes=classes.classes,
        n_empty_masks=classes.n_empty_masks,
        names=[entry.name for entry in part.files.entries],
    )
