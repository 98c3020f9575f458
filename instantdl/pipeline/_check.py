"""All that would stop a run, found before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from instantdl.estimators import load
from instantdl.pipeline._config import ESTIMATORS, RunConfig
from instantdl.pipeline._inspect import inspect_project
from instantdl.pipeline._inspect_report import PartSummary, ProjectReport

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
    report = inspect_project(config.path, config.task, n_classes=config.n_classes)
    problems = [
        *_check_path(config.output or config.path),
        *_check_size(config, report),
        *_check_model(config, report),
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
    size, train = config.image_size, report.parts.get("train")
    n_axes = train.spatial_ndim if train else None
    if size is None or n_axes in (None, len(size)):
        return []
    return [
        f"image_size: it must have a number for each axis. Got {size} for images of"
        f" {n_axes} axes. Correct it, or leave it out."
    ]


def _check_model(config: RunConfig, report: ProjectReport) -> list[str]:
    """Return what is wrong with the model that a run begins with, or only applies."""
    if config.pretrained in {None, "imagenet"}:
        return []
    try:
        model = load(str(config.pretrained))
    except (OSError, ValueError) as error:
        return [str(error)]
    if config.epochs:
        return []
    if not isinstance(model, ESTIMATORS[config.task]):
        return [
            f"{config.pretrained} must be a model for {config.task}. Got a"
            f" {type(model).__name__}. Set `task` accordingly."
        ]
    return _check_fit(config, model, report.parts.get("test"))


def _check_fit(config: RunConfig, model: Any, test: PartSummary | None) -> list[str]:
    """Return whether a model that is only applied takes other images than there are."""
    rank, n_channels = model.spatial_ndim_in_, model.n_channels_in_
    if test is None or not test.n_read:
        return []
    # Of grey images and colours together, a run makes colours.
    found = {3} if set(test.channels) == {1, 3} else set(test.channels)
    if (test.spatial_ndim, found) == (rank, {n_channels}):
        return []
    return [
        f"{config.pretrained}: it takes images of {rank} axes and {n_channels}"
        f" channels. Got {test.spatial_ndim} axes and"
        f" {' or '.join(map(str, sorted(found)))} channels in test. Choose the model"
        " that fits."
    ]
