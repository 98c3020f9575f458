"""PixelRegressor: a real value for every pixel."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from instantdl._compat import Interval, Options, StrOptions, with_callbacks
from instantdl.estimators._arguments import check_groups, drop_weightless
from instantdl.estimators._base import TrainingData, now
from instantdl.estimators._dense import DenseEstimator
from instantdl.estimators._survey import survey_values
from instantdl.estimators._uncertainty import check_kind, deviation_of
from instantdl.exceptions import ModelFileError
from instantdl.images import (
    Augmentation,
    CheckedImages,
    CheckedTargets,
    Normalizer,
    check_images_and_targets,
    check_sample_weight,
)
from instantdl.metrics import pearson

if TYPE_CHECKING:
    from instantdl.training import NetworkSpec

# Stronger than for masks: values are learnt by heart more easily, as there are mostly
# few images with such targets.
_AUTO_AUGMENTATION = Augmentation(
    flip=True,
    rotate90=True,
    rotation=45.0,
    zoom=0.25,
    brightness=0.2,
    contrast=0.3,
    gamma=0.3,
    noise=0.1,
    blur=1.0,
    channel_shift=0.1,
    probability=0.5,
)
# What volumes of transmitted light tell of is so fine that it bears neither noise nor
# interpolation.
_VOLUME_AUGMENTATION = Augmentation(flip=True, rotate90=True)

_RATES = {2: 1e-3, 3: 2e-3}
_NORMALIZATIONS = {2: "percentile", 3: "standard"}
_LOSSES = {"mean_squared_error", "mean_absolute_error", "huber"}


class PixelRegressor(RegressorMixin, DenseEstimator):  # type: ignore[misc]
    """Predict a real value for every pixel of an image or volume, by a U-Net.

    Learns from images and the images that belong to them, say brightfield and
    fluorescence, and returns such images of the same size for new images of any size.

    Parameters
    ----------
    network : {"unet"} or callable, default="unet"
        A function `(input_shape, n_outputs) -> keras.Model` makes a network of your
        own: fully convolutional, of output size equal to input size, without an
        activation at its end.

    spatial_ndim : {2, 3} or None, default=None
        Number of spatial axes. None takes all axes of a target for spatial ones; it
        must be given where targets have a channel axis.

    filters : int, default=16
        Filters of the U-Net's first level; doubled at each level below.

    levels : int, default=4
        How often the U-Net halves the resolution. Axes that are too short for that
        are halved less often.

    dropout_rate : float, default=0.1
        Fraction of channels that are dropped in the deeper encoder, in training and
        in `predict_uncertainty`.

    loss : {"mean_squared_error", "mean_absolute_error", "huber"}, \
default="mean_squared_error"
        Of the standardised target; "huber" turns from squares to absolute values at
        one standard deviation.

    predict_variance : bool, default=False
        Also learn the variance of each pixel's value [2]_, which gives
        `predict_uncertainty` the kinds "aleatoric" and "total". The loss must be
        "mean_squared_error", in whose place the Gaussian likelihood comes.

    optimizer : {"adam", "adamw", "nadam", "sgd", "rmsprop"}, default="adam"
        Name of Keras' optimizer.

    learning_rate : float or "auto", default="auto"
        The highest learning rate; "auto" is 1e-3 for images and 2e-3 for volumes.

    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" rises over the first twentieth of the training and then falls to a
        hundredth, along `epochs` or the clock, whichever ends first.

    epochs : int, default=100
        Passes over the training images, at most. Few images that are larger than a
        patch are passed over several times an epoch, for about 256 patches.

    batch_size : int or "auto", default="auto"
        Patches in a step; "auto" takes 8 of 128 x 128 pixels, more smaller ones,
        4 of 256 x 256, and 2 volumes; fewer where that leaves few steps an epoch.

    patch_shape : "auto" or sequence of int, default="auto"
        Spatial size of what is trained on, rounded up to what the network needs.
        "auto" takes the median size of the images, at most 128 pixels a side, of
        volumes 64 and about 147,000 voxels.

    tile_shape : "auto" or sequence of int, default="auto"
        Spatial size of what is predicted at once, without the margin that makes
        tiles give what the whole image would; "auto" takes 512 x 512 or 64 x 64 x 64.

    validation_fraction : float, default=0.1
        Share of the images that are held back to choose the best weights; 0 trains
        on all and keeps the last weights. Of images so few that one would be more
        than twice this share, the ends are held back where they are large enough.

    early_stopping : bool, default=True
        When the validation loss stops falling, let the learning rate fall and end.

    n_iter_no_change : int, default=20
        For how many epochs the loss must not have fallen, and over how many the
        learning rate then does.

    time_limit : float or None, default=None
        Seconds that `fit` may take; the learning rate follows the clock. The result
        then depends on the speed of the machine.

    normalization : {"auto", "percentile", "minmax", "standard", "dataset"} or None, \
default="auto"
        How intensities of `X` are scaled: by the 1st and 99.8th percentile, by
        minimum and maximum, or by mean and standard deviation of each image and
        channel, or by mean and standard deviation of the training images. "auto" is
        "percentile" for images and "standard" for volumes. `y` is always scaled by
        mean and standard deviation of the training targets, inside.

    augmentation : "auto", Augmentation or None, default="auto"
        Random changes of image and target in training; "auto" flips and turns them,
        in 2D by any angle, where it also zooms and varies intensities of the image.
        It does not flip along `directed_axes_`.

    pretrained : estimator, path-like or None, default=None
        A fitted estimator, or a saved one, whose weights training begins with where
        they fit.

    precision : {"auto", "float32", "bfloat16"}, default="auto"
        "auto" computes in bfloat16 where the processor does so natively.

    warm_start : bool, default=False
        Go on from the last fit's weights.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, validation split, patches, augmentation and dropout. With
        an int and no `time_limit` results are the same, bit for bit, on one CPU.

    log_dir : path-like or None, default=None
        Where `history.csv` and TensorBoard's files go, and the state from which an
        interrupted `fit` on the same data goes on.

    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    target_normalizer_ : Normalizer
        Mean and standard deviation of the training targets, for each channel.

    n_targets_ : int or None
        Channels of the targets; None where they have no channel axis.

    history_ : dict of str to list of float
        "loss", "val_loss" and "learning_rate" of each epoch.

    n_epochs_ : int
        Epochs done.

    best_epoch_ : int
        The epoch, counted from 0, whose weights were kept.

    n_channels_in_, spatial_ndim_in_ : int
        Channels and spatial axes of the training images.

    directed_axes_ : tuple of int
        Axes along which the targets lie alike in all training images, as in stacks
        of cells on a slide; empty for fewer than 8 images.

    patch_shape_ : tuple of int
        Spatial size of the patches.

    strides_ : tuple of tuple of int
        By what each level of the U-Net lowers the resolution.

    margin_ : tuple of int
        Pixels around a tile that the network sees besides.

    resized_to_ : tuple of int or None
        Size that a run of `instantdl.pipeline` has resized the images to.

    precision_ : str
        The Keras dtype policy in use.

    normalizer_ : Normalizer
        How images are scaled.

    See Also
    --------
    SemanticSegmenter : A class for every pixel.
    instantdl.metrics.pearson : The correlation that `score` returns.

    Notes
    -----
    The network is the U-Net [3]_ with a linear head, as for in-silico staining [1]_.
    Images smaller than a patch are mirrored at their end.

    References
    ----------
    .. [1] Ounkomol et al. "Label-free prediction of three-dimensional fluorescence
       images from transmitted-light microscopy", Nature Methods 15, 917, 2018.
    .. [2] Kendall, Gal. "What uncertainties do we need in Bayesian deep learning for
       computer vision?", NeurIPS 2017.
    .. [3] Ronneberger, Fischer, Brox. "U-Net", MICCAI 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl import PixelRegressor
    >>> X = np.random.default_rng(0).random((4, 32, 32))
    >>> y = 100 * X**2
    >>> regressor = PixelRegressor(epochs=2, filters=2, levels=2, random_state=0)
    >>> regressor.fit(X, y).predict(X).shape
    (4, 32, 32)
    >>> regressor.predict_uncertainty(X, n_draws=3).shape
    (4, 32, 32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._parameter_constraints,
        "spatial_ndim": [Options(int, {2, 3}), None],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "normalization": [
            StrOptions({"auto", "percentile", "minmax", "standard", "dataset"}),
            None,
        ],
        "loss": [StrOptions(_LOSSES)],
        "predict_variance": ["boolean"],
    }
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._fitted_constraints,
        "target_normalizer_": [Normalizer],
        "n_targets_": [Interval(Integral, 1, None, closed="left"), None],
    }

    target_normalizer_: Normalizer
    n_targets_: int | None

    def __init__(
        self,
        *,
        network: Any = "unet",
        spatial_ndim: int | None = None,
        filters: int = 16,
        levels: int = 4,
        dropout_rate: float = 0.1,
        loss: str = "mean_squared_error",
        predict_variance: bool = False,
        optimizer: str = "adam",
        learning_rate: float | str = "auto",
        learning_rate_schedule: str = "cosine",
        epochs: int = 100,
        batch_size: int | str = "auto",
        patch_shape: Any = "auto",
        tile_shape: Any = "auto",
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        n_iter_no_change: int = 20,
        time_limit: float | None = None,
        normalization: str | None = "auto",
        augmentation: Any = "auto",
        pretrained: Any = None,
        precision: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        log_dir: Any = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.spatial_ndim = spatial_ndim
        self.filters = filters
        self.levels = levels
        self.dropout_rate = dropout_rate
        self.loss = loss
        self.predict_variance = predict_variance
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.patch_shape = patch_shape
        self.tile_shape = tile_shape
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.time_limit = time_limit
        self.normalization = normalization
        self.augmentation = augmentation
        self.pretrained = pretrained
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.log_dir = log_dir
        self.verbose = verbose

    @with_callbacks
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> Self:
        """Fit the network to images and their targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            2D images `(height, width[, channels])` or volumes `(depth, height,
            width[, channels])`, of any and of different sizes.

        y : array-like of shape (n_samples, *spatial[, n_targets]), list or collection
            One image of real values per image, of the same size, in any units.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image in the loss; those of 0 are left out.

        groups : array-like of shape (n_samples,), default=None
            For example patients; the images of a group are all trained on or all
            held back for validation.

        Returns
        -------
        self : PixelRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, an image or a target is not as it must be; the message
            names it.
        """
        started = now()
        self._check_parameters()
        seeds = self._draw_seeds()
        n_channels = getattr(self, "n_channels_in_", None) if self.warm_start else None
        images, targets = check_images_and_targets(
            X, y, spatial_ndim=self.spatial_ndim, n_channels=n_channels
        )
        weight = check_sample_weight(sample_weight, len(images))
        groups = check_groups(groups, len(images))
        weight, groups, images, targets = drop_weightless(
            weight, groups, images, targets
        )
        self._settle(images, targets, seeds)
        strata = np.zeros(len(images), int)
        images, targets, training, validation = self._hold_back(
            images, targets, strata, groups, seeds[1]
        )
        data = TrainingData(
            images=images,
            targets=targets,
            encode=self.target_normalizer_,
            weight=np.resize(weight, len(images)),
            training=training,
            validation=validation,
            class_weight=np.ones(1),
            patch_shape=self.patch_shape_,
            nearest=False,
        )
        listeners = self._listeners(X, y)
        scaling = self.target_normalizer_
        told_apart_by = [np.array([scaling.offset, scaling.scale])]
        self._train(data, seeds, started, listeners, told_apart_by=told_apart_by)
        for listener in listeners:
            listener.finish()
        return self

    def _settle(
        self, images: CheckedImages, targets: CheckedTargets, seeds: list[int]
    ) -> None:
        """Set the fitted attributes that do not need training."""
        if self.warm_start and hasattr(self, "_weights"):
            self._check_warm_start(images.spatial_ndim)
            if targets.n_channels != self.n_targets_:
                raise ValueError(
                    "warm_start can only be used where `y` has the same channels as in "
                    f"the first fit. Previously got {self.n_targets_}, now "
                    f"{targets.n_channels}. Set warm_start=False."
                )
            return
        self._settle_images(images, seeds[3])
        self.n_targets_ = targets.n_channels
        self.target_normalizer_ = Normalizer.fit(targets, "dataset")
        self.directed_axes_ = survey_values(targets)
        # Values have no borders by which a width could be told: the smallest patches.
        self._settle_patches(images, self._n_outputs(), width=0)

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if len(self.target_normalizer_.offset or ()) != (self.n_targets_ or 1):
            raise ModelFileError(
                "target_normalizer_ must have one offset for each of n_targets_. Got "
                f"{self.target_normalizer_!r:.60} for {self.n_targets_}."
            )

    @property
    def _auto_augmentation(self) -> Augmentation:  # type: ignore[override]
        volumes = self.spatial_ndim_in_ == 3
        return _VOLUME_AUGMENTATION if volumes else _AUTO_AUGMENTATION

    def _chosen_normalization(self) -> str | None:
        if self.normalization == "auto":
            return _NORMALIZATIONS[self.spatial_ndim_in_]
        return super()._chosen_normalization()

    def _highest_rate(self) -> float:
        if self.learning_rate == "auto":
            return _RATES[self.spatial_ndim_in_]
        return super()._highest_rate()

    def _n_outputs(self) -> int:
        return (self.n_targets_ or 1) * (2 if self.predict_variance else 1)

    def _network_spec(self) -> "NetworkSpec":
        from instantdl import training
        from instantdl.networks import build_regression_loss, judge_variance

        n_outputs, variance = self._n_outputs(), self.predict_variance
        activate, summarise = training.real_values, training.value_moments
        if variance:
            activate = training.values_and_variances
            summarise = training.value_moments_and_variances
        return training.NetworkSpec(
            key=("pixels", self.loss, variance, *self._network_key(n_outputs)),
            build=self._build_network(n_outputs),
            loss=build_regression_loss(self.loss, predict_variance=variance),
            judge=judge_variance if variance else None,
            activate=activate,
            summarise=summarise,
            optimizer=self.optimizer,
            draws_own_weights=callable(self.network),
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict a value for every pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size, with the channels of the training images.

        Returns
        -------
        ndarray of shape (n_samples, *spatial[, n_targets]), float32
            In the units of the training targets. An object array, one per image,
            unless `X` is an array.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        from instantdl.training import predict_parts

        images = self._check_predict(X)
        with self._borrowed() as network:
            parts = predict_parts(network, images, self.normalizer_, self._tiling())
            return self._collect_values(images, parts, self._in_units)

    def _in_units(self, values: NDArray[Any]) -> NDArray[np.float32]:
        return self.target_normalizer_.invert(values[..., : self.n_targets_ or 1])

    def _collect_values(
        self, images: CheckedImages, parts: Iterable[Any], reduce: Any
    ) -> NDArray[Any]:
        """Put parts together, with a channel axis where the targets had one."""
        if self.n_targets_ is None:
            return self._collect(
                images, parts, lambda values: reduce(values)[..., 0], dtype=np.float32
            )
        return self._collect(
            images, parts, reduce, dtype=np.float32, n_values=self.n_targets_
        )

    def predict_uncertainty(
        self, X: Any, *, n_draws: int = 20, kind: str | None = None
    ) -> NDArray[Any]:
        """Return how uncertain the value of every pixel is, by Monte Carlo dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size.

        n_draws : int, default=20
            Networks that are sampled by dropout.

        kind : {"total", "epistemic", "aleatoric"} or None, default=None
            "epistemic" is the standard deviation over the draws, what more training
            images would settle. With `predict_variance=True` there are also
            "aleatoric", the learnt noise of the values, and "total", the root of the
            sum of both squares. None is "total" if there is one, else "epistemic".

        Returns
        -------
        ndarray of shape (n_samples, *spatial[, n_targets]), float32
            Standard deviations, in the units of the training targets. An object
            array, one per image, unless `X` is an array. Two calls give the same.

        Raises
        ------
        ValueError
            If the network has no dropout, or has learnt no variance that is asked
            for.
        """
        from instantdl.training import draw_parts

        images = self._check_predict(X)
        kind = self._chosen_kind(kind)
        scale = np.asarray(self.target_normalizer_.scale, np.float32)
        with self._borrowed() as network:
            parts = draw_parts(
                network,
                images,
                self.normalizer_,
                self._tiling(),
                self._noise(n_draws, network.n_noise),
            )
            return self._collect_values(
                images,
                parts,
                lambda values: scale * deviation_of(values, len(scale), kind),
            )

    def _chosen_kind(self, kind: str | None) -> str:
        if kind is None:
            return "total" if self.predict_variance else "epistemic"
        check_kind(kind)
        if kind != "epistemic" and not self.predict_variance:
            raise ValueError(
                f"kind={kind!r} needs a network that has learnt the variance. Got one "
                "that has not. Fit with predict_variance=True, or use "
                "kind='epistemic'."
            )
        return kind

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return Pearson's correlation, the mean over images.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images.

        y : array-like of shape (n_samples, *spatial[, n_targets]), list or collection
            Their true values.

        sample_weight : array-like of shape (n_samples,), default=None
            How much each image counts in the mean. None is 1 for each.

        Returns
        -------
        float
            At most 1, higher is better; of several channels the mean. An image whose
            truth or prediction is constant counts as 0.
        """
        predicted = self.predict(X)
        check_sample_weight(sample_weight, len(predicted))
        if self.n_targets_ is None:
            each = pearson(y, predicted, per_image=True)
            return float(np.average(each, weights=sample_weight))
        targets = [np.asarray(target) for target in y]  # files are read once
        correlations: list[Any] = [
            pearson(
                [target[..., channel] for target in targets],
                [values[..., channel] for values in predicted],
                per_image=True,
            )
            for channel in range(self.n_targets_)
        ]
        each = np.mean(correlations, axis=0)
        return float(np.average(each, weights=sample_weight))
