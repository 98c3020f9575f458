"""Objects that are boxes with a mask each, as label images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DetectedObjects", "join_detections"]

# Of two tiles, boxes that overlap by more than this mean one object.
_SAME_OBJECT = 0.5
# How close to a border, in pixels, a box may be cut off by it, or the centre of one
# may lie for both sides to be in charge: tiles place the same object a little apart.
_CUT_WITHIN = _SHARED_WITHIN = 2.0


@dataclass
class DetectedObjects:
    """Objects of one image, each a box and a mask that is stretched over it.

    Parameters
    ----------
    boxes : ndarray of shape (n_objects, 4)
        First row, first column, end row and end column, in pixels.

    scores : ndarray of shape (n_objects,)
        How sure each is, in [0, 1].

    kinds : ndarray of shape (n_objects,)
        Class of each, from 1 on.

    masks : ndarray of shape (n_objects, height, width)
        How probable it is that a part of the box belongs to the object.

    shape : tuple of int
        Height and width of the image.

    groups : ndarray of shape (n_objects,) or None, default=None
        Equal numbers for pieces of one object; None where all are whole.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import DetectedObjects
    >>> objects = DetectedObjects(
    ...     boxes=np.array([[0, 0, 2, 2], [0, 2, 2, 4]]), scores=np.array([0.9, 0.4]),
    ...     kinds=np.array([1, 1]), masks=np.ones((2, 28, 28)), shape=(2, 5))
    >>> objects.draw(score_threshold=0.5)[0]
    array([[1, 1, 0, 0, 0],
           [1, 1, 0, 0, 0]], dtype=int32)
    """

    boxes: NDArray[Any]
    scores: NDArray[Any]
    kinds: NDArray[Any]
    masks: NDArray[Any]
    shape: tuple[int, ...]
    groups: NDArray[Any] | None = None

    def draw(
        self,
        *,
        mask_threshold: float = 0.5,
        score_threshold: float = 0.5,
        min_size: int = 0,
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[Any]]:
        """Draw the objects as a label image; where they overlap, the surer one.

        Parameters
        ----------
        mask_threshold : float, default=0.5
            From which probability on a pixel belongs to its object.

        score_threshold : float, default=0.5
            Objects that are less sure are left out.

        min_size : int, default=0
            So are those of which fewer pixels can be seen.

        Returns
        -------
        labels : ndarray of shape (height, width), int32
            0 is the background, objects are 1 to n.

        scores, kinds : ndarray of shape (n,)
            Of each object.
        """
        groups = np.arange(len(self.boxes)) if self.groups is None else self.groups
        labels = np.zeros(self.shape, np.int32)
        for number, window, values in self._stretched(score_threshold):
            free = (labels[window] == 0) & (values >= mask_threshold)
            labels[window][free] = groups[number] + 1
        sizes = np.bincount(labels.ravel(), minlength=groups.max(initial=-1) + 2)
        sizes[0] = 0
        kept = np.flatnonzero(sizes >= max(min_size, 1))
        new = np.zeros(len(sizes), np.int32)
        new[kept] = np.arange(1, len(kept) + 1)
        best = [self._best(groups == number) for number in kept - 1]
        return new[labels], self.scores[best], self.kinds[best]

    def foreground(self) -> NDArray[np.float32]:
        """Return how probable it is that each pixel belongs to any object.

        Returns
        -------
        ndarray of shape (height, width), float32
            The highest product of an object's score and its mask there.
        """
        result = np.zeros(self.shape, np.float32)
        for number, window, values in self._stretched(0.0):
            part = result[window]
            np.maximum(part, values * self.scores[number], out=part)
        return result

    def _best(self, chosen: NDArray[Any]) -> int:
        numbers = np.flatnonzero(chosen)
        return int(numbers[self.scores[numbers].argmax()])

    def _stretched(
        self, least: float
    ) -> Iterator[tuple[int, tuple[slice, ...], NDArray[Any]]]:
        """Yield number, place and mask of the objects, the surest one first."""
        for number in np.argsort(-self.scores, kind="stable").tolist():
            if self.scores[number] < least:
                return
            axes = [
                _axis(self.boxes[number, axis::2], length, size)
                for axis, (length, size) in enumerate(
                    zip(self.shape, self.masks.shape[1:], strict=True)
                )
            ]
            (rows, down), (columns, across) = axes
            yield number, (rows, columns), down @ self.masks[number] @ across.T


def join_detections(
    parts: Sequence[DetectedObjects],
    windows: Sequence[tuple[slice, ...]],
    inner: Sequence[tuple[slice, ...]],
    shape: tuple[int, ...],
) -> DetectedObjects:
    """Put what was found in overlapping tiles of an image together.

    Parameters
    ----------
    parts : sequence of DetectedObjects
        Of each tile, in its own pixels.

    windows : sequence of tuple of slice
        Where each tile lies in the image; what lies beyond the image does not count.

    inner : sequence of tuple of slice
        Parts of the image, without overlap, of which each tile is in charge.

    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    DetectedObjects
        A whole object comes from the tile that is in charge of its centre. Pieces of
        objects that reach out of their tiles are of one object where they agree on
        what both see.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import DetectedObjects, join_detections
    >>> def found(box):
    ...     return DetectedObjects(
    ...         boxes=np.array([box]), scores=np.ones(1), kinds=np.ones(1, int),
    ...         masks=np.ones((1, 28, 28)), shape=(6, 6))
    >>> tiles = [(slice(0, 6), slice(0, 6)), (slice(0, 6), slice(2, 8))]
    >>> inner = [(slice(0, 6), slice(0, 4)), (slice(0, 6), slice(4, 8))]
    >>> parts = [found([1, 5, 5, 6]), found([1, 3, 5, 5])]
    >>> join_detections(parts, tiles, inner, (6, 8)).boxes
    array([[1, 5, 5, 7]])
    """
    moved, cut, tile, owned = [], [], [], []
    for number, (part, window, own) in enumerate(
        zip(parts, windows, inner, strict=True)
    ):
        start = np.array([axis.start for axis in window] * 2)
        boxes = part.boxes + start
        first, last = _bounds(window, shape)
        moved.append(boxes)
        inside = (boxes[:, :2] >= first + _CUT_WITHIN) | (first <= 0)
        inside &= (boxes[:, 2:] <= last - _CUT_WITHIN) | (last >= shape)
        cut.append(~inside.all(axis=1))
        begin, end = _bounds(own, shape)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        near = (begin - _SHARED_WITHIN <= centre) & (centre < end + _SHARED_WITHIN)
        owned.append(near.all(axis=1))
        tile.append(np.full(len(boxes), number))
    boxes, is_cut, tiles = (np.concatenate(values) for values in (moved, cut, tile))
    scores, kinds, masks = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("scores", "kinds", "masks")
    )
    kept = _without_copies(
        boxes, scores, np.flatnonzero(np.concatenate(owned) | is_cut), is_cut, tiles
    )
    joined = DetectedObjects(boxes[kept], scores[kept], kinds[kept], masks[kept], shape)
    joined.groups = _group(joined, is_cut[kept], tiles[kept])
    return joined


def _bounds(
    window: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    stop = [min(axis.stop, length) for axis, length in zip(window, shape, strict=True)]
    return np.array([axis.start for axis in window]), np.array(stop)


def _without_copies(
    boxes: NDArray[Any],
    scores: NDArray[Any],
    candidates: NDArray[Any],
    is_cut: NDArray[Any],
    tiles: NDArray[Any],
) -> NDArray[Any]:
    """Return which objects to keep: of copies from several tiles one, not a cut one."""
    order = candidates[np.lexsort((-scores[candidates], is_cut[candidates]))]
    kept: list[int] = []
    for number in order.tolist():
        others = np.array([k for k in kept if tiles[k] != tiles[number]], int)
        if len(others):
            both, own, their = _overlaps(boxes[number], boxes[others])
            # A piece lies within the whole object that another tile has seen.
            share = both / own if is_cut[number] else both / (own + their - both)
            if (share[~is_cut[others] | ~is_cut[number]] > _SAME_OBJECT).any():
                continue
        kept.append(number)
    return np.sort(np.array(kept, int))


def _overlaps(
    box: NDArray[Any], others: NDArray[Any]
) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """Return the area that a box shares with others, its own area and theirs."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    own = max(float((box[2:] - box[:2]).prod()), 1e-9)
    return both, own, (others[:, 2:] - others[:, :2]).prod(axis=1)


def _group(
    objects: DetectedObjects, is_cut: NDArray[Any], tiles: NDArray[Any]
) -> NDArray[Any]:
    """Return equal numbers for pieces of one object."""
    groups = np.arange(len(objects.boxes))
    pieces = {
        number: (window, values)
        for number, window, values in objects._stretched(0.0)
        if is_cut[number]
    }
    numbers = sorted(pieces)
    for position, one in enumerate(numbers):
        for other in numbers[position + 1 :]:
            if tiles[one] != tiles[other] and _agree(pieces[one], pieces[other]):
                groups[groups == groups[other]] = groups[one]
    return groups


def _agree(one: Any, other: Any) -> bool:
    """Tell whether two masks are much the same where both of their boxes are."""
    shared = [
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one[0], other[0], strict=True)
    ]
    if any(axis.stop <= axis.start for axis in shared):
        return False
    parts = [
        values[
            tuple(
                slice(axis.start - own.start, axis.stop - own.start)
                for axis, own in zip(shared, window, strict=True)
            )
        ]
        >= 0.5
        for window, values in (one, other)
    ]
    either = np.count_nonzero(parts[0] | parts[1])
    both = np.count_nonzero(parts[0] & parts[1])
    return bool(either > 0 and both > _SAME_OBJECT * either)


def _axis(
    ends: NDArray[Any], length: int, size: int
) -> tuple[slice, NDArray[np.float32]]:
    """Return pixels of a box along one axis, and how they mix its mask's values."""
    first, last = ends.tolist()
    start, stop = max(math.floor(first), 0), min(math.ceil(last), length)
    stop = max(stop, start)
    centres = np.arange(start, stop) + 0.5
    places = (centres - first) / max(last - first, 1e-6) * size - 0.5
    # Pixels whose centre the box does not reach have none of it.
    inside = (centres >= first) & (centres <= last)
    places = np.clip(places, 0, size - 1)
    low = np.minimum(places.astype(int), max(size - 2, 0))
    share = (places - low).astype(np.float32)
    weights = np.zeros((len(places), size), np.float32)
    rows = np.arange(len(places))
    weights[rows, low] = 1 - share
    weights[rows, np.minimum(low + 1, size - 1)] += share
    return slice(start, stop), weights * inside[:, np.newaxis]
