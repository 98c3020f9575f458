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

        Of an object that surer ones hide by more than half nothing is drawn: it is
        mostly the same one, found twice.

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
        # A piece is as sure as the surest of its object.
        scores = np.zeros(groups.max(initial=-1) + 1)
        np.maximum.at(scores, groups, self.scores)
        labels = np.zeros(self.shape, np.int32)
        for number, window, values in self._stretched(scores[groups], score_threshold):
            own, inside = labels[window], values >= mask_threshold
            free = inside & (own == 0)
            hidden = inside & (own != 0) & (own != groups[number] + 1)
            if np.count_nonzero(hidden) <= np.count_nonzero(inside) / 2:
                own[free] = groups[number] + 1
        sizes = np.bincount(labels.ravel(), minlength=len(scores) + 1)
        sizes[0] = 0
        kept = np.flatnonzero(sizes >= max(min_size, 1))
        new = np.zeros(len(sizes), np.int32)
        new[kept] = np.arange(1, len(kept) + 1)
        order = np.lexsort((-self.scores, groups))
        best = order[np.searchsorted(groups[order], kept - 1)]
        return new[labels], self.scores[best], self.kinds[best]

    def foreground(self) -> NDArray[np.float32]:
        """Return how probable it is that each pixel belongs to any object.

        Returns
        -------
        ndarray of shape (height, width), float32
            The highest product of an object's score and its mask there.
        """
        result = np.zeros(self.shape, np.float32)
        for number, window, values in self._stretched(self.scores, 0.0):
            part = result[window]
            np.maximum(part, values * self.scores[number], out=part)
        return result

    def _stretched(
        self, scores: NDArray[Any], least: float
    ) -> Iterator[tuple[int, tuple[slice, ...], NDArray[Any]]]:
        """Yield number, place and mask of the objects, the surest one first."""
        for number in np.argsort(-scores, kind="stable").tolist():
            if scores[number] < least:
                return
            yield number, *self._stretch(number)

    def _stretch(self, number: int) -> tuple[tuple[slice, ...], NDArray[Any]]:
        """Return place and mask of one object."""
        axes = [
            _axis(self.boxes[number, axis::2], length, size)
            for axis, (length, size) in enumerate(
                zip(self.shape, self.masks.shape[1:], strict=True)
            )
        ]
        (rows, down), (columns, across) = axes
        return (rows, columns), down @ self.masks[number] @ across.T


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
    moved, visible, is_cut, kept = [], [], [], []
    for part, window, own in zip(parts, windows, inner, strict=True):
        start = np.array([axis.start for axis in window] * 2)
        boxes = part.boxes + start
        # What lies beyond the image is its mirror image.
        seen = np.clip(boxes, 0, [*shape, *shape])
        first, last = _bounds(window, shape)
        inside = (boxes[:, :2] >= first + _CUT_WITHIN) | (first <= 0)
        inside &= (boxes[:, 2:] <= last - _CUT_WITHIN) | (last >= shape)
        begin, end = _bounds(own, shape)
        centre = (seen[:, :2] + seen[:, 2:]) / 2
        near = (begin - _SHARED_WITHIN <= centre) & (centre < end + _SHARED_WITHIN)
        is_cut.append(~inside.all(axis=1))
        wanted = (near.all(axis=1) | is_cut[-1]) & (seen[:, :2] < seen[:, 2:]).all(1)
        kept.append(np.flatnonzero(wanted))
        moved.append(boxes)
        visible.append(seen)
    pieces = [(visible[i], part.scores, is_cut[i]) for i, part in enumerate(parts)]
    kept = _without_copies(pieces, kept, [_bounds(window, shape) for window in windows])
    chosen = list(zip(parts, kept, strict=True))
    joined = DetectedObjects(
        np.concatenate([boxes[k] for boxes, k in zip(moved, kept, strict=True)]),
        np.concatenate([part.scores[k] for part, k in chosen]),
        np.concatenate([part.kinds[k] for part, k in chosen]),
        np.concatenate([part.masks[k] for part, k in chosen]),
        shape,
    )
    cut = np.concatenate([flags[k] for flags, k in zip(is_cut, kept, strict=True)])
    tiles = np.repeat(np.arange(len(parts)), [len(k) for k in kept])
    joined.groups = _group(joined, np.flatnonzero(cut), tiles)
    return joined


def _bounds(
    window: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    stop = [min(axis.stop, length) for axis, length in zip(window, shape, strict=True)]
    return np.array([axis.start for axis in window]), np.array(stop)


def _without_copies(
    pieces: Sequence[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    candidates: Sequence[NDArray[Any]],
    bounds: Sequence[tuple[NDArray[Any], NDArray[Any]]],
) -> list[NDArray[Any]]:
    """Return which objects to keep: of copies from several tiles one, not a cut one.

    Pieces are boxes, scores and whether they are cut, of each tile.
    """
    if len(pieces) == 1:
        return list(candidates)
    firsts, lasts = (np.array(values) for values in zip(*bounds, strict=True))
    tiles = np.repeat(np.arange(len(pieces)), [len(c) for c in candidates])
    numbers = np.concatenate(candidates)
    scores, is_cut = (
        np.concatenate(
            [piece[i][c] for piece, c in zip(pieces, candidates, strict=True)]
        )
        for i in (1, 2)
    )
    kept: list[list[int]] = [[] for _ in pieces]
    neighbours = [
        [
            other
            for other in np.flatnonzero(
                ((firsts < last) & (first < lasts)).all(axis=1)
            ).tolist()
            if other != tile
        ]
        for tile, (first, last) in enumerate(bounds)
    ]
    for position in np.lexsort((-scores, is_cut)).tolist():
        tile, number = int(tiles[position]), int(numbers[position])
        box, _, cut = (values[number] for values in pieces[tile])
        for other in neighbours[tile]:
            boxes, _, are_cut = (values[kept[other]] for values in pieces[other])
            both, own, their = _overlaps(box, boxes)
            # A piece lies within the whole object that another tile has seen.
            share = both / own if cut else both / (own + their - both)
            if (share[~(are_cut & cut)] > _SAME_OBJECT).any():
                break
        else:
            kept[tile].append(number)
    return [np.sort(np.array(k, int)) for k in kept]


def _overlaps(
    box: NDArray[Any], others: NDArray[Any]
) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """Return the area that a box shares with others, its own area and theirs."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    own = max(float((box[2:] - box[:2]).prod()), 1e-9)
    return both, own, (others[:, 2:] - others[:, :2]).prod(axis=1)


def _group(
    objects: DetectedObjects, cut: NDArray[Any], tiles: NDArray[Any]
) -> NDArray[Any]:
    """Return equal numbers for pieces of one object; only what is cut is a piece."""
    groups = np.arange(len(objects.boxes))
    pieces = {number: objects._stretch(number) for number in cut.tolist()}
    for one in pieces:
        reach, _, _ = _overlaps(objects.boxes[one], objects.boxes[cut])
        for other in cut[(reach > 0) & (tiles[cut] != tiles[one]) & (cut > one)]:
            if _agree(pieces[one], pieces[int(other)]):
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
