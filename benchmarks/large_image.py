"""Memory and time of one large image: a memmap of 10,000 x 10,000 pixels, uint8.

    python benchmarks/large_image.py

The image (bright discs on noise) lies on disk. A `SemanticSegmenter` with default
parameters is fitted for a few steps on cuts of it; then `predict` labels it all.
The resident memory is sampled every 10 ms. "idle" is the process after fitting,
before `predict`; the same figure is given above the process before any import of
TensorFlow. The labels (one byte a pixel) and the pages of the memmap are counted.

Whether `predict` reads the image into memory is seen by comparison: an image of
1,500 x 1,500 pixels is predicted as well, by tiles of the same size. What the
process itself holds at most may differ by the labels only, one byte a pixel; a copy
of the image in uint8 would be one byte more, in float32 four. `hidden_bytes_per_pixel`
is what remains, and should be near 0.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
from _data import report
from _memory import Peak, resident_mb

LIMIT_MB = 1200
SMALL = 1500
BLOCK = 250


def main():
    arguments = parse()
    before_import = resident_mb()
    with tempfile.TemporaryDirectory() as folder:
        image = draw_image(Path(folder) / "image.npy", arguments.size)
        segmenter = fit(arguments)
        idle = resident_mb()
        small = np.array(image[:, :SMALL, :SMALL])
        with Peak() as small_peak:
            segmenter.predict(small)
        with Peak() as peak:
            labels = segmenter.predict(image)
        found = float(np.mean(labels[:, :SMALL, :SMALL]))
        del image
    highest = max(peak.resident, small_peak.resident)
    more_pixels = labels.size - SMALL**2
    growth = (peak.own - small_peak.own) * 1e6
    hidden = growth / more_pixels - labels.itemsize
    report(
        "large_image",
        size=arguments.size,
        seconds=round(peak.seconds, 1),
        megapixels_per_second=round(labels.size / 1e6 / peak.seconds, 2),
        peak_above_idle_mb=round(highest - idle),
        limit_mb=LIMIT_MB,
        within_limit=highest - idle < LIMIT_MB,
        peak_above_before_import_mb=round(highest - before_import),
        before_import_mb=round(before_import),
        idle_mb=round(idle),
        peak_mb=round(highest),
        peak_own_mb=round(peak.own),
        peak_small_own_mb=round(small_peak.own),
        hidden_bytes_per_pixel=round(hidden, 2),
        labels_dtype=str(labels.dtype),
        foreground=round(found, 3),
        tile_shape=arguments.tile,
        precision=segmenter.precision_,
    )


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--filters", type=int, default=None, help="default: default")
    parser.add_argument("--tile", type=int, default=None, help="default: default")
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.size <= SMALL:
        parser.error(f"--size must be above {SMALL}")
    return arguments


def draw_image(path, size):
    """Write discs on noise to disk, block by block; return it as a read-only memmap."""
    shape = (1, size, size)
    image = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for number, top in enumerate(range(0, size, BLOCK)):
        height = min(BLOCK, size - top)
        image[0, top : top + height] = draw(height, size, number)[0]
    image.flush()
    del image  # so that the pages written do not count as memory of the process
    return np.lib.format.open_memmap(path, mode="r")


def draw(height, width, seed):
    """Return one strip of an image and its mask."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), bool)
    for _ in range(max(1, height * width // 4000)):
        radius = int(rng.integers(6, 16))
        y, x = int(rng.integers(height)), int(rng.integers(width))
        rows = slice(max(0, y - radius), y + radius + 1)
        columns = slice(max(0, x - radius), x + radius + 1)
        grid_y, grid_x = np.ogrid[rows.start : rows.stop, columns.start : columns.stop]
        disc = (grid_y - y) ** 2 + (grid_x - x) ** 2 <= radius**2
        window = mask[rows, columns]
        window |= disc[: window.shape[0], : window.shape[1]]
    noise = rng.integers(0, 60, mask.shape, dtype=np.uint8)
    return noise + np.where(mask, np.uint8(140), np.uint8(20)), mask


def fit(arguments):
    """Return a segmenter that has seen a few batches."""
    from instantdl import SemanticSegmenter

    pairs = [draw(256, 256, 10_000 + seed) for seed in range(16)]
    parameters = {} if arguments.filters is None else {"filters": arguments.filters}
    if arguments.tile is not None:
        parameters["tile_shape"] = (arguments.tile,) * 2
    segmenter = SemanticSegmenter(epochs=arguments.epochs, random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return segmenter.fit(
            np.stack([image for image, _ in pairs]),
            np.stack([mask for _, mask in pairs]),
        )


if __name__ == "__main__":
    main()
