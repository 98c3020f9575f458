"""Check images and masks, whatever they come in, and read them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.images._collection import ImageCollection
from instantdl.images._items import (
    as_plain_array,
    as_sequence,
    blocks,
    check_dtype,
    count_not_finite,
    item_label,
    lower,
    mask_values,
)

__all__ = ["CheckedImages", "CheckedMasks", "check_images", "check_images_and_masks"]

# Problems that one message lists; a folder may hold hundreds.
MAX_LISTED = 5

AXES = {2: "height, width", 3: "depth, height, width"}
_FEW = 4

T = TypeVar("T", bound="_CheckedItems")


class _CheckedItems(Sequence[NDArray[Any]]):
    """Items that are read, checked and given one shape convention when asked for."""

    _noun = "Image"

    def __init__(
        self,
        items: Any,
        *,
        spatial_ndim: int,
        name: str,
        stacked: bool,
    ):
        self._items = items
        self._indices = np.arange(len(items))
        self._shapes: dict[int, tuple[int, ...]] = {}
        self.spatial_ndim = spatial_ndim
        self.name = name
        self.stacked = stacked

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self._read(position) for position in range(len(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of length {len(self)}>"

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self: T, key: slice) -> T: ...

    def __getitem__(self: T, key: int | slice) -> NDArray[Any] | T:
        if isinstance(key, slice):
            return self.take(range(len(self))[key])
        if not -len(self) <= key < len(self):
            raise IndexError(
                f"The index must lie between 0 and {len(self) - 1} for the {len(self)}"
                f" images of `{self.name}`. Got {key}."
            )
        return self._read(int(key))

    def take(self: T, positions: Iterable[int]) -> T:
        """Return some of the items, without reading them.

        Parameters
        ----------
        positions : iterable of int
            Which items, and in which order.

        Returns
        -------
        same class
            Its error messages still count in the original items.
        """
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._indices = self._indices[np.asarray(list(positions), dtype=np.intp)]
        return view

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the spatial shape of item `index`, without looking at its values.

        An item of a collection is read for it, once.
        """
        original = int(self._indices[index])
        if original not in self._shapes:
            self._read_checked_shape(original)
        return self._shapes[original]

    def _read(self, position: int) -> NDArray[Any]:
        original = int(self._indices[position])
        item = self._read_checked_shape(original)
        return self._check_values(item, original)

    def _read_checked_shape(self, original: int) -> NDArray[Any]:
        item = as_plain_array(self._items[original])
        check_dtype(item, self._label(original))
        item = self._check_shape(item, original)
        if item.size == 0:
            raise ImageError(
                f"{self._label(original)} must hold at least one pixel."
                f" Got shape {item.shape}. Leave it out."
            )
        self._shapes[original] = item.shape[: self.spatial_ndim]
        return item

    def _label(self, original: int) -> str:
        return item_label(self._items, original, self.name, self._noun)

    def _check_shape(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        raise NotImplementedError

    def _check_values(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        raise NotImplementedError


class CheckedImages(_CheckedItems):
    """Images with channels last, each checked whenever it is read.

    Made by :func:`check_images`. An int gives an image of shape
    (*spatial, n_channels) in its own dtype, a view wherever possible; a slice gives
    the images of the slice, unread.

    Parameters
    ----------
    items : sequence of ndarray
        The images as the user gave them.

    spatial_ndim : {2, 3}
        Number of spatial axes.

    n_channels : int
        Number of channels that every image must have.

    name : str
        What messages call the images.

    stacked : bool
        Whether they came as one array rather than as a list or a collection.

    n_channels_from : {'fit', 'first'}, default='first'
        Where `n_channels` comes from, for the error message.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images
    >>> images = check_images(np.zeros((2, 8, 8)), spatial_ndim=2)
    >>> len(images), images[0].shape, images.n_channels, images.stacked
    (2, (8, 8, 1), 1, True)
    """

    def __init__(
        self,
        items: Any,
        *,
        spatial_ndim: int,
        n_channels: int,
        name: str,
        stacked: bool,
        n_channels_from: str = "first",
    ):
        super().__init__(items, spatial_ndim=spatial_ndim, name=name, stacked=stacked)
        self.n_channels = n_channels
        self._n_channels_from = n_channels_from

    def _check_shape(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        item = _add_channels(item, self.spatial_ndim, self._label(original))
        got = item.shape[-1]
        if got == self.n_channels:
            return item
        if self._n_channels_from == "fit":
            noun = "channel" if self.n_channels == 1 else "channels"
            raise ImageError(
                f"The network was fitted on images with {self.n_channels} {noun}."
                f" Got {got} in image {original} of `{self.name}`. Convert the images"
                " or fit again."
            )
        raise ImageError(
            f"Every image of `{self.name}` must have the same number of channels."
            f" Image 0 has {self.n_channels}, {lower(self._label(original))} has"
            f" {got}. Convert them to one number of channels."
        )

    def _check_values(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        if item.dtype.kind == "f":
            n_bad = sum(count_not_finite(block) for block in blocks(item))
            if n_bad:
                raise ImageError(
                    f"{self._label(original)} must be finite in float32."
                    f" Got NaN, inf or a larger number at {n_bad} of {item.size}"
                    " values. Replace them, say with `np.nan_to_num`."
                )
        return item


class CheckedMasks(_CheckedItems):
    """Masks of shape (*spatial,), each checked whenever it is read.

    Made by :func:`check_images_and_masks`. An int gives a mask of bool or integer
    dtype; a slice gives the masks of the slice, unread. Float masks that hold whole
    numbers come as int64.

    Parameters
    ----------
    items : sequence of ndarray
        The masks as the user gave them.

    spatial_ndim : {2, 3}
        Number of spatial axes.

    name : str
        What messages call the masks.

    stacked : bool
        Whether they came as one array rather than as a list or a collection.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images_and_masks
    >>> images = np.zeros((2, 4, 4))
    >>> _, masks = check_images_and_masks(images, images + [0, 0, 1, 3])
    >>> masks.classes()
    array([0, 1, 3])
    """

    _noun = "Mask"

    def classes(self) -> NDArray[Any]:
        """Return the values in all masks, sorted.

        Returns
        -------
        ndarray of shape (n_classes,)
            Bool if every mask is bool, else an integer dtype that holds all values.
        """
        found = [mask_values(mask) for mask in self]
        return np.unique(np.concatenate(found))

    def _check_shape(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        if item.ndim == self.spatial_ndim:
            return item
        hint = ""
        if item.ndim == self.spatial_ndim + 1 and item.shape[-1] == 1:
            hint = " Drop its last axis: `mask[..., 0]`."
        raise ImageError(
            f"{self._label(original)} must have shape ({AXES[self.spatial_ndim]})."
            f" Got {item.shape}.{hint}"
        )

    def _check_values(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        if item.dtype.kind != "f":
            return item
        for block in blocks(item):
            whole = np.isfinite(block) & (block == np.round(block))
            if not whole.all():
                raise ImageError(
                    f"{self._label(original)} must hold whole numbers, the classes of"
                    f" the pixels. Got {block[~whole][0]}. Convert it with `astype`;"
                    " for a real value per pixel use a PixelRegressor."
                )
        return item.astype(np.int64)


def check_images(
    X: Any, *, spatial_ndim: int, n_channels: int | None = None, name: str = "X"
) -> CheckedImages:
    """Check images, however they come, and give them a channel axis.

    Parameters
    ----------
    X : array-like of shape (n_samples, *spatial[, n_channels]), list or collection
        Images of dtype bool, integer or float: one array, memmap or other array-like
        that is read image by image, or a list, tuple, object array or
        :class:`ImageCollection` of images of shape (*spatial[, n_channels]).

    spatial_ndim : {2, 3}
        Number of spatial axes.

    n_channels : int or None, default=None
        The number of channels that a network was fitted on. With None the first
        image settles it.

    name : str, default='X'
        What messages call `X`.

    Returns
    -------
    CheckedImages
        Sequence of arrays of shape (*spatial, n_channels). Values are looked at when
        an image is read; a collection has only its first image read here.

    Raises
    ------
    ImageError
        (a ValueError) if there are no images, or if shape, dtype, channels or values
        of an image are not as said.

    TypeError
        If `X` does not hold numeric arrays at all.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images
    >>> images = check_images(
    ...     [np.zeros((8, 6, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)],
    ...     spatial_ndim=2,
    ... )
    >>> images.shape(1), images[0].dtype, images.stacked
    ((5, 5), dtype('uint8'), False)
    """
    _check_spatial_ndim(spatial_ndim)
    items, stacked = as_items(X, name)
    label = item_label(items, 0, name)
    if stacked:
        check_dtype(as_plain_array(items[0]), label)
        _check_stack(items, spatial_ndim, name)
    known = n_channels
    if known is None:
        first = as_plain_array(items[0])
        check_dtype(first, label)
        known = _add_channels(first, spatial_ndim, label).shape[-1]
    images = CheckedImages(
        items,
        spatial_ndim=spatial_ndim,
        n_channels=known,
        name=name,
        stacked=stacked,
        n_channels_from="first" if n_channels is None else "fit",
    )
    if not isinstance(items, ImageCollection):
        for index in range(1 if stacked else len(images)):
            images.shape(index)
    return images


def check_images_and_masks(
    X: Any, y: Any, *, n_channels: int | None = None
) -> tuple[CheckedImages, CheckedMasks]:
    """Check images and their masks; the masks settle whether images are 2D or 3D.

    Everything is read once, so that a bad image is found before training starts; of
    it nothing is kept but the shapes.

    Parameters
    ----------
    X : array-like of shape (n_samples, *spatial[, n_channels]), list or collection
        Images, see :func:`check_images`.

    y : array-like of shape (n_samples, *spatial), list or collection
        One mask per image, of the same spatial shape: bool, integer, or float with
        whole numbers. A last axis of four or less is taken for colours, which a mask
        has not, unless `X` has one axis more.

    n_channels : int or None, default=None
        The number of channels that a network was fitted on.

    Returns
    -------
    images : CheckedImages
        Sequence of arrays of shape (*spatial, n_channels).

    masks : CheckedMasks
        Sequence of arrays of shape (*spatial,).

    Raises
    ------
    ImageError
        (a ValueError) if images and masks do not fit each other, or one of them is
        not as said.

    TypeError
        If `X` or `y` does not hold numeric arrays at all.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images_and_masks
    >>> X, y = np.zeros((3, 16, 16, 3)), np.zeros((3, 16, 16), bool)
    >>> images, masks = check_images_and_masks(X, y)
    >>> images.spatial_ndim, images.n_channels, masks[0].shape
    (2, 3, (16, 16))
    """
    items, stacked = as_items(y, "y")
    spatial_ndim = _spatial_ndim_of_masks(X, items, stacked)
    images = check_images(X, spatial_ndim=spatial_ndim, n_channels=n_channels)
    masks = CheckedMasks(items, spatial_ndim=spatial_ndim, name="y", stacked=stacked)
    check_pairs(images, masks)
    return images, masks


def check_pairs(images: CheckedImages, targets: _CheckedItems) -> None:
    """Read all pairs once and raise one error that lists those of unequal shape.

    Parameters
    ----------
    images : CheckedImages
        Of any sizes.

    targets : CheckedMasks or CheckedTargets
        Should be as many, of the same spatial shapes.

    Raises
    ------
    ImageError
        If they are not.
    """
    noun = targets._noun.lower()
    if len(images) != len(targets):
        raise ImageError(
            f"`y` must hold one {noun} per image of `X`."
            f" Got {len(images)} images and {len(targets)} {noun}s."
        )
    problems = []
    for index in range(len(images)):
        shape, target = images[index].shape[:-1], targets[index]
        target_shape = target.shape[: images.spatial_ndim]
        if shape != target_shape:
            label = lower(images._label(index)).replace(" of `X`", "")
            problems.append(f"{label} is {shape}, its {noun} {target_shape}")
    if problems:
        listed = "; ".join(problems[:MAX_LISTED])
        more = len(problems) - MAX_LISTED
        raise ImageError(
            f"`y` must have the same {AXES[images.spatial_ndim]} as `X`, image by"
            f" image. Got: {listed}{f'; and {more} more' if more > 0 else ''}."
        )


def may_be_colours(shape: tuple[int, ...]) -> bool:
    """Tell whether a last axis is more likely channels than the width of a volume."""
    return shape[-1] <= _FEW < min(shape[-3:-1])


def _spatial_ndim_of_masks(X: Any, items: Any, stacked: bool) -> int:
    """Return the number of spatial axes that masks have."""
    first = items if stacked else as_plain_array(items[0])
    ndim = first.ndim - stacked
    if first.dtype.kind == "c":
        check_dtype(first, "`y`")
    if first.dtype.kind in "OUS" or ndim < 1:
        raise ImageError(
            "`y` must hold one mask per image, of shape (n_samples, height, width) or"
            f" (n_samples, depth, height, width). Got one value per image:"
            f" {first!s:.60}. For one label per image use an ImageClassifier."
        )
    images, images_stacked = as_items(X, "X")
    image = images if images_stacked else as_plain_array(images[0])
    image_ndim = image.ndim - images_stacked
    # A mask with a channel axis would pass for a volume one pixel wide.
    if ndim > 2 and first.shape[-1] == 1 and image_ndim <= ndim:
        raise ImageError(
            "`y` must have shape (n_samples, height, width): a mask has no channel"
            f" axis. Got {shape_text(first, stacked)} for images of shape"
            f" {shape_text(image, images_stacked)}. Drop the last axis of `y`:"
            " `y[..., 0]`."
        )
    if ndim == 3 and may_be_colours(first.shape) and image_ndim <= ndim:
        raise ImageError(
            "`y` must have shape (n_samples, height, width): a mask has no colours."
            f" Got {shape_text(first, stacked)} for images of shape"
            f" {shape_text(image, images_stacked)}. Save one number for each pixel"
            " instead of its colour; if these are volumes, give `X` an axis of"
            " channels."
        )
    if ndim not in AXES:
        raise ImageError(
            "`y` must have shape (n_samples, height, width) or (n_samples, depth,"
            f" height, width). Got {shape_text(first, stacked)}."
        )
    return int(ndim)


def shape_text(array: NDArray[Any], stacked: bool) -> str:
    """Return a shape in words, with the axis of the samples in front.

    Parameters
    ----------
    array : ndarray
        All items, or one of them.

    stacked : bool
        Whether it is all of them.

    Returns
    -------
    str
        Such as "(n_samples, 8, 8)".
    """
    shape = tuple(array.shape) if stacked else ("n_samples", *array.shape)
    return f"({', '.join(map(str, shape))})"


def _check_spatial_ndim(spatial_ndim: int) -> None:
    if spatial_ndim not in AXES:
        raise ValueError(f"`spatial_ndim` must be 2 or 3. Got {spatial_ndim!r}.")


def as_items(data: Any, name: str) -> tuple[Any, bool]:
    """Return a sequence of items, and whether it is one array of equal items.

    Parameters
    ----------
    data : object
        What a user gave.

    name : str
        What messages call it.

    Returns
    -------
    items : sequence
        Of one item at least.

    stacked : bool
        Whether it is one array.

    Raises
    ------
    ImageError
        If there is no item.
    """
    items, stacked = as_sequence(data, name)
    if len(items) == 0:
        raise ImageError(
            f"Found array with 0 sample(s): `{name}` must hold at least one image."
            " Got 0."
        )
    return items, stacked


def _check_stack(stack: Any, spatial_ndim: int, name: str) -> None:
    """Raise unless an array-like of images has the axes it must have."""
    ndim = len(stack.shape)
    if ndim not in (spatial_ndim + 1, spatial_ndim + 2):
        raise ImageError(
            f"`{name}` must have shape (n_samples, {AXES[spatial_ndim]}[, channels])."
            f" Got {tuple(stack.shape)}.{_ndim_hint(ndim, spatial_ndim + 1)}"
        )


def _ndim_hint(ndim: int, wanted: int) -> str:
    """Return what to do about an array with one axis too few, if it is that."""
    if ndim == wanted - 1:
        return " For a single image add an axis: `image[np.newaxis]`."
    return ""


def _add_channels(item: NDArray[Any], spatial_ndim: int, label: str) -> NDArray[Any]:
    """Return an image with channels last, or raise if it has other axes."""
    if item.ndim == spatial_ndim:
        return item[..., np.newaxis]
    if item.ndim == spatial_ndim + 1:
        return item
    raise ImageError(
        f"{label} must have shape ({AXES[spatial_ndim]}[, channels]). Got {item.shape}."
    )
