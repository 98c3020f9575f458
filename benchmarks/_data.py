"""Where the benchmarks find their images, and how they print a result."""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from instantdl import io
from instantdl._compat import load_keras
from instantdl.metrics import compare_uncertainty, error_auroc

# Before TensorFlow is imported otherwise: some of its options are settled then.
load_keras()

DATA = Path(
    os.environ.get(
        "INSTANTDL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"
    )
)


def parse_arguments(description, *, time_limit, options=None, **flags):
    """Return the options that every benchmark has, its own ones and its flags.

    `options` are keywords of argparse's `add_argument` by name.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--time-limit", type=float, default=time_limit)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--develop",
        action="store_true",
        help="test on a tenth of the training part instead of the test part",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the estimator, as JSON, to try something out",
    )
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    for name, keywords in (options or {}).items():
        parser.add_argument(name, **keywords)
    arguments = parser.parse_args()
    arguments.parameters = {
        name: json.loads(value)
        for name, value in (text.split("=", 1) for text in arguments.set)
    }
    return arguments


def read_folder(folder):
    """Return images, masks and names of a folder, in memory."""
    data = io.load_folder(folder)
    return [data.X[i] for i in range(len(data.X))], [*data.y], data.names


def judge_uncertainty(uncertainty, wrong):
    """Return how well uncertainty finds errors, as figures to report."""
    found = compare_uncertainty(uncertainty, wrong)
    return {
        "uncertainty_auroc": round(error_auroc(uncertainty, wrong), 3),
        "uncertainty_median_right": float(f"{found.median_correct:.3g}"),
        "uncertainty_median_wrong": float(f"{found.median_wrong:.3g}"),
        "mann_whitney_p": float(f"{found.pvalue:.1e}"),
    }


def hold_out(n, *, seed=0, fraction=0.1):
    """Return a tenth of the numbers below n, and the others."""
    order = np.random.default_rng(seed).permutation(n)
    size = round(n * fraction)
    return np.sort(order[:size]), np.sort(order[size:])


def report(name, **figures):
    """Print one line of figures, with what they were measured on."""
    line = {"benchmark": name, **figures, "cpu": cpu_name(), "cores": os.cpu_count()}
    print(json.dumps(line), flush=True)


def cpu_name():
    """Return the processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else platform.processor()


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.began = time.perf_counter()

    def seconds(self):
        return round(time.perf_counter() - self.began, 1)
