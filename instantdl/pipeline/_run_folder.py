"""Where a run's files lie, and which folder an interrupted run goes on in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from instantdl.pipeline._config import RunConfig, load_config
from instantdl.pipeline._files import write_json

__all__ = ["RunFolder", "mark_finished", "new_folder", "unfinished_folder"]

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
        """All that was found, on one page."""
        return self.root / "report.html"

    @property
    def finished(self) -> Path:
        """What a run ends with."""
        return self.root / "finished.json"


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
        That in `output`, or the one of the highest number in ``runs/`` that was told
        the same and is not finished. Half files are removed from it.

    Raises
    ------
    FileNotFoundError
        If there is none, or all are finished.
    ValueError
        If those that are not finished were told something else.
    """
    place = config.output or config.path / _RUNS
    places = [place] if config.output else _numbered(place)[::-1]
    begun = [RunFolder(path) for path in places if (path / "config.json").exists()]
    if not begun:
        raise FileNotFoundError(
            f"{place}: there must be an interrupted run to resume. Got none. Begin one"
            " without --resume."
        )
    unfinished = [folder for folder in begun if not folder.finished.exists()]
    if not unfinished:
        raise FileNotFoundError(
            f"{begun[0].root}: only an interrupted run can be resumed. Got one that is"
            " finished. Begin a new one without --resume."
        )
    for folder in unfinished:
        if not _differing(folder, config):
            for part in folder.root.rglob(".*.part"):
                part.unlink(missing_ok=True)
            return folder
    newest = unfinished[0]
    raise ValueError(
        f"{newest.root}: a run must be resumed with the configuration it began with."
        f" Got another {', '.join(_differing(newest, config))}. Change that back, or"
        " begin a new run without --resume."
    )


def mark_finished(folder: RunFolder) -> None:
    """Mark the end of a run, after which it cannot be resumed.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    """
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    write_json(folder.finished, {"finished": now})


def _differing(folder: RunFolder, config: RunConfig) -> list[str]:
    """Return the keys of which a run was told other values."""
    # As JSON has them, in which a tuple is a list.
    told = load_config(folder.config).model_dump(mode="json")
    now = config.model_dump(mode="json")
    return [name for name in now if told[name] != now[name]]


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
