"""
Volumes
=======

All that segments or predicts pixels in 2D does so in 3D, by the same classes: the
number of axes of the target tells which it is. The nuclei in these volumes are drawn,
and many of them touch.
"""

# %%
# Axes are depth, height and width; a last one for channels may be left out.
from scipy import ndimage

from instantdl import InstanceSegmenter
from instantdl.datasets import make_nuclei
from instantdl.metrics import average_precision
from instantdl.plotting import plot_instances

shape = (16, 64, 64)
X, y = make_nuclei(
    10, shape=shape, n_nuclei=(10, 16), radius=(5, 8), touching=0.4, random_state=0
)
X_train, X_test, y_train, y_test = X[:8], X[8:], y[:8], y[8:]
print(X.shape, X.dtype, y.shape, y.dtype)

# %%
# Nothing else is different from images of two axes. The network halves the resolution
# twice, along the depth, which is short, only once.
segmenter = InstanceSegmenter(filters=8, levels=2, epochs=30, random_state=0)
segmenter.fit(X_train, y_train)
y_pred = segmenter.predict(X_test)
print(f"network for {segmenter.spatial_ndim_in_} axes, strides {segmenter.strides_}")
connected = [ndimage.label(labels > 0)[0] for labels in y_pred]
precision = average_precision(y_test, y_pred, thresholds=0.5)
of_connected = average_precision(y_test, connected, thresholds=0.5)
print(f"average precision at 0.5: {precision:.2f}")
print(f"by connected parts of its foreground: {of_connected:.2f}")

# %%
# Sizes and places of objects are in voxels, along each axis.
table = segmenter.predict_instances(X_test[:1])[0].table
print(table.filter(regex="label|score|area|centroid").round(1).head().to_string())

# %%
# The middle plane of each volume and, below it, the section along the depth. A last
# axis of one channel tells the figure that these are volumes.
plot_instances(X_test[..., None], y_test, y_pred)
