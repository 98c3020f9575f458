"""Images and what belongs to them, checked and cut into what is shown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.plotting._style import shorten

__all__ = ["Arrays", "Maps", "Row", "cut_rows", "read_samples", "to_rgb"]

LONGEST_NAME = 24

Arrays: TypeAlias = Sequence[NDArray[Any]] | NDArray[Any]
# What belongs to one image by name: "image", "truth", "prediction" and so on.
Maps: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Row:
    r"""What is shown beside each other.

    Parameters
    ----------
    name : str
        Of the image.

    place : str
        Of a plane or section in its volume.

    maps : dict of str to ndarray of shape (height, width) or (height, width, 3)
        The image in red, green and blue, and what else is known of it.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._rows import Row
    >>> Row("a.tif", "plane 3", {"image": np.zeros((4, 4, 3))}).label(20)
    'a.tif\nplane 3'
    """

    name: str
    place: str
    maps: Maps

    def label(self, longest: int) -> str:
        """Return the text at the left.

        Parameters
        ----------
        longest : int
            Number of letters that have room.

        Returns
        -------
        str
            One or two lines.
        """
        name = shorten(self.name, min(longest, LONGEST_NAME))
        return "\n".join(line for line in (name, self.place) if line)


def read_samples(
    images: Arrays, maps: Mapping[str, Arrays | None], names: Sequence[str] | None
) -> Iterator[tuple[str, Maps]]:
    """Read one image after the other, with what belongs to it.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Images, also of different sizes.

    maps : mapping of str to sequence of ndarray of shape (*spatial,), or None
        Masks and other maps of the images; those that are None are left out.

    names : sequence of str or None
        Of the images.

    Yields
    ------
    name : str
        Empty without `names`.

    maps : dict of str to ndarray
        The image as `(*spatial, 3)`, float32 from 0 to 1, and its maps `(*spatial,)`.

    Raises
    ------
    ImageError
        If numbers or sizes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._rows import read_samples
    >>> samples = read_samples(np.zeros((1, 4, 5)), {"truth": None}, ["a"])
    >>> [(name, maps["image"].shape) for name, maps in samples]
    [('a', (4, 5, 3))]
    """
    given = {name: arrays for name, arrays in maps.items() if arrays is not None}
    _check_lengths(len(images), given | ({} if names is None else {"name": names}))
    for index, image in enumerate(images):
        own = {name: np.asarray(arrays[index]) for name, arrays in given.items()}
        sample = _check_sample(index, np.asarray(image), own)
        name = "" if names is None else str(names[index])
        yield name, sample | {"image": to_rgb(sample["image"])}


def cut_rows(samples: Iterable[tuple[str, Maps]]) -> list[Row]:
    """Make one row of an image; of a volume its middle plane and its middle section.

    Parameters
    ----------
    samples : iterable of (str, dict of str to ndarray)
        As `read_samples` gives them.

    Returns
    -------
    list of Row
        In the same order.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._rows import cut_rows
    >>> rows = cut_rows([("a", {"image": np.zeros((4, 5, 6, 3))})])
    >>> [(row.place, row.maps["image"].shape) for row in rows]
    [('plane 2', (5, 6, 3)), ('row 2', (4, 6, 3))]
    """
    rows = []
    for name, maps in samples:
        if maps["image"].ndim == 3:
            rows.append(Row(name, "", maps))
            continue
        plane, row = (size // 2 for size in maps["image"].shape[:2])
        # Copies, so that the volume itself need not be kept.
        planes = {key: array[plane].copy() for key, array in maps.items()}
        sections = {key: array[:, row].copy() for key, array in maps.items()}
        rows += [Row(name, f"plane {plane}", planes), Row("", f"row {row}", sections)]
    return rows


def to_rgb(image: NDArray[Any]) -> NDArray[np.float32]:
    """Stretch the values to 0..1 and give an image of any channels three.

    Parameters
    ----------
    image : ndarray of shape (height, width[, channels]) or \
(depth, height, width, channels)
        Of any dtype. One channel is shown in grey, two in green and magenta, of more
        the first three in red, green and blue. Three channels of 8 bits are taken for
        a photograph: they are stretched together, so that its hues stay.

    Returns
    -------
    ndarray of shape (height, width, 3) or (depth, height, width, 3), float32
        From 0 to 1; half a percent of the values is at either end, of a photograph
        or of each channel.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.plotting._rows import to_rgb
    >>> to_rgb(np.array([[0, 255]], np.uint8)).tolist()
    [[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]
    """
    if image.ndim == 2:
        image = image[..., np.newaxis]
    photograph = image.dtype == np.uint8 and image.shape[-1] == 3
    axes = None if photograph else tuple(range(image.ndim - 1))
    image = image.astype(np.float32)
    low, high = np.percentile(image, (0.5, 99.5), axis=axes).astype(np.float32)
    image = np.clip((image - low) / np.maximum(high - low, 1e-12), 0, 1)
    if image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if image.shape[-1] == 2:
        return image[..., [1, 0, 1]]
    return image[..., :3]


def _check_lengths(n_images: int, given: Mapping[str, Any]) -> None:
    if n_images == 0:
        raise ImageError(
            "`images` must hold at least one image. Got 0. Draw nothing where there"
            " are none."
        )
    for name, values in given.items():
        if len(values) != n_images:
            raise ImageError(
                f"Each image must have one {name}. Got {len(values)} for {n_images} "
                "images."
            )


def _check_sample(index: int, image: NDArray[Any], maps: Maps) -> Maps:
    """Image as `(*spatial, channels)` and its maps `(*spatial,)`."""
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim not in (3, 4) or not image.size:
        raise ImageError(
            "An image must have shape (height, width[, channels]) or (depth, height, "
            f"width, channels). Got {image.shape} as image {index}."
        )
    for name, array in maps.items():
        if array.shape != image.shape[:-1]:
            raise ImageError(
                f"The {name} must have the size of its image. Image {index} is "
                f"{image.shape[:-1]}, its {name} {array.shape}."
            )
    return {"image": image} | maps
