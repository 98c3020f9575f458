"""All that would stop a run, found before it begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from instantdl.estimators import load
from instantdl.pipeline._config import ESTIMATORS, RunConfig
from instantdl.pipeline._inspect import inspect_project
from instantdl.pipeline._inspect_images import some
from instantdl.pipeline._inspect_report import ProjectReport
from instantdl.pipeline._project import find_cuts, labels_are_text

__all__ = ["check_run"]


def check_run(config: RunConfig) -> ProjectReport:
    """Look through a project's images, and at what a run is told to do with them.

    Parameters
    ----------
    config : RunConfig
        Names the project.

    Returns
    -------
    ProjectReport
        As `inspect_project` returns it, with problems of the model that is given, of
        the size that images are resized to, and of where results go.

    Examples
    --------
    >>> from instantdl.pipeline import RunConfig
    >>> from instantdl.pipeline._check import check_run
    >>> config = RunConfig(task="regression", path="no project", pretrained="no model")
    >>> for problem in check_run(config).problems:
    ...     print(problem)
    no project: there must be a project folder. Got nothing of this name. Check its
    spelling.
    There must be a saved model at 'no model'.
    """
    problems: list[str] = []
    model, only_test = _open_model(config, problems), config.epochs == 0
    # The axes of images without targets are those that the model takes.
    known = only_test and model is not None and model.n_channels_in_ > 1
    report = inspect_project(
        config.path,
        config.task,
        n_classes=config.n_classes,
        only_test=only_test,
        spatial_ndim=model.spatial_ndim_in_ if known else None,
        as_text=only_test and labels_are_text(model),
    )
    if only_test and model is not None:
        problems += _check_fit(config, model, report)
    problems = [
        *_check_path(config.output or config.path),
        *_check_size(config, report),
        *problems,
    ]
    return dataclasses.replace(report, problems=[*report.problems, *problems])


def _check_path(path: Path) -> list[str]:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return [
            f"{path}: the path of a run must be text in UTF-8. Got bytes that are none."
            " Rename the folder, or set `output`."
        ]
    return []


def _check_size(config: RunConfig, report: ProjectReport) -> list[str]:
    size = config.image_size
    part = report.parts.get("train") or report.parts.get("test")
    n_axes = part.spatial_ndim if part else None
    if size is None or n_axes in (None, len(size)):
        return []
    return [
        f"image_size: it must have a number for each axis. Got {size} for images of"
        f" {n_axes} axes. Correct it, or leave it out."
    ]


def _open_model(config: RunConfig, problems: list[str]) -> Any:
    """Return the model that a run begins with, or only applies; note if it is none."""
    if config.pretrained in {None, "imagenet"}:
        return None
    try:
        model = load(str(config.pretrained))
    except (OSError, ValueError) as error:
        problems.append(str(error))
        return None
    if config.epochs == 0 and not isinstance(model, ESTIMATORS[config.task]):
        problems.append(
            f"{config.pretrained} must be a model for {config.task}. Got a"
            f" {type(model).__name__}. Set `task` accordingly."
        )
        return None
    return model


def _check_fit(config: RunConfig, model: Any, report: ProjectReport) -> list[str]:
    """Return whether a model that is only applied takes other images than there are."""
    rank, n_channels = model.spatial_ndim_in_, model.n_channels_in_
    test = report.parts.get("test")
    if test is None or not test.n_read:
        return []
    # Of grey images and colours together, a run makes colours.
    found = {3} if set(test.channels) == {1, 3} else set(test.channels)
    if (test.spatial_ndim, found) == (rank, {n_channels}):
        return _check_classes(config, model, report)
    return [
        f"{config.pretrained}: it takes images of {rank} axes and {n_channels}"
        f" channels. Got {test.spatial_ndim} axes and"
        f" {' or '.join(map(str, sorted(found)))} channels in test. Choose the model"
        " that fits."
    ]


def _check_classes(config: RunConfig, model: Any, report: ProjectReport) -> list[str]:
    """Return whether test has classes that a model does not know."""
    found: set[Any] = set(report.parts["test"].classes)
    if config.task == "classification":
        known = {str(label) for label in model.classes_}
    elif config.task == "semantic_segmentation":
        known = set(model.classes_.tolist())
        found = {False, True} if find_cuts(report, config.n_classes) else found
    else:
        return []
    new = found - known
    if not (config.evaluation and new):
        return []
    return [
        f"{config.pretrained}: classes of test must be among those that the model"
        f" knows, {_listed(known)}. Got {_listed(new)} in test. Correct the targets,"
        " choose the model that fits, or set `evaluation` to false."
    ]


def _listed(classes: Iterable[Any]) -> str:
    return some([str(label) for label in sorted(classes)])
