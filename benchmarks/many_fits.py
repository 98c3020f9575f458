"""Memory over many fits and many predictions in one process.

    python benchmarks/many_fits.py

First 50 fits on tiny images: growth of the resident memory after the fifth. Then
1,000 calls of `predict` on images of random sizes, 16 to 200 pixels an axis: growth
after the fifth call and, stricter, since before the first, where the function is not
traced yet; and how many functions have been traced in all for this network.
"""

import argparse

import numpy as np
from _data import Clock, report
from _memory import resident_mb

from instantdl import SemanticSegmenter

SETTLED = 5


def main():
    arguments = parse()
    count_fits(arguments.fits)
    count_predictions(arguments.predictions)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--predictions", type=int, default=1000)
    return parser.parse_args()


def count_fits(n_fits):
    clock, megabytes = Clock(), []
    for seed in range(n_fits):
        fit(seed)
        megabytes.append(resident_mb())
    growth = megabytes[-1] - megabytes[min(SETTLED, n_fits) - 1]
    report(
        "many_fits",
        fits=n_fits,
        growth_mb=round(growth, 1),
        limit_mb=50,
        within_limit=growth < 50,
        after_fit_1_mb=round(megabytes[0]),
        after_fit_5_mb=round(megabytes[min(SETTLED, n_fits) - 1]),
        after_last_fit_mb=round(megabytes[-1]),
        seconds=clock.seconds(),
    )


def count_predictions(n_calls):
    segmenter = fit(0)
    rng = np.random.default_rng(0)
    traces_before = count_traces(segmenter)
    clock, start = Clock(), resident_mb()
    megabytes, settled = [], start
    for call in range(1, n_calls + 1):
        segmenter.predict(rng.random((1, *rng.integers(16, 201, 2)), np.float32))
        if call == SETTLED:
            settled = resident_mb()
        if call % max(1, n_calls // 10) == 0:
            megabytes.append(resident_mb())
    growth = megabytes[-1] - settled
    report(
        "many_predictions",
        calls=n_calls,
        traced_functions=count_traces(segmenter),
        traced_by_predict=count_traces(segmenter) - traces_before,
        growth_mb=round(growth, 1),
        limit_mb=20,
        within_limit=growth < 20,
        growth_since_before_first_mb=round(megabytes[-1] - start, 1),
        growth_after_each_tenth_mb=[round(value - start, 1) for value in megabytes],
        seconds=clock.seconds(),
    )


def fit(seed):
    rng = np.random.default_rng(seed)
    X = rng.random((8, 32, 32), np.float32)
    segmenter = SemanticSegmenter(
        filters=4, levels=2, epochs=2, batch_size=4, random_state=seed
    )
    return segmenter.fit(X, X > 0.5)


def count_traces(segmenter):
    """Return how often any function of the segmenter's network has been traced."""
    with segmenter._borrowed() as network:
        return network.n_traces


if __name__ == "__main__":
    main()
