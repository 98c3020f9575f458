"""Move pixels: flips, turns and one resampling, for 2D and 3D arrays alike."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Values interpolated together: what stays in the cache is two to three times faster.
_BLOCK = 2**15


class Moves(NamedTuple):
    """What happens to the grid of pixels of one image, drawn once for all arrays."""

    flipped: tuple[int, ...]
    n_turns: int
    planes: NDArray[np.intp] | None
    rows_columns: tuple[Float, Float] | None


def affine_grid(
    shape: tuple[int, ...], matrix: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[Float, Float]:
    """Return where an affine map about the centre of a plane takes pixels from."""
    centre = (np.array(shape) - 1) / 2
    start = centre - matrix @ (centre + shifts)
    rows = np.arange(shape[0], dtype=np.float32)[:, np.newaxis]
    columns = np.arange(shape[1], dtype=np.float32)[np.newaxis]
    weights = matrix.astype(np.float32)
    first, second = (
        (weights[axis, 0] * rows + np.float32(start[axis])) + weights[axis, 1] * columns
        for axis in (0, 1)
    )
    return first, second


def smooth_noise(
    shape: tuple[int, ...], scale: float, rng: np.random.Generator
) -> Float:
    """Return smooth noise of standard deviation 1 on a plane.

    Random numbers on a coarse grid are weighted by cubic B-splines, along rows and
    columns in turn, which makes it two small products of matrices.
    """
    rows, columns = (_spline_matrix(size, scale) for size in shape)
    coarse = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ coarse @ columns.T)


def _spline_matrix(size: int, scale: float) -> Float:
    """Return the weights of knots `scale` apart at each of `size` pixels."""
    n_knots = math.ceil((size - 1) / scale) + 3
    distance = np.abs(np.arange(size)[:, np.newaxis] / scale - (np.arange(n_knots) - 1))
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    far = np.maximum(2 - distance, 0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    # Rows of norm one keep the variance the same at and between the knots.
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights.astype(np.float32)


def mirrored(positions: NDArray[Any], size: int) -> NDArray[Any]:
    """Return positions reflected at the first and last pixel until they are inside."""
    last = size - 1
    if last == 0:
        return np.zeros_like(positions)
    if positions.min() < -last or positions.max() > 2 * last:
        positions = np.mod(positions, 2 * last)
    # In place of a modulo, which takes longer than the interpolation.
    inside = last - np.abs(last - np.abs(positions))
    return np.asarray(inside, dtype=positions.dtype)


def move(array: NDArray[Any], moves: Moves, *, nearest: bool) -> NDArray[Any]:
    """Return a new array (*spatial, n_channels) after the moves of its pixels."""
    moved = np.flip(array, moves.flipped)
    moved = np.rot90(moved, moves.n_turns, axes=(array.ndim - 3, array.ndim - 2))
    if moves.planes is not None:
        moved = moved.take(moves.planes, axis=0)
    if moves.rows_columns is None:
        return np.array(moved, order="C")
    # Rows and columns in front: all planes and channels are then taken together.
    pixels = np.moveaxis(moved, (-3, -2), (0, 1))
    sample = _nearest if nearest else _linear
    sampled = sample(pixels.reshape(*pixels.shape[:2], -1), *moves.rows_columns)
    sampled = np.moveaxis(sampled.reshape(pixels.shape), (0, 1), (-3, -2))
    return np.ascontiguousarray(sampled)


def _nearest(pixels: NDArray[Any], rows: Float, columns: Float) -> NDArray[Any]:
    """Return the pixels nearest to the given positions."""
    width = pixels.shape[1]
    indices = np.rint(rows).astype(np.intp)
    indices *= width
    indices += np.rint(columns).astype(np.intp)
    flat = pixels.reshape(-1, pixels.shape[2])
    return flat.take(indices.ravel(), axis=0, mode="clip")


def _linear(pixels: NDArray[Any], rows: Float, columns: Float) -> NDArray[Any]:
    """Return pixels interpolated between the four neighbours of each position."""
    height, width, n_values = pixels.shape
    kind = np.float64 if pixels.dtype == np.float64 else np.float32
    flat = np.ascontiguousarray(pixels.reshape(-1, n_values), dtype=kind)
    result = np.empty((rows.size, n_values), dtype=kind)
    step = max(1, _BLOCK // n_values)
    for start in range(0, rows.size, step):
        part = slice(start, start + step)
        _interpolate(
            flat,
            (height, width),
            rows.reshape(-1)[part],
            columns.reshape(-1)[part],
            result[part],
        )
    if pixels.dtype.kind == "b":
        return result >= 0.5
    if pixels.dtype.kind in "iu":
        np.rint(result, out=result)
    return result.astype(pixels.dtype, copy=False)


def _interpolate(
    flat: NDArray[Any],
    shape: tuple[int, int],
    rows: Float,
    columns: Float,
    result: NDArray[Any],
) -> None:
    """Write into `result` the pixels of a plane, row after row, at some positions."""
    height, width = shape
    top, left = np.floor(rows), np.floor(columns)
    # Kept float: int - float32 would be float64, and all after it twice as slow.
    down = (rows - top)[:, np.newaxis]
    right = (columns - left)[:, np.newaxis]
    corner = top.astype(np.intp) * width + left.astype(np.intp)
    # In the last row and column the next one has weight 0 and need not exist.
    beside = corner + (left < width - 1)
    below = width * (top < height - 1)
    _between(flat, corner, beside, right, result)
    lower = np.empty_like(result)
    _between(flat, corner + below, beside + below, right, lower)
    lower -= result
    lower *= down
    result += lower


def _between(
    flat: NDArray[Any],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    weight: Float,
    result: NDArray[Any],
) -> None:
    """Write into `result` the values part of the way from one pixel to another."""
    flat.take(first, axis=0, mode="clip", out=result)
    difference = flat.take(second, axis=0, mode="clip")
    difference -= result
    difference *= weight
    result += difference
