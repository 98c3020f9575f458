"""What must hold for the images of a project, and what their summary says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from instantdl.pipeline._inspect_facts import ImageFacts
from instantdl.pipeline._inspect_report import Findings

AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}
LISTED = 5

Images = Sequence[ImageFacts]


def check_images(
    parts: Mapping[str, Images], found: Findings, *, mix_colours: bool = False
) -> int | None:
    """Note images that do not fit the others, or hold what cannot be learnt from.

    Parameters
    ----------
    parts : mapping of str to sequence of ImageFacts
        The images of "train" and "test".

    found : Findings
        Grows by what is wrong.

    mix_colours : bool, default=False
        Whether a run takes grey 2D images beside those of three channels.

    Returns
    -------
    int or None
        The number of spatial axes of most images; None if there are no images.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_facts import image_facts
    >>> from instantdl.pipeline._inspect_images import check_images
    >>> from instantdl.pipeline._inspect_report import Findings
    >>> found = Findings()
    >>> pixels = np.arange(12).reshape(2, 2, 3)
    >>> names = ["a.png", "b.png", "c.png"]
    >>> images = [image_facts(names[0], pixels[..., 0], 2)]
    >>> images += [image_facts(name, pixels, 2) for name in names[1:]]
    >>> check_images({"train": images}, found), found.problems[0][:46]
    (2, 'a.png: all images must have the same number of')
    """
    everything = [image for images in parts.values() for image in images]
    if not everything:
        return None
    # Training settles it, where there is any.
    leading = parts.get("train") or everything
    spatial_ndim, n_channels = _commonest(leading)
    n_alike = sum(_axes(image) == (spatial_ndim, n_channels) for image in leading)
    most = f"{n_alike} of {len(leading)} have {n_channels}"
    mixed = mix_colours and _are_grey_and_colour(everything)
    for image in everything:
        _check_axes(image, spatial_ndim, found)
        if image.spatial_ndim == spatial_ndim and not mixed:
            _check_channels(image, n_channels, most, found)
        _check_values(image, found)
    if mixed:
        _warn_of_colours(everything, found)
    for part, images in parts.items():
        _warn_of_kinds(part, images, found)
    return spatial_ndim


def summarize_images(images: Images, spatial_ndim: int | None) -> dict[str, Any]:
    """Return what a summary says of images.

    Parameters
    ----------
    images : sequence of ImageFacts
        Those that were read.

    spatial_ndim : int or None
        Spatial axes of most images.

    Returns
    -------
    dict
        Arguments of `PartSummary`.
    """
    sizes = {}
    shapes = [x.spatial_shape for x in images if x.spatial_ndim == spatial_ndim]
    for axis, lengths in enumerate(zip(*shapes, strict=True)):
        name = AXES.get(len(shapes[0]), {axis: f"axis {axis}"})[axis]
        sizes[name] = (min(lengths), float(np.median(lengths)), max(lengths))
    ranges = [image.values for image in images if image.values is not None]
    return {
        "n_read": len(images),
        "sizes": sizes,
        "dtypes": dict(Counter(image.dtype for image in images).most_common()),
        "channels": dict(Counter(image.n_channels for image in images).most_common()),
        "spatial_ndim": spatial_ndim,
        "value_range": (
            (min(low for low, _ in ranges), max(high for _, high in ranges))
            if ranges
            else None
        ),
    }


def some(names: Sequence[str]) -> str:
    """Return some names, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        One or more.

    Returns
    -------
    str
        The first five in full.

    Examples
    --------
    >>> from instantdl.pipeline._inspect_images import some
    >>> some(["a", "b"]), some(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _axes(image: ImageFacts) -> tuple[int, int]:
    return image.spatial_ndim, image.n_channels


def _commonest(images: Images) -> tuple[int, int]:
    return Counter(_axes(image) for image in images).most_common(1)[0][0]


def _are_grey_and_colour(images: Images) -> bool:
    shapes = {(len(image.shape), *_axes(image)) for image in images}
    return shapes == {(2, 2, 1), (3, 2, 3)}


def _check_axes(image: ImageFacts, spatial_ndim: int, found: Findings) -> None:
    """Note an image of other axes than most images have."""
    if image.spatial_ndim not in AXES:
        found.problem(
            image.where,
            "an image must have two or three axes, and may have one of channels",
            f"shape {image.shape}",
            "Save each image in a file of its own.",
        )
    elif image.spatial_ndim != spatial_ndim:
        found.problem(
            image.where,
            "all images must have the same number of spatial axes",
            f"shape {image.shape}, {image.spatial_ndim} axes, where most have"
            f" {spatial_ndim}",
            "Save it as the others are, or leave it out.",
        )


def _check_channels(
    image: ImageFacts, n_channels: int, most: str, found: Findings
) -> None:
    """Note an image of other channels than most images have."""
    if image.n_channels != n_channels:
        found.problem(
            image.where,
            "all images must have the same number of channels",
            f"{image.n_channels} where {most}",
            "Convert the images to one number of channels.",
        )


def _warn_of_colours(images: Images, found: Findings) -> None:
    """Warn of grey images beside those in colour, which a run takes as well."""
    grey = [image.where for image in images if image.n_channels == 1]
    colour = [image.where for image in images if image.n_channels == 3]
    few, noun = min((colour, "three channels"), (grey, "one channel"), key=_length)
    found.warning(
        some(few),
        "all images should have the same number of channels",
        f"{noun} in {len(few)} of {len(images)}",
        "A run repeats grey ones to three; convert them if that is not meant.",
    )


def _length(pair: tuple[list[str], str]) -> int:
    return len(pair[0])


def _check_values(image: ImageFacts, found: Findings) -> None:
    if image.n_not_finite:
        found.problem(
            image.where,
            "an image must hold finite numbers",
            f"NaN, inf or what is too large for float32 in {image.n_not_finite} values",
            "Replace them, say with `np.nan_to_num`, or leave the image out.",
        )
    elif image.values is not None and image.values[0] == image.values[1]:
        found.warning(
            image.where,
            "an image should show something",
            f"the value {image.values[0]:g} everywhere",
            "Look at it, and leave it out if it was exported wrongly.",
        )


def _warn_of_kinds(part: str, images: Images, found: Findings) -> None:
    """Warn of alpha, of colours that are grey, of constant channels, of mixed types."""
    alpha = [image.where for image in images if image.has_alpha]
    if alpha:
        found.warning(
            part,
            "images should have no alpha channel",
            f"one in {len(alpha)} of {len(images)}: {some(alpha)}",
            "It is left out; save it as an image of its own if it means something.",
        )
    grey = [image.where for image in images if image.is_grey_colour]
    if grey:
        found.warning(
            part,
            "images of three channels should have colours",
            f"three equal channels in {len(grey)} of {len(images)}: {some(grey)}",
            "Save grey images with one channel, unless others need three.",
        )
    # A constant image has been noted by itself.
    shared = [
        set(image.constant_channels)
        for image in images
        if len(image.constant_channels) < image.n_channels
    ]
    if constant := sorted(set.intersection(*shared)) if shared else []:
        found.warning(
            part,
            "each channel should show something",
            f"one value throughout each image in channel {some([*map(str, constant)])}",
            "Leave this channel out; it may be an empty one, or alpha.",
        )
    types = Counter(image.dtype for image in images).most_common()
    if len(types) > 1:
        rare = [image.where for image in images if image.dtype != types[0][0]]
        found.warning(
            part,
            "images should have one pixel type",
            f"{types[0][0]} in {types[0][1]} of {len(images)}, but"
            f" {', '.join(name for name, _ in types[1:])} in {some(rare)}",
            "Export them alike, or check that intensities mean the same.",
        )
