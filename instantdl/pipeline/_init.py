"""Write a configuration for a project by looking at its folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from instantdl.io import load_folder
from instantdl.pipeline._files import write_text

__all__ = ["guess_task", "write_config"]

# So many targets are looked at.
_MOST_READ = 5
_MOST_CLASSES = 12


def write_config(path: str | Path, config: str | Path, *, task: str | None) -> str:
    """Write a configuration for a project.

    Parameters
    ----------
    path : str or Path
        Project folder with ``train/``.

    config : str or Path
        File to write; it must not exist.

    task : str or None
        What to learn; None finds it out.

    Returns
    -------
    str
        A sentence that tells what was found and what to do next.

    Raises
    ------
    FileExistsError
        If there is such a file.
    ValueError
        If it is not clear what to learn.

    Examples
    --------
    >>> from instantdl.pipeline._init import write_config
    >>> print(write_config("data", "config.json", task=None))  # doctest: +SKIP
    config.json is written, for semantic_segmentation ...
    """
    root, file = Path(path), Path(config)
    if file.exists():
        raise FileExistsError(
            f"{file}: the configuration must be a new file. Got one that is there."
            " Name another one by --config."
        )
    reason = "as was asked for"
    if task is None:
        task, reason = guess_task(root)
    content = {
        "task": task,
        "path": str(root.resolve()),
        "epochs": 100,
        "augmentation": "auto",
        "uncertainty": True,
        "evaluation": True,
    }
    write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return (
        f"{file} is written, for {task}: {reason}. Next: instantdl check {file}, then"
        f" instantdl run {file}"
    )


def guess_task(root: Path) -> tuple[str, str]:
    """Find out what a project is for.

    Parameters
    ----------
    root : Path
        Project folder with ``train/``.

    Returns
    -------
    task : str
        As in a `RunConfig`.

    reason : str
        What tells it.

    Raises
    ------
    ValueError
        If there are no targets.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_image
    >>> from instantdl.pipeline._init import guess_task
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ["image", "groundtruth"]:
    ...         Path(folder, "train", part).mkdir(parents=True)
    ...         write_image(Path(folder, "train", part, "a.png"), np.eye(8) > 0)
    ...     guess_task(Path(folder))
    ('semantic_segmentation', 'the targets are masks of 2 values')
    """
    data = load_folder(root / "train")
    if data.y is None:
        raise ValueError(
            f"{root / 'train'} must hold targets. Got images alone. Put masks, images"
            " or groundtruth.csv into groundtruth/ beside image/."
        )
    if isinstance(data.y, np.ndarray):
        return "classification", "there is a label for each image"
    if not data.channels:
        return "instance_segmentation", "there is a mask for each object"
    targets = [data.y[i] for i in range(min(len(data.y), _MOST_READ))]
    return _task_of(targets)


def _task_of(targets: list[Any]) -> tuple[str, str]:
    """Return what targets of these values are for, and what tells it."""
    if any(target.dtype.kind == "f" for target in targets):
        return "regression", "the targets hold real numbers"
    values = [np.unique(target) for target in targets]
    together = np.unique(np.concatenate(values))
    if len(together) <= _MOST_CLASSES and not _counts_up(values):
        n = len(together)
        return "semantic_segmentation", f"the targets are masks of {n} values"
    if _counts_up(values):
        return "instance_segmentation", "the targets number their objects"
    return "regression", "the targets hold many values"


def _counts_up(values: list[Any]) -> bool:
    """Tell whether values are numbers of objects: 0 to n, n differing by image."""
    if any(value[0] < 0 for value in values):
        return False
    most = [int(value[-1]) for value in values]
    whole = [
        len(value) >= 0.9 * (top + 1) for value, top in zip(values, most, strict=True)
    ]
    return all(whole) and max(most) > 2 and len(set(most)) > 1
