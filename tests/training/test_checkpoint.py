"""Tests of the state of a training on disk."""

import numpy as np
import pytest

from instantdl.exceptions import InstantDLWarning
from instantdl.training import Checkpoint, FitState


@pytest.fixture
def state(rng):
    return FitState(
        epoch=3,
        weights=[rng.random((2, 3), np.float32), np.float32([7])],
        history={"loss": [1.0, 0.1, 1 / 3]},
        best_epoch=1,
        best_loss=0.1,
        elapsed=12.5,
    )


def _write(path, state, fingerprint="a"):
    checkpoint = Checkpoint(path, fingerprint)
    optimizer = [np.int64(5), np.zeros(12, np.float32)]
    checkpoint.write(state, current=[np.ones(2)], optimizer=optimizer)
    return checkpoint


def test_a_state_comes_back_as_it_was(tmp_path, state):
    saved = _write(tmp_path / "state.npz", state).read()
    current, optimizer = saved.pop("current"), saved.pop("optimizer")
    np.testing.assert_array_equal(current, [np.ones(2)])
    assert optimizer[0] == 5
    assert optimizer[1].shape == (12,)
    again = FitState(**saved)
    assert again.history == state.history
    assert (again.epoch, again.best_epoch, again.elapsed) == (3, 1, 12.5)
    for a, b in zip(again.weights, state.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_than_ten_arrays_keep_their_order(tmp_path, state):
    state.weights = [np.full(1, i) for i in range(13)]
    saved = _write(tmp_path / "state.npz", state).read()
    assert [int(array[0]) for array in saved["weights"]] == list(range(13))


def test_an_infinite_best_loss_comes_back(tmp_path):
    assert _write(tmp_path / "state.npz", FitState()).read()["best_loss"] == np.inf


def test_a_state_of_another_training_is_not_taken_up(tmp_path, state):
    _write(tmp_path / "state.npz", state, "a")
    assert Checkpoint(tmp_path / "state.npz", "b").read() is None


def test_no_file_is_no_state(tmp_path):
    assert Checkpoint(tmp_path / "state.npz", "a").read() is None


def test_nothing_but_the_file_is_left(tmp_path, state):
    _write(tmp_path / "state.npz", state)
    _write(tmp_path / "state.npz", state)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_write_that_fails_keeps_the_state_before(tmp_path, state, monkeypatch):
    checkpoint = _write(tmp_path / "state.npz", state)

    def full(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write(FitState(), current=[], optimizer=[])
    assert checkpoint.read()["epoch"] == 3


def test_removing_twice_is_no_error(tmp_path, state):
    checkpoint = _write(tmp_path / "state.npz", state)
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.read() is None


@pytest.mark.parametrize("n_bytes", [0, 100, -10])
def test_a_damaged_file_is_told_and_not_used(tmp_path, state, n_bytes):
    path = tmp_path / "state.npz"
    checkpoint = _write(path, state)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.warns(InstantDLWarning, match="state.npz must be a whole checkpoint"):
        assert checkpoint.read() is None


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, state, monkeypatch):
    checkpoint = _write(tmp_path / "state.npz", state)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk is full"):
        _write(tmp_path / "state.npz", state)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    assert checkpoint.read()["epoch"] == 3
