"""SemanticSegmenter: a class for every pixel."""

from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instantdl._compat import Interval, StrOptions, with_callbacks
from instantdl.estimators._arguments import check_groups, drop_weightless
from instantdl.estimators._base import TrainingData, now
from instantdl.estimators._dense import DenseEstimator
from instantdl.estimators._survey import MaskSurvey, survey_kinds, survey_masks
from instantdl.estimators._thresholds import best_threshold, guarded_otsu
from instantdl.estimators._uncertainty import check_kind, uncertainty_of
from instantdl.exceptions import ModelFileError
from instantdl.images import (
    Augmentation,
    CheckedImages,
    CheckedMasks,
    check_images_and_masks,
    check_sample_weight,
)
from instantdl.metrics import jaccard

if TYPE_CHECKING:
    from instantdl.training import NetworkSpec

_LOSSES = {
    "binary_crossentropy",
    "categorical_crossentropy",
    "crossentropy",
    "dice",
    "dice_crossentropy",
    "focal",
    "tversky",
}


class SemanticSegmenter(DenseEstimator):
    """Label every pixel of an image or volume with a class, by a U-Net.

    Learns from images and their masks, and returns masks of the same size for new
    images of any size. Touching objects of one class are not told apart.

    Parameters
    ----------
    network : {"unet"} or callable, default="unet"
        A function `(input_shape, n_outputs) -> keras.Model` makes a network of your
        own: fully convolutional, of output size equal to input size, without an
        activation at its end. `n_outputs` is 1 for two classes.

    filters : int, default=16
        Filters of the U-Net's first level; doubled at each level below.

    levels : int, default=4
        How often the U-Net halves the resolution. Axes that are too short for that
        are halved less often.

    dropout_rate : float, default=0.2
        Fraction of channels that are dropped in the deeper encoder, in training and
        in `predict_uncertainty` [3]_.

    loss : str, default="dice_crossentropy"
        Also "binary_crossentropy", "categorical_crossentropy" (both fit the number
        of classes by themselves), "dice", "focal" or "tversky".

    class_weight : "balanced", dict or None, default=None
        Weight of each class in the loss; "balanced" is inversely proportional to the
        number of its pixels.

    optimizer : {"adam", "adamw", "nadam", "sgd", "rmsprop"}, default="adam"
        Name of Keras' optimizer.

    learning_rate : float, default=3e-3
        The highest learning rate.

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
        "auto" takes the median size of the images, at most 128 pixels a side where
        the marked structures are small, up to 256 where they are wide; of volumes 64
        to 96, and about 147,000 voxels.

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

    normalization : {"percentile", "minmax", "standard", "dataset"} or None, \
default="percentile"
        How intensities are scaled: by the 1st and 99.8th percentile, by minimum and
        maximum, or by mean and standard deviation of each image and channel, or by
        mean and standard deviation of the training images.

    augmentation : "auto", Augmentation or None, default="auto"
        Random changes of image and mask in training; "auto" flips, turns, zooms and
        varies intensities moderately. It does not flip along `directed_axes_`.

    threshold : float, "tuned" or "otsu", default=0.5
        From which probability on a pixel is foreground, with two classes; "tuned"
        is the value with the best Jaccard index on the validation images, "otsu" is
        Otsu's for each image on its own, as in InstantDL [1]_.

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
    classes_ : ndarray of shape (n_classes,)
        Values found in `y`, sorted. With two, the second is the foreground.

    history_ : dict of str to list of float
        "loss", "val_loss" and "learning_rate" of each epoch. Of "dice_crossentropy",
        "val_loss" is the Dice part alone, by which the best weights are chosen.

    n_epochs_ : int
        Epochs done.

    best_epoch_ : int
        The epoch, counted from 0, whose weights were kept.

    threshold_ : float
        The threshold in use; NaN for "otsu".

    n_channels_in_, spatial_ndim_in_ : int
        Channels and spatial axes of the training images.

    directed_axes_ : tuple of int
        Axes along which the classes lie alike in all training images, as in scans of
        one part of the body; empty for fewer than 8 images.

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
    instantdl.metrics.jaccard : The index that `score` returns, and per image.
    instantdl.load : Open a saved segmenter.

    Notes
    -----
    The network is that of [2]_, with padding. Images smaller than a patch are
    mirrored at their end. Time and memory of `predict` grow with the number of
    pixels and with the tile, not with the image. Images of a rare kind (grey or in
    colours, what is marked brighter or darker than the rest) are shown more often in
    training, by the root of how much rarer it is.

    References
    ----------
    .. [1] Waibel et al. "InstantDL", BMC Bioinformatics 22, 103, 2021.
    .. [2] Ronneberger, Fischer, Brox. "U-Net", MICCAI 2015.
    .. [3] Gal, Ghahramani. "Dropout as a Bayesian approximation", ICML 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl import SemanticSegmenter
    >>> X = np.random.default_rng(0).random((4, 32, 32))
    >>> y = X > 0.5
    >>> segmenter = SemanticSegmenter(epochs=2, filters=2, levels=2, random_state=0)
    >>> segmenter.fit(X, y).predict(X).shape
    (4, 32, 32)
    >>> segmenter.predict_proba(X).shape
    (4, 32, 32, 2)
    >>> segmenter.predict_uncertainty(X, n_draws=3).shape
    (4, 32, 32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._parameter_constraints,
        "loss": [StrOptions(_LOSSES)],
        "threshold": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"tuned", "otsu"}),
        ],
    }
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._fitted_constraints,
        "classes_": [np.ndarray],
        "threshold_": [Interval(Real, 0, 1, closed="both"), "nan"],
    }

    classes_: NDArray[Any]
    threshold_: float

    def __init__(
        self,
        *,
        network: Any = "unet",
        filters: int = 16,
        levels: int = 4,
        dropout_rate: float = 0.2,
        loss: str = "dice_crossentropy",
        class_weight: Any = None,
        optimizer: str = "adam",
        learning_rate: float = 3e-3,
        learning_rate_schedule: str = "cosine",
        epochs: int = 100,
        batch_size: int | str = "auto",
        patch_shape: Any = "auto",
        tile_shape: Any = "auto",
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        n_iter_no_change: int = 20,
        time_limit: float | None = None,
        normalization: str | None = "percentile",
        augmentation: str | Augmentation | None = "auto",
        threshold: float | str = 0.5,
        pretrained: Any = None,
        precision: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        log_dir: Any = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.filters = filters
        self.levels = levels
        self.dropout_rate = dropout_rate
        self.loss = loss
        self.class_weight = class_weight
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
        self.threshold = threshold
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
        """Fit the network to images and their masks.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            2D images `(height, width[, channels])` or volumes `(depth, height,
            width[, channels])`, of any and of different sizes.

        y : array-like of shape (n_samples, *spatial), list or collection
            One mask per image: integers or booleans, at least two different values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image in the loss; those of 0 are left out.

        groups : array-like of shape (n_samples,), default=None
            For example patients; the images of a group are all trained on or all
            held back for validation.

        Returns
        -------
        self : SemanticSegmenter
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, an image or a mask is not as it must be; the message
            names it.
        """
        started = now()
        self._check_parameters()
        seeds = self._draw_seeds()
        n_channels = getattr(self, "n_channels_in_", None) if self.warm_start else None
        images, masks = check_images_and_masks(X, y, n_channels=n_channels)
        weight = check_sample_weight(sample_weight, len(images))
        groups = check_groups(groups, len(images))
        weight, groups, images, masks = drop_weightless(weight, groups, images, masks)
        survey = survey_masks(masks, seeds[2])
        self._settle(images, masks, survey, seeds)
        kinds = survey_kinds(images, masks, self.classes_[0])
        images, masks, training, validation = self._hold_back(
            images, masks, kinds.strata(survey.strata()), groups, seeds[1]
        )
        classes = self.classes_
        data = TrainingData(
            images=images,
            targets=masks,
            encode=lambda crop: np.searchsorted(classes, crop).astype(np.int32),
            weight=np.resize(weight, len(images)),
            training=training,
            validation=validation,
            class_weight=survey.weights(self.class_weight, training),
            patch_shape=self.patch_shape_,
            places=[survey.places[i] for i in training],
            emphasis=kinds.emphasis(training),
        )
        listeners = self._listeners(X, y)
        self._train(data, seeds, started, listeners, told_apart_by=[survey.counts])
        self._settle_threshold(images.take(validation), masks.take(validation))
        for listener in listeners:
            listener.finish()
        return self

    def _check_fitted(self) -> None:
        super()._check_fitted()
        classes = self.classes_
        if classes.ndim != 1 or len(classes) < 2 or classes.dtype.kind not in "biu":
            raise ModelFileError(
                f"classes_ must hold two or more integers. Got {classes!r:.60}."
            )

    def _settle(
        self,
        images: CheckedImages,
        masks: CheckedMasks,
        survey: MaskSurvey,
        seeds: list[int],
    ) -> None:
        """Set the fitted attributes that do not need training."""
        if len(survey.classes) < 2:
            raise ValueError(
                "`y` must hold at least two classes. Got one: "
                f"{survey.classes.tolist()}. Add images in which the other is marked."
            )
        if self.warm_start and hasattr(self, "_weights"):
            self._check_warm_start(images.spatial_ndim, survey.classes)
            return
        self._settle_images(images, seeds[3])
        self.classes_ = survey.classes
        self.directed_axes_ = survey.directed_axes
        self._settle_patches(images, self._n_outputs(), width=survey.width)
        # Callbacks predict before there is anything to tune it on.
        self._settle_threshold(images.take([]), masks.take([]))

    def _network_spec(self) -> "NetworkSpec":
        from instantdl.networks import build_loss
        from instantdl.training import (
            NetworkSpec,
            class_probabilities,
            class_summary,
        )

        n_outputs = self._n_outputs()
        return NetworkSpec(
            key=("semantic", self.loss, *self._network_key(n_outputs)),
            build=self._build_network(n_outputs),
            loss=build_loss(self.loss),
            activate=class_probabilities,
            summarise=class_summary,
            optimizer=self.optimizer,
            # Cross-entropy rises with overconfidence while masks still get better.
            judge=build_loss("dice") if self.loss == "dice_crossentropy" else None,
            draws_own_weights=callable(self.network),
        )

    def _settle_threshold(self, images: CheckedImages, masks: CheckedMasks) -> None:
        self.threshold_ = 0.5
        if not isinstance(self.threshold, str):
            self.threshold_ = float(self.threshold)
        elif self.threshold == "otsu":
            self.threshold_ = float("nan")
        elif len(self.classes_) == 2 and len(images):
            self.threshold_ = self._tuned_threshold(images, masks)

    def _tuned_threshold(self, images: CheckedImages, masks: CheckedMasks) -> float:
        from instantdl.training import predict_parts

        with self._borrowed() as network:
            parts = predict_parts(network, images, self.normalizer_, self._tiling())
            return best_threshold(
                (
                    part.values[..., 1],
                    masks[part.number][part.place] == self.classes_[1],
                )
                for part in parts
            )

    def predict(self, X: Any) -> NDArray[Any]:
        """Label every pixel with a class.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size, with the channels of the training images.

        Returns
        -------
        ndarray of shape (n_samples, *spatial)
            Values of `classes_`. An object array of masks, one per image, unless `X`
            is an array.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        from instantdl.training import predict_parts

        images = self._check_predict(X)
        if len(self.classes_) == 2 and np.isnan(self.threshold_):
            return self._predict_otsu(images)
        with self._borrowed() as network:
            parts = predict_parts(network, images, self.normalizer_, self._tiling())
            return self._collect(images, parts, self._label, dtype=self.classes_.dtype)

    def _label(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        if len(self.classes_) == 2:
            return self.classes_[
                (probabilities[..., 1] >= self.threshold_).astype(np.intp)
            ]
        return self.classes_[probabilities.argmax(axis=-1)]

    def _predict_otsu(self, images: CheckedImages) -> NDArray[Any]:
        from instantdl.training import predict_parts

        with self._borrowed() as network:
            foreground = self._collect(
                images,
                predict_parts(network, images, self.normalizer_, self._tiling()),
                lambda values: values[..., 1],
                dtype=np.float32,
            )
        result = np.empty(foreground.shape, object)
        if images.stacked:
            result = np.empty(foreground.shape, self.classes_.dtype)
        for i, probability in enumerate(foreground):
            mask = probability >= guarded_otsu(probability)
            result[i] = self.classes_[mask.astype(np.intp)]
        return result

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class at every pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size.

        Returns
        -------
        ndarray of shape (n_samples, *spatial, n_classes), float32
            In the order of `classes_`, summing to 1. An object array of such, one
            per image, unless `X` is an array.
        """
        from instantdl.training import predict_parts

        images = self._check_predict(X)
        with self._borrowed() as network:
            return self._collect(
                images,
                predict_parts(network, images, self.normalizer_, self._tiling()),
                lambda values: values,
                dtype=np.float32,
                n_values=len(self.classes_),
            )

    def predict_uncertainty(
        self, X: Any, *, n_draws: int = 20, kind: str = "total"
    ) -> NDArray[Any]:
        """Return how uncertain the class of every pixel is, by Monte Carlo dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size.

        n_draws : int, default=20
            Networks that are sampled by dropout.

        kind : {"total", "epistemic", "aleatoric"}, default="total"
            "total" is the entropy of the mean probabilities; "aleatoric" the mean
            entropy of each draw, what more training images would not settle;
            "epistemic" their difference, the mutual information.

        Returns
        -------
        ndarray of shape (n_samples, *spatial), float32
            In [0, 1], 0 certain and 1 all classes alike (entropies are divided by
            the logarithm of the number of classes). An object array, one map per
            image, unless `X` is an array. Two calls give the same maps.

        Raises
        ------
        ValueError
            If the network has no dropout, or a parameter is unknown.
        """
        from instantdl.training import draw_parts

        images = self._check_predict(X)
        check_kind(kind)
        with self._borrowed() as network:
            parts = draw_parts(
                network,
                images,
                self.normalizer_,
                self._tiling(),
                self._noise(n_draws, network.n_noise),
            )
            return self._collect(
                images,
                parts,
                lambda values: uncertainty_of(values, kind),
                dtype=np.float32,
            )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the Jaccard index, pooled over all pixels of all images.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images.

        y : array-like of shape (n_samples, *spatial), list or collection
            Their true masks, of values in `classes_`.

        sample_weight : array-like of shape (n_samples,), default=None
            How much the pixels of each image count. None is 1 for each.

        Returns
        -------
        float
            In [0, 1], higher is better: of the foreground with two classes, else
            the mean over the classes that are in truth or prediction.
        """
        masks, classes = self.predict(X), self.classes_
        empty = np.nan if len(classes) > 2 else 1.0
        return float(
            jaccard(y, masks, labels=classes, empty=empty, sample_weight=sample_weight)
        )
