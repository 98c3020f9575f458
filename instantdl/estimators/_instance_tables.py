"""Objects of an image as a table, and how sure it is that they are there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from instantdl.metrics import match_instances

_AXES = {2: ("row", "column"), 3: ("plane", "row", "column")}


@dataclass(frozen=True)
class Instances:
    """The objects of one image.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,), int32
        0 is the background, objects are 1 to n.

    table : pandas.DataFrame
        One row for each object, see `InstanceSegmenter.predict_instances`.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from instantdl.estimators import Instances
    >>> labels = np.array([[0, 1]], np.int32)
    >>> len(Instances(labels, pd.DataFrame({"label": [1]})).table)
    1
    """

    labels: NDArray[np.int32]
    table: pd.DataFrame

    def classes(self) -> dict[int, Any]:
        """Return the class of each object, by its number.

        Returns
        -------
        dict
            With `labels` the pair that `InstanceSegmenter.fit` takes.
        """
        columns = self.table["label"].tolist(), self.table["class"].tolist()
        return dict(zip(*columns, strict=True))


def describe_instances(
    labels: NDArray, scores: NDArray, kinds: NDArray
) -> pd.DataFrame:
    """Return label, score, class, size and place of each object of an image.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Objects are 1 to n.

    scores, kinds : ndarray of shape (n,)
        How sure each object is, and its class.

    Returns
    -------
    pandas.DataFrame
        One row for each object.
    """
    n = int(labels.max(initial=0))
    numbers = np.arange(1, n + 1)
    table = {
        "label": numbers,
        "score": scores,
        "class": kinds,
        "area": np.bincount(labels.ravel(), minlength=n + 1)[1:],
    }
    windows = ndimage.find_objects(labels)
    centres = np.reshape(
        ndimage.center_of_mass(labels > 0, labels, numbers) if n else [],
        (n, labels.ndim),
    )
    for axis, name in enumerate(_AXES[labels.ndim]):
        table[f"centroid_{name}"] = centres[:, axis]
        table[f"start_{name}"] = np.array([w[axis].start for w in windows], int)
        table[f"stop_{name}"] = np.array([w[axis].stop for w in windows], int)
    return pd.DataFrame(table)


def overlap_with(labels: NDArray, drawn: NDArray) -> NDArray[np.float64]:
    """Return how far each object overlaps with the one of another image that matches.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Objects are 1 to n.

    drawn : ndarray of shape (*spatial,)
        Another label image.

    Returns
    -------
    ndarray of shape (n,)
        Intersection over union, 0 where there is none.
    """
    overlap = np.zeros(int(labels.max(initial=0)))
    matches = match_instances(labels, drawn, threshold=0.0)
    overlap[matches.true - 1] = matches.iou
    return overlap


def describe_draws(
    labels: NDArray, overlaps: NDArray, entropy: NDArray
) -> pd.DataFrame:
    """Return how steadily each object of an image is found by sampled networks.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        Objects are 1 to n.

    overlaps : ndarray of shape (n_draws, n)
        From `overlap_with`, of each sampled network.

    entropy : ndarray of shape (*spatial,)
        Uncertainty of each pixel.

    Returns
    -------
    pandas.DataFrame
        "existence": in which part of the draws an object overlaps with it by more
        than half of their union; "iou_mean" and "iou_std": of that overlap over all
        draws, 0 where there is none; "uncertainty": mean over its pixels.
    """
    numbers = np.arange(1, overlaps.shape[1] + 1)
    return pd.DataFrame(
        {
            "existence": (overlaps > 0.5).mean(axis=0),
            "iou_mean": overlaps.mean(axis=0),
            "iou_std": overlaps.std(axis=0),
            "uncertainty": ndimage.mean(entropy, labels, numbers)
            if len(numbers)
            else [],
        },
        dtype=float,
    )
