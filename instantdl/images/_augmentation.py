"""Random changes of image and target together while training."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.base import BaseEstimator

from instantdl.exceptions import ImageError
from instantdl.images._resampling import (
    Moves,
    affine_grid,
    mirrored,
    move,
    smooth_noise,
)

__all__ = ["Augmentation"]

Float = NDArray[np.float32]

# Each number with its least and greatest value; a greatest of inf is left out itself.
_RANGES = {
    "rotation": (0.0, 180.0),
    "zoom": (0.0, math.inf),
    "shift": (0.0, 1.0),
    "shear": (0.0, 80.0),
    "elastic": (0.0, math.inf),
    "elastic_scale": (1.0, math.inf),
    "blur": (0.0, math.inf),
    "noise": (0.0, math.inf),
    "poisson_noise": (0.0, math.inf),
    "brightness": (0.0, math.inf),
    "contrast": (0.0, math.inf),
    "gamma": (0.0, math.inf),
    "channel_shift": (0.0, math.inf),
    "invert": (0.0, 1.0),
    "probability": (0.0, 1.0),
}


class Augmentation(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Change image and target at random, the same way and anew in each epoch.

    The default only flips and turns by 90 degrees, which suits images without a
    preferred direction. Every other change is off until it is given a strength, and
    is then drawn for each image with `probability`. All changes of place are
    composed into one resampling, so pixels are interpolated once.

    In 3D, planes are turned, zoomed, sheared and bent all alike, in the plane of the
    last two spatial axes: the distance of planes often differs from that of pixels.
    Along the depth images are flipped and shifted by whole planes.

    Parameters
    ----------
    flip : bool or sequence of int, default=True
        Mirror each spatial axis, or only the axes of these numbers, with probability
        1/2; negative numbers count from the last one.

    rotate90 : bool, default=True
        Turn by 0, 90, 180 or 270 degrees, or by 0 or 180 if a plane is not square.

    rotation : float, default=0.0
        Greatest angle in degrees, either way.

    zoom : float, default=0.0
        Sizes change by a factor between 1 / (1 + zoom) and 1 + zoom.

    shift : float, default=0.0
        Greatest shift along each axis, as a part of its length.

    shear : float, default=0.0
        Greatest angle of shear in degrees, either way.

    elastic : float, default=0.0
        Standard deviation in pixels of a smooth random displacement.

    elastic_scale : float, default=32.0
        Distance in pixels over which this displacement changes.

    blur : float, default=0.0
        Greatest standard deviation in pixels of a Gaussian blur within planes.

    noise : float, default=0.0
        Greatest standard deviation of Gaussian noise. This and the next ones are in
        units of the normalised image, where most values lie between 0 and 1.

    poisson_noise : float, default=0.0
        Greatest standard deviation, at value 1 above the minimum, of noise that grows
        with the square root of the brightness as counted photons do.

    brightness : float, default=0.0
        Greatest number added or subtracted.

    contrast : float, default=0.0
        Distances to the mean change by a factor from 1 / (1 + contrast) to
        1 + contrast.

    gamma : float, default=0.0
        The image, scaled to 0..1 for it, is raised to a power from 1 / (1 + gamma)
        to 1 + gamma.

    channel_shift : float, default=0.0
        Each channel is multiplied by 1 plus, and has added, a number of its own up
        to this: jitter of stain and colour.

    invert : float, default=0.0
        Probability of turning dark into bright, ``1 - image``; not drawn with
        `probability`.

    probability : float, default=0.5
        Probability of every other change that is switched on, for each image.

    Notes
    -----
    Pixels from outside the image are mirrored ones. With `elastic` much above a
    quarter of `elastic_scale` the displacement folds the image.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.images import Augmentation
    >>> augmentation = Augmentation(rotation=20, elastic=2, brightness=0.2)
    >>> image, mask = np.zeros((64, 48, 3), np.float32), np.zeros((64, 48), np.uint8)
    >>> image, mask = augmentation(image, mask, rng=np.random.default_rng(0))
    >>> image.shape, mask.shape, mask.dtype
    ((64, 48, 3), (64, 48), dtype('uint8'))
    """

    def __init__(
        self,
        *,
        flip: bool | Sequence[int] = True,
        rotate90: bool = True,
        rotation: float = 0.0,
        zoom: float = 0.0,
        shift: float = 0.0,
        shear: float = 0.0,
        elastic: float = 0.0,
        elastic_scale: float = 32.0,
        blur: float = 0.0,
        noise: float = 0.0,
        poisson_noise: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        gamma: float = 0.0,
        channel_shift: float = 0.0,
        invert: float = 0.0,
        probability: float = 0.5,
    ):
        self.flip = flip
        self.rotate90 = rotate90
        self.rotation = rotation
        self.zoom = zoom
        self.shift = shift
        self.shear = shear
        self.elastic = elastic
        self.elastic_scale = elastic_scale
        self.blur = blur
        self.noise = noise
        self.poisson_noise = poisson_noise
        self.brightness = brightness
        self.contrast = contrast
        self.gamma = gamma
        self.channel_shift = channel_shift
        self.invert = invert
        self.probability = probability

    def check(self) -> None:
        """Raise if a parameter is not what it must be.

        Raises
        ------
        TypeError
            If a parameter is no bool or no number.

        ValueError
            If a number is out of its range.

        Examples
        --------
        >>> from instantdl.images import Augmentation
        >>> Augmentation(zoom=-1).check()
        Traceback (most recent call last):
        ...
        ValueError: The 'zoom' parameter of Augmentation must be a float in the ...
        """
        if not isinstance(self.rotate90, (bool, np.bool_)):
            raise TypeError(_sentence("rotate90", "a bool", self.rotate90))
        if not (isinstance(self.flip, (bool, np.bool_)) or _are_axes(self.flip)):
            wanted = "a bool or a list of numbers of spatial axes"
            raise TypeError(_sentence("flip", wanted, self.flip))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            bracket = ")" if high == math.inf else "]"
            wanted = f"a float in the range [{low}, {high}{bracket}"
            if not _is_number(value):
                raise TypeError(_sentence(name, wanted, value))
            if not (low <= value <= high and math.isfinite(value)):
                raise ValueError(_sentence(name, wanted, value))

    def __call__(
        self,
        image: NDArray[Any],
        target: NDArray[Any] | None = None,
        *,
        rng: np.random.Generator,
        nearest: bool = True,
    ) -> tuple[Float, NDArray[Any] | None]:
        """Return a changed copy of an image and of its target.

        Parameters
        ----------
        image : ndarray of shape (*spatial, n_channels), float32
            A normalised image.

        target : ndarray of shape (*spatial[, n_channels]) or None, default=None
            Mask, label image or image to predict; moved with the image, its values
            left as they are.

        rng : numpy.random.Generator
            Source of chance: in the same state it gives the same result.

        nearest : bool, default=True
            Take the nearest pixel of `target`, so that no new value appears. False
            interpolates linearly.

        Returns
        -------
        image : ndarray of shape (*spatial, n_channels), float32
            A new array in C order.

        target : ndarray of the shape and dtype of `target`, or None
            A new array in C order.

        Raises
        ------
        ImageError
            If the shapes do not fit each other.

        Examples
        --------
        >>> import numpy as np
        >>> from instantdl.images import Augmentation
        >>> image = np.arange(4, dtype=np.float32).reshape(2, 2, 1)
        >>> changed, _ = Augmentation()(image, rng=np.random.default_rng(3))
        >>> sorted(changed.ravel().tolist())
        [0.0, 1.0, 2.0, 3.0]
        """
        self.check()
        _check_shapes(image, target)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"`rng` must be a numpy Generator. Got {type(rng).__name__}."
                " Use `np.random.default_rng(seed)`."
            )
        moves = self._draw_moves(image.shape[:-1], rng)
        changed = move(image.astype(np.float32, copy=False), moves, nearest=False)
        self._change_values(changed, rng)
        if target is None:
            return changed, None
        if target.ndim == image.ndim:
            return changed, move(target, moves, nearest=nearest)
        return changed, move(target[..., np.newaxis], moves, nearest=nearest)[..., 0]

    def _is_drawn(self, strength: float, rng: np.random.Generator) -> bool:
        return strength > 0 and rng.random() < self.probability

    def _draw_moves(self, shape: tuple[int, ...], rng: np.random.Generator) -> Moves:
        flipped: tuple[int, ...] = ()
        if self.flip:
            drawn = np.flatnonzero(rng.random(len(shape)) < 0.5).tolist()
            if not isinstance(self.flip, (bool, np.bool_)):
                axes = {axis + len(shape) * (axis < 0) for axis in self.flip}
                drawn = [axis for axis in drawn if axis in axes]
            flipped = tuple(drawn)
        n_turns = 0
        if self.rotate90:
            step = 1 if shape[-1] == shape[-2] else 2
            n_turns = step * int(rng.integers(4 // step))
        shifts = np.zeros(len(shape))
        if self._is_drawn(self.shift, rng):
            shifts = rng.uniform(-self.shift, self.shift, len(shape)) * shape
        planes = None
        if len(shape) == 3 and round(shifts[0]) != 0:
            planes = mirrored(np.arange(shape[0]) - round(shifts[0]), shape[0])
        return Moves(flipped, n_turns, planes, self._draw_grid(shape, shifts, rng))

    def _draw_grid(
        self,
        shape: tuple[int, ...],
        shifts: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> tuple[Float, Float] | None:
        """Return the row and column each pixel is taken from, or None for its own."""
        angle = shear = 0.0
        factor = 1.0
        if self._is_drawn(self.rotation, rng):
            angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        if self._is_drawn(self.shear, rng):
            shear = math.tan(math.radians(rng.uniform(-self.shear, self.shear)))
        if self._is_drawn(self.zoom, rng):
            factor = _draw_factor(self.zoom, rng)
        bends = None
        if self._is_drawn(self.elastic, rng):
            scale = float(self.elastic_scale)
            bends = [self.elastic * smooth_noise(shape[-2:], scale, rng) for _ in "rc"]
        if bends is None and not (angle or shear or factor != 1 or shifts[-2:].any()):
            return None
        turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        matrix = np.array(turn) @ [[1, shear], [0, 1]] / factor
        rows, columns = affine_grid(shape[-2:], matrix, shifts[-2:])
        if bends is not None:
            rows, columns = rows + bends[0], columns + bends[1]
        return mirrored(rows, shape[-2]), mirrored(columns, shape[-1])

    def _change_values(self, image: Float, rng: np.random.Generator) -> None:
        """Change the values of `image`, which is ours, in place."""
        if self._is_drawn(self.blur, rng):
            sigma = self.blur * (1 - rng.random())
            for axis in (-3, -2):
                # Beyond three sigma the kernel is below 1 % and costs a third more.
                gaussian_filter1d(
                    image, sigma, axis, output=image, mode="mirror", truncate=3
                )
        if self._is_drawn(self.gamma, rng):
            _apply_gamma(image, _draw_factor(self.gamma, rng))
        self._change_linearly(image, rng)
        self._add_noise(image, rng)

    def _change_linearly(self, image: Float, rng: np.random.Generator) -> None:
        """Apply all changes of the form factor * image + term as a single one."""
        n_channels = image.shape[-1]
        factor, term = np.ones(n_channels), np.zeros(n_channels)
        if self._is_drawn(self.contrast, rng):
            contrast = _draw_factor(self.contrast, rng)
            factor *= contrast
            term += (1 - contrast) * float(image.mean(dtype=np.float64))
        if self._is_drawn(self.brightness, rng):
            term += rng.uniform(-self.brightness, self.brightness)
        if self._is_drawn(self.channel_shift, rng):
            limit = self.channel_shift
            own = 1 + rng.uniform(-limit, limit, n_channels)
            factor *= own
            term = term * own + rng.uniform(-limit, limit, n_channels)
        if self.invert > 0 and rng.random() < self.invert:
            factor, term = -factor, 1 - term
        if (factor != 1).any():
            image *= factor.astype(np.float32)
        if term.any():
            image += term.astype(np.float32)

    def _add_noise(self, image: Float, rng: np.random.Generator) -> None:
        """Add Gaussian and photon noise, whose variances add up, as one draw."""
        even = photon = 0.0
        if self._is_drawn(self.noise, rng):
            even = rng.uniform(0, self.noise)
        if self._is_drawn(self.poisson_noise, rng):
            photon = rng.uniform(0, self.poisson_noise)
        if not (even or photon):
            return
        draws = rng.standard_normal(image.shape, dtype=np.float32)
        if photon:
            variance = (image - image.min()) * np.float32(photon**2)
            variance += np.float32(even**2)
            draws *= np.sqrt(variance, out=variance)
        else:
            draws *= np.float32(even)
        image += draws


def _is_number(value: object) -> bool:
    """Return whether a value is a real number; a bool is not meant to be one."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _are_axes(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(axis, numbers.Integral) and -3 <= int(axis) < 3 for axis in value
    )


def _sentence(name: str, wanted: str, value: object) -> str:
    """Return the error sentence that scikit-learn's estimators have."""
    return (
        f"The {name!r} parameter of Augmentation must be {wanted}."
        f" Got {value!r} instead."
    )


def _check_shapes(image: NDArray[Any], target: NDArray[Any] | None) -> None:
    """Raise unless the image is 2D or 3D and the target has its spatial shape."""
    if image.ndim not in (3, 4) or image.size == 0 or image.dtype.kind != "f":
        raise ImageError(
            "`image` must be a float array of shape (height, width, channels) or"
            f" (depth, height, width, channels). Got {image.dtype} {image.shape}."
        )
    if target is None:
        return
    spatial = image.shape[:-1]
    axes = (image.ndim - 1, image.ndim)
    if target.ndim not in axes or target.shape[: len(spatial)] != spatial:
        raise ImageError(
            "`target` must have the spatial shape of `image`."
            f" Got {target.shape} for an image of shape {image.shape}."
        )


def _draw_factor(strength: float, rng: np.random.Generator) -> float:
    """Return a factor from 1 / (1 + strength) to 1 + strength, both ways alike."""
    limit = math.log1p(strength)
    return math.exp(rng.uniform(-limit, limit))


def _apply_gamma(image: Float, gamma: float) -> None:
    """Raise an image, scaled to 0..1 and back, to a power; in place."""
    low, high = image.min(), image.max()
    spread = high - low
    if not spread > 0:
        return
    image -= low
    image /= spread
    np.power(image, np.float32(gamma), out=image)
    image *= spread
    image += low
