"""What an inspection keeps of a target, and what holds for each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from instantdl.pipeline._inspect_facts import ImageFacts, blocks, count_not_finite
from instantdl.pipeline._inspect_report import Findings

# A mask of more values is hardly one of classes; their counts are not kept.
MOST_VALUES = 256
# Below that, values are counted rather than sorted.
_MOST_COUNTED = 2**20
# Beyond that numbers are hardly those of classes or objects.
_TOO_LARGE = 2**53
# Values whose pixels fill more of their bounding boxes, in the middle, are objects.
_COMPACT = 0.3
# Share of neighbours that differ, from which on other values are those of a photo.
_PHOTO = 0.3
# In a mask that was stored with loss, pixels between the two ends are fewer than this
# for each at the rarer end; in one that was interpolated, so many have its two values.
_LOSSY, _ENDS = 0.3, 0.8
# Two values that are nearer to each other leave no room between.
_LEAST_SPAN = 100
# Fragments of this many pixels are no objects.
_SPECK = 4


@dataclass(frozen=True)
class TargetFacts:
    """What is kept of a target."""

    where: str
    shape: tuple[int, ...]
    dtype: str
    # None without an axis of channels.
    n_channels: int | None
    low: float
    high: float
    n_not_finite: int = 0
    # Masks: a value that is no whole number, if there is one.
    fraction: float | None = None
    n_values: int = 0
    # Pixels of each value; empty where there are too many values.
    counts: dict[int, int] | None = None
    # What the values look like: "labels", "photo", "lossy" or nothing of these.
    looks_like: str | None = None
    # Parts of the foreground, where it is of one value.
    n_parts: int = 0
    n_pixels: int = 0
    n_foreground: int = 0

    @property
    def greatest(self) -> float:
        """The greatest absolute value."""
        return max(abs(self.low), abs(self.high))

    @property
    def n_objects(self) -> int:
        """Values other than 0."""
        return self.n_values - (self.n_foreground < self.n_pixels)


def target_facts(
    where: str, target: NDArray[Any], spatial_ndim: int, *, is_mask: bool
) -> TargetFacts:
    """Return what is kept of a target.

    Parameters
    ----------
    where : str
        Its file, for messages.

    target : ndarray
        Mask, label image, or image to be predicted.

    spatial_ndim : int
        Spatial axes of its image.

    is_mask : bool
        Whether its values are classes or labels.

    Returns
    -------
    TargetFacts
        A few kilobytes at most.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_targets import target_facts
    >>> mask = np.zeros((8, 8), np.uint8)
    >>> mask[1:4, 1:4] = mask[5:8, 5:8] = 7
    >>> facts = target_facts("a.png", mask, 2, is_mask=True)
    >>> facts.counts, facts.n_objects, facts.n_parts
    ({0: 46, 7: 18}, 1, 2)
    """
    n_bad = sum(count_not_finite(block) for block in blocks(target))
    finite = target[np.isfinite(target)] if n_bad else target
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    facts = TargetFacts(
        where=where,
        shape=target.shape,
        dtype=str(target.dtype),
        n_channels=target.shape[-1] if target.ndim > spatial_ndim else None,
        low=float(low),
        high=float(high),
        n_not_finite=n_bad,
    )
    if not is_mask or n_bad:
        return facts
    if target.dtype.kind == "f":
        broken = target[target != np.round(target)]
        if broken.size:
            return _replace(facts, fraction=float(broken.flat[0]))
    if facts.greatest >= _TOO_LARGE:
        return facts
    return _mask_facts(facts, _as_integers(target))


def check_target(
    facts: TargetFacts, image: ImageFacts, *, is_mask: bool, found: Findings
) -> bool:
    """Note what is wrong with a target whatever the others are like.

    Parameters
    ----------
    facts : TargetFacts
        The target.

    image : ImageFacts
        Its image.

    is_mask : bool
        Whether its values are classes or labels.

    found : Findings
        Grows by what is wrong.

    Returns
    -------
    bool
        Whether its values can be looked at further.
    """
    fits = _check_shape(facts, image, is_mask, found)
    if facts.n_not_finite:
        found.problem(
            facts.where,
            "a target must hold finite numbers",
            f"NaN, inf or what is too large for float32 in {facts.n_not_finite} values",
            "Replace them, or leave the image out.",
        )
    elif facts.fraction is not None:
        found.problem(
            facts.where,
            "a mask must hold whole numbers",
            f"{facts.dtype} with values such as {facts.fraction:g}",
            "Save the number of its class or object for each pixel; for real values"
            " the task is regression.",
        )
    elif is_mask and facts.greatest >= _TOO_LARGE:
        found.problem(
            facts.where,
            "the values of a mask must be numbers of classes or objects",
            f"{facts.greatest:g}",
            "Number them anew.",
        )
        return False
    elif is_mask and facts.dtype.startswith("float"):
        found.warning(
            facts.where,
            "a mask should be saved as integers",
            f"{facts.dtype} with whole numbers",
            "It is read as such; save it as uint8 or uint16.",
        )
    return fits and not facts.n_not_finite and facts.fraction is None


def _check_shape(
    facts: TargetFacts, image: ImageFacts, is_mask: bool, found: Findings
) -> bool:
    size, ndim = image.spatial_shape, image.spatial_ndim
    if facts.shape[:ndim] != size or len(facts.shape) < ndim:
        turned = len(size) == 2 and facts.shape[:2] == size[::-1]
        found.problem(
            facts.where,
            "a target must have the size of its image",
            f"shape {facts.shape} for {image.where} of shape {image.shape}",
            "One of them may be turned or transposed: export both again."
            if turned
            else "Export both again at one size, or leave them out.",
        )
        return False
    if len(facts.shape) > ndim + (not is_mask):
        colours = facts.shape[-1] in (3, 4)
        found.problem(
            facts.where,
            "a mask must have no channels"
            if is_mask
            else "a target must have at most one axis of channels",
            f"shape {facts.shape} for {image.where} of shape {image.shape}",
            "Save a number for each pixel instead of its colour."
            if colours
            else "Drop its last axis.",
        )
        return False
    return True


def _replace(facts: TargetFacts, **changes: Any) -> TargetFacts:
    return TargetFacts(**{**vars(facts), **changes})


def _as_integers(mask: NDArray[Any]) -> NDArray[Any]:
    """Return a mask in an integer dtype that labelling takes, a view if it can be."""
    if mask.dtype.kind == "b":
        return mask.view(np.uint8)
    is_plain = mask.dtype.kind in "iu" and mask.dtype != np.uint64
    return mask if is_plain else mask.astype(np.int64)


def _mask_facts(facts: TargetFacts, mask: NDArray[Any]) -> TargetFacts:
    values, counts = _count_values(mask, int(facts.low), int(facts.high))
    pixels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    n_foreground = mask.size - pixels.get(0, 0)
    n_parts = 0
    if len(values) <= 2 and n_foreground:
        n_parts = _count_parts(mask != 0)
    return _replace(
        facts,
        n_values=len(values),
        counts=pixels if len(values) <= MOST_VALUES else {},
        looks_like=_look(mask, values, counts) if len(values) > 2 else None,
        n_parts=n_parts,
        n_pixels=mask.size,
        n_foreground=n_foreground,
    )


def _count_values(
    mask: NDArray[Any], low: int, high: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if high - low >= _MOST_COUNTED:
        values, counts = np.unique(mask, return_counts=True)
        return values, counts
    counts = np.zeros(high - low + 1, np.int64)
    for block in blocks(mask):
        positions = block.ravel().astype(np.int64) - low
        counts += np.bincount(positions, minlength=len(counts))
    values = np.flatnonzero(counts)
    return values + low, counts[values]


def _count_parts(inside: NDArray[np.bool_]) -> int:
    """Return how many connected parts there are, without specks."""
    parts, _ = ndimage.label(inside, structure=np.ones((3,) * inside.ndim))
    return int(np.count_nonzero(np.bincount(parts.ravel())[1:] > _SPECK))


def _look(
    mask: NDArray[Any], values: NDArray[np.int64], counts: NDArray[np.int64]
) -> str | None:
    """Return what a mask of more than two values looks like."""
    if _is_compact(mask, values, counts):
        return "labels"
    if _is_lossy(values, counts):
        return "lossy"
    row = mask.ravel()
    return "photo" if np.mean(row[1:] != row[:-1]) > _PHOTO else None


def _is_lossy(values: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    """Tell whether all values but two come of compression or interpolation."""
    span = int(values[-1]) - int(values[0])
    if span < _LEAST_SPAN:
        return False
    below = values <= values[0] + 0.1 * span
    above = values >= values[-1] - 0.1 * span
    between = ~(below | above)
    # Compression makes values near both ends. One value apart means "not known".
    if below.sum() > 1 and above.sum() > 1:
        rarer = min(counts[below].sum(), counts[above].sum())
        if counts[between].sum() < _LOSSY * rarer:
            return True
    # Interpolation leaves the ends, the commonest values, and fills what is between.
    commonest = set(np.argsort(counts)[-2:].tolist()) == {0, len(values) - 1}
    ends = counts[0] + counts[-1]
    return bool(commonest and between.sum() > 3 and ends > _ENDS * counts.sum())


def _is_compact(
    mask: NDArray[Any], values: NDArray[np.int64], counts: NDArray[np.int64]
) -> bool:
    """Tell whether most values have their pixels in one place, as objects have."""
    large = values[(counts > _SPECK) & (values > 0)]
    if 2 * len(large) < len(values) - 1 or not len(large):
        return False
    if values[0] < 0 or values[-1] >= _MOST_COUNTED:
        _, inverse = np.unique(mask, return_inverse=True)
        large = np.searchsorted(values, large) + 1
        mask = inverse.reshape(mask.shape) + 1
    windows = ndimage.find_objects(mask)
    filled = [np.mean(mask[windows[label - 1]] == label) for label in large]
    return bool(np.median(filled) > _COMPACT)
