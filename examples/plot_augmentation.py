"""
Augmentation: what is done to an image in training
==================================================

An `Augmentation` changes images and their masks at random, anew in every epoch, so that
a network meets more than was photographed. Which changes are right is known to those
who know the images: what comes out must be an image that could have been taken.

Here is one image of stained tissue with each change on its own, stronger than one would
use it.
"""

# %%
# An augmentation takes an image as the network sees it, normalised, so that most of its
# values lie between 0 and 1.
import matplotlib.pyplot as plt
import numpy as np

from instantdl import Augmentation, SemanticSegmenter
from instantdl.datasets import load_ihc

X, y = load_ihc(tile_shape=(128, 128), return_X_y=True)
image, mask = X[4].astype(np.float32) / 255, y[4]

CHANGES = {
    "flip": True,
    "rotate90": True,
    "rotation": 45,
    "zoom": 0.5,
    "shift": 0.3,
    "shear": 30,
    "elastic": 6,
    "blur": 2,
    "noise": 0.2,
    "poisson_noise": 0.2,
    "brightness": 0.3,
    "contrast": 1,
    "gamma": 1,
    "channel_shift": 0.2,
    "invert": 1,
}


def change_by(name, strength):
    """Return the image and its mask after one change, which is made for sure."""
    off = {"flip": False, "rotate90": False, "probability": 1}
    augmentation = Augmentation(**{**off, name: strength})
    return augmentation(image, mask, rng=np.random.default_rng(9))


# %%
# The line is the border of the mask. Changes of place move it along, the others leave
# it where it is. What comes in from outside is mirrored.
shown = {"as it was": (image, mask)}
for name, strength in CHANGES.items():
    shown[f"{name}={strength}"] = change_by(name, strength)

figure, grid = plt.subplots(4, 4, figsize=(8, 8.6), layout="constrained")
for axis, (title, (changed, moved)) in zip(grid.flat, shown.items(), strict=True):
    axis.imshow(changed.clip(0, 1))
    axis.contour(moved, levels=[0.5], colors="yellow", linewidths=1.5)
    axis.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# Several changes at once are made in one step, so pixels are interpolated once. Each is
# drawn with a probability of one half, unless ``probability`` says otherwise.
augmentation = Augmentation(
    rotation=20, zoom=0.2, elastic=2, brightness=0.1, contrast=0.2, channel_shift=0.1
)
rng = np.random.default_rng(0)
figure, grid = plt.subplots(2, 4, figsize=(8, 4.1), layout="constrained")
for axis in grid.flat:
    drawn, moved = augmentation(image, mask, rng=rng)
    axis.imshow(drawn.clip(0, 1))
    axis.contour(moved, levels=[0.5], colors="yellow", linewidths=1.5)
    axis.set(xticks=[], yticks=[])
plt.show()

# %%
# It is a parameter of every estimator; their default, ``"auto"``, is a moderate one for
# the task. Where left and right or up and down matter, as in letters or in scans of a
# body, switch off what would exchange them.
segmenter = SemanticSegmenter(augmentation=augmentation)
upright = SemanticSegmenter(
    augmentation=Augmentation(flip=False, rotate90=False, rotation=10)
)
