"""Speed of training and prediction, against hand-written loops, in one run.

    python benchmarks/unet_speed.py

The same U-Net, batch and machine for all:

- fit: `SemanticSegmenter.fit` on images in memory, with the default augmentation;
  "fit, not augmented" without. Measured once batches flow: from the end of the first
  step to the end of the last but two, in a network that was compiled before. A batch
  is made in this time for each step counted.
- loop: a hand-written `train_step` (tf.function, GradientTape) over ready batches with
  the same `keras.Model`.
- stock: such a loop with Keras' own layers.
- torch: PyTorch, channels last, where it is installed.

Prediction: `predict_proba` on uint8 images, the bare traced function of instantdl on
ready batches, and the others as above. Then 20 Monte Carlo draws against 20 calls of
`predict_proba`. Mixed bfloat16 for all where the processor has it, else float32.

All of them take turns, `--repeats` times; speeds are medians, ratios the medians of
the ratios of one turn.
"""

import argparse
import os
import statistics
import time

import numpy as np
from _data import cpu_name, report
from _rivals import DROPOUT, KerasLoop, TorchLoop, build_stock_unet, has_torch

import instantdl
from instantdl import SemanticSegmenter
from instantdl.networks import build_unet
from instantdl.training import CompiledNetwork, has_fast_bfloat16

FIT, PLAIN = "fit", "fit, not augmented"
LOOP, STOCK, TORCH = "loop", "stock", "torch"
PROBA, BARE = "predict_proba", "traced function"
# Batches that are made ahead of the network: their making falls out of the time
# measured at its start, and would be missing at its end.
AHEAD = 3
N_READY = 4
N_DRAWS = 20
SETTLING_SECONDS = 0.3

# Per ratio: speeds of what divided by what, and what it should be at least.
TRAIN_RATIOS = [
    (FIT, LOOP, 0.95),
    (PLAIN, LOOP, None),
    (FIT, STOCK, 1.3),
    (FIT, TORCH, 1.0),
]
PREDICT_RATIOS = [
    (PROBA, LOOP, 0.95),
    (BARE, LOOP, None),
    (PROBA, STOCK, 1.3),
    (PROBA, TORCH, 1.0),
]
DRAWS_AT_MOST = 0.75


def main():
    began = time.monotonic()
    arguments = parse()
    contest = Contest(arguments)
    tell_machine(arguments, contest)
    contest.warm_up()
    turn_seconds = 0.0
    for turn in range(arguments.repeats):
        left = 60 * arguments.minutes - (time.monotonic() - began)
        if turn and turn_seconds > left:
            print(f"Stopped after {turn} turns: no time for another.")
            break
        turn_began = time.monotonic()
        contest.take_turn(reverse=turn % 2 == 1)
        turn_seconds = time.monotonic() - turn_began
    tell_results(contest, arguments)
    print(f"{time.monotonic() - began:.0f} s in all")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="pixels an axis")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="batches a measurement")
    parser.add_argument(
        "--minutes", type=float, default=9.0, help="no further turn after these"
    )
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16")
    return parser.parse_args()


class Contest:
    """All competitors, and what was measured of them."""

    def __init__(self, arguments):
        self.arguments = arguments
        n_images = arguments.batch * (arguments.steps + AHEAD)
        self.X, self.y = draw_images(n_images, arguments.size, arguments.channels)
        self.segmenter = self.fit("auto", n_images=2 * arguments.batch)[0]
        self.bfloat16 = self.segmenter.precision_ == "mixed_bfloat16"
        self.images, self.masks = self.ready_batches()
        self.rivals = self.build_rivals()
        self.train = {
            FIT: lambda steps: self.time_fit("auto"),
            PLAIN: lambda steps: self.time_fit(None),
            **{name: timed(rival.train) for name, rival in self.rivals.items()},
        }
        self.predict = {
            PROBA: timed(self.predict_proba),
            BARE: timed(self.predict_bare),
            **{name: timed(rival.predict) for name, rival in self.rivals.items()},
        }
        self.train_speeds = {name: [] for name in self.train}
        self.predict_speeds = {name: [] for name in self.predict}
        self.draw_ratios, self.start_seconds = [], []

    def ready_batches(self):
        """Return normalised batches of images and batches of class numbers."""
        size = self.arguments.batch
        firsts = range(0, min(len(self.X), N_READY * size), size)
        normalizer = self.segmenter.normalizer_
        images = [
            np.stack([normalizer(image) for image in self.X[first : first + size]])
            for first in firsts
        ]
        return images, [
            self.y[first : first + size].astype(np.int32) for first in firsts
        ]

    def build_rivals(self):
        options = {"filters": self.arguments.filters, "levels": self.arguments.levels}
        dtype, channels = self.segmenter.precision_, self.arguments.channels
        same = build_unet(
            (None, None, channels), 1, dropout_rate=DROPOUT, dtype=dtype, **options
        )
        stock = build_stock_unet(channels, dtype=dtype, **options)
        data = self.images, self.masks
        rivals = {LOOP: KerasLoop(same, *data), STOCK: KerasLoop(stock, *data)}
        if has_torch():
            rivals[TORCH] = TorchLoop(*data, bfloat16=self.bfloat16, **options)
        return rivals

    def fit(self, augmentation, *, n_images=None):
        """Fit for one epoch; return the segmenter, when steps ended, the start-up."""
        arguments = self.arguments
        segmenter = SemanticSegmenter(
            filters=arguments.filters,
            levels=arguments.levels,
            dropout_rate=DROPOUT,
            epochs=1,
            batch_size=arguments.batch,
            patch_shape=(arguments.size,) * 2,
            validation_fraction=0.0,
            augmentation=augmentation,
            precision=arguments.precision,
            random_state=0,
        )
        began = time.perf_counter()
        with StepTimes() as steps:
            segmenter.fit(self.X[:n_images], self.y[:n_images])
        return segmenter, steps.ends, steps.first_began - began

    def time_fit(self, augmentation):
        _, ends, start = self.fit(augmentation)
        self.start_seconds.append(start)
        return ends[self.arguments.steps] - ends[0]

    def predict_proba(self, steps):
        for step in range(steps):
            self.segmenter.predict_proba(self.batch_of(step))

    def predict_bare(self, steps):
        with self.segmenter._borrowed() as network:
            for step in range(steps):
                network.predict(self.images[step % len(self.images)])

    def batch_of(self, step):
        first = step % len(self.images) * self.arguments.batch
        return self.X[first : first + self.arguments.batch]

    def warm_up(self):
        for rival in self.rivals.values():
            rival.train(2)
            rival.predict(2)
        self.predict_proba(2)
        self.predict_bare(1)
        self.segmenter.predict_uncertainty(self.X[:1], n_draws=N_DRAWS)
        self.segmenter.predict_proba(self.X[:1])

    def take_turn(self, *, reverse):
        """Measure every competitor once, forwards or backwards."""
        steps = self.arguments.steps
        n_images = steps * self.arguments.batch
        for runs, speeds in (
            (self.train, self.train_speeds),
            (self.predict, self.predict_speeds),
        ):
            # after the fits, the first call puts this segmenter's weights back in
            self.predict_proba(1)
            for name in reversed(runs) if reverse else runs:
                # threads of the one before spin for a while
                time.sleep(SETTLING_SECONDS)
                speeds[name].append(n_images / runs[name](steps))
        self.draw_ratios.append(self.measure_draws())

    def measure_draws(self):
        """Return the time of 20 draws, in times of 20 predictions, for one image."""
        image, segmenter = self.X[:1], self.segmenter
        draw = timed(lambda n: segmenter.predict_uncertainty(image, n_draws=n))
        predict = timed(lambda n: [segmenter.predict_proba(image) for _ in range(n)])
        return draw(N_DRAWS) / predict(N_DRAWS)


class StepTimes:
    """Note when each training step ends, for the length of a block."""

    def __enter__(self):
        self.ends, self.first_began, self._train = [], None, CompiledNetwork.train

        def train(network, *args, **kwargs):
            if self.first_began is None:
                self.first_began = time.perf_counter()
            result = self._train(network, *args, **kwargs)
            self.ends.append(time.perf_counter())
            return result

        CompiledNetwork.train = train
        return self

    def __exit__(self, *error):
        CompiledNetwork.train = self._train


def timed(function):
    """Return a function that gives the seconds that `function` takes."""

    def run(steps):
        began = time.perf_counter()
        function(steps)
        return time.perf_counter() - began

    return run


def draw_images(n_images, size, channels):
    """Return noisy discs, uint8, and their masks."""
    rng = np.random.default_rng(0)
    grid_y, grid_x = np.mgrid[:size, :size]
    y = np.zeros((n_images, size, size), bool)
    for mask in y:
        for _ in range(12):
            centre_y, centre_x = rng.integers(size, size=2)
            radius = rng.integers(size // 32 + 1, size // 10 + 2)
            mask |= (grid_y - centre_y) ** 2 + (grid_x - centre_x) ** 2 < radius**2
    noise = rng.integers(0, 100, (*y.shape, channels), dtype=np.uint8)
    return noise + 100 * y[..., np.newaxis].astype(np.uint8), y


def tell_machine(arguments, contest):
    precision = contest.segmenter.precision_
    print(f"{cpu_name()}, {os.cpu_count()} cores, instantdl {instantdl.__version__}")
    if not has_fast_bfloat16():
        print("This processor has no bfloat16: all compute in float32 unless asked.")
    print(
        f"{arguments.size} x {arguments.size} x {arguments.channels}, batch "
        f"{arguments.batch}, {arguments.filters} filters, {arguments.levels} levels, "
        f"{precision}"
    )
    if TORCH not in contest.rivals:
        print("PyTorch is not installed: left out.")


def tell_results(contest, arguments):
    settings = {
        "size": arguments.size,
        "batch": arguments.batch,
        "filters": arguments.filters,
        "levels": arguments.levels,
        "precision": contest.segmenter.precision_,
        "turns": len(contest.draw_ratios),
    }
    for part, speeds, ratios in (
        ("train", contest.train_speeds, TRAIN_RATIOS),
        ("predict", contest.predict_speeds, PREDICT_RATIOS),
    ):
        tell_speeds(part, speeds, settings)
        for above, below, target in ratios:
            if below in speeds:
                pairs = zip(speeds[above], speeds[below], strict=True)
                value = statistics.median(a / b for a, b in pairs)
                tell_ratio(f"{part}: {above} / {below}", value, at_least=target)
    draws = statistics.median(contest.draw_ratios)
    name = f"{N_DRAWS} draws / {N_DRAWS} predictions, time"
    tell_ratio(name, draws, at_most=DRAWS_AT_MOST)
    start = statistics.median(contest.start_seconds)
    print(f"fit before its first step: {start:.2f} s")


def tell_speeds(part, speeds, settings):
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    report(
        f"unet_speed {part}",
        **settings,
        images_per_second={name: round(value, 3) for name, value in medians.items()},
    )
    print(f"\n{part:<20}{'images/s':>10}{'ms/image':>10}{'lowest':>10}{'highest':>10}")
    for name, value in medians.items():
        low, high = min(speeds[name]), max(speeds[name])
        print(f"{name:<20}{value:>10.2f}{1000 / value:>10.1f}{low:>10.2f}{high:>10.2f}")
    print()


def tell_ratio(name, value, *, at_least=None, at_most=None):
    figures = {"ratio": name, "value": round(value, 3)}
    if at_least is not None:
        figures |= {"at_least": at_least, "met": value >= at_least}
    if at_most is not None:
        figures |= {"at_most": at_most, "met": value <= at_most}
    report("unet_speed ratio", **figures)


if __name__ == "__main__":
    main()
