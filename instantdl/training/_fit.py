"""The training loop."""

import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from instantdl.exceptions import InstantDLWarning
from instantdl.training._batches import Batch, TrainingBatches
from instantdl.training._checkpoint import Checkpoint
from instantdl.training._logs import Logs
from instantdl.training._network import CompiledNetwork

_WARM_UP = 0.05
_FINAL_RATE = 0.01
# From here on batch normalisation uses what prediction will use. Small batches of
# unlike images have statistics so unlike those of all that the network otherwise
# relies on what it will not find. While the learning rate is high the network would
# outrun statistics that stand still.
_FREEZE_AT = 0.8
_TRACING_SECONDS = 1.0


class EpochListener(Protocol):
    """What wants to know of epochs, and may end the training."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Hear that an epoch begins."""

    def on_epoch_end(self, epoch: int, weights: Callable[[], list[Any]]) -> bool:
        """Hear that it has ended; return True to stop."""


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast to train.

    Parameters
    ----------
    epochs : int
        Passes over the training images at most.

    learning_rate : float
        The highest one.

    schedule : {"cosine", "constant"}, default="cosine"
        "cosine" warms up over the first twentieth and then falls to a hundredth,
        along the epochs or, with a time limit, along the clock.

    early_stopping : bool, default=True
        Come to an end when the validation loss has not improved for
        `n_iter_no_change` epochs, and its median over these is no lower than over as
        many before: the learning rate falls to its lowest over as many epochs, and
        then training stops. With a constant rate the statistics of batch
        normalisation settle at first, and training stops at the next such time.

    n_iter_no_change : int, default=20
        See there.

    tol : float, default=1e-4
        The least improvement that training goes on for. The best weights are kept
        however small it is.

    time_limit : float or None, default=None
        Seconds from `started` on.

    started : float or None, default=None
        Value of `time.monotonic()` when the time began to count; None is now.

    Examples
    --------
    >>> from instantdl.training import FitSettings
    >>> FitSettings(epochs=10, learning_rate=1e-3).early_stopping
    True
    """

    epochs: int
    learning_rate: float
    schedule: str = "cosine"
    early_stopping: bool = True
    n_iter_no_change: int = 20
    tol: float = 1e-4
    time_limit: float | None = None
    started: float | None = None


@dataclass
class FitState:
    """Where a training stands; all of it is plain numbers and arrays.

    Attributes
    ----------
    epoch : int
        Epochs done.

    weights : list of ndarray
        The best so far.

    history : dict of str to list of float
        One value per epoch.

    best_epoch, best_loss : int, float
        When the best weights were found (counted from 0), and their loss.

    counted_epoch, counted_loss : int, float
        The same of the last improvement by the tolerance or more.

    elapsed : float
        Seconds spent so far.

    frozen, frozen_since : bool, int
        Whether the statistics of batch normalisation are settled, and the epoch at
        which the loss had stalled, or 0.

    cooled_from : float or None
        Part of the training that was done when the loss stalled and the learning
        rate began to fall faster; None before.

    Examples
    --------
    >>> from instantdl.training import FitState
    >>> FitState().epoch
    0
    """

    epoch: int = 0
    weights: list[np.ndarray] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = -1
    best_loss: float = math.inf
    counted_epoch: int = -1
    counted_loss: float = math.inf
    elapsed: float = 0.0
    frozen: bool = False
    frozen_since: int = 0
    cooled_from: float | None = None


def fit_network(
    network: CompiledNetwork,
    batches: TrainingBatches,
    validation: Sequence[Batch],
    settings: FitSettings,
    *,
    weights: list[np.ndarray],
    class_weight: np.ndarray,
    logs: Logs | None = None,
    checkpoint: Checkpoint | None = None,
    listeners: Sequence[EpochListener] = (),
) -> FitState:
    """Fit a network to batches and return the best weights found.

    Parameters
    ----------
    network : CompiledNetwork
        Borrowed; what it holds before does not matter.

    batches : TrainingBatches
        What to learn from.

    validation : sequence of Batch
        What the best weights are chosen by. When empty, the last weights are kept
        and there is no early stopping.

    settings : FitSettings
        How long and how fast.

    weights : list of ndarray
        Where to begin.

    class_weight : ndarray of shape (n_classes,)
        For the loss.

    logs : Logs, default=None
        Progress bar and log files.

    checkpoint : Checkpoint, default=None
        Where the state is kept after each epoch, and taken up again.

    listeners : sequence of EpochListener, default=()
        Told of every epoch.

    Returns
    -------
    FitState
        How it went. Ctrl-C ends the training early, with a warning.

    Raises
    ------
    FloatingPointError
        If the loss is not finite before any epoch was completed; later the best
        weights are kept, with a warning.
    """
    loop = _Loop(network, batches, validation, settings, class_weight, logs or Logs())
    network.load_weights(weights)
    network.load_optimizer_state(None)
    saved = None if checkpoint is None else checkpoint.read()
    if saved is not None:
        loop.restore(saved)
    try:
        with loop.logs:
            loop.run(listeners, checkpoint)
        if checkpoint is not None:
            checkpoint.remove()
    except FloatingPointError as error:
        if not loop.state.weights:
            raise
        warnings.warn(
            f"{error} The best weights so far are kept.", InstantDLWarning, stacklevel=2
        )
    except KeyboardInterrupt:
        warnings.warn(
            "Training was interrupted by the keyboard. The best weights so far are "
            "kept.",
            InstantDLWarning,
            stacklevel=2,
        )
    if not loop.state.weights:
        loop.state.weights = network.get_weights()
    return loop.state


class _Loop:
    """One run of the training loop."""

    def __init__(
        self,
        network: CompiledNetwork,
        batches: TrainingBatches,
        validation: Sequence[Batch],
        settings: FitSettings,
        class_weight: np.ndarray,
        logs: Logs,
    ) -> None:
        self.network = network
        self.batches = batches
        self.validation = validation
        self.settings = settings
        self.class_weight = class_weight.astype(np.float32)
        self.logs = logs
        self.state = FitState()
        started = settings.started
        self.started = time.monotonic() if started is None else started
        self.validation_seconds = 0.0
        self.step_seconds = math.inf

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_weights(saved.pop("current"))
        self.network.load_optimizer_state(saved.pop("optimizer"))
        self.state = FitState(**saved)
        self.started -= self.state.elapsed

    def run(
        self, listeners: Sequence[EpochListener], checkpoint: Checkpoint | None
    ) -> None:
        settings, state = self.settings, self.state
        self.logs.start(settings, len(self.batches), self.batches.batch_size, state)
        # One step is done however short the time is.
        while state.epoch < settings.epochs and not (state.epoch and self.is_over()):
            for listener in listeners:
                listener.on_epoch_begin(state.epoch)
            self.run_epoch()
            # Before the state is written: this may change it.
            has_stalled = self.has_stalled()
            if checkpoint is not None:
                checkpoint.write(
                    state,
                    current=self.network.get_weights(),
                    optimizer=self.network.optimizer_state(),
                )
            stops = [
                listener.on_epoch_end(state.epoch - 1, self.network.get_weights)
                for listener in listeners
            ]
            if any(stops) or has_stalled:
                break

    def run_epoch(self) -> None:
        total, count, rate = 0.0, 0, 0.0
        for batch in self.batches.epoch(self.state.epoch):
            rate = self.learning_rate(count)
            self.state.frozen |= self.progress(count) >= _FREEZE_AT
            began = time.monotonic()
            loss = self.network.train(
                batch.x,
                batch.target,
                class_weight=self.class_weight,
                sample_weight=batch.sample_weight,
                noise=batch.noise,
                learning_rate=rate,
                frozen=self.state.frozen,
            )
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss must stay finite. Got {loss} in epoch "
                    f"{self.state.epoch + 1}, step {count + 1}. Lower "
                    "`learning_rate`, or set `precision='float32'`."
                )
            self.step_seconds = min(self.step_seconds, time.monotonic() - began)
            total, count = total + loss, count + 1
            self.logs.step(loss, self.progress(count))
            if self.is_over():
                break
        self.finish_epoch({"loss": total / count, "learning_rate": rate})

    def finish_epoch(self, values: dict[str, float]) -> None:
        state = self.state
        monitored = values["loss"]
        if self.validation:
            began = time.monotonic()
            monitored = values["val_loss"] = self.validation_loss()
            self.validation_seconds = time.monotonic() - began
        if not math.isfinite(monitored):
            monitored = math.inf
        for name, value in values.items():
            state.history.setdefault(name, []).append(float(value))
        if monitored < state.counted_loss - self.settings.tol or state.epoch == 0:
            state.counted_loss, state.counted_epoch = monitored, state.epoch
        if monitored < state.best_loss or not self.validation or not state.weights:
            state.best_loss, state.best_epoch = monitored, state.epoch
            state.weights = self.network.get_weights()
        state.epoch += 1
        state.elapsed = time.monotonic() - self.started
        self.logs.epoch(state.epoch, values)

    def validation_loss(self) -> float:
        losses, weights = [], []
        for batch in self.validation:
            losses.append(
                self.network.evaluate(
                    batch.x,
                    batch.target,
                    class_weight=self.class_weight,
                    sample_weight=batch.sample_weight,
                )
            )
            weights.append(float(batch.sample_weight.sum()))
        if sum(weights) == 0:
            return float(np.mean(losses))
        return float(np.average(losses, weights=weights))

    def progress(self, step: int) -> float:
        """Return which part of the training is done, by steps or by the clock."""
        settings, state = self.settings, self.state
        epochs = state.epoch + step / len(self.batches)
        done = epochs / settings.epochs
        if settings.time_limit is not None:
            clock = (time.monotonic() - self.started) / max(self.seconds(), 1e-9)
            done = max(done, clock)
        if state.cooled_from is not None:
            cooled = (epochs - state.frozen_since) / settings.n_iter_no_change
            done = max(done, state.cooled_from + (1 - state.cooled_from) * cooled)
        return min(done, 1.0)

    def learning_rate(self, step: int) -> float:
        highest = self.settings.learning_rate
        if self.settings.schedule == "constant":
            return highest
        done = self.progress(step)
        if done < _WARM_UP:
            return highest * (_FINAL_RATE + (1 - _FINAL_RATE) * done / _WARM_UP)
        falling = (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
        return highest * (_FINAL_RATE + (1 - _FINAL_RATE) * falling)

    def seconds(self) -> float:
        """Return the seconds that training itself may take."""
        limit = self.settings.time_limit
        if limit is None:
            return math.inf
        known = self.validation_seconds
        if self.validation and not known and math.isfinite(self.step_seconds):
            # a forward pass is a third of a step; tracing it comes on top
            known = len(self.validation) * self.step_seconds / 2 + _TRACING_SECONDS
        return limit - known

    def is_over(self) -> bool:
        return time.monotonic() - self.started >= self.seconds()

    def falls_on_the_whole(self) -> bool:
        """Tell whether the loss, however it jumps, is lower than some epochs ago."""
        n, losses = self.settings.n_iter_no_change, self.state.history["val_loss"]
        past = losses[-2 * n : -n]
        lower = statistics.median(past) - self.settings.tol
        return statistics.median(losses[-n:]) < lower

    def has_stalled(self) -> bool:
        """Tell whether to stop; at the first stall, settle and cool down instead."""
        settings, state = self.settings, self.state
        if not settings.early_stopping or not self.validation:
            return False
        if state.cooled_from is not None:
            return state.epoch - state.frozen_since >= settings.n_iter_no_change
        waited = state.epoch - max(state.counted_epoch + 1, state.frozen_since)
        if waited < settings.n_iter_no_change or self.falls_on_the_whole():
            return False
        cools = settings.schedule == "cosine"
        if state.frozen and not cools:
            return True
        if cools:
            state.cooled_from = self.progress(0)
        state.frozen, state.frozen_since = True, state.epoch
        return False
