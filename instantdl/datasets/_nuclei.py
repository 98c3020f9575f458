"""Draw fluorescence-like images of nuclei with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy import ndimage as ndi
from sklearn.utils import check_random_state

from instantdl._compat import Interval, validate_parameter_constraints

__all__ = ["make_nuclei"]

Floats = NDArray[np.float64]
Window = tuple[slice, ...]

# Grey values of the camera: dark level, and that of the brightest nucleus above it.
_OFFSET, _RANGE = 100.0, 3000.0
# Photons that the brightest nucleus sends to a pixel where `noise` is 1.
_PHOTONS = 100.0
_READ_NOISE = 15.0
# Pixels between nuclei that do not touch; places tried for each nucleus.
_GAP, _TRIES = 2, 20


def make_nuclei(
    n_samples: int = 10,
    *,
    shape: Sequence[int] = (128, 128),
    n_nuclei: tuple[int, int] = (5, 20),
    radius: tuple[float, float] = (5.0, 10.0),
    touching: float = 0.2,
    blur: float = 1.0,
    noise: float = 1.0,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Draw images of nuclei as a fluorescence microscope shows them.

    Each nucleus is an ellipse or ellipsoid of random direction with an irregular
    outline, a brightness of its own, a dome-like profile and texture. The image is
    blurred by the optics and lies on an uneven background, under shot noise (Poisson)
    and read noise (Gaussian) of the camera.

    Parameters
    ----------
    n_samples : int, default=10
        Number of images.

    shape : tuple of 2 or 3 ints, default=(128, 128)
        Height and width, or depth, height and width, of each image in pixels.

    n_nuclei : tuple of 2 ints, default=(5, 20)
        Fewest and most nuclei in an image. There are fewer where no room is left.

    radius : tuple of 2 floats, default=(5.0, 10.0)
        Smallest and largest mean radius in pixels. Where the image has few pixels
        along an axis, nuclei are flattened to fit.

    touching : float, default=0.2
        Probability from 0 to 1 that a nucleus is put against another one. With 0
        there are always two pixels of background between nuclei.

    blur : float, default=1.0
        Standard deviation of the optical blur in pixels.

    noise : float, default=1.0
        Strength of noise: 0 for none, 2 for a quarter of the light.

    random_state : int, RandomState instance or None, default=None
        Seed of everything that is drawn.
        See :term:`Glossary <random_state>`.

    Returns
    -------
    X : ndarray of shape (n_samples, *shape)
        Images, uint16.

    y : ndarray of shape (n_samples, *shape)
        Label images, int32: 0 is background, 1 to n are nuclei.

    Raises
    ------
    ValueError
        If a parameter lies outside its range.

    See Also
    --------
    fetch_dsb2018 : Real nuclei.

    Examples
    --------
    >>> from instantdl.datasets import make_nuclei
    >>> X, y = make_nuclei(4, shape=(64, 64), n_nuclei=(3, 6), random_state=0)
    >>> X.shape, X.dtype
    ((4, 64, 64), dtype('uint16'))
    >>> y.shape, y.dtype, int(y.min())
    ((4, 64, 64), dtype('int32'), 0)

    In 3D, with masks of the foreground:

    >>> X, y = make_nuclei(2, shape=(16, 48, 48), random_state=0)
    >>> masks = y > 0
    >>> masks.shape
    (2, 16, 48, 48)
    """
    shape = tuple(shape)
    _check(n_samples, shape, n_nuclei, radius, touching, blur, noise)
    rng = check_random_state(random_state)
    X = np.empty((n_samples, *shape), np.uint16)
    y = np.zeros((n_samples, *shape), np.int32)
    for image, labels in zip(X, y, strict=True):
        light = _draw_nuclei(labels, rng, n_nuclei, radius, touching)
        image[...] = _photograph(light, blur, noise, rng)
    return X, y


def _check(
    n_samples: int,
    shape: tuple[int, ...],
    n_nuclei: tuple[int, int],
    radius: tuple[float, float],
    touching: float,
    blur: float,
    noise: float,
) -> None:
    validate_parameter_constraints(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "touching": [Interval(Real, 0, 1, closed="both")],
            "blur": [Interval(Real, 0, None, closed="left")],
            "noise": [Interval(Real, 0, None, closed="left")],
        },
        {"n_samples": n_samples, "touching": touching, "blur": blur, "noise": noise},
        caller_name="make_nuclei",
    )
    sizes_are_ints = all(
        isinstance(size, (int, np.integer)) and size >= 8 for size in shape
    )
    if len(shape) not in (2, 3) or not sizes_are_ints:
        raise ValueError(
            "The 'shape' parameter of make_nuclei must be a tuple of 2 or 3 ints in the"
            f" range [8, inf). Got {shape!r} instead."
        )
    for name, pair, lowest in (("n_nuclei", n_nuclei, 0), ("radius", radius, 1)):
        if len(pair) != 2 or not lowest <= pair[0] <= pair[1]:
            raise ValueError(
                f"The '{name}' parameter of make_nuclei must be a tuple of the smallest"
                f" and the largest value, in the range [{lowest}, inf). Got {pair!r}"
                " instead."
            )


def _draw_nuclei(
    labels: NDArray[np.int32],
    rng: RandomState,
    n_nuclei: tuple[int, int],
    radius: tuple[float, float],
    touching: float,
) -> Floats:
    """Draw nuclei into `labels`, in place, and return the light that they send."""
    light = np.zeros(labels.shape)
    near = np.zeros(labels.shape, bool)
    texture = ndi.gaussian_filter(rng.standard_normal(labels.shape), 1.5)
    texture = 1 + 0.15 * texture / texture.std()
    placed: list[tuple[Floats, float]] = []
    for _ in range(rng.randint(n_nuclei[0], n_nuclei[1] + 1)):
        size = rng.uniform(*radius)
        partner = None
        if placed and rng.uniform() < touching:
            partner = placed[rng.randint(len(placed))]
        for _ in range(_TRIES):
            center = _choose_center(labels.shape, size, partner, rng)
            # Most places that fail do so already here, before anything is drawn.
            if partner is None and near[tuple(center.astype(int))]:
                continue
            window, drawn, dome = _draw_nucleus(labels.shape, center, size, rng)
            mask = _fit(drawn, labels[window], near[window], partner is not None)
            if mask is None:
                continue
            labels[window][mask] = len(placed) + 1
            near[window] |= ndi.binary_dilation(mask, iterations=_GAP)
            bright = rng.uniform(0.4, 1.0) * dome * texture[window]
            light[window][mask] = bright[mask]
            placed.append((center, size))
            break
    return light


def _choose_center(
    shape: tuple[int, ...],
    size: float,
    partner: tuple[Floats, float] | None,
    rng: RandomState,
) -> Floats:
    """Return a place anywhere, or one at the side of the partner."""
    if partner is None:
        return rng.uniform(0, shape)
    center, other_size = partner
    direction = rng.standard_normal(len(shape))
    distance = (size + other_size) / np.linalg.norm(direction)
    step = direction * distance * _squash(shape, (size + other_size) / 2)
    return np.clip(center + step, 0, np.array(shape) - 1)


def _squash(shape: tuple[int, ...], size: float) -> Floats:
    """Return by how much nuclei of this radius are flattened along each axis."""
    return np.minimum(1.0, np.array(shape) / (3 * size))


def _draw_nucleus(
    shape: tuple[int, ...], center: Floats, size: float, rng: RandomState
) -> tuple[Window, NDArray[np.bool_], Floats]:
    """Return the window of a nucleus, its mask there and its profile of light."""
    ndim = len(shape)
    scale = size * _squash(shape, size)
    reach = 1.6 * scale + _GAP
    low = np.maximum(0, np.floor(center - reach)).astype(int)
    high = np.minimum(shape, np.ceil(center + reach) + 1).astype(int)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    # A random turn, then an axis length each: an ellipsoid of radius about one.
    turn, _ = np.linalg.qr(rng.standard_normal((ndim, ndim)))
    place = ((grid - center) / scale) @ (turn / rng.uniform(0.8, 1.25, ndim))
    distance = np.sqrt(np.sum(place**2, axis=-1)) + 1e-9
    # A few waves over the directions dent the outline, alike in 2D and 3D.
    waves = 2.5 * rng.standard_normal((ndim, 3))
    phases = rng.uniform(0, 2 * np.pi, 3)
    dents = np.sin((place / distance[..., np.newaxis]) @ waves + phases).sum(axis=-1)
    distance = distance / (1 + 0.06 * dents)
    return window, distance < 1, 1 - 0.35 * np.minimum(distance, 1) ** 2


def _fit(
    mask: NDArray[np.bool_],
    labels: NDArray[np.int32],
    near: NDArray[np.bool_],
    may_touch: bool,
) -> NDArray[np.bool_] | None:
    """Return what others leave of a nucleus, or None where it cannot be there."""
    n_pixels = mask.sum()
    if n_pixels < 8:
        return None
    if not may_touch:
        return None if (mask & near).any() else mask
    free = mask & (labels == 0)
    n_free = free.sum()
    if n_free == n_pixels:
        return free
    if n_free < 0.75 * n_pixels or ndi.label(free)[1] > 1:
        return None
    return free


def _photograph(
    light: Floats, blur: float, noise: float, rng: RandomState
) -> NDArray[np.uint16]:
    """Return what the camera makes of the light."""
    slope = np.zeros(light.shape)
    for axis, size in enumerate(light.shape):
        ramp = np.linspace(-1, 1, size) * rng.uniform(-0.02, 0.02)
        slope += ramp.reshape([-1 if i == axis else 1 for i in range(light.ndim)])
    signal = ndi.gaussian_filter(light, blur) + np.maximum(0, 0.06 + slope)
    counts = _RANGE * signal
    if noise > 0:
        photons = _PHOTONS / noise**2
        counts = rng.poisson(signal * photons) * (_RANGE / photons)
        counts = counts + rng.normal(0, _READ_NOISE * noise, signal.shape)
    return np.clip(np.round(_OFFSET + counts), 0, 65_535).astype(np.uint16)
