"""What a run says while it goes on."""

from instantdl.pipeline import _run_log


def test_the_bar_goes_by_what_is_done(monkeypatch):
    shown = []

    def update(self, task, *, completed):
        shown.append(completed)

    monkeypatch.setattr(_run_log.Progress, "update", update)
    with _run_log.RunLog() as log:
        log.follow(iter([64, 100]), 100, "Predicting")
    assert shown == [64, 100]
