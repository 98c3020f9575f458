"""Speed of training a ResNet50, against hand-written loops, in one run.

    python benchmarks/resnet_speed.py

The same batch, size and precision (bfloat16 where the processor has it) for all, at 64
and at 224 pixels:

- fit: `ImageClassifier.fit` on images in memory, with the default augmentation, from
  the end of its third step on.
- loop: a hand-written `train_step` (tf.function, GradientTape) over ready batches with
  the same `keras.Model`.
- torch: torchvision's ResNet50, channels last, where it is installed.

All take turns, `--repeats` times; ratios are the medians of the ratios of one turn.
"""

import argparse
import contextlib
import os
import statistics
import time
import warnings

with contextlib.suppress(ImportError):
    # Before TensorFlow: the other way round, builds of both for GPUs crash.
    import torch
    import torchvision

import keras
import numpy as np
import tensorflow as tf
from _data import cpu_name, report

from instantdl import ImageClassifier
from instantdl.exceptions import InstantDLWarning
from instantdl.networks import build_loss, build_resnet, count_noise, dropout_noise
from instantdl.training import CompiledNetwork, has_fast_bfloat16

N_CLASSES = 10
LEARNING_RATE = 1e-3
AHEAD = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 224])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of a turn, about")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        rivals = {"fit": Fit, "loop": Loop}
        if "torchvision" in globals():
            rivals["torch"] = Torch
        rivals = {name: kind(size, arguments.batch) for name, kind in rivals.items()}
        steps = {
            name: max(4, round(arguments.seconds / rival.step_seconds()))
            for name, rival in rivals.items()
        }
        turns = []
        for turn in range(arguments.repeats):
            order = list(rivals) if turn % 2 else list(rivals)[::-1]
            turns.append({name: rivals[name].speed(steps[name]) for name in order})
        tell(size, arguments, turns)


def tell(size, arguments, turns):
    """Print the median speeds and ratios of some turns."""
    others = [name for name in turns[0] if name != "fit"]
    report(
        "resnet_speed",
        size=size,
        batch=arguments.batch,
        precision="bfloat16" if has_fast_bfloat16() else "float32",
        images_per_s={
            name: round(statistics.median(turn[name] for turn in turns), 2)
            for name in turns[0]
        },
        ratio_of_fit_to={
            name: round(statistics.median(t["fit"] / t[name] for t in turns), 3)
            for name in others
        },
        threads=os.cpu_count(),
        cpu_model=cpu_name(),
    )


def draw(size, n):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return images, np.arange(n) % N_CLASSES


class Fit:
    """`ImageClassifier.fit`, its steps timed from outside."""

    def __init__(self, size, batch):
        self.batch = batch
        # As many steps an epoch as a turn could need.
        self.images, self.labels = draw(size, 64 * batch)

    def step_seconds(self):
        self.speed(6)
        return self.batch / self.speed(6)

    def speed(self, steps):
        ends, train = [], CompiledNetwork.train

        def timed(network, *args, **kwargs):
            if len(ends) >= steps + AHEAD:
                raise KeyboardInterrupt
            loss = train(network, *args, **kwargs)
            ends.append(time.perf_counter())
            return loss

        CompiledNetwork.train = timed
        classifier = ImageClassifier(
            batch_size=self.batch,
            validation_fraction=0,
            learning_rate=LEARNING_RATE,
            random_state=0,
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InstantDLWarning)  # it is interrupted
                classifier.fit(self.images, self.labels)
        finally:
            CompiledNetwork.train = train
        seconds = ends[-1] - ends[AHEAD - 1]
        return self.batch * (len(ends) - AHEAD) / seconds


class Loop:
    """A `train_step` as one writes it by hand, over batches that are ready."""

    def __init__(self, size, batch):
        self.batch = batch
        dtype = "mixed_bfloat16" if has_fast_bfloat16() else "float32"
        self.network = build_resnet((size, size, 3), N_CLASSES, dtype=dtype)
        self.n_noise = count_noise(self.network)
        self.optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self.optimizer.build(self.network.trainable_variables)
        self.loss = build_loss("crossentropy")
        images, labels = draw(size, batch)
        self.x = tf.constant(images / 127.5 - 1, tf.float32)
        self.y = tf.constant(labels, tf.int32)
        self.train_step = tf.function(self._train_step)

    def _train_step(self, x, y):
        noise = tf.random.uniform((self.batch, self.n_noise))
        ones = tf.ones(N_CLASSES), tf.ones(self.batch)
        with tf.GradientTape() as tape, dropout_noise(noise):
            loss = self.loss(y, self.network(x, training=True), *ones)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def step_seconds(self):
        self.speed(3)
        return self.batch / self.speed(3)

    def speed(self, steps):
        began = time.perf_counter()
        for _ in range(steps):
            float(self.train_step(self.x, self.y))
        return self.batch * steps / (time.perf_counter() - began)


class Torch(Loop):
    """torchvision's ResNet50 with channels last and autocast."""

    def __init__(self, size, batch):
        self.batch = batch
        network = torchvision.models.resnet50(num_classes=N_CLASSES)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        images, labels = draw(size, batch)
        x = torch.tensor(images.transpose(0, 3, 1, 2) / 127.5 - 1).float()
        self.x = x.to(memory_format=torch.channels_last)
        self.y = torch.tensor(labels)

    def train_step(self, x, y):
        enabled = has_fast_bfloat16()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = self.network(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


if __name__ == "__main__":
    main()
