"""Tests of what a training tells."""

import csv

from instantdl.training import FitSettings, FitState, Logs

SETTINGS = FitSettings(epochs=3, learning_rate=0.1)
VALUES = {"loss": 0.5, "learning_rate": 0.1, "val_loss": 0.25}


def _rows(folder):
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))


def _run(logs, state=None, epochs=(1, 2)):
    with logs:
        logs.start(SETTINGS, 2, 4, state or FitState())
        for epoch in epochs:
            logs.step(0.5, epoch / 3)
            logs.epoch(epoch, VALUES)


def test_the_csv_file_has_a_row_per_epoch(tmp_path):
    _run(Logs(log_dir=tmp_path / "new" / "folder"))
    assert _rows(tmp_path / "new" / "folder") == [
        ["epoch", "loss", "learning_rate", "val_loss"],
        ["1", "0.5", "0.1", "0.25"],
        ["2", "0.5", "0.1", "0.25"],
    ]


def test_a_resumed_training_repeats_no_row(tmp_path):
    _run(Logs(log_dir=tmp_path))
    history = {name: [value] for name, value in VALUES.items()}
    _run(Logs(log_dir=tmp_path), FitState(epoch=1, history=history), epochs=(2, 3))
    assert [row[0] for row in _rows(tmp_path)] == ["epoch", "1", "2", "3"]


def test_tensorboard_files_are_written(tmp_path):
    _run(Logs(log_dir=tmp_path))
    assert any("tfevents" in path.name for path in tmp_path.iterdir())


def test_nothing_is_written_or_said_by_default(tmp_path, capfd):
    _run(Logs())
    assert not any(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_elsewhere_than_on_a_terminal_an_epoch_is_a_line(capsys):
    _run(Logs(verbose=1))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/3  loss 0.5000  val_loss 0.2500")
    assert lines[0].endswith("images/s")


def test_on_a_terminal_there_is_a_progress_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    _run(Logs(verbose=1))
    err = capsys.readouterr().err
    assert "images/s" in err
    assert "loss 0.500" in err
    assert "left" in err
