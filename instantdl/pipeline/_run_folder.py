"""Where a run's files lie, and which folder an interrupted run goes on in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from instantdl.pipeline._config import RunConfig, load_config
from instantdl.pipeline._files import write_json

__all__ = ["RunFolder", "new_folder", "unfinished_folder"]

_RUNS = "runs"


@dataclass(frozen=True)
class RunFolder:
    """Names of what a run writes.

    Attributes
    ----------
    root : Path
        The folder itself.

    Examples
    --------
    >>> from pathlib import Path
    >>> from instantdl.pipeline._run_folder import RunFolder
    >>> RunFolder(Path("runs/001")).model.name
    'model.instantdl'
    """

    root: Path

    @property
    def config(self) -> Path:
        """All keys and their values."""
        return self.root / "config.json"

    @property
    def environment(self) -> Path:
        """Versions and what was computed on."""
        return self.root / "environment.json"

    @property
    def check(self) -> Path:
        """What the images look like."""
        return self.root / "check.json"

    @property
    def log(self) -> Path:
        """What the run said."""
        return self.root / "run.log"

    @property
    def training(self) -> Path:
        """Folder of learning curves, for TensorBoard, too."""
        return self.root / "training"

    @property
    def model(self) -> Path:
        """The fitted estimator."""
        return self.root / "model.instantdl"

    @property
    def results(self) -> Path:
        """Folder of the results of test images."""
        return self.root / "results"

    @property
    def evaluation(self) -> Path:
        """Folder of metrics."""
        return self.root / "evaluation"

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """What the run ends with."""
        return self.root / "report.html"


def new_folder(config: RunConfig) -> RunFolder:
    """Make the folder of a new run, with its configuration in it.

    Parameters
    ----------
    config : RunConfig
        Names the folder, or leaves the next free number in ``runs/``.

    Returns
    -------
    RunFolder
        Empty but for ``config.json``.

    Raises
    ------
    FileExistsError
        If the folder that is named has anything in it.
    """
    if config.output is None:
        root = _next_number(config.path / _RUNS)
    else:
        root = config.output
        if root.exists() and not (root.is_dir() and not any(root.iterdir())):
            raise FileExistsError(
                f"{root}: the folder for results must be new or empty. Got one with"
                " something in it. Name another one, or go on with an interrupted run"
                " by --resume."
            )
        root.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(root)
    write_json(folder.config, config.model_dump(mode="json"))
    return folder


def unfinished_folder(config: RunConfig) -> RunFolder:
    """Return the folder of the run that was interrupted.

    Parameters
    ----------
    config : RunConfig
        The run must have been told the same.

    Returns
    -------
    RunFolder
        That in `output`, or the one of the highest number in ``runs/``.

    Raises
    ------
    FileNotFoundError
        If there is none, or it was finished.
    ValueError
        If it was told something else.
    """
    if config.output is not None:
        found = [config.output] if (config.output / "config.json").exists() else []
    else:
        found = [
            path
            for path in _numbered(config.path / _RUNS)
            if (path / "config.json").exists()
        ]
    place = config.output or config.path / _RUNS
    if not found:
        raise FileNotFoundError(
            f"{place}: there must be an interrupted run to resume. Got none. Begin one"
            " without --resume."
        )
    folder = RunFolder(found[-1])
    if folder.report.exists():
        raise FileNotFoundError(
            f"{folder.root}: only an interrupted run can be resumed. Got one that is"
            " finished. Begin a new one without --resume."
        )
    told = load_config(folder.config)
    differing = [
        name
        for name in RunConfig.model_fields
        if getattr(told, name) != getattr(config, name)
    ]
    if differing:
        raise ValueError(
            f"{folder.root}: a run must be resumed with the configuration it began"
            f" with. Got another {', '.join(differing)}. Change that back, or begin a"
            " new run without --resume."
        )
    return folder


def _numbered(runs: Path) -> list[Path]:
    """Return the folders that are named by a number, in order."""
    if not runs.is_dir():
        return []
    folders = [p for p in runs.iterdir() if re.fullmatch(r"[0-9]+", p.name)]
    return sorted((p for p in folders if p.is_dir()), key=lambda p: int(p.name))


def _next_number(runs: Path) -> Path:
    runs.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in _numbered(runs)]
    number = max(taken, default=0) + 1
    while True:
        try:
            (runs / f"{number:03d}").mkdir()
        except FileExistsError:  # by another run in this moment
            number += 1
        else:
            return runs / f"{number:03d}"
