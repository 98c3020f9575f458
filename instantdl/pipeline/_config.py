"""What a run is told: one JSON or YAML file."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from instantdl.estimators import (
    ImageClassifier,
    InstanceSegmenter,
    PixelRegressor,
    SemanticSegmenter,
)
from instantdl.exceptions import InstantDLError
from instantdl.images import Augmentation
from instantdl.pipeline._config_text import parse_config
from instantdl.pipeline._original import is_original, translate_original
from instantdl.pipeline._suggest import unknown_names

__all__ = ["ConfigError", "RunConfig", "load_config"]

Task = Literal[
    "semantic_segmentation", "instance_segmentation", "regression", "classification"
]
ESTIMATORS: dict[str, Any] = {
    "semantic_segmentation": SemanticSegmenter,
    "instance_segmentation": InstanceSegmenter,
    "regression": PixelRegressor,
    "classification": ImageClassifier,
}
# What a run holds back unless it is told otherwise, as the paper has it.
_VALIDATION = 0.2
# Parameters of the estimators that have a key of their own, or that a run sets.
_OWN_KEYS = {
    "batch_size": "batch_size",
    "epochs": "epochs",
    "time_limit": "time_limit",
    "augmentation": "augmentation",
    "loss": "loss",
    "pretrained": "pretrained",
    "random_state": "random_state",
    "image_shape": "image_size",
}
_SET_BY_RUN = ("log_dir", "verbose", "warm_start")

Positive = Annotated[int, Field(ge=1, strict=True)]


class ConfigError(InstantDLError, ValueError):
    """A configuration is not what it must be; the text tells all that is wrong."""


class RunConfig(BaseModel):
    """What a run is told.

    Only `task` and `path` are needed.

    Parameters
    ----------
    task : {"semantic_segmentation", "instance_segmentation", "regression", \
"classification"}
        What to learn.

    path : Path
        Project folder with ``train/`` and ``test/``, see `instantdl.io.load_folder`
        for what is in these.

    pretrained : str or None, default=None
        A model, or "imagenet" for classification, that training begins with.

    batch_size : int or "auto", default="auto"
        Patches or images in a step.

    epochs : int, default=100
        Passes over the training images, at most; 0 only predicts, by the model in
        `pretrained`.

    time_limit : float or None, default=None
        Seconds to train, at most.

    augmentation : "auto", bool, dict or None, default="auto"
        Random changes of the training images: the estimator's own, none, or the
        parameters of `instantdl.Augmentation`.

    loss : str, default="auto"
        Loss of the estimator.

    n_classes : int or None, default=None
        How many classes there must be, with the background; None takes those found.

    image_size : list of int or None, default=None
        Spatial size that images are resized to; results have the images' own size.

    uncertainty : bool, default=True
        Whether to predict how uncertain each result is, by Monte Carlo dropout.

    evaluation : bool, default=True
        Whether to compare predictions of the test images with their targets.

    n_draws : int, default=20
        Networks that are sampled for the uncertainty.

    png : bool, default=False
        Whether to write masks and label images as PNG, too.

    random_state : int, default=0
        Seed of all that is random.

    output : Path or None, default=None
        Folder of the results; None takes the next free one in ``runs/`` of the
        project folder.

    estimator : dict
        Further parameters of the estimator.

    Examples
    --------
    >>> from instantdl.pipeline import RunConfig
    >>> RunConfig(task="regression", path="data", epochs=20).epochs
    20
    """

    model_config = ConfigDict(
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        json_schema_extra={"description": "What a run is told."},
    )

    task: Task = Field(description="What to learn.")
    path: Path = Field(description="Project folder with train/ and test/.")
    pretrained: str | None = Field(
        None, description='A model, or "imagenet" for classification, to begin with.'
    )
    batch_size: Positive | Literal["auto"] = Field(
        "auto", description="Patches or images in a step."
    )
    epochs: Annotated[int, Field(ge=0, strict=True)] = Field(
        100, description="Passes over the training images, at most; 0 only predicts."
    )
    time_limit: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Seconds to train, at most."
    )
    augmentation: Literal["auto"] | bool | dict[str, Any] | None = Field(
        "auto", description="Random changes of the training images."
    )
    loss: str = Field("auto", description="Loss of the estimator.")
    n_classes: Annotated[int, Field(ge=2, strict=True)] | None = Field(
        None, description="How many classes there must be, with the background."
    )
    image_size: Annotated[list[Positive], Field(min_length=2, max_length=3)] | None = (
        Field(None, description="Spatial size that images are resized to.")
    )
    uncertainty: bool = Field(
        True, description="Whether to predict how uncertain each result is."
    )
    evaluation: bool = Field(
        True, description="Whether to compare predictions with the test targets."
    )
    n_draws: Positive = Field(
        20, description="Networks that are sampled for the uncertainty."
    )
    png: bool = Field(False, description="Whether to write masks as PNG, too.")
    random_state: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = Field(
        0, description="Seed of all that is random."
    )
    output: Path | None = Field(None, description="Folder of the results.")
    estimator: dict[str, Any] = Field(
        default_factory=dict, description="Further parameters of the estimator."
    )

    @field_validator("augmentation", mode="before")
    @classmethod
    def _augmentation_by_switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return "auto" if value else None
        return value

    def build_estimator(self, **parameters: Any) -> Any:
        """Return the estimator, not fitted.

        Parameters
        ----------
        **parameters
            Further ones of the estimator, such as `log_dir`.

        Returns
        -------
        estimator
            That of the task.
        """
        given: dict[str, Any] = {
            "validation_fraction": _VALIDATION,
            **self.estimator,
            "batch_size": self.batch_size,
            "epochs": max(self.epochs, 1),
            "time_limit": self.time_limit,
            "augmentation": self.augmentation,
            "pretrained": self.pretrained,
            "random_state": self.random_state,
        }
        if isinstance(self.augmentation, dict):
            given["augmentation"] = Augmentation(**self.augmentation)
        if self.loss != "auto":
            given["loss"] = self.loss
        if self.task == "classification" and self.image_size is not None:
            given["image_shape"] = tuple(self.image_size)
        return ESTIMATORS[self.task](**{**given, **parameters})


def load_config(
    source: str | os.PathLike[str] | dict[str, Any], *, notes: list[str] | None = None
) -> RunConfig:
    """Read and check a configuration.

    Parameters
    ----------
    source : path-like or dict
        A file of JSON, where comments are allowed, or YAML; or keys and values.
        Configurations of InstantDL 1.x are taken as they are. A relative `path`,
        `pretrained` or `output` begins at the file.

    notes : list of str, default=None
        Grows by a line for what is done differently from InstantDL 1.x.

    Returns
    -------
    RunConfig
        Checked, parameters of the estimator included.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ConfigError
        If keys are unknown or values not what they must be. The text tells all that
        is wrong.

    Examples
    --------
    >>> from instantdl.pipeline import load_config
    >>> load_config({"task": "regression", "path": "data"}).batch_size
    'auto'
    >>> load_config({"task": "regression", "path": "data", "epoch": 3})
    Traceback (most recent call last):
    ...
    instantdl.pipeline._config.ConfigError: The configuration must be mended: epoch is
    not a known key. Did you mean epochs?
    """
    if isinstance(source, dict):
        content, name, folder = dict(source), "The configuration", None
    else:
        file = Path(source)
        content, name, folder = _read(file), f"{file}", file.parent
    problems: list[str] = []
    if is_original(content):
        content = translate_original(content, problems, [] if notes is None else notes)
    else:
        problems += unknown_names(content, RunConfig.model_fields)
        content = {k: v for k, v in content.items() if k in RunConfig.model_fields}
    config = _validate(content, problems)
    if config is not None:
        problems += _check_estimator(config)
    if problems or config is None:
        raise ConfigError(f"{name} must be mended: {_listed(problems)}")
    return resolve_paths(config, Path() if folder is None else folder)


def _read(file: Path) -> dict[str, Any]:
    if file.is_dir():
        raise IsADirectoryError(
            f"{file} must be a configuration file. Got a folder. Name the file in it."
        )
    if file.exists() and not file.is_file():
        # A pipe or device may never come to an end.
        raise ConfigError(f"{file} must be a configuration file. Got no regular file.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file} must be text in UTF-8. Got byte {error.start} that is not. Save"
            " it again as UTF-8."
        ) from None
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{file} must be a configuration file. Got no such file. Write one with"
            " `instantdl init`."
        ) from None
    try:
        return parse_config(text, file)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _validate(content: dict[str, Any], problems: list[str]) -> RunConfig | None:
    try:
        return RunConfig(**content)
    except ValidationError as error:
        found: dict[str, str] = {}
        for one in error.errors():
            key = str(one["loc"][0])
            # Of the alternatives of one key the first tells most.
            found.setdefault(key, f"{key}: {_sentence(one)}")
        problems += found.values()
        return None


def _sentence(error: Any) -> str:
    if error["type"] == "missing":
        return "it must be given"
    return f"{error['msg']}. Got {error['input']!r:.60}".replace("Input should", "must")


def _check_estimator(config: RunConfig) -> list[str]:
    """Return a line for each parameter of the estimator that is wrong."""
    signature = inspect.signature(ESTIMATORS[config.task].__init__)
    allowed = [
        name
        for name in signature.parameters
        if name != "self" and name not in {*_OWN_KEYS, *_SET_BY_RUN}
    ]
    problems = [
        f"estimator, {name}: set the key {_OWN_KEYS[name]} instead"
        for name in config.estimator
        if name in _OWN_KEYS
    ]
    others = [name for name in config.estimator if name not in _OWN_KEYS]
    problems += unknown_names(others, allowed, within="estimator")
    if isinstance(config.augmentation, dict):
        names = inspect.signature(Augmentation).parameters
        problems += unknown_names(config.augmentation, names, within="augmentation")
    if config.epochs == 0 and config.pretrained in {None, "imagenet"}:
        problems.append("epochs: 0 only predicts, which needs a model in `pretrained`")
    if config.loss != "auto" and "loss" not in signature.parameters:
        problems.append(f"loss: {config.task} has one of its own, leave it out")
    if problems:
        return problems
    try:
        config.build_estimator()._check_parameters()
    except (TypeError, ValueError) as error:
        return [str(error)]
    return []


def _listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "".join(f"\n  {problem}" for problem in problems)


def resolve_paths(config: RunConfig, folder: Path) -> RunConfig:
    """Return the configuration with paths that begin at the folder of its file."""
    # Whole paths, since a run's own configuration lies in another folder.
    changes: dict[str, Any] = {"path": _find(config.path, folder).absolute()}
    if config.output is not None:
        changes["output"] = (folder / _expanded(config.output)).absolute()
    if config.pretrained not in {None, "imagenet"}:
        model = _find(Path(str(config.pretrained)), folder)
        changes["pretrained"] = str(model.absolute())
    return config.model_copy(update=changes)


def _find(path: Path, folder: Path) -> Path:
    """Return a path from the folder on, or from the working one if it is only there."""
    path = _expanded(path)
    inside = folder / path
    return path if path.exists() and not inside.exists() else inside


def _expanded(path: Path) -> Path:
    """Return a path without ``~``, but for that of a user that there is none of."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path
