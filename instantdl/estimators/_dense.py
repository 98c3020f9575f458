"""What estimators with one value per pixel share: the U-Net, patches and tiles."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from instantdl._compat import Interval, StrOptions, keras_seed
from instantdl.estimators._arguments import check_shape, is_shape
from instantdl.estimators._base import BaseImageEstimator
from instantdl.exceptions import ModelFileError
from instantdl.images import Augmentation, CheckedImages, Crops, round_up, split_ends

if TYPE_CHECKING:
    from instantdl.training import Tiling

_SMALLEST_PATCH = {2: 128, 3: 64}
_LARGEST_PATCH = {2: 256, 3: 96}
_PATCH_VOXELS = {2: 256 * 256, 3: 48 * 64 * 48}
_TILE_SIZES = {2: 512, 3: 64}
_MAX_BATCH = 32
# Small patches show more different images in the same time, but a patch must show
# more than one structure and what surrounds it.
_WIDTHS_PER_PATCH = 4
_MAX_LEVELS = 8
# Of an image, what is held back for validation should show some structures.
_LEAST_HELD_BACK = {2: 32, 3: 16}

# In degrees, of what has a direction.
_SLIGHT_ROTATION = 20.0

_AUTO_AUGMENTATION = Augmentation(
    flip=True,
    rotate90=True,
    rotation=_SLIGHT_ROTATION,
    zoom=0.25,
    brightness=0.1,
    contrast=0.25,
    gamma=0.3,
    noise=0.05,
    blur=1.0,
    channel_shift=0.1,
    probability=0.3,
)


class DenseEstimator(BaseImageEstimator):
    """Base of the estimators that predict a value for each pixel."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseImageEstimator._parameter_constraints,
        "filters": [Interval(Integral, 1, 1024, closed="both")],
        "levels": [Interval(Integral, 0, _MAX_LEVELS, closed="both")],
        "dropout_rate": [Interval(Real, 0, 1, closed="left")],
        "patch_shape": [StrOptions({"auto"}), "array-like"],
        "tile_shape": [StrOptions({"auto"}), "array-like"],
    }
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseImageEstimator._fitted_constraints,
        "patch_shape_": [tuple],
        "strides_": [tuple],
        "margin_": [tuple],
        "directed_axes_": [tuple],
        "resized_to_": [tuple, None],
    }

    _auto_augmentation = _AUTO_AUGMENTATION

    strides_: tuple[tuple[int, ...], ...]
    margin_: tuple[int, ...]
    patch_shape_: tuple[int, ...]
    directed_axes_: tuple[int, ...]
    resized_to_: tuple[int, ...] | None

    def _settle_patches(
        self,
        images: CheckedImages,
        n_outputs: int,
        *,
        width: float,
        geometry: tuple[Any, tuple[int, ...]] | None = None,
    ) -> None:
        """Choose patches, strides and precision from the training images.

        `width` is that of the structures to find, in pixels; `geometry` by what each
        level lowers the resolution, and the margin of tiles, unless they are those of
        the U-Net or of a network of the user's.
        """
        from instantdl.networks import measure_network, unet_margin, unet_strides
        from instantdl.training import choose_precision

        rank = images.spatial_ndim
        shapes = np.array([images.shape(i) for i in range(len(images))])
        wanted = self._wanted_patch(shapes, rank, width)
        if geometry is not None:
            self.strides_, self.margin_ = geometry
        elif callable(self.network):
            with keras_seed(0):
                network = self._build_network(n_outputs)()
            stride, self.margin_ = measure_network(network, n_outputs=n_outputs)
            self.strides_ = (stride,)
        else:
            self.strides_ = unet_strides(wanted, self.levels)
            self.margin_ = unet_margin(self.strides_, rank)
        self.patch_shape_ = tuple(
            round_up(length, step)
            for length, step in zip(wanted, self._total_stride(rank), strict=True)
        )
        sizes = [self.patch_shape_]
        for step in self.strides_:
            pairs = zip(sizes[-1], step, strict=True)
            sizes.append(tuple(size // factor for size, factor in pairs))
        self.precision_ = choose_precision(self.precision, level_sizes=sizes)
        self.resized_to_ = None

    def _n_filters(self) -> int:
        return int(self.filters)

    def _check_fitted(self) -> None:
        super()._check_fitted()
        steps = self.strides_
        if len(steps) > _MAX_LEVELS or not all(
            is_shape(shape, self.spatial_ndim_in_, least)
            for shape, least in (
                (self.patch_shape_, 1),
                (self.margin_, 0),
                *((step, 1) for step in steps),
            )
        ):
            raise ModelFileError(
                "patch_shape_, margin_ and strides_ must hold one int per axis. Got "
                f"{self.patch_shape_!r:.60}, {self.margin_!r:.60}, {steps!r:.60}."
            )
        resized = self.resized_to_
        if resized is not None and not is_shape(resized, self.spatial_ndim_in_, 1):
            raise ModelFileError(
                "resized_to_ must be None or hold one int of 1 or more per axis. Got "
                f"{resized!r:.60}."
            )

    def _wanted_patch(self, shapes: NDArray[Any], rank: int, width: float) -> list[int]:
        if not isinstance(self.patch_shape, str):
            return check_shape(self.patch_shape, rank, "patch_shape")
        median = np.median(shapes, axis=0).astype(int)
        sizes = _SMALLEST_PATCH[rank], _LARGEST_PATCH[rank]
        largest = round_up(int(np.clip(_WIDTHS_PER_PATCH * width, *sizes)), 32)
        patch = np.minimum(median, largest)
        while patch.prod() > _PATCH_VOXELS[rank]:
            patch[patch.argmax()] = max(1, int(patch.max() * 0.9))
        return [int(length) for length in patch]

    def _hold_back(
        self,
        images: CheckedImages,
        targets: Any,
        strata: NDArray[Any],
        groups: NDArray[Any] | None,
        seed: int,
    ) -> tuple[Any, Any, NDArray[Any], NDArray[Any]]:
        """Return images, targets, who is trained on and who is held back.

        Where whole images would be far more than `validation_fraction`, ends of
        images take their place: the result has twice as many, first the beginnings.
        """
        n, fraction = len(images), self.validation_fraction
        if groups is None and 0 < fraction < 1 / (2 * n):
            shapes = [images.shape(i) for i in range(n)]
            least = _LEAST_HELD_BACK[images.spatial_ndim]
            ends = split_ends(shapes, fraction, least=least)
            if ends is not None:
                windows = [*ends[0], *ends[1]]
                parts = np.arange(2 * n).reshape(2, n)
                return Crops(images, windows), Crops(targets, windows), *parts
        return images, targets, *self._split(strata, groups, seed)

    def _chosen_augmentation(self) -> Augmentation | None:
        if self.augmentation != "auto" or not self.directed_axes_:
            return super()._chosen_augmentation()
        free = set(range(self.spatial_ndim_in_)) - set(self.directed_axes_)
        in_plane = {self.spatial_ndim_in_ - 2, self.spatial_ndim_in_ - 1}
        turned = in_plane <= free
        rotation = self._auto_augmentation.rotation
        return clone(self._auto_augmentation).set_params(
            flip=sorted(free),
            rotate90=turned,
            rotation=rotation if turned else min(rotation, _SLIGHT_ROTATION),
        )

    def _total_stride(self, rank: int) -> tuple[int, ...]:
        steps = np.array([(1,) * rank, *self.strides_])
        return tuple(int(step) for step in steps.prod(axis=0))

    def _chosen_batch_size(self, n_patches: int) -> int:
        """Return the batch size; "auto" keeps its pixels and some steps an epoch."""
        if self.batch_size != "auto":
            return int(self.batch_size)
        pixels = np.prod(self.patch_shape_, dtype=float)
        wanted = 2.0
        if len(self.patch_shape_) == 2:
            wanted = np.clip(round(8 * 128**2 / pixels), 4, _MAX_BATCH)
        return int(np.clip(n_patches // 8, 2, wanted))

    def _build_network(self, n_outputs: int) -> Callable[[], Any]:
        """Return a function without arguments that builds the network."""
        shape = (*(None,) * self.spatial_ndim_in_, self.n_channels_in_)
        if callable(self.network):
            return lambda: self.network(shape, n_outputs)
        from instantdl.networks import build_unet

        filters, rate = self._n_filters(), self.dropout_rate
        strides, dtype = self.strides_, self.precision_
        return lambda: build_unet(
            shape,
            n_outputs,
            filters=filters,
            levels=len(strides),
            strides=strides,
            dropout_rate=rate,
            dtype=dtype,
        )

    def _network_key(self, n_outputs: int) -> tuple[Any, ...]:
        return (
            self.network,
            self.spatial_ndim_in_,
            self.n_channels_in_,
            n_outputs,
            self._n_filters(),
            self.strides_,
            self.dropout_rate,
            self.precision_,
            self.optimizer,
        )

    def _auto_tile(self) -> list[int]:
        return [_TILE_SIZES[self.spatial_ndim_in_]] * self.spatial_ndim_in_

    def _tiling(self) -> "Tiling":
        from instantdl.training import Tiling

        rank = self.spatial_ndim_in_
        if isinstance(self.tile_shape, str):
            tile_shape = self._auto_tile()
        else:
            tile_shape = check_shape(self.tile_shape, rank, "tile_shape")
        return Tiling(
            self._total_stride(rank), self.margin_, tuple(tile_shape), self.patch_shape_
        )

    def _collect(
        self,
        images: CheckedImages,
        parts: Iterable[Any],
        reduce: Callable[[NDArray[Any]], NDArray[Any]],
        *,
        dtype: Any,
        n_values: int | None = None,
    ) -> NDArray[Any]:
        """Put predicted parts together: an array for an array, else an object array.

        `reduce` turns the values of a part, (*tile, n), into (*tile[, n_values]).
        """
        last = () if n_values is None else (n_values,)
        result = self._empty_result(images, dtype, last)
        for part in parts:
            if not images.stacked and result[part.number] is None:
                result[part.number] = np.empty(
                    (*images.shape(part.number), *last), dtype
                )
            result[part.number][part.place] = reduce(part.values)
        return result

    def _each_image(
        self, images: CheckedImages, noise: NDArray[Any] | None = None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield number and predicted values of each image, the whole of it at once.

        With noise these are means over its rows of what the network's `summarise`
        gives.
        """
        from instantdl.training import draw_parts, predict_parts

        with self._borrowed() as network:
            tiling = self._tiling()
            if noise is None:
                parts = predict_parts(network, images, self.normalizer_, tiling)
            else:
                parts = draw_parts(network, images, self.normalizer_, tiling, noise)
            yield from join_parts(images, parts)

    def _empty_result(
        self, images: CheckedImages, dtype: Any, last: tuple[int, ...] = ()
    ) -> NDArray[Any]:
        if images.stacked:
            return np.empty((len(images), *images.shape(0), *last), dtype)
        return np.empty(len(images), object)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that targets are images."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def join_parts(
    images: CheckedImages, parts: Iterable[Any]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Put the predicted parts of each image together, one image after the other.

    Parameters
    ----------
    images : CheckedImages
        What was predicted.

    parts : iterable of Part
        Image by image, in order.

    Yields
    ------
    number : int
        Position of the image.

    values : ndarray of shape (*spatial, n_values), float32
        All its parts.
    """
    for number, group in itertools.groupby(parts, key=lambda part: part.number):
        whole: Any = None
        for part in group:
            if whole is None:
                shape = (*images.shape(number), part.values.shape[-1])
                whole = np.empty(shape, np.float32)
            whole[part.place] = part.values
        yield number, whole
