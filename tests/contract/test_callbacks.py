"""scikit-learn's callbacks hear of every epoch, and may end the training."""

import numpy as np
import pytest

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9")


class Recorder:
    """Keep what happens; ask to stop after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events = []
        self.scores = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        if context.task_name == "epoch":
            self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and len(self.scores) == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")


def _score(estimator, X, y):
    return estimator.score(X, y)


def test_callbacks_hear_of_every_epoch(case, data):
    recorder = Recorder()
    case.make(epochs=2).set_callbacks(recorder).fit(*data)
    epoch = ["begin epoch", "end epoch"]
    wanted = ["setup", "begin fit", *epoch, *epoch, "end fit", "teardown"]
    assert recorder.events == wanted


def test_callbacks_get_an_estimator_that_predicts(case, data):
    recorder = Recorder()
    estimator = case.make(epochs=2, validation_fraction=0).set_callbacks(recorder)
    estimator.fit(*data)
    assert recorder.scores[-1] == estimator.score(*data)


def test_a_callback_may_end_the_training(case, data):
    estimator = case.make(epochs=9).set_callbacks(Recorder(stop_after=2)).fit(*data)
    assert estimator.n_epochs_ == 2


def test_callbacks_do_not_change_the_result(case, data, fitted, digest_of):
    estimator = case.make().set_callbacks(Recorder()).fit(*data)
    assert digest_of(estimator, data[0]) == digest_of(fitted, data[0])


def test_callbacks_are_torn_down_after_an_error(case, data):
    recorder = Recorder()
    with pytest.raises(ValueError, match="groups"):
        case.make().set_callbacks(recorder).fit(*data, groups=[1])
    assert recorder.events in ([], ["setup", "begin fit", "teardown"])


def test_the_scoring_monitor_logs_a_score_per_epoch(case, data):
    monitor = callback.ScoringMonitor(scoring={"score": _score})
    case.make(epochs=3).set_callbacks(monitor).fit(*data)
    logs = monitor.get_logs()
    log = logs[-1] if isinstance(logs, list) else logs
    epochs = [row for row in log.data if row["task_name"] == "epoch"]
    assert len(epochs) == 3
    assert all(np.isfinite(row["score"]) for row in epochs)


def test_the_progress_bar_shows_the_estimator(case, data, capfd):
    case.make(epochs=2).set_callbacks(callback.ProgressBar()).fit(*data)
    printed = capfd.readouterr()
    assert case.kind.__name__ in printed.out + printed.err
