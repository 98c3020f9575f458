"""Configurations of InstantDL 1.x, in the words of this version."""

from __future__ import annotations

import math
import re
from typing import Any

from instantdl.pipeline._suggest import unknown_names

__all__ = ["is_original", "translate_original"]

_TASKS = {
    "semanticsegmentation": "semantic_segmentation",
    "instancesegmentation": "instance_segmentation",
    "regression": "regression",
    "classification": "classification",
}
_WEIGHTS = ("pretrained_weights", "use_pretrained_weights", "pretrained_weights_path")
_KEYS = (
    "use_algorithm",
    "path",
    *_WEIGHTS,
    "batchsize",
    "iterations_over_dataset",
    "data_gen_args",
    "loss_function",
    "num_classes",
    "image_size",
    "calculate_uncertainty",
    "evaluation",
    "seeds",
)
_SEMANTIC = {
    "binary_crossentropy": "crossentropy",
    "categorical_crossentropy": "crossentropy",
    "dice": "dice",
    "dice loss": "dice",
    "tversky": "tversky",
    "tversky loss": "tversky",
    "focal": "focal",
    "focal loss": "focal",
    "binary crossentropy dice loss": "dice_crossentropy",
    "categorical crossentropy dice": "dice_crossentropy",
}
_LOSSES: dict[str, dict[str, str]] = {
    "semantic_segmentation": _SEMANTIC,
    "instance_segmentation": {},
    "regression": {
        "mse": "mean_squared_error",
        "mean_squared_error": "mean_squared_error",
        "mae": "mean_absolute_error",
        "mean_absolute_error": "mean_absolute_error",
        "huber": "huber",
        "huber_loss": "huber",
    },
    "classification": {
        "binary_crossentropy": "crossentropy",
        "categorical_crossentropy": "crossentropy",
        "sparse_categorical_crossentropy": "crossentropy",
        "focal": "focal",
        "focal loss": "focal",
    },
}
# Numbers that are given on under another name, as they are.
_STRENGTHS = {
    "rotation_range": "rotation",
    "gaussian_noise": "noise",
    "gaussian_blur_image": "blur",
    "contrast_range": "contrast",
    "brightness_range": "brightness",
    "poission_noise": "poisson_noise",
    "poisson_noise": "poisson_noise",
    "gamma_shift": "gamma",
}
_NORMALIZATIONS = {"std_normalization": "standard", "feature_scaling": "minmax"}
_LEFT_OUT = {
    "gaussian_blur_label": "targets are not blurred",
    "threshold_background_image": "the background is not cut off",
    "threshold_background_groundtruth": "targets are not cut off",
    "save_augmented_images": "augmented images are not written",
    "resample_images": "images keep their size",
}
_SHIFTS = ("width_shift_range", "height_shift_range")
_FLIPS = {"horizontal_flip": -1, "vertical_flip": -2}
_DONE_ANYWAY = ("binarize_mask",)
_AUGMENTATIONS = (
    *_FLIPS,
    *_STRENGTHS,
    "zoom_range",
    *_SHIFTS,
    *_NORMALIZATIONS,
    *_LEFT_OUT,
    *_DONE_ANYWAY,
)
# What `seeds` meant there.
_SEED = 123


def is_original(config: dict[str, Any]) -> bool:
    """Tell whether a configuration is one of InstantDL 1.x.

    Parameters
    ----------
    config : dict
        Keys and values.

    Returns
    -------
    bool
        Whether a key is there that only these have.

    Examples
    --------
    >>> from instantdl.pipeline._original import is_original
    >>> is_original({"use_algorithm": "Regression"}), is_original({"task": "x"})
    (True, False)
    """
    only_there = {"use_algorithm", "batchsize", "iterations_over_dataset"}
    return bool(only_there & set(config)) and "task" not in config


def translate_original(
    config: dict[str, Any], problems: list[str], notes: list[str]
) -> dict[str, Any]:
    """Translate a configuration of InstantDL 1.x.

    Parameters
    ----------
    config : dict
        Its keys and values.

    problems : list of str
        Grows by a line for what is wrong.

    notes : list of str
        Grows by a line for what is done differently from 1.x.

    Returns
    -------
    dict
        Keys and values of a `RunConfig`.

    Examples
    --------
    >>> from instantdl.pipeline._original import translate_original
    >>> old = {"use_algorithm": "Regression", "path": "data", "batchsize": 4}
    >>> translate_original(old, [], [])
    {'task': 'regression', 'path': 'data', 'batch_size': 4}
    """
    problems += unknown_names(config, _KEYS)
    new: dict[str, Any] = {}
    task = _task(config.get("use_algorithm"), problems)
    if task:
        new["task"] = task
    if task == "instance_segmentation":
        _note_objects(config, notes)
    for old, name in {
        "path": "path",
        "batchsize": "batch_size",
        "iterations_over_dataset": "epochs",
        "calculate_uncertainty": "uncertainty",
        "evaluation": "evaluation",
    }.items():
        if config.get(old) is not None:
            new[name] = config[old]
    if weights := next((config[key] for key in _WEIGHTS if config.get(key)), None):
        _take_weights(weights, new, notes)
    if config.get("seeds"):
        new["random_state"] = _SEED
    if size := config.get("image_size"):
        # The last number was that of the channels.
        new["image_size"] = size[:-1] if isinstance(size, list) else size
    _take_classes(config.get("num_classes"), task, new)
    if loss := config.get("loss_function"):
        _take_loss(loss, task, new, notes)
    if "data_gen_args" in config:
        _take_augmentation(config["data_gen_args"], new, problems, notes)
    return new


def _task(name: Any, problems: list[str]) -> str | None:
    known = re.sub(r"[\s_-]", "", str(name)).lower()
    if known in _TASKS:
        return _TASKS[known]
    problems.append(
        "use_algorithm must be SemanticSegmentation, InstanceSegmentation, Regression"
        f" or Classification. Got {name!r}."
    )
    return None


def _note_objects(config: dict[str, Any], notes: list[str]) -> None:
    notes.append(
        "use_algorithm: objects are found by a U-Net and a watershed, no longer by Mask"
        ' R-CNN; for that set "estimator": {"method": "mask_rcnn"} in the config.json'
        " that the run writes"
    )
    if config.get("image_size"):
        notes.append("image_size: images of objects are resized, too; 1.x ignored it")


def _take_weights(weights: Any, new: dict[str, Any], notes: list[str]) -> None:
    if re.search(r"\.(h5|hdf5)$", str(weights), re.IGNORECASE) or weights == "last":
        notes.append(
            f"pretrained_weights: {weights} is of InstantDL 1.x, whose networks differ;"
            " training begins from scratch"
        )
    else:
        new["pretrained"] = weights


def _take_classes(number: Any, task: str | None, new: dict[str, Any]) -> None:
    """Take the number of classes over; the background counts as one of them here."""
    if number is None or task in {"regression", "instance_segmentation"}:
        return
    new["n_classes"] = 2 if number == 1 and not isinstance(number, bool) else number


def _take_loss(
    loss: Any, task: str | None, new: dict[str, Any], notes: list[str]
) -> None:
    name = str(loss).strip().lower()
    known = _LOSSES.get(task or "", {})
    found = known.get(name) or known.get(name.replace("_", " "))
    if found:
        new["loss"] = found
    elif task:
        notes.append(
            f"loss_function: {loss} is not a loss of {task}; its default is taken"
        )


def _take_augmentation(
    given: Any, new: dict[str, Any], problems: list[str], notes: list[str]
) -> None:
    """Translate `data_gen_args`; without any, images stay as they are, as in 1.x."""
    if given is None or given is False:
        given = {}
    if not isinstance(given, dict):
        problems.append(
            f"data_gen_args must be an object of keys and values. Got {given!r}."
        )
        return
    problems += unknown_names(given, _AUGMENTATIONS, within="data_gen_args")
    given = {key: value for key, value in given.items() if value not in (None, False)}
    flips = sorted(axis for key, axis in _FLIPS.items() if key in given)
    changes = _strengths(given)
    for key, kind in _NORMALIZATIONS.items():
        if key in given:
            new.setdefault("estimator", {})["normalization"] = kind
    notes += [
        f"data_gen_args, {key}: {text}"
        for key, text in _LEFT_OUT.items()
        if key in given
    ]
    if flips or changes:
        new["augmentation"] = {
            "flip": flips or False,
            "rotate90": False,
            **changes,
        }
    else:
        new["augmentation"] = None


def _strengths(given: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of `Augmentation`, which checks them, for keys of 1.x."""
    changes = {name: given[old] for old, name in _STRENGTHS.items() if old in given}
    turn = changes.get("rotation", 0)
    if _is_number(turn) and 180 < turn <= 360:
        # There it was the greatest angle one way round, here it is that both ways.
        changes["rotation"] = 180
    if "zoom_range" in given:
        # A magnification, as documented there, or how much it differs from 1.
        zoom = given["zoom_range"]
        changes["zoom"] = zoom - 1 if _is_number(zoom) and zoom > 1 else zoom
    if shifts := [given[key] for key in _SHIFTS if key in given]:
        changes["shift"] = max(shifts, key=lambda x: x if _is_number(x) else math.inf)
    return changes


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
