"""One look at all masks before training: classes, how many pixels, where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.estimators._base import weights_of_classes
from instantdl.images import CheckedMasks

_PLACES_PER_CLASS = 256


@dataclass(frozen=True)
class MaskSurvey:
    """What is in the masks of a training set.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted values.

    counts : ndarray of shape (n_samples, n_classes)
        Pixels of each class in each mask.

    places : list of list of ndarray of shape (n_places, n_axes)
        Per mask and class, without the first class, some of its pixels.

    width : float
        How wide the marked areas are, in pixels: 4 times their area by the length of
        their borders, which for a disc is its diameter. The area is that of the
        first class where this is the smaller part.
    """

    classes: NDArray
    counts: NDArray
    places: list[list[NDArray]]
    width: float

    def weights(self, class_weight: Any, rows: NDArray) -> NDArray[np.float64]:
        """Return the weight of each class in the loss.

        "balanced" goes by the pixels of the masks in `rows`.
        """
        if class_weight is None:
            return np.ones(len(self.classes))
        if isinstance(class_weight, dict):
            return weights_of_classes(class_weight, self.classes)
        pixels = np.maximum(self.counts[rows].sum(axis=0), 1)
        return pixels.sum() / (len(pixels) * pixels)

    def strata(self) -> NDArray:
        """Return per mask a number that tells which classes are in it."""
        _, strata = np.unique(self.counts > 0, axis=0, return_inverse=True)
        return strata.ravel()


def survey_masks(masks: CheckedMasks, seed: int) -> MaskSurvey:
    """Read every mask once and return what is in them.

    Parameters
    ----------
    masks : CheckedMasks
        Of the training set.

    seed : int
        Settles which places are kept.

    Returns
    -------
    MaskSurvey
        Its size does not depend on that of the images.
    """
    found, borders = [], 0.0
    for index, mask in enumerate(masks):
        rng = np.random.default_rng([seed, index])
        values, counts = np.unique(mask, return_counts=True)
        borders += _count_borders(mask)
        found.append((values, counts, _find_places(mask, values, rng)))
    classes = np.unique(np.concatenate([values for values, _, _ in found]))
    counts = np.zeros((len(found), len(classes)), np.int64)
    for row, (values, value_counts, _) in zip(counts, found, strict=True):
        row[np.searchsorted(classes, values)] = value_counts
    places = [
        [spots[value] for value in classes[1:].tolist() if value in spots]
        for _, _, spots in found
    ]
    first, all_pixels = counts[:, 0].sum(), counts.sum()
    width = 4 * min(first, all_pixels - first) / max(borders, 1)
    return MaskSurvey(classes, counts, places, float(width))


def _count_borders(mask: NDArray) -> float:
    """Return about how many pixels long the borders between classes are."""
    steps = 0
    for axis in range(mask.ndim):
        ahead = np.moveaxis(mask, axis, 0)
        steps += int(np.count_nonzero(ahead[1:] != ahead[:-1]))
    # a slanting border crosses more pixel edges than its length, 4 / pi on average
    return steps * np.pi / 4


def _find_places(
    mask: NDArray, values: NDArray, rng: np.random.Generator
) -> dict[object, NDArray]:
    places = {}
    for value in values:
        flat = np.flatnonzero(mask == value)
        chosen = rng.choice(flat, min(len(flat), _PLACES_PER_CLASS), replace=False)
        places[value.item()] = np.stack(np.unravel_index(chosen, mask.shape), axis=-1)
    return places
