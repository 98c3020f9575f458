"""The state of a running training on disk, so that it can go on."""

import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from instantdl.exceptions import InstantDLWarning

if TYPE_CHECKING:
    from instantdl.training._fit import FitState

_GROUPS = ("weights", "current", "optimizer")


class Checkpoint:
    """One file that holds a training's state after its last whole epoch.

    Parameters
    ----------
    path : path-like
        The file; replaced atomically.

    fingerprint : str
        Tells what is trained on what. A file with another fingerprint is not taken
        up.

    Examples
    --------
    >>> import tempfile
    >>> from instantdl.training import Checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Checkpoint(folder + "/checkpoint.npz", "abc").read() is None
    True
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint

    def write(
        self, state: "FitState", *, current: list[Any], optimizer: list[Any]
    ) -> None:
        """Keep a state, the network's present weights and the optimizer's."""
        groups = {"weights": state.weights, "current": current, "optimizer": optimizer}
        arrays = {
            f"{name}_{i}": array
            for name, group in groups.items()
            for i, array in enumerate(group)
        }
        about = {
            "fingerprint": self.fingerprint,
            "epoch": state.epoch,
            "history": state.history,
            "best_epoch": state.best_epoch,
            "best_loss": state.best_loss,
            "counted_epoch": state.counted_epoch,
            "counted_loss": state.counted_loss,
            "elapsed": state.elapsed,
            "frozen": state.frozen,
            "frozen_since": state.frozen_since,
            "cooled_from": state.cooled_from,
        }
        temporary = self.path.with_name(self.path.name + ".part")
        try:
            with temporary.open("wb") as file:
                np.savez(file, about=np.array(json.dumps(about)), **arrays)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self) -> dict[str, Any] | None:
        """Return what was kept, or None if there is nothing to go on from."""
        if not self.path.exists():
            return None
        try:
            return self._read()
        except (EOFError, OSError, KeyError, ValueError, zipfile.BadZipFile):
            warnings.warn(
                f"{self.path} must be a whole checkpoint to go on from. Got a damaged "
                "one; training begins anew.",
                InstantDLWarning,
                stacklevel=2,
            )
            return None

    def _read(self) -> dict[str, Any] | None:
        # Opened here, since np.load leaves a damaged file open.
        with (
            self.path.open("rb") as stream,
            np.load(stream, allow_pickle=False) as file,
        ):
            saved = json.loads(str(file["about"]))
            if saved.pop("fingerprint") != self.fingerprint:
                return None
            for name in _GROUPS:
                count = sum(key.startswith(name + "_") for key in file.files)
                saved[name] = [file[f"{name}_{i}"] for i in range(count)]
        return saved

    def remove(self) -> None:
        """Delete the file: the training has come to its end."""
        self.path.unlink(missing_ok=True)
