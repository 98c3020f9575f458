"""
Does uncertainty find errors?
=============================

`predict_uncertainty` samples networks by dropout and tells how much they disagree. That
is of use if predictions are wrong where it is high. Whether they are can be measured,
where the truth is known.

The images are drawn nuclei: faint, noisy, and with blurred borders.
"""

# %%
# Some images to learn from, and some to test on.
import numpy as np

from instantdl import SemanticSegmenter
from instantdl.datasets import make_nuclei
from instantdl.metrics import error_auroc
from instantdl.pipeline import evaluate
from instantdl.plotting import plot_calibration, plot_predictions, plot_risk_coverage

X, labels = make_nuclei(32, shape=(96, 96), blur=2, noise=3, random_state=0)
y = labels > 0
segmenter = SemanticSegmenter(filters=8, levels=3, epochs=20, random_state=0)
segmenter.fit(X[:20], y[:20])
X_test, y_test = X[20:], y[20:]

# %%
# Where it is high: along the borders, which blur and noise have hidden. Most errors are
# there, too.
y_pred = segmenter.predict(X_test)
probability = segmenter.predict_proba(X_test)[..., 1]
uncertainty = segmenter.predict_uncertainty(X_test)
plot_predictions(X_test[:3], y_test[:3], y_pred[:3], uncertainty[:3])

# %%
# `evaluate` measures it, for arrays of any task. The area under the ROC curve is the
# probability that of a wrong and a right pixel the wrong one is the more uncertain: 0.5
# is chance, 1 perfect.
evaluation = evaluate(
    "semantic_segmentation",
    y_test,
    y_pred,
    probability=probability,
    uncertainty=uncertainty,
)
figures = evaluation.uncertainty
print(f"wrong pixels {figures['n_wrong'] / y_test.size:.1%}")
print(f"median uncertainty of right pixels {figures['median_correct']:.2f}")
print(f"median uncertainty of wrong pixels {figures['median_wrong']:.2f}")
print(f"area under the ROC curve {figures['error_auroc']:.3f}")

# %%
# The total uncertainty has two parts. What more training images would not settle is
# aleatoric, as noise is; what the networks disagree about is epistemic.
for kind in ("total", "aleatoric", "epistemic"):
    part = segmenter.predict_uncertainty(X_test, kind=kind)
    area = error_auroc(part, y_pred != y_test)
    print(f"{kind}: mean {part.mean():.3f}, area under the ROC curve {area:.3f}")

# %%
# What it is good for: put the least certain pixels aside for somebody to look at, and
# the share of errors among the others falls. "By true error" is the best that any order
# could do: all wrong pixels are put aside first.
curve = evaluation.risk_coverage
kept = curve["coverage"].to_numpy()
share = np.mean(y_pred != y_test)
plot_risk_coverage(
    kept,
    curve["error"],
    best=np.maximum(0, 1 - (1 - share) / kept),
    area=figures["risk_coverage_area"],
    risk_name="share of wrong pixels",
)

# %%
# Another question is whether probabilities can be taken at their word: of pixels that
# belong to a nucleus with a probability of 70 %, do 70 %? Below the line the network is
# too confident, above it not confident enough.
bins = evaluation.calibration
plot_calibration(
    bins["mean_probability"],
    bins["observed"],
    bins["n"],
    error=evaluation.metrics.loc["expected_calibration_error", "value"],
    unit="pixels",
)
