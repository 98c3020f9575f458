"""
Objects from binary masks
=========================

Many data sets mark what is an object and what is background, but not where one object
ends and the next begins. `label_mask` gives every object a number and parts those that
touch where they are narrow, so that such masks can teach an `InstanceSegmenter`.

Here the truth is known, as the nuclei are drawn: how many come back?
"""

# %%
# Nuclei, some of which touch, and all that a binary mask tells of them.
import matplotlib.pyplot as plt
from scipy import ndimage

from instantdl.datasets import make_nuclei
from instantdl.images import label_mask
from instantdl.metrics import average_precision, match_instances

X, y = make_nuclei(
    4, shape=(192, 256), n_nuclei=(35, 45), radius=(7, 12), random_state=0
)
masks = y > 0

# %%
# Connected parts take all that touches for one. `label_mask` looks for the middles of
# objects first; `min_distance` is how far apart these are at least, so about the radius
# of the smallest objects.
connected = [ndimage.label(mask)[0] for mask in masks]
parted = [label_mask(mask, min_distance=6, min_size=20) for mask in masks]

for name, labels in (("connected parts", connected), ("label_mask", parted)):
    score = average_precision(y, labels, thresholds=0.5)
    counts = [int(image.max()) for image in labels]
    print(f"{name}: {counts} objects, average precision at 0.5 {score:.2f}")
print("truth:", [int(image.max()) for image in y])

# %%
# What is still missed: nuclei of which little can be seen behind others.
matches = match_instances(y[0], parted[0], threshold=0.5)
print(f"{len(matches.missed)} missed and {len(matches.spurious)} spurious in image 0")

figure, axes = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
for axis, title, image in zip(
    axes,
    ("image", "connected parts", "label_mask"),
    (X[0], connected[0], parted[0]),
    strict=True,
):
    if title == "image":
        axis.imshow(image, cmap="gray")
    else:
        axis.imshow(image % 20 + (image > 0), cmap="tab20", interpolation="nearest")
    axis.set(title=title, xticks=[], yticks=[])
plt.show()
