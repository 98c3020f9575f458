"""
Classification of whole images
==============================

`ImageClassifier` gives every image a class. Here it reads handwritten digits, which
scikit-learn brings along: 8 x 8 pixels, ten classes, thirteen writers. Who wrote which
is not told, so the same hands are in training and test.
"""

# %%
# Labels may be of any type: here they are words.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from instantdl import ImageClassifier
from instantdl.metrics import compare_uncertainty
from instantdl.plotting import (
    plot_confusion_matrix,
    plot_gallery,
    plot_uncertainty_distribution,
)

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
X, numbers = load_digits(return_X_y=True)
X, y = X.reshape(-1, 8, 8), np.array(WORDS)[numbers]
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=600, stratify=y, random_state=0
)
plot_gallery(X[:10], y[:10])

# %%
# The default network is a ResNet50; a small one does for images of this size. A digit
# must not be mirrored or turned, so there is no augmentation. The score is the area
# under the ROC curve, each class against the rest.
classifier = ImageClassifier(
    network="resnet18",
    filters=8,
    epochs=8,
    learning_rate=5e-3,
    augmentation=None,
    random_state=0,
)
classifier.fit(X_train, y_train)
y_pred = classifier.predict(X_test)
print(f"score {classifier.score(X_test, y_test):.4f}")
print(f"accuracy {np.mean(y_pred == y_test):.3f}")

# %%
# Which digits are taken for which.
counts = confusion_matrix(y_test, y_pred, labels=WORDS)
plot_confusion_matrix(counts, WORDS)

# %%
# Does it know when it is wrong? The uncertainty is that of 20 networks sampled by
# dropout, from 0 to 1; the test is that of Mann and Whitney.
uncertainty = classifier.predict_uncertainty(X_test)
wrong = y_pred != y_test
comparison = compare_uncertainty(uncertainty, wrong)
plot_uncertainty_distribution(uncertainty, wrong, pvalue=comparison.pvalue)

# %%
# The ten digits of which it is least certain. Somebody should look at these.
order = np.argsort(uncertainty)[::-1][:10]
plot_gallery(X_test[order], [f"{y_pred[i]}\ntrue: {y_test[i]}" for i in order])
