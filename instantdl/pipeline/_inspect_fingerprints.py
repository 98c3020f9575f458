"""Small pictures by which nearly the same images are found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Cells along each side of the coarse and of the fine picture.
_COARSE, _FINE = 32, 64
# Standard deviation of the blur that is taken out, in cells.
_BLUR = 2.0
# Polynomials of this degree along each axis are taken out: uneven illumination, which
# all fields of a microscope share, would make empty ones alike.
_DEGREE = 4
# A picture whose contrast lies in fewer cells than these (a single spot) fits others by
# chance: of pairs of images with one spot each, one in 220 did.
_LEAST_CELLS = 8.0
# Mean of the correlations of both pictures from which on images are nearly the same. Of
# 5.2 million pairs in eight real data sets, all but consecutive slices, 6 were above,
# and all show the same cells (.85 and more); the closest other pair had .81. Small
# images have the coarse picture only, and need more.
_ALIKE, _ALIKE_COARSE = 0.835, 0.9
# Below that the finer picture is not looked at.
_WORTH_A_LOOK = 0.75
# Pairs that are compared: some ten seconds on one core.
_MAX_PAIRS = 2 * 10**7
_CHUNK, _BATCH = 2048, 64
# Pixels whose sums are held together.
_PIXELS = 2**22

Picture = NDArray[np.int8]


class Fingerprint(NamedTuple):
    """An image in 32 x 32 cells, and in 64 x 64 where it has as many pixels."""

    coarse: Picture
    fine: Picture | None


class Alike(NamedTuple):
    """Positions of two images that are nearly the same, and how much they are."""

    first: int
    second: int
    correlation: float


def fingerprint(pixels: NDArray[Any]) -> Fingerprint | None:
    """Return a picture by which an image is known again.

    Cells are means over pixels, channels and planes. Neither brightness and contrast,
    nor illumination, nor lossy compression change it much.

    Parameters
    ----------
    pixels : ndarray of shape (*spatial, channels)
        The image.

    Returns
    -------
    Fingerprint or None
        None if there is too little in the image: less than 32 pixels along an axis, no
        contrast, or as much as a single spot only.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_fingerprints import fingerprint
    >>> rng = np.random.default_rng(0)
    >>> fingerprint(rng.normal(size=(64, 64, 1))).coarse.shape
    (32, 32)
    >>> fingerprint(np.zeros((64, 64, 1))) is None
    True
    """
    if pixels.ndim == 4:
        pixels = _mean_plane(pixels)
    if pixels.ndim != 3 or min(pixels.shape[:2]) < _COARSE:
        return None
    fine = None
    if min(pixels.shape[:2]) >= _FINE:
        cells = _cells(pixels, _FINE)
        fine = _details(cells)
        cells = cells.reshape(_COARSE, 2, _COARSE, 2).mean(axis=(1, 3))
    else:
        cells = _cells(pixels, _COARSE)
    coarse = _details(cells)
    if coarse is None or _n_cells(coarse) < _LEAST_CELLS:
        return None
    return Fingerprint(coarse, fine)


def find_alike(
    first: Sequence[Fingerprint | None], second: Sequence[Fingerprint | None]
) -> tuple[list[Alike], int]:
    """Find images of two sets that are nearly the same, also turned or mirrored.

    Parameters
    ----------
    first, second : sequence of Fingerprint or None
        Of the images; None is like nothing.

    Returns
    -------
    alike : list of Alike
        For each image of `second` that has some, the one of `first` most like it.

    n_compared : int
        Images of `second` that were looked at; fewer than all where there are too many
        pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._inspect_fingerprints import find_alike, fingerprint
    >>> rng = np.random.default_rng(0)
    >>> images = rng.normal(size=(3, 64, 64, 1))
    >>> turned = 100 + 5 * np.rot90(images[1])
    >>> pairs, _ = find_alike([fingerprint(x) for x in images], [fingerprint(turned)])
    >>> [(pair.first, pair.second) for pair in pairs]
    [(1, 0)]
    """
    mine = [(i, one) for i, one in enumerate(first) if one is not None]
    theirs = [(i, one) for i, one in enumerate(second) if one is not None]
    if len(mine) * len(theirs) > _MAX_PAIRS:
        kept = np.linspace(0, len(theirs) - 1, max(1, _MAX_PAIRS // len(mine)))
        theirs = [theirs[int(i)] for i in kept]
    best: dict[int, Alike] = {}
    for start in range(0, len(mine), _CHUNK):
        chunk = mine[start : start + _CHUNK]
        images = np.stack([_unit(one.coarse) for _, one in chunk])
        for begin in range(0, len(theirs), _BATCH):
            for pair in _compare(images, chunk, theirs[begin : begin + _BATCH]):
                known = best.get(pair.second)
                if known is None or pair.correlation > known.correlation:
                    best[pair.second] = pair
    return [best[position] for position in sorted(best)], len(theirs)


def _compare(
    images: NDArray[np.float32],
    mine: Sequence[tuple[int, Fingerprint]],
    theirs: Sequence[tuple[int, Fingerprint]],
) -> Iterator[Alike]:
    """Yield the pairs of two lists of images that are nearly the same."""
    turned = [_unit(turn) for _, one in theirs for turn in _turns(one.coarse)]
    correlations = images @ np.stack(turned).T
    for row, column in zip(*np.nonzero(correlations > _WORTH_A_LOOK), strict=True):
        correlation, least = float(correlations[row, column]), _ALIKE_COARSE
        first, one = mine[row]
        second, other = theirs[column // 8]
        if one.fine is not None and other.fine is not None:
            turn = list(_turns(other.fine))[column % 8]
            correlation = (correlation + float(_unit(one.fine) @ _unit(turn))) / 2
            least = _ALIKE
        if correlation >= least:
            yield Alike(first, second, correlation)


def _turns(picture: Picture) -> Iterator[Picture]:
    """Return the eight ways to turn and mirror a square picture."""
    for one in (picture, picture.T):
        yield from (one, one[::-1], one[:, ::-1], one[::-1, ::-1])


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return values as a vector of mean 0 and length 1."""
    centred = values.ravel().astype(np.float32)
    centred -= centred.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-12))


def _mean_plane(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean over the planes of a volume, without a copy of the whole."""
    total = np.zeros(pixels.shape[1:], np.float32)
    for plane in pixels:
        total += plane
    return total / np.float32(len(pixels))


def _cells(pixels: NDArray[Any], n_cells: int) -> NDArray[np.float64]:
    """Return means over cells and channels, looking at some rows of cells at a time."""
    height, width = pixels.shape[:2]
    edges = np.linspace(0, height, n_cells + 1).tolist()
    n_lines = max(1, _PIXELS // width)
    cells = []
    for first in range(0, n_cells, n_lines):
        rows = range(first, min(first + n_lines, n_cells))
        lines = [_line(pixels, edges[row], edges[row + 1]) for row in rows]
        cells.append(_cells_of_lines(np.stack(lines), n_cells))
    return np.concatenate(cells)


def _line(pixels: NDArray[Any], start: float, stop: float) -> NDArray[np.float64]:
    """Return means of rows between two heights, and over channels."""
    first, last = int(start), math.ceil(stop - 1e-9)
    # Rows as they lie in memory, which is faster than along short axes.
    rows = pixels[first:last].reshape(last - first, -1)
    total = rows.sum(axis=0, dtype=np.float64)
    # Of the first and the last row a part only.
    total -= rows[0] * (start - first)
    total -= rows[-1] * (last - stop)
    n_channels = pixels.shape[-1]
    if n_channels > 1:
        total = total.reshape(pixels.shape[1:]).sum(axis=-1)
    return np.asarray(total / (n_channels * (stop - start)))


def _cells_of_lines(lines: NDArray[np.float64], n_cells: int) -> NDArray[np.float64]:
    """Return means over cells of lines, which may begin and end within pixels."""
    width = lines.shape[1]
    edges = np.linspace(0, width, n_cells + 1)
    sums = np.pad(np.cumsum(lines, axis=1), ((0, 0), (1, 0)))
    below = edges.astype(int)
    above = np.minimum(below + 1, width)
    at_edges = sums[:, below] + (edges - below) * (sums[:, above] - sums[:, below])
    return np.asarray(np.diff(at_edges, axis=1) / (width / n_cells))


def _details(cells: NDArray[np.float64]) -> Picture | None:
    """Return what is left of cells without illumination and blur; None if nothing."""
    line = np.linspace(-1, 1, len(cells))
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(line, _DEGREE))
    smooth = basis @ (basis.T @ cells @ basis) @ basis.T
    details = cells - smooth
    details = details - ndimage.gaussian_filter(details, _BLUR, mode="reflect")
    greatest = np.abs(details).max()
    # Less than that is rounding. NaN compares false as well.
    if not greatest > 1e-6 * np.abs(cells).max():
        return None
    return np.round(details / greatest * 127).astype(np.int8)


def _n_cells(picture: Picture) -> float:
    """Return the number of cells that the contrast of a picture is spread over."""
    squares = picture.astype(np.float64) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())
