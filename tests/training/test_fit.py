"""Tests of the training loop."""

import importlib
import math
from types import SimpleNamespace

import numpy as np
import pytest

from instantdl.exceptions import InstantDLWarning
from instantdl.images import Normalizer
from instantdl.training import (
    Batch,
    Checkpoint,
    FitSettings,
    Logs,
    PatchSource,
    TrainingBatches,
    fit_network,
    validation_batches,
)

WEIGHT = np.ones(2)


class _Batches:
    """Batches without content."""

    batch_size = 2

    def __init__(self, n_steps=4):
        self.n_steps = n_steps

    def __len__(self):
        return self.n_steps

    def epoch(self, epoch):
        for _ in range(self.n_steps):
            yield _batch()


def _batch(weight=1.0):
    return Batch(*[np.zeros(1)] * 2, np.full(1, weight), np.zeros((1, 0)))


def _fit(network, *, n_steps=4, validation=1, logs=None, checkpoint=None, **kwargs):
    listeners = kwargs.pop("listeners", ())
    settings = FitSettings(**{"epochs": 5, "learning_rate": 1.0, **kwargs})
    return fit_network(
        network,
        _Batches(n_steps),
        [_batch()] * validation,
        settings,
        weights=[np.zeros(1)],
        class_weight=WEIGHT,
        logs=logs,
        checkpoint=checkpoint,
        listeners=listeners,
    )


def test_the_history_has_a_value_per_epoch(fake_network):
    state = _fit(fake_network([1, 2, 3, 4, 5, 6], [9, 8, 7]), n_steps=2, epochs=3)
    assert state.history["loss"] == [1.5, 3.5, 5.5]
    assert state.history["val_loss"] == [9, 8, 7]
    assert len(state.history["learning_rate"]) == state.epoch == 3


def test_the_best_weights_are_returned(fake_network):
    state = _fit(fake_network(val_losses=[3, 1, 2, 5]), epochs=4)
    assert state.weights[0] == 8
    assert (state.best_epoch, state.best_loss) == (1, 1)


def test_without_validation_the_last_weights_are_returned(fake_network):
    state = _fit(fake_network([1, 2, 3, 4, 5]), n_steps=1, validation=0)
    assert state.weights[0] == 5
    assert "val_loss" not in state.history


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_early_stopping_waits_for_so_many_epochs(fake_network, schedule):
    # Three epochs until the statistics are settled, and three more after that.
    network = fake_network(val_losses=[2, 1, *[1.5] * 6, 0])
    state = _fit(network, epochs=100, n_iter_no_change=3, schedule=schedule)
    assert (state.epoch, state.best_epoch) == (8, 1)
    assert network.frozen == [False] * 20 + [True] * 12


def test_when_the_loss_stalls_the_learning_rate_falls_before_the_end(fake_network):
    network = fake_network(val_losses=[2, *[1] * 200])
    state = _fit(network, epochs=100, n_iter_no_change=20)
    rates = np.array(network.rates[::4])
    # The medians of both halves agree from the third equal loss of the first on.
    assert (state.epoch, state.best_epoch) == (43, 1)
    assert rates[22] > 0.8
    assert np.all(np.diff(rates[22:]) < 0)
    assert network.rates[-1] == pytest.approx(0.01, abs=0.005)


def test_a_loss_that_jumps_but_falls_on_the_whole_does_not_end_the_training(
    fake_network,
):
    rng = np.random.default_rng(0)
    losses = np.linspace(4, 1, 60) * rng.uniform(1, 1.5, 60)
    losses[5] = 0.9  # by luck
    state = _fit(fake_network(val_losses=losses), epochs=60, n_iter_no_change=20)
    assert state.epoch == 60
    risen = [*losses[:20], *np.linspace(4, 5, 100)]
    state = _fit(fake_network(val_losses=risen), epochs=100, n_iter_no_change=20)
    assert state.epoch < 80


def test_a_loss_that_improves_while_cooling_does_not_go_on_longer(fake_network):
    falling = np.linspace(0.9, 0.1, 50)
    network = fake_network(val_losses=[2, 1, *[1.5] * 5, *falling])
    state = _fit(network, epochs=100, n_iter_no_change=5)
    assert state.epoch == 12
    assert state.best_epoch == 11


def test_the_statistics_settle_towards_the_end(fake_network):
    network = fake_network()
    state = _fit(network, epochs=5, early_stopping=False)
    assert network.frozen == [False] * 16 + [True] * 4
    assert state.frozen


def test_improvements_below_the_tolerance_are_kept_but_not_waited_for(fake_network):
    network = fake_network(val_losses=[1, 0.99, 0.98, 0.97, 0.96])
    state = _fit(network, epochs=100, n_iter_no_change=2, tol=0.1)
    assert state.epoch == 5
    assert (state.best_epoch, state.best_loss) == (4, 0.96)
    assert state.weights[0] == 20
    assert (state.counted_epoch, state.counted_loss) == (0, 1)


def test_without_early_stopping_all_epochs_are_run(fake_network):
    state = _fit(fake_network(), epochs=30, n_iter_no_change=1, early_stopping=False)
    assert state.epoch == 30


def test_the_cosine_warms_up_and_falls(fake_network):
    network = fake_network()
    _fit(network, n_steps=10, epochs=10, early_stopping=False)
    rates = np.array(network.rates)
    assert rates[0] == pytest.approx(0.01)
    assert rates.argmax() == 5
    assert rates[5] == pytest.approx(1)
    assert (np.diff(rates[:6]) > 0).all()
    assert (np.diff(rates[5:]) < 0).all()
    done = (np.arange(5, 100) / 100 - 0.05) / 0.95
    expected = 0.01 + 0.99 * (1 + np.cos(math.pi * done)) / 2
    np.testing.assert_allclose(rates[5:], expected)


def test_the_rate_can_stay_constant(fake_network):
    network = fake_network()
    _fit(network, schedule="constant", learning_rate=0.3)
    assert set(network.rates) == {0.3}


class _Clock:
    """A clock on which each training step takes a second and nothing else does."""

    def __init__(self, network, seconds=1.0, validation_seconds=0.0):
        self.now = 100.0
        self._slow(network, "train", seconds)
        self._slow(network, "evaluate", validation_seconds)

    def _slow(self, network, name, seconds):
        method = getattr(network, name)

        def slowed(*args, **kwargs):
            self.now += seconds
            return method(*args, **kwargs)

        setattr(network, name, slowed)

    def use(self, monkeypatch):
        module = importlib.import_module("instantdl.training._fit")
        fake = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(module, "time", fake)


def test_the_time_limit_is_kept(fake_network, monkeypatch):
    network = fake_network()
    clock = _Clock(network, validation_seconds=3)
    clock.use(monkeypatch)
    state = _fit(network, n_steps=10, epochs=1000, time_limit=40, early_stopping=False)
    assert 33 <= clock.now - 100 <= 41
    assert state.elapsed == clock.now - 100


def test_the_time_that_was_spent_before_counts(fake_network, monkeypatch):
    network = fake_network()
    clock = _Clock(network)
    clock.use(monkeypatch)
    _fit(network, n_steps=100, validation=0, time_limit=30, started=90)
    assert len(network.rates) == 20


def test_one_step_is_done_when_no_time_is_left(fake_network, monkeypatch):
    network = fake_network()
    clock = _Clock(network)
    clock.use(monkeypatch)
    _fit(network, n_steps=100, validation=0, time_limit=5, started=90)
    assert len(network.rates) == 1


def test_a_time_limit_ends_within_an_epoch(fake_network, monkeypatch):
    network = fake_network()
    clock = _Clock(network)
    clock.use(monkeypatch)
    state = _fit(network, n_steps=1000, validation=0, time_limit=7)
    assert state.weights[0] == 7
    assert state.epoch == 1


def test_the_schedule_follows_the_clock(fake_network, monkeypatch):
    network = fake_network()
    clock = _Clock(network)
    clock.use(monkeypatch)
    _fit(network, n_steps=10, epochs=1000, validation=0, time_limit=100)
    rates = np.array(network.rates)
    assert len(rates) == 100
    assert rates.argmax() == 5
    assert rates[-1] < 0.02


def test_ctrl_c_keeps_the_best_weights_and_warns(fake_network):
    losses = [1.0] * 10 + [KeyboardInterrupt()]
    network = fake_network(losses, [2, 3])
    with pytest.warns(InstantDLWarning, match="interrupted by the keyboard"):
        state = _fit(network)
    assert state.weights[0] == 4
    assert state.epoch == 2


def test_ctrl_c_in_the_first_epoch_keeps_what_there_is(fake_network):
    network = fake_network([1.0, KeyboardInterrupt()])
    with pytest.warns(InstantDLWarning, match="interrupted"):
        state = _fit(network)
    assert state.weights[0] == 2
    assert state.epoch == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_an_error(fake_network, loss):
    with pytest.raises(
        FloatingPointError,
        match=f"The loss must stay finite. Got {loss} in epoch 1, step 2. Lower",
    ):
        _fit(fake_network([1.0, loss]))


class _Listener:
    def __init__(self, stop_at=None):
        self.stop_at, self.heard = stop_at, []

    def on_epoch_begin(self, epoch):
        self.heard.append(("begin", epoch))

    def on_epoch_end(self, epoch, weights):
        self.heard.append(("end", epoch, float(weights()[0].flat[0])))
        return epoch == self.stop_at


class _Interruption(_Listener):
    def on_epoch_begin(self, epoch):
        if epoch == self.stop_at:
            raise KeyboardInterrupt


def test_listeners_hear_of_every_epoch_and_may_stop(fake_network):
    first, second = _Listener(stop_at=1), _Listener()
    state = _fit(fake_network(), listeners=[first, second])
    assert first.heard == second.heard
    assert first.heard == [("begin", 0), ("end", 0, 4), ("begin", 1), ("end", 1, 8)]
    assert state.epoch == 2


def test_the_validation_loss_is_weighted_by_the_images(fake_network):
    network = fake_network(val_losses=[1.0, 4.0])
    state = fit_network(
        network,
        _Batches(1),
        [_batch(3.0), _batch(1.0)],
        FitSettings(epochs=1, learning_rate=1.0),
        weights=[np.zeros(1)],
        class_weight=WEIGHT,
    )
    assert state.history["val_loss"] == [1.75]


def test_validation_images_of_weight_zero_still_give_a_loss(fake_network):
    state = fit_network(
        fake_network(val_losses=[1.0, 4.0]),
        _Batches(1),
        [_batch(0.0)] * 2,
        FitSettings(epochs=1, learning_rate=1.0),
        weights=[np.zeros(1)],
        class_weight=WEIGHT,
    )
    assert state.history["val_loss"] == [2.5]


def _real_fit(network, discs, epochs, tmp_path=None, checkpoint=None, listener=None):
    images, masks = discs
    sources = [
        PatchSource(
            images=images[part],
            targets=masks[part],
            encode=lambda crop: crop.astype(np.int32),
            normalizer=Normalizer("percentile"),
            patch_shape=(16, 16),
            sample_weight=np.ones(3),
        )
        for part in (slice(0, 3), slice(3, 6))
    ]
    batches = TrainingBatches(
        sources[0], batch_size=2, augmentation=None, seed=0, n_noise=network.n_noise
    )
    return fit_network(
        network,
        batches,
        validation_batches(sources[1], batch_size=2),
        FitSettings(epochs=epochs, learning_rate=0.02),
        weights=network.initial_weights(0),
        class_weight=WEIGHT,
        logs=Logs(log_dir=tmp_path),
        checkpoint=checkpoint,
        listeners=[listener or _Listener()],
    )


def test_a_resumed_training_is_bit_identical(tiny, discs_2d, tmp_path):
    whole = _real_fit(tiny, discs_2d, 5)
    checkpoint = Checkpoint(tmp_path / "state.npz", "same")
    with pytest.warns(InstantDLWarning, match="interrupted"):
        part = _real_fit(tiny, discs_2d, 5, tmp_path, checkpoint, _Interruption(2))
    assert part.epoch == 2
    resumed = _real_fit(tiny, discs_2d, 5, tmp_path, checkpoint)
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch
    for a, b in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", *"12345"]
    assert checkpoint.read() is None


def test_training_learns_the_discs(tiny, discs_2d):
    history = _real_fit(tiny, discs_2d, 15).history
    assert min(history["val_loss"]) < history["val_loss"][0] - 0.1


def test_time_spent_before_an_interruption_counts(fake_network, monkeypatch, tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.npz", "same")
    network = fake_network()
    _Clock(network).use(monkeypatch)
    settings = {"n_steps": 10, "validation": 0, "checkpoint": checkpoint}
    with pytest.warns(InstantDLWarning, match="interrupted"):
        _fit(network, epochs=9, listeners=[_Interruption(1)], **settings)
    network = fake_network()
    _Clock(network).use(monkeypatch)
    state = _fit(network, epochs=100, time_limit=25, **settings)
    assert len(network.rates) == 15
    assert state.weights[0] == 25


def test_a_validation_loss_that_is_not_finite_hides_no_better_one(fake_network):
    network = fake_network(val_losses=[math.nan, 3, 2, math.nan])
    state = _fit(network, epochs=4)
    assert (state.best_epoch, state.best_loss) == (2, 2)
    assert state.weights[0] == 12


def test_later_a_loss_that_is_not_finite_keeps_the_best_weights(fake_network):
    network = fake_network(losses=[1, 1, math.nan])
    with pytest.warns(InstantDLWarning, match="best weights so far are kept"):
        state = _fit(network, n_steps=2)
    assert state.epoch == 1
    assert state.weights[0] == 2


def test_statistics_that_settled_for_a_stall_are_settled_in_the_file(
    fake_network, tmp_path
):
    checkpoint = Checkpoint(tmp_path / "state.npz", "same")
    with pytest.warns(InstantDLWarning, match="interrupted"):
        _fit(
            fake_network(val_losses=[2, 1, *[1.5] * 9]),
            epochs=100,
            n_iter_no_change=3,
            checkpoint=checkpoint,
            listeners=[_Interruption(5)],
        )
    saved = checkpoint.read()
    assert (saved["epoch"], saved["frozen"], saved["frozen_since"]) == (5, True, 5)
