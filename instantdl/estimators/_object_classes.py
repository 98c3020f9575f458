"""Classes of objects: what comes beside a label image, and numbers that hold both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError

_ONE_CLASS = np.array(["object"])


def split_classes(y: Any) -> tuple[Any, list[Mapping[Any, Any]] | None]:
    """Take label images and the classes of their objects apart.

    Parameters
    ----------
    y : sequence
        Label images, or pairs of a label image and a mapping from the number of each
        object to its class.

    Returns
    -------
    labels : sequence
        The label images; `y` itself where there are no pairs.

    mappings : list of mapping or None
        One for each image; None where there are no pairs.

    Raises
    ------
    TypeError
        If only some items are pairs.
    """
    if hasattr(y, "dtype") and y.dtype != object:
        return y, None
    # A collection would read its images for this; it never holds pairs.
    if not isinstance(y, list | tuple | np.ndarray):
        return y, None
    paired = [_is_pair(item) for item in y]
    if not any(paired):
        return y, None
    if not all(paired):
        raise TypeError(
            "`y` must hold a pair of label image and classes for every image, or for "
            f"none. Got other than a pair for image {paired.index(False)}."
        )
    return [labels for labels, _ in y], [classes for _, classes in y]


def find_classes(mappings: Sequence[Mapping[Any, Any]] | None) -> NDArray[Any]:
    """Return the sorted classes of all objects.

    Parameters
    ----------
    mappings : sequence of mapping or None
        From the number of each object to its class.

    Returns
    -------
    ndarray of shape (n_classes,)
        "object" alone where there are no mappings, or they are all empty.

    Raises
    ------
    TypeError
        If a class is neither text nor a number, or some are text and some numbers.
    """
    kinds = [kind for mapping in mappings or [] for kind in mapping.values()]
    for kind in kinds:
        if not isinstance(kind, str | int | float | np.generic):
            raise TypeError(
                f"Classes of objects must be text or numbers. Got {kind!r:.60}."
            )
    found = set(kinds)
    if not found:
        return _ONE_CLASS
    try:
        return np.array(sorted(found))
    except TypeError as error:
        raise TypeError(
            "Classes of objects must be all numbers or all text. Got "
            f"{sorted(map(repr, found))[:5]}."
        ) from error


class CodedLabels(Sequence[NDArray[Any]]):
    """Label images whose numbers tell the class, too: modulo the number of classes.

    Parameters
    ----------
    labels : CheckedMasks
        Label images.

    mappings : sequence of mapping
        From the number of each object of an image to its class.

    classes : ndarray of shape (n_classes,)
        All classes, sorted.
    """

    def __init__(
        self,
        labels: Any,
        mappings: Sequence[Mapping[Any, Any]],
        classes: NDArray[Any],
    ) -> None:
        self._labels = labels
        self._mappings = mappings
        self._classes = classes
        self.spatial_ndim = labels.spatial_ndim

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> "CodedLabels": ...

    def __getitem__(self, key: int | slice) -> "NDArray[Any] | CodedLabels":
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        labels, mapping = self._labels[key], self._mappings[key]
        numbers, places = np.unique(labels, return_inverse=True)
        _check_all_mapped(numbers, mapping, f" of image {key}")
        kinds = [
            np.searchsorted(self._classes, mapping[n]) if n else 0
            for n in numbers.tolist()
        ]
        codes = numbers.astype(np.int64) * len(self._classes) + kinds
        codes[numbers == 0] = 0
        return codes[places].reshape(labels.shape)

    def take(self, positions: Iterable[int]) -> "CodedLabels":
        """Return some of the label images, without reading them.

        Parameters
        ----------
        positions : iterable of int
            Which, and in which order.

        Returns
        -------
        CodedLabels
        """
        chosen = [int(position) for position in positions]
        mappings = [self._mappings[position] for position in chosen]
        return CodedLabels(self._labels.take(chosen), mappings, self._classes)


def only_class(
    labels: NDArray[Any], classes: Mapping[Any, Any], wanted: Any
) -> NDArray[Any]:
    """Return a label image with the objects of one class only.

    Parameters
    ----------
    labels : ndarray of shape (*spatial,)
        0 is the background.

    classes : mapping
        From the number of each object to its class.

    wanted : object
        The class.

    Returns
    -------
    ndarray of shape (*spatial,)
        Others are background.

    Raises
    ------
    ImageError
        If an object has no class.
    """
    numbers, places = np.unique(labels, return_inverse=True)
    _check_all_mapped(numbers, classes, "")
    kept = [n if n and classes[n] == wanted else 0 for n in numbers.tolist()]
    return np.array(kept, numbers.dtype)[places].reshape(labels.shape)


def _check_all_mapped(
    numbers: NDArray[Any], mapping: Mapping[Any, Any], place: str
) -> None:
    missing = [n for n in numbers.tolist() if n and n not in mapping]
    if missing:
        raise ImageError(
            f"Every object of `y` must have a class. Got none for object {missing[0]}"
            f"{place}. Add it to the mapping beside the label image."
        )


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Mapping)
