"""One look at all masks before training: classes, how many pixels, where."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from instantdl.estimators._arguments import weights_of_classes
from instantdl.images import CheckedMasks, CheckedTargets, relabel

_PLACES_PER_CLASS = 256
# Fewer may lie alike by chance.
_FEWEST_IMAGES = 8
# Channels that are further apart, as a part of the image's range, are colours.
_COLOURED = 0.05
_MOST_EMPHASIS = 8.0


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

    directed_axes : tuple of int
        Axes along which the classes lie alike in all masks: always more to one end
        of the image, or one class before the other. Mirrored along these, images
        would show what there is not.
    """

    classes: NDArray
    counts: NDArray
    places: list[list[NDArray]]
    width: float
    directed_axes: tuple[int, ...]

    def weights(self, class_weight: Any, rows: NDArray) -> NDArray[np.float64]:
        """Return the weight of each class in the loss.

        "balanced" goes by the pixels of the masks in `rows`.
        """
        counts = self.counts[rows].sum(axis=0)
        return weights_of_classes(class_weight, self.classes, counts)

    def strata(self) -> NDArray:
        """Return per mask a number that tells which classes are in it."""
        _, strata = np.unique(self.counts > 0, axis=0, return_inverse=True)
        return strata.ravel()


def survey_masks(
    masks: CheckedMasks, seed: int, *, instances: bool = False
) -> MaskSurvey:
    """Read every mask once and return what is in them.

    Parameters
    ----------
    masks : CheckedMasks
        Of the training set.

    seed : int
        Settles which places are kept.

    instances : bool, default=False
        Whether values are numbers of objects, which are then all of class 1. Their
        borders with one another count.

    Returns
    -------
    MaskSurvey
        Its size does not depend on that of the images.
    """
    found, shapes, borders = [], [], 0.0
    for index, mask in enumerate(masks):
        rng = np.random.default_rng([seed, index])
        borders += _count_borders(mask)
        if instances:
            mask = (mask != 0).astype(np.uint8)
        values, counts = np.unique(mask, return_counts=True)
        found.append((values, counts, _find_places(mask, values, rng)))
        shapes.append(mask.shape)
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
    centres = np.full((*counts.shape, masks.spatial_ndim), np.nan)
    for row, shape, (_, _, spots) in zip(centres, shapes, found, strict=True):
        for value, pixels in spots.items():
            centre = (pixels.mean(axis=0) + 0.5) / shape - 0.5
            row[np.searchsorted(classes, value)] = centre
    axes = find_directed_axes(centres)
    return MaskSurvey(classes, counts, places, float(width), axes)


@dataclass(frozen=True)
class ImageKinds:
    """Of which kind each training image is, as one stain or another.

    Attributes
    ----------
    codes : ndarray of shape (n_samples,)
        A number for each kind.
    """

    codes: NDArray[np.int64]

    def strata(self, others: NDArray[Any]) -> NDArray[np.int64]:
        """Return a number for each pair of a kind and another property of images.

        What would be alone goes by that other property only: of a single image none
        can be held back.
        """
        strata, counts = _number_pairs(others, self.codes)
        values, frequencies = np.unique(self.codes, return_counts=True)
        commonest = values[frequencies.argmax()]
        codes = np.where(counts[strata] < 2, commonest, self.codes)
        return _number_pairs(others, codes)[0]

    def emphasis(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return how often each of some images is shown, as often as a common one.

        It is the root of how much rarer its kind is: halfway between all images alike
        and all kinds alike.
        """
        _, codes, counts = np.unique(
            self.codes[rows], return_inverse=True, return_counts=True
        )
        rarity = counts.max(initial=1) / counts
        return np.minimum(np.sqrt(rarity), _MOST_EMPHASIS)[codes]


def regular_sample(shape: Sequence[int]) -> tuple[slice, ...]:
    """Return which pixels of an image to look at: some 64 to 127 along an axis.

    Parameters
    ----------
    shape : sequence of int
        Spatial size of the image.

    Returns
    -------
    tuple of slice
        All pixels of an axis that is shorter.
    """
    return tuple(slice(None, None, max(1, length // 64)) for length in shape)


def survey_kinds(images: Any, masks: Any, background: Any = 0) -> ImageKinds:
    """Tell kinds of images apart, by some pixels of each.

    Parameters
    ----------
    images : sequence of ndarray of shape (*spatial, channels)
        Of the training set.

    masks : sequence of ndarray of shape (*spatial,)
        What is marked in each.

    background : int, default=0
        The value of what is not marked.

    Returns
    -------
    ImageKinds
        Kinds are: grey or in colours, and what is marked darker or brighter than what
        is not.
    """
    codes = []
    for index, mask in enumerate(masks):
        image = images[index]
        chosen = regular_sample(mask.shape)
        pixels, marked = image[chosen].astype(np.float32), mask[chosen] != background
        low, high = np.percentile(pixels, [1, 99])
        pixels = np.clip((pixels - low) / max(high - low, 1e-9), 0, 1)
        coloured = np.ptp(pixels, axis=-1).mean() > _COLOURED
        darker = False
        if marked.any() and not marked.all():
            darker = pixels[marked].mean() < pixels[~marked].mean()
        codes.append(2 * int(coloured) + int(darker))
    return ImageKinds(np.array(codes))


@dataclass(frozen=True)
class ObjectSizes:
    """What the objects of the training images measure.

    Attributes
    ----------
    areas : ndarray of shape (n_objects,)
        In pixels.

    boxes : ndarray of shape (n_objects, n_axes)
        Lengths of the box around each.

    centres : list of ndarray of shape (n_objects, n_axes)
        Middle of the box around each object of each image.

    numbers : ndarray of shape (n_objects,)
        What they are called in the label images.
    """

    areas: NDArray[Any]
    boxes: NDArray[Any]
    centres: list[NDArray[Any]]
    numbers: NDArray[Any]

    def most_within(self, shape: Sequence[int]) -> int:
        """Return how many objects lie in the fullest cell of a grid, in any image."""
        most = 0
        for centres in self.centres:
            cells = (centres // np.asarray(shape)).astype(int)
            _, counts = np.unique(cells, axis=0, return_counts=True)
            most = max(most, int(counts.max(initial=0)))
        return most


def measure_objects(labels: Any) -> ObjectSizes:
    """Measure all objects of label images.

    Parameters
    ----------
    labels : sequence of ndarray of shape (*spatial,)
        0 is the background.

    Returns
    -------
    ObjectSizes
    """
    ndim = labels[0].ndim
    areas, boxes, centres, called = [], [], [], []
    for image in labels:
        numbers = relabel(image)
        windows = ndimage.find_objects(numbers)
        ends = np.array(
            [[(axis.start, axis.stop) for axis in window] for window in windows]
        ).reshape(-1, ndim, 2)
        areas.append(np.bincount(numbers.ravel())[1:])
        boxes.append(ends[..., 1] - ends[..., 0])
        centres.append(ends.mean(axis=-1))
        values = np.unique(image)
        called.append(values[values > 0].astype(np.int64))
    return ObjectSizes(
        np.concatenate(areas), np.concatenate(boxes), centres, np.concatenate(called)
    )


def survey_values(targets: CheckedTargets) -> tuple[int, ...]:
    """Read every target once and return the axes along which they lie alike.

    Parameters
    ----------
    targets : CheckedTargets
        Of the training set.

    Returns
    -------
    tuple of int
        See `find_directed_axes`; a channel is a class, and its place is the centre of
        mass of what is brighter than its darkest pixel.
    """
    centres = []
    for target in targets:
        axes = range(target.ndim - 1)
        values = target.astype(np.result_type(target, np.float32))
        values -= values.min(axis=tuple(axes), keepdims=True)
        places = []
        for axis in axes:
            others = tuple(other for other in axes if other != axis)
            profile = values.sum(axis=others, dtype=np.float64)
            total = profile.sum(axis=0)
            steps = (np.arange(len(profile)) + 0.5) / len(profile) - 0.5
            places.append(steps @ profile / np.where(total > 0, total, np.nan))
        centres.append(np.stack(places, axis=-1))
    return find_directed_axes(np.array(centres))


def find_directed_axes(centres: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the axes along which classes lie alike in all images.

    Parameters
    ----------
    centres : ndarray of shape (n_images, n_classes, n_axes)
        Mean place of each class as a part of the image's length, 0 in its middle; NaN
        where it is absent.

    Returns
    -------
    tuple of int
        Axes along which a class is off the middle, or two classes are apart, by more
        than 2 % of the length on average, by more than one standard deviation over
        the images, and with p < 0.001 in a t test.
    """
    n_classes = centres.shape[1]
    pairs = itertools.combinations(range(n_classes), 2)
    apart = [centres[:, i] - centres[:, j] for i, j in pairs]
    directed = set()
    for places in [*np.moveaxis(centres, 1, 0), *apart]:
        known = places[~np.isnan(places).any(axis=1)]
        if len(known) < _FEWEST_IMAGES:
            continue
        mean = np.abs(known.mean(axis=0))
        deviation = np.maximum(known.std(axis=0, ddof=1), 1e-9)
        p = 2 * stats.t.sf(mean / deviation * np.sqrt(len(known)), len(known) - 1)
        directed |= set(
            np.flatnonzero((mean > 0.02) & (mean > deviation) & (p < 0.001)).tolist()
        )
    return tuple(sorted(directed))


def _number_pairs(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray, NDArray]:
    """Return a number for each pair of codes, and how often each number is there."""
    _, numbers, counts = np.unique(
        np.stack([one, other], axis=-1),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    return numbers.ravel(), counts


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
) -> dict[Any, NDArray]:
    places = {}
    for value in values:
        flat = np.flatnonzero(mask == value)
        chosen = rng.choice(flat, min(len(flat), _PLACES_PER_CLASS), replace=False)
        places[value.item()] = np.stack(np.unravel_index(chosen, mask.shape), axis=-1)
    return places
