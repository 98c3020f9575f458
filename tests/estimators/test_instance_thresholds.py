import numpy as np

from instantdl.estimators._instance_thresholds import tune_thresholds

# One object whose inner part is surer than its border, beside which there is a haze.
LABELS = np.zeros((1, 24), np.int32)
LABELS[0, 4:16] = 1
EVIDENCE = np.full((1, 24), 0.0)
EVIDENCE[0, 4:16], EVIDENCE[0, 6:14], EVIDENCE[0, 16:22] = 0.45, 0.75, 0.35


def _grow(evidence, foreground, start):
    """Return one object, if its best pixel is as sure as it must be, but not surer."""
    inside = (evidence >= foreground) & (0.55 < start < 0.75)
    return inside.astype(np.int32)


def test_the_thresholds_of_the_best_score_are_chosen():
    assert tune_thresholds(_grow, [EVIDENCE], [LABELS]) == (0.4, 0.6)


def test_a_given_threshold_is_gone_with():
    tried = []

    def grow(evidence, foreground, start):
        tried.append((foreground, start))
        return _grow(evidence, foreground, start)

    given = tune_thresholds(grow, [EVIDENCE], [LABELS], foreground=0.37)
    assert given == (0.37, 0.6)
    assert {foreground for foreground, _ in tried} == {0.37}
    tried.clear()
    given = tune_thresholds(grow, [EVIDENCE], [LABELS], start=0.7)
    assert given == (0.4, 0.7)
    assert {start for _, start in tried} == {0.7}


def test_of_equals_the_one_next_to_a_half_is_chosen():
    def nothing(evidence, foreground, start):
        return np.zeros_like(LABELS)

    assert tune_thresholds(nothing, [EVIDENCE], [LABELS]) == (0.5, 0.5)
