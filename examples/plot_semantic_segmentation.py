"""
Semantic segmentation of stained tissue
=======================================

`SemanticSegmenter` gives every pixel a class. Here it learns to mark the epithelium
that an antibody stains brown, in an image that scikit-image brings along: the left half
of the section trains it, the right half tests it.

The masks come from a fixed recipe of colour deconvolution and a threshold, see
`load_ihc`, not from an expert. So this shows how it is done, not how good it gets.
"""

# %%
# Images and masks are arrays. Small tiles of the left half train, and two large ones of
# the right half test: images need not have one size.
from instantdl import SemanticSegmenter
from instantdl.datasets import load_ihc
from instantdl.metrics import dice, jaccard
from instantdl.plotting import plot_learning_curves, plot_predictions

X, y = load_ihc(tile_shape=(128, 128), return_X_y=True)
X_train, y_train = X[:8], y[:8]
X, y = load_ihc(tile_shape=(256, 256), return_X_y=True)
X_test, y_test = X[2:], y[2:]
for part, images, masks in (("train", X_train, y_train), ("test", X_test, y_test)):
    print(part, images.shape, images.dtype, masks.shape, masks.dtype)

# %%
# A small network and few epochs make this page in seconds; for your own images leave
# them out. Images are scaled one by one unless told otherwise. These are all of one
# stain under one lamp, so a colour means the same in each: ``"dataset"`` scales them
# all alike, also a tile that has no stain at all.
segmenter = SemanticSegmenter(
    filters=8, levels=3, epochs=14, normalization="dataset", random_state=0
)
segmenter.fit(X_train, y_train)
plot_learning_curves(segmenter.history_, segmenter.best_epoch_)

# %%
# The Jaccard index is the area that truth and prediction share, as a part of what
# either marks. `score` gives it over all pixels, `jaccard` also for each image.
y_pred = segmenter.predict(X_test)
print(f"Jaccard index {segmenter.score(X_test, y_test):.3f}")
print("of each image:", jaccard(y_test, y_pred, per_image=True).round(3))
print(f"Dice coefficient {dice(y_test, y_pred):.3f}")
print(f"Jaccard index if every pixel were marked {y_test.mean():.3f}")

# %%
# What was right and wrong, and how uncertain each pixel is: from 0, certain, to 1, both
# classes alike. For this 20 networks are sampled by dropout.
uncertainty = segmenter.predict_uncertainty(X_test)
plot_predictions(X_test, y_test, y_pred, uncertainty, names=["upper", "lower"])
