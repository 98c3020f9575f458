"""
Instance segmentation of touching nuclei
========================================

`InstanceSegmenter` gives every object a number, also where objects touch. It learns
from label images: 0 is the background, 1 to n are the objects.

The nuclei are drawn, and every third one lies against another.
"""

# %%
# Images and label images. The last four images test.
import numpy as np
from scipy import ndimage

from instantdl import InstanceSegmenter
from instantdl.datasets import make_nuclei
from instantdl.metrics import average_precision, match_instances
from instantdl.plotting import plot_instances

X, y = make_nuclei(24, n_nuclei=(12, 20), touching=0.35, random_state=0)
X_train, X_test, y_train, y_test = X[:20], X[20:], y[:20], y[20:]
print(X.shape, X.dtype, y.shape, y.dtype)
print("nuclei in the test images:", [int(labels.max()) for labels in y_test])

# %%
# The average precision is the number of objects that match, divided by that of all that
# are there or were found. An object matches if it overlaps a true one by more than a
# threshold. `score` is the mean over thresholds from 0.5 to 0.95.
segmenter = InstanceSegmenter(filters=8, levels=3, epochs=20, random_state=0)
segmenter.fit(X_train, y_train)
y_pred = segmenter.predict(X_test)
print(f"average precision {segmenter.score(X_test, y_test):.2f}")
print(f"at a threshold of 0.5 {average_precision(y_test, y_pred, thresholds=0.5):.2f}")

# %%
# What it is for: connected parts of the very same foreground are fewer objects. Where
# several nuclei are taken for one, they count as missed.
connected = np.stack([ndimage.label(labels > 0)[0] for labels in y_pred])
for name, labels in (("InstanceSegmenter", y_pred), ("connected parts", connected)):
    matches = [
        match_instances(*pair, threshold=0.5)
        for pair in zip(y_test, labels, strict=True)
    ]
    n_missed = sum(len(match.missed) for match in matches)
    n_spurious = sum(len(match.spurious) for match in matches)
    print(f"{name}: {n_missed} missed, {n_spurious} spurious")

# %%
# Each object can be described. ``existence`` is the part of 20 networks, sampled by
# dropout, that find it too: those that are least sure are worth a look.
found = segmenter.predict_instances(X_test, n_draws=20)
table = found[0].table[["label", "score", "area", "existence", "iou_mean"]]
print(table.sort_values("existence").round(2).head().to_string(index=False))

# %%
# Outlines of true and found nuclei, what went wrong, and how uncertain the foreground
# is.
plot_instances(
    X_test[:3], y_test[:3], y_pred[:3], segmenter.predict_uncertainty(X_test[:3])
)
