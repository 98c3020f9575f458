"""What a run says while it goes on, on the screen and in a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import Progress

from instantdl.pipeline._inspect_reading import quiet_decoders
from instantdl.pipeline._text import showable

__all__ = ["RunLog"]


class RunLog:
    r"""Say what is done, on the screen and in a file.

    Parameters
    ----------
    path : Path or None, default=None
        File that lines are added to, each after the time.

    verbose : int, default=1
        0 shows nothing on the screen; warnings go to the file even so.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.pipeline._run_log import RunLog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with RunLog(Path(folder) / "run.log", verbose=0) as log:
    ...         log.say("Training.")
    ...     Path(folder, "run.log").read_text().split("  ")[1]
    'Training.\n'
    """

    def __init__(self, path: Path | None = None, *, verbose: int = 1) -> None:
        self.warnings: list[str] = []
        self.is_quiet = not verbose
        self._console = Console(
            quiet=not verbose, highlight=False, markup=False, soft_wrap=True
        )
        self._file = None if path is None else path.open("a", encoding="utf-8")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._write(f"Stopped: {kind.__name__}: {value}")
        if self._file is not None:
            self._file.close()

    def say(self, text: str) -> None:
        """Show and write a line.

        Parameters
        ----------
        text : str
            A sentence.
        """
        self._console.print(showable(text, lines=True))
        self._write(text)

    def warn(self, text: str) -> None:
        """Show, write and keep a warning.

        Parameters
        ----------
        text : str
            A sentence.
        """
        self.warnings.append(text)
        self.say(f"Warning: {text}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take up what is warned of within the block, but not what decoders write."""

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            self.warn(str(message))

        with quiet_decoders(), warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield

    def follow(self, steps: Iterable[int], total: int, text: str) -> None:
        """Go through steps with a progress bar.

        Parameters
        ----------
        steps : iterable of int
            How many of `total` are done after each.

        total : int
            How many there are.

        text : str
            What is done.
        """
        with Progress(console=self._console, disable=self._console.quiet) as progress:
            task = progress.add_task(text, total=total)
            for done in steps:
                progress.update(task, completed=done)

    def _write(self, text: str) -> None:
        if self._file is not None:
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            self._file.write(f"{now}  {showable(text, lines=True)}\n")
            self._file.flush()
