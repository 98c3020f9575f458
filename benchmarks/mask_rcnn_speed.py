"""Speed of Mask R-CNN with a ResNet50, against torchvision's, in one run.

    python benchmarks/mask_rcnn_speed.py

One training step on two drawn images of nuclei, and the prediction of one, at 256 and
512 pixels, in bfloat16 where the processor has it, weights as they are drawn. Ours is
`CompiledDetector`, torchvision's `maskrcnn_resnet50_fpn` without resizing, where it is
installed. All take turns; ratios are medians of the ratios of one turn.
"""

import argparse
import contextlib
import os
import statistics
import time

with contextlib.suppress(ImportError):
    # Before TensorFlow: the other way round, builds of both for GPUs crash.
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

import numpy as np
from _data import report

from instantdl.datasets import make_nuclei
from instantdl.networks import Detector, build_mask_rcnn, choose_anchors
from instantdl.training import CompiledDetector, DetectorSpec, has_fast_bfloat16

STRIDES = (4, 8, 16, 32)
BATCH = 2
LEARNING_RATE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--depth", type=int, default=50)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        images, labels = make_nuclei(
            BATCH, shape=(size, size), n_nuclei=(30, 40), random_state=0
        )
        images = np.repeat(images[..., np.newaxis], 3, axis=-1).astype(np.float32)
        rivals = {"ours": Ours(images, labels, arguments.depth)}
        if "maskrcnn_resnet50_fpn" in globals():
            rivals["torchvision"] = Torchvision(images, labels)
        for rival in rivals.values():
            rival.train(), rival.predict()
        turns = [
            {name: measure(rival, arguments.steps) for name, rival in rivals.items()}
            for _ in range(arguments.repeats)
        ]
        for job in ("train", "predict"):
            seconds = {
                name: statistics.median(turn[name][job] for turn in turns)
                for name in rivals
            }
            ratio = {}
            if "torchvision" in rivals:
                ratios = [t["ours"][job] / t["torchvision"][job] for t in turns]
                ratio["ratio_to_torchvision"] = round(statistics.median(ratios), 3)
            report(
                "mask_rcnn_speed",
                job=job,
                size=size,
                batch=BATCH if job == "train" else 1,
                depth=arguments.depth,
                precision="bfloat16" if has_fast_bfloat16() else "float32",
                seconds={name: round(value, 3) for name, value in seconds.items()},
                **ratio,
                n_turns=len(turns),
            )


def measure(rival, steps):
    """Return the seconds of a training step and of a prediction."""
    found = {}
    for job in ("train", "predict"):
        began = time.perf_counter()
        for _ in range(steps):
            getattr(rival, job)()
        found[job] = (time.perf_counter() - began) / steps
    return found


class Ours:
    """The detector that `InstanceSegmenter` trains."""

    def __init__(self, images, labels, depth):
        dtype = "mixed_bfloat16" if has_fast_bfloat16() else "float32"
        sizes = np.full((10, 2), 20)
        anchors = choose_anchors(sizes, STRIDES)
        self.network = CompiledDetector(
            DetectorSpec(
                key=("speed",),
                build=lambda: build_mask_rcnn(3, 1, depth=depth, dtype=dtype),
                connect=lambda network: Detector(
                    network, anchors, first_stride=4, n_objects=100
                ),
            )
        )
        self.x = images / 255
        self.target = np.stack([labels, labels > 0], axis=-1).astype(np.int32)

    def train(self):
        self.network.train(
            self.x,
            self.target,
            class_weight=np.ones(2, np.float32),
            sample_weight=np.ones(len(self.x), np.float32),
            noise=np.ones((len(self.x), self.network.n_noise), np.float32),
            learning_rate=LEARNING_RATE,
        )

    def predict(self):
        self.network.detect(self.x[:1])


class Torchvision:
    """torchvision's, with the same images and objects."""

    def __init__(self, images, labels):
        torch.set_num_threads(os.cpu_count())
        size = images.shape[1]
        self.network = maskrcnn_resnet50_fpn(
            weights=None,
            weights_backbone=None,
            num_classes=2,
            min_size=size,
            max_size=size,
        ).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.network.parameters(), LEARNING_RATE)
        self.images = [
            torch.from_numpy(image.transpose(2, 0, 1) / 255).float() for image in images
        ]
        self.targets = [self.target(image) for image in labels]
        self.dtype = torch.bfloat16 if has_fast_bfloat16() else torch.float32

    def target(self, labels):
        masks = labels == np.unique(labels[labels > 0])[:, np.newaxis, np.newaxis]
        boxes = [
            [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            for rows, columns in (np.nonzero(mask) for mask in masks)
        ]
        return {
            "boxes": torch.tensor(np.array(boxes), dtype=torch.float32),
            "labels": torch.ones(len(boxes), dtype=torch.int64),
            "masks": torch.from_numpy(masks.astype(np.uint8)),
        }

    def train(self):
        self.network.train()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
            losses = self.network(self.images, self.targets)
        sum(losses.values()).backward()
        self.optimizer.step()

    def predict(self):
        self.network.eval()
        with (
            torch.no_grad(),
            torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32),
        ):
            self.network(self.images[:1])


if __name__ == "__main__":
    main()
