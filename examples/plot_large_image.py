"""
Large images: tiles leave no seams
==================================

An image that is too large for the memory is predicted in tiles. Who cuts it by hand
gets seams, since a network that sees only a tile does not know what lies beside it. The
estimators cut with a margin and join the middles, so the size of the tiles decides
about time and memory, not about the result.
"""

# %%
# A segmenter that has learnt from images of 96 x 96 pixels, and an image that is a
# hundred times as large. In single precision results can be compared digit by digit.
import matplotlib.pyplot as plt
import numpy as np

from instantdl import SemanticSegmenter
from instantdl.datasets import make_nuclei

X, labels = make_nuclei(16, shape=(96, 96), random_state=0)
segmenter = SemanticSegmenter(
    filters=8, levels=3, epochs=10, precision="float32", random_state=0
)
segmenter.fit(X, labels > 0)

large, _ = make_nuclei(1, shape=(960, 960), n_nuclei=(500, 500), random_state=1)
print(f"margin around a tile: {segmenter.margin_} pixels")

# %%
# As a whole, and in tiles of two sizes. `tile_shape` may be changed after the training.
whole = segmenter.set_params(tile_shape=(960, 960)).predict_proba(large)[0, ..., 1]
for side in (100, 320):
    segmenter.set_params(tile_shape=(side, side))
    tiled = segmenter.predict_proba(large)[0, ..., 1]
    print(f"tiles of {side}: largest difference {np.abs(tiled - whole).max():.1e}")

# %%
# The same tiles of 320 pixels, cut by hand and predicted as images of their own. Each
# is scaled by its own darkest and brightest pixels and ends where it was cut.
by_hand = np.empty_like(whole)
for top in range(0, 960, 320):
    for left in range(0, 960, 320):
        place = np.s_[top : top + 320, left : left + 320]
        tile = large[0][place]
        by_hand[place] = segmenter.predict_proba([tile])[0][..., 1]
print(f"cut by hand: largest difference {np.abs(by_hand - whole).max():.1e}")

# %%
# Where they differ from the whole: nowhere, and at the seams and edges of nuclei.
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
axes[0].imshow(large[0], cmap="gray", vmax=np.percentile(large, 99.5))
axes[0].set_title("image")
for axis, title, result in (
    (axes[1], "tile_shape=(320, 320)", tiled),
    (axes[2], "cut by hand", by_hand),
):
    shown = axis.imshow(np.abs(result - whole), cmap="magma", vmin=0, vmax=0.2)
    axis.set_title(title)
figure.colorbar(shown, ax=axes[1:], label="difference of the probability", extend="max")
for axis in axes:
    axis.set(xticks=[], yticks=[])
plt.show()
