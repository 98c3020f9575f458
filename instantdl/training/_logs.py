"""What a training tells while it runs: a progress bar, a CSV file, TensorBoard."""

import csv
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from instantdl.training._fit import FitSettings, FitState

# Without a terminal, so many lines are printed for all epochs.
_LINES = 20


class Logs:
    """Show and write how a training goes.

    Parameters
    ----------
    verbose : int, default=0
        1 shows a progress bar on a terminal, and some lines elsewhere.

    log_dir : Path or None, default=None
        Where `history.csv` and TensorBoard's event files go.

    Examples
    --------
    >>> from instantdl.training import Logs
    >>> with Logs() as logs:
    ...     logs.epoch(1, {"loss": 0.5})
    """

    def __init__(self, *, verbose: int = 0, log_dir: Path | None = None) -> None:
        self.verbose = verbose
        self.log_dir = log_dir
        self._bar: Any = None
        self._writer: Any = None
        self._n_images = 0
        self._batch_size = 1
        self._text = ""

    def __enter__(self) -> "Logs":
        if self.log_dir is not None:
            self.log_dir.mkdir(parents=True, exist_ok=True)
            self._writer = tf.summary.create_file_writer(str(self.log_dir))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._bar is not None:
            self._bar.stop()

    def start(
        self,
        settings: "FitSettings",
        steps_per_epoch: int,
        batch_size: int,
        state: "FitState",
    ) -> None:
        """Begin to count; `state` tells how much was done before."""
        self._batch_size = batch_size
        self._epochs = settings.epochs
        self._began = time.monotonic()
        if self.log_dir is not None:
            self._start_csv(state)
        if self.verbose:
            self._start_bar()

    def _start_csv(self, state: "FitState") -> None:
        """Write what is known so far, which drops rows of an unfinished epoch."""
        self._csv().unlink(missing_ok=True)
        for epoch in range(state.epoch):
            values = {name: series[epoch] for name, series in state.history.items()}
            self._write_row(epoch + 1, values)

    def _csv(self) -> Path:
        return Path(self.log_dir or ".") / "history.csv"

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._console = Console(stderr=True)
        if not self._console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            Remaining(),
            console=self._console,
        )
        self._task = self._bar.add_task("training", total=1.0, text="")
        self._bar.start()

    def step(self, loss: float, progress: float) -> None:
        """Tell of a training step."""
        self._n_images += self._batch_size
        if self._bar is not None:
            text = f"{self._speed():.1f} images/s  loss {loss:.3f}  {self._text}"
            self._bar.update(self._task, completed=progress, text=text)

    def _speed(self) -> float:
        return self._n_images / max(time.monotonic() - self._began, 1e-9)

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Tell of an epoch that has ended."""
        self._text = "  ".join(
            f"{name} {value:.4f}"
            for name, value in values.items()
            if name != "learning_rate"
        )
        every = max(1, self._epochs // _LINES) if self.verbose else 1
        if self.verbose and self._bar is None and epoch % every == 0:
            self._console.print(
                f"epoch {epoch}/{self._epochs}  {self._text}  "
                f"{self._speed():.1f} images/s",
                highlight=False,
            )
        if self.log_dir is not None:
            self._write_row(epoch, values)
            with self._writer.as_default(step=epoch):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._writer.flush()

    def _write_row(self, epoch: int, values: dict[str, float]) -> None:
        path = self._csv()
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["epoch", *values])
            writer.writerow([epoch, *values.values()])
