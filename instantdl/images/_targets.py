"""Check images and real-valued targets: another value for each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.images._checks import (
    AXES,
    CheckedImages,
    _CheckedItems,
    as_items,
    check_images,
    check_pairs,
    may_be_colours,
    shape_text,
)
from instantdl.images._items import (
    as_plain_array,
    blocks,
    check_dtype,
    count_not_finite,
)

__all__ = ["CheckedTargets", "check_images_and_targets"]


class CheckedTargets(_CheckedItems):
    """Targets of shape (*spatial, n_channels), each checked whenever it is read.

    Made by :func:`check_images_and_targets`. An int gives a target of bool, integer
    or float dtype, a slice the targets of the slice, unread.

    Parameters
    ----------
    items : sequence of ndarray
        The targets as the user gave them.

    spatial_ndim : {2, 3}
        Number of spatial axes.

    n_channels : int or None
        Channels that every target must have; None where there is no such axis.

    name : str
        What messages call the targets.

    stacked : bool
        Whether they came as one array rather than as a list or a collection.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images_and_targets
    >>> images = np.zeros((2, 8, 8))
    >>> _, targets = check_images_and_targets(images, images + 0.5)
    >>> targets[0].shape, targets.n_channels is None
    ((8, 8, 1), True)
    """

    _noun = "Target"

    def __init__(
        self,
        items: Any,
        *,
        spatial_ndim: int,
        n_channels: int | None,
        name: str,
        stacked: bool,
    ):
        super().__init__(items, spatial_ndim=spatial_ndim, name=name, stacked=stacked)
        self.n_channels = n_channels

    def _check_shape(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        axes = AXES[self.spatial_ndim]
        if self.n_channels is None:
            if item.ndim == self.spatial_ndim:
                return item[..., np.newaxis]
            wanted = f"({axes})"
        else:
            last = item.shape[-1] if item.ndim == self.spatial_ndim + 1 else None
            if last == self.n_channels:
                return item
            wanted = f"({axes}, {self.n_channels})"
        raise ImageError(
            f"{self._label(original)} must have shape {wanted}. Got {item.shape}. Give"
            " every target the same number of channels."
        )

    def _check_values(self, item: NDArray[Any], original: int) -> NDArray[Any]:
        if item.dtype.kind == "f":
            n_bad = sum(count_not_finite(block) for block in blocks(item))
            if n_bad:
                raise ImageError(
                    f"{self._label(original)} must be finite in float32."
                    f" Got NaN, inf or a larger number at {n_bad} of {item.size}"
                    " values. Replace them, or leave the image out."
                )
        return item


def check_images_and_targets(
    X: Any,
    y: Any,
    *,
    spatial_ndim: int | None = None,
    n_channels: int | None = None,
) -> tuple[CheckedImages, CheckedTargets]:
    """Check images and the images that are to be predicted from them.

    Everything is read once, so that a bad image is found before training starts; of
    it nothing is kept but the shapes.

    Parameters
    ----------
    X : array-like of shape (n_samples, *spatial[, n_channels]), list or collection
        Images, see :func:`check_images`.

    y : array-like of shape (n_samples, *spatial[, n_targets]), list or collection
        One target per image, of the same spatial shape: bool, integer or float.

    spatial_ndim : {2, 3} or None, default=None
        Number of spatial axes. None takes all axes of a target for spatial ones; it
        must be given where targets have a channel axis.

    n_channels : int or None, default=None
        The number of channels that a network was fitted on.

    Returns
    -------
    images : CheckedImages
        Sequence of arrays of shape (*spatial, n_channels).

    targets : CheckedTargets
        Sequence of arrays of shape (*spatial, n_targets).

    Raises
    ------
    ImageError
        (a ValueError) if images and targets do not fit each other, or one of them is
        not as said.

    TypeError
        If `X` or `y` does not hold numeric arrays at all.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import check_images_and_targets
    >>> X, y = np.zeros((3, 16, 16, 5)), np.zeros((3, 16, 16, 2))
    >>> images, targets = check_images_and_targets(X, y, spatial_ndim=2)
    >>> images.n_channels, targets.n_channels, targets[0].shape
    (5, 2, (16, 16, 2))
    """
    # First of all that it is images at all, since `y` is judged as such.
    check_dtype(as_plain_array(as_items(X, "X")[0][0]), "Image 0 of `X`")
    items, stacked = as_items(y, "y")
    first = items if stacked else as_plain_array(items[0])
    ndim = first.ndim - stacked
    if first.dtype.kind in "OUS" or ndim < 1:
        raise ImageError(
            "`y` must hold one image per image of `X`. Got one value per image:"
            f" {first!s:.60}. For one label per image use an ImageClassifier."
        )
    if spatial_ndim is None:
        spatial_ndim = _spatial_ndim_of_targets(first, ndim, stacked)
    if spatial_ndim not in AXES or ndim not in (spatial_ndim, spatial_ndim + 1):
        raise ImageError(
            "`y` must have shape (n_samples, height, width) or (n_samples, depth,"
            " height, width), and may have a last axis of channels if `spatial_ndim`"
            f" is given. Got {shape_text(first, stacked)} and"
            f" spatial_ndim={spatial_ndim}."
        )
    images = check_images(X, spatial_ndim=spatial_ndim, n_channels=n_channels)
    targets = CheckedTargets(
        items,
        spatial_ndim=spatial_ndim,
        n_channels=None if ndim == spatial_ndim else int(first.shape[-1]),
        name="y",
        stacked=stacked,
    )
    check_pairs(images, targets)
    return images, targets


def _spatial_ndim_of_targets(first: NDArray[Any], ndim: int, stacked: bool) -> int:
    """Return the number of axes of a target, unless the last may be channels."""
    if ndim == 3 and may_be_colours(first.shape):
        raise ImageError(
            "`y` must have shape (n_samples, *spatial) unless `spatial_ndim` says that"
            f" its last axis is one of channels. Got {shape_text(first, stacked)}."
            " Set spatial_ndim=2 for images with channels, spatial_ndim=3 for volumes."
        )
    return int(ndim)
