"""The picture of the README: three tasks with what is found and how sure it is.

    python examples/overview.py docs/_static/overview.png

Trains three estimators for a minute each, on one half of a slide of colon tissue that
comes with scikit-image and on drawn nuclei, and shows images that they have not seen.
"""

import sys

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from skimage.color import label2rgb, rgb2hed

from instantdl import InstanceSegmenter, PixelRegressor, SemanticSegmenter
from instantdl.datasets import load_ihc, make_nuclei

TRAINING = {"time_limit": 60, "random_state": 0}
STAIN = "staining from grey"
# Told apart by all: of Okabe and Ito.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
COLUMNS = ("image", "truth", "prediction", "uncertainty")


def main(path):
    rows = {
        "classes of pixels": segment_tissue(),
        "objects": segment_nuclei(),
        STAIN: predict_stain(),
    }
    figure = Figure(figsize=(8, 6.2), layout="constrained")
    for row, axes, (name, pictures) in zip(
        range(3), figure.subplots(3, 4), rows.items(), strict=True
    ):
        for column, axis, picture in zip(COLUMNS, axes, pictures, strict=True):
            colours = "magma" if column == "uncertainty" else "gray"
            scale = {}
            if name == STAIN and column in ("truth", "prediction"):
                # Of both alike; a few bright pixels would leave the rest dark.
                low, high = np.percentile(pictures[1], (1, 99.5))
                scale = {"vmin": low, "vmax": high}
            axis.imshow(picture, cmap=colours, **scale)
            axis.set(xticks=[], yticks=[])
            axis.set_title(column if row == 0 else "")
        axes[0].set_ylabel(name)
    figure.savefig(path, dpi=90)


def segment_tissue():
    """Return stained tissue, where it is stained, what is found, and uncertainty."""
    segmenter = SemanticSegmenter(**TRAINING).fit(*half(128, test=False))
    X, y = half(256, test=True)
    found = segmenter.predict(X[:1])[0], segmenter.predict_uncertainty(X[:1])[0]
    return X[0], y[0], *found


def segment_nuclei():
    """Return drawn nuclei, their objects, those that are found, and uncertainty."""
    X, y = make_nuclei(40, n_nuclei=(15, 20), random_state=0)
    segmenter = InstanceSegmenter(**TRAINING).fit(X[1:], y[1:])
    labels = segmenter.predict(X[:1])[0]
    colours = [to_rgb(colour) for colour in COLOURS]
    coloured = [label2rgb(one, bg_label=0, colors=colours) for one in (y[0], labels)]
    return np.squeeze(X[0]), *coloured, segmenter.predict_uncertainty(X[:1])[0]


def predict_stain():
    """Return grey tissue, its brown stain, the predicted one, and uncertainty."""
    slide = half(128, test=False)[0]
    regressor = PixelRegressor(**TRAINING, spatial_ndim=2)
    regressor.fit(grey(slide), stain(slide))
    slide = half(256, test=True)[0][:1]
    X = grey(slide)
    found = regressor.predict(X)[0], regressor.predict_uncertainty(X)[0]
    return X[0], stain(slide)[0], *found


def half(side, *, test):
    """Return tiles of one half of the slide and their masks."""
    data = load_ihc(tile_shape=(side, side))
    return data.X[data.is_test == test], data.y[data.is_test == test]


def grey(images):
    """Return the mean of the colours."""
    return np.asarray(images).mean(axis=-1)


def stain(images):
    """Return the optical density of the brown stain."""
    return rgb2hed(np.asarray(images))[..., 2].astype(np.float32)


if __name__ == "__main__":
    main(sys.argv[1])
