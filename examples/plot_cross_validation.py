"""
Cross-validation with groups: how a random split deceives
=========================================================

Images of one patient, slide or plate resemble each other. If some of them train and
others test, a network that recognises the patient knows the answer without having
learnt anything of the disease. `groups` keep each patient on one side.

To see the difference, here are drawn images in which there is nothing to learn: every
patient has a stain of its own, and whether it is ill was drawn by lot.
"""

# %%
# Five images from each of 60 patients. Nuclei are drawn alike for all of them; only the
# colours of stain and background are the patient's.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from instantdl import ImageClassifier
from instantdl.datasets import make_nuclei

N_PATIENTS, N_IMAGES = 60, 5
patients = np.repeat(np.arange(N_PATIENTS), N_IMAGES)
nuclei, _ = make_nuclei(
    len(patients), shape=(16, 16), n_nuclei=(1, 3), radius=(2, 3.5), random_state=0
)
rng = np.random.default_rng(0)
stain = rng.uniform(30, 150, (N_PATIENTS, 3))[patients, None, None]
background = rng.uniform(0, 100, (N_PATIENTS, 3))[patients, None, None]
X = (nuclei[..., np.newaxis] / nuclei.max() * stain + background).astype(np.uint8)

is_ill = rng.permutation(N_PATIENTS) < N_PATIENTS // 2
y = np.where(is_ill[patients], "ill", "well")

figure, grid = plt.subplots(2, 5, figsize=(7, 3.2), layout="constrained")
for axis, image, patient, label in zip(grid.flat, X, patients, y, strict=False):
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"patient {patient}: {label}", fontsize=9)
plt.show()

# %%
# A random split puts images of nearly every patient on both sides. The score is the
# area under the ROC curve, of which 0.5 is guessing.
classifier = ImageClassifier(
    network="resnet18",
    filters=8,
    epochs=9,
    learning_rate=5e-3,
    augmentation=None,
    validation_fraction=0,
    random_state=0,
)
by_image = cross_val_score(
    classifier, X, y, cv=StratifiedKFold(3, shuffle=True, random_state=0)
)
print("by image:", by_image.round(2), "mean", by_image.mean().round(2))

# %%
# A split by patient has it judge patients that it has not seen. `groups` are given
# twice: to the folds, and by ``params`` to `fit`. There they keep patients apart where
# images are held back to choose the best weights, as by default a tenth is; here none
# are.
by_patient = cross_val_score(
    classifier,
    X,
    y,
    groups=patients,
    cv=StratifiedGroupKFold(3),
    params={"groups": patients},
)
print("by patient:", by_patient.round(2), "mean", by_patient.mean().round(2))

# %%
# The first result looks like a discovery, and the second is the truth.
figure, axis = plt.subplots(figsize=(5, 3.5), layout="constrained")
for place, scores in enumerate((by_image, by_patient)):
    axis.plot([place] * len(scores), scores, "o", color="black", alpha=0.6)
    axis.plot([place - 0.2, place + 0.2], [scores.mean()] * 2, color="tab:blue")
axis.axhline(0.5, color="grey", linestyle="--", label="guessing")
axis.set_xticks([0, 1], ["split by image", "split by patient"])
axis.set(xlim=(-0.6, 1.6), ylim=(0, 1.02), ylabel="area under the ROC curve")
axis.legend(loc="lower left")
plt.show()
