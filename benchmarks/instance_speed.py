"""Seconds of `InstanceSegmenter.predict`, and whether tiles change what it finds.

    python benchmarks/instance_speed.py

Fits with default parameters to drawn nuclei for a minute, then segments an image of
512 x 512 pixels from end to end (median of some calls, after a first one), and one of
4,096 x 4,096, in which some objects are larger than a tile, by tiles of 256, 512 and
1,024 pixels. Prints how many objects of one partition are not, pixel by pixel, in the
other.
"""

import argparse
import statistics
import time

import numpy as np
from _data import Clock, report
from scipy import ndimage

from instantdl import InstanceSegmenter
from instantdl.datasets import make_nuclei
from instantdl.metrics import match_instances

TILES = (256, 512, 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--method", default="watershed")
    arguments = parser.parse_args()
    X, y = make_nuclei(
        24, shape=(256, 256), n_nuclei=(25, 40), radius=(8, 14), random_state=0
    )
    segmenter = InstanceSegmenter(
        method=arguments.method,
        time_limit=arguments.time_limit,
        random_state=0,
        verbose=1,
    ).fit(X, y)
    image, truth = make_nuclei(
        1, shape=(512, 512), n_nuclei=(100, 140), radius=(8, 14), random_state=1
    )
    report(
        "instance_speed",
        method=arguments.method,
        size=512,
        seconds=round(measure(segmenter, image, arguments.repeats), 3),
        n_objects=int(truth[0].max()),
        n_found=int(segmenter.predict(image)[0].max()),
        precision=segmenter.precision_,
    )
    large = draw_large(arguments.size)
    found, seconds = {}, {}
    for tile in TILES:
        segmenter.set_params(tile_shape=(tile, tile))
        clock = Clock()
        found[tile] = segmenter.predict([large])[0]
        seconds[tile] = clock.seconds()
    first = found[TILES[0]]
    sizes = np.bincount(first.ravel())[1:]
    report(
        "instance_tiles",
        method=arguments.method,
        size=arguments.size,
        seconds=seconds,
        n_found={tile: int(labels.max()) for tile, labels in found.items()},
        largest_object=int(sizes.max(initial=0)),
        differing_objects={
            tile: count_differences(first, found[tile]) for tile in TILES[1:]
        },
        differing_pixels={
            tile: int(np.count_nonzero((first > 0) != (found[tile] > 0)))
            for tile in TILES[1:]
        },
    )


def measure(segmenter, image, repeats):
    """Return the median seconds of a prediction, after one that does not count."""
    segmenter.predict(image)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        segmenter.predict(image)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def draw_large(size):
    """Return an image of many nuclei, with a few discs of 600 pixels across."""
    part = 512
    n = size // part
    tiles, _ = make_nuclei(
        n * n, shape=(part, part), n_nuclei=(80, 120), radius=(8, 14), random_state=2
    )
    image = np.block([[tiles[i * n + j] for j in range(n)] for i in range(n)])
    image = image.astype(np.float32)
    rows, columns = np.ogrid[:size, :size]
    noise = np.random.default_rng(0)
    for centre in (0.2, 0.5, 0.8):
        disc = np.hypot(rows - centre * size, columns - centre * size) < 300
        image[disc] = np.quantile(image, 0.99) * noise.uniform(0.9, 1.1, disc.sum())
    return ndimage.gaussian_filter(image, 1)


def count_differences(one, other):
    """Return how many objects of either have no equal in the other."""
    matches = match_instances(one, other, threshold=0.5)
    same = np.count_nonzero(matches.iou == 1)
    return int(one.max() + other.max() - 2 * same)


if __name__ == "__main__":
    main()
