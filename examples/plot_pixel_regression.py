"""
In-silico staining by pixel-wise regression
===========================================

`PixelRegressor` predicts a real value for every pixel. The best-known use is a stain
without staining: it learns from pairs of images what a fluorescent marker would show
where only transmitted light was measured.

Such pairs need a microscope. These ones are drawn: nuclei, which the marker stains, and
small vesicles, which it does not. Both are transparent, so transmitted light shows
where their thickness bends and not how thick they are.
"""

# %%
# The marker shows the nuclei alone. In transmitted light a nucleus is a bright ring
# with texture, a vesicle a bright dot, and the camera adds noise.
import numpy as np
from scipy.ndimage import gaussian_laplace

from instantdl import PixelRegressor
from instantdl.datasets import make_nuclei
from instantdl.metrics import mean_absolute_error, pearson
from instantdl.plotting import plot_regressions, plot_scatter

marker, _ = make_nuclei(28, noise=0, random_state=0)
vesicles, _ = make_nuclei(
    28, n_nuclei=(10, 20), radius=(2, 3.5), noise=0, random_state=1
)
thickness = marker.astype(float) + vesicles
light = np.stack([1000 - gaussian_laplace(image, 1.5) for image in thickness])
light += np.random.default_rng(0).normal(0, 15, light.shape)

X_train, y_train = light[:24], marker[:24]
X_test, y_test = light[24:], marker[24:]

# %%
# Targets keep their own units: the regressor scales them inside and scales predictions
# back. The score is Pearson's correlation, the mean over images.
regressor = PixelRegressor(filters=8, levels=3, epochs=10, random_state=0)
regressor.fit(X_train, y_train)
y_pred = regressor.predict(X_test)
print(f"correlation of the light with the marker {pearson(y_test, X_test):.3f}")
print(f"correlation of the prediction with it    {pearson(y_test, y_pred):.3f}")
print(f"score {regressor.score(X_test, y_test):.3f}")
print(f"mean absolute error {mean_absolute_error(y_test, y_pred):.0f} grey values")

# %%
# Most vesicles are gone and nuclei are filled. What is left lies where vesicles touch
# each other or a nucleus. The uncertainty is a standard deviation in the unit of the
# target, that of 20 networks sampled by dropout; it is high there, too.
uncertainty = regressor.predict_uncertainty(X_test[:3])
plot_regressions(X_test[:3], y_test[:3], y_pred[:3], uncertainty, unit="grey values")

# %%
# All pixels of the test images at once. Bright nuclei are predicted too dark: where
# light tells little, the mean is the best guess.
plot_scatter(y_test, y_pred, unit="grey values")
