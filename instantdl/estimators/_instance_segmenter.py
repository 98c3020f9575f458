"""InstanceSegmenter: every object of an image on its own."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instantdl._compat import Interval, StrOptions, with_callbacks
from instantdl.estimators._arguments import check_groups, drop_weightless
from instantdl.estimators._base import TrainingData, now
from instantdl.estimators._dense import DenseEstimator
from instantdl.estimators._instance_methods import METHODS
from instantdl.estimators._instance_prediction import InstancePredictor
from instantdl.estimators._instance_thresholds import tune_thresholds
from instantdl.estimators._object_classes import (
    CodedLabels,
    find_classes,
    split_classes,
)
from instantdl.estimators._survey import (
    MaskSurvey,
    ObjectSizes,
    measure_objects,
    survey_kinds,
    survey_masks,
)
from instantdl.images import (
    CheckedImages,
    as_spacing,
    check_images_and_masks,
    check_sample_weight,
)

# Of the images held back, so many are grown into objects to choose thresholds.
_MOST_TUNED = 32


class InstanceSegmenter(InstancePredictor):
    """Give every object of an image or volume a number.

    Learns from images and their label images, and returns label images of the same
    size for new images of any size. Objects may touch.

    Parameters
    ----------
    method : {"watershed", "mask_rcnn"}, default="watershed"
        "watershed" learns with a U-Net where objects and their cores are, and
        floods the one from the other: objects may have any form, and any size.
        "mask_rcnn" learns boxes around objects and a mask in each [4]_, in 2D only:
        objects may overlap in their boxes, but are compact.

    network : {"auto", "unet", "resnet10", "resnet18", "resnet50"} or callable, \
default="auto"
        "auto" is the U-Net for the watershed and "resnet18" for Mask R-CNN. For the
        watershed a function `(input_shape, n_outputs) -> keras.Model` makes a network
        of your own: fully convolutional, of output size equal to input size, without
        an activation at its end. `n_outputs` is 2, and one more for each class where
        objects have several.

    filters : int or "auto", default="auto"
        Filters of the network's first level, doubled at each level below; "auto" is
        16 for a U-Net and 64 for a residual network.

    levels : int, default=4
        How often the U-Net halves the resolution. Axes that are too short for that
        are halved less often.

    dropout_rate : float, default=0.2
        Fraction of channels that are dropped in the U-Net's deeper encoder, or in
        the heads of Mask R-CNN, in training and in `predict_uncertainty` [3]_.

    spacing : float, sequence of float or None, default=None
        Size of a pixel along each axis, for volumes whose planes lie farther apart
        than the pixels within. None is 1 for each.

    foreground_threshold : float or "tuned", default="tuned"
        From which probability on a pixel belongs to an object. "tuned" takes what
        gives the best mean average precision on the images held back.

    object_threshold : float or "tuned", default="tuned"
        From where on there is an object: for the watershed from which probability
        on a pixel belongs to the core of one, see `instantdl.images.grow_instances`;
        for Mask R-CNN from which score on a box.

    min_size : int or "auto", default="auto"
        Objects of fewer pixels are dropped; "auto" is half the size below which one
        in a hundred of the training objects is.

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
        Seconds that training may take; the learning rate follows the clock, and the
        thresholds are chosen after it. The result then depends on the speed of the
        machine.

    normalization : {"percentile", "minmax", "standard", "dataset"} or None, \
default="percentile"
        How intensities are scaled: by the 1st and 99.8th percentile, by minimum and
        maximum, or by mean and standard deviation of each image and channel, or by
        mean and standard deviation of the training images.

    augmentation : "auto", Augmentation or None, default="auto"
        Random changes of image and mask in training; "auto" flips, turns, zooms and
        varies intensities moderately. It does not flip along `directed_axes_`.

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
    foreground_threshold_, object_threshold_ : float
        Thresholds in use.

    min_size_ : int
        Least size of an object, in pixels.

    classes_ : ndarray of shape (n_classes,)
        Classes of objects, sorted; "object" alone where none were given.

    anchors_ : tuple of tuple of tuple of float
        Heights and widths that boxes are looked for with in each level of Mask
        R-CNN, from the training objects; empty for the watershed.

    max_objects_ : int
        Objects of a patch that Mask R-CNN learns from at most; 0 for the watershed.

    history_ : dict of str to list of float
        "loss", "val_loss" and "learning_rate" of each epoch; by "val_loss" the best
        weights are chosen: for the watershed by how much the maps are wrong.

    n_epochs_ : int
        Epochs done.

    best_epoch_ : int
        The epoch, counted from 0, whose weights were kept.

    n_channels_in_, spatial_ndim_in_ : int
        Channels and spatial axes of the training images.

    directed_axes_ : tuple of int
        Axes along which the objects lie alike in all training images, as in scans of
        one part of the body; empty for fewer than 8 images.

    patch_shape_ : tuple of int
        Spatial size of the patches.

    strides_ : tuple of tuple of int
        By what each level of the network lowers the resolution.

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
    SemanticSegmenter : A class for every pixel, objects not told apart.
    instantdl.metrics.average_precision : The measure that `score` returns.

    Notes
    -----
    For the watershed the U-Net [2]_ learns two maps: the foreground, and the cores of
    objects, which do not touch where objects do, as the borders do that are learnt in
    [1]_. A core is a seed, from which a watershed floods the foreground. The maps of
    tiles are put together before that, so objects may be larger than a tile.

    Images of a rare kind are shown more often in training, by the root of how much
    rarer it is. Kinds are: grey or in colours, and objects brighter or darker than
    what is around them.

    Of what Mask R-CNN finds in overlapping tiles, an object comes from the tile that
    its centre lies in; pieces of what is larger are put together where they agree.

    References
    ----------
    .. [1] Caicedo et al. "Nucleus segmentation across imaging experiments: the 2018
       Data Science Bowl", Nature Methods 16, 1247, 2019.
    .. [2] Ronneberger, Fischer, Brox. "U-Net", MICCAI 2015.
    .. [3] Gal, Ghahramani. "Dropout as a Bayesian approximation", ICML 2016.
    .. [4] He et al. "Mask R-CNN", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl import InstanceSegmenter
    >>> y = np.zeros((4, 32, 32), int)
    >>> y[:, 4:14, 5:15], y[:, 16:28, 12:30] = 1, 2
    >>> X = (y > 0) + np.random.default_rng(0).normal(0, 0.1, y.shape)
    >>> segmenter = InstanceSegmenter(epochs=2, filters=2, levels=2, random_state=0)
    >>> segmenter.fit(X, y).predict(X).shape
    (4, 32, 32)
    >>> segmenter.predict_uncertainty(X, n_draws=3).shape
    (4, 32, 32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._parameter_constraints,
        "method": [StrOptions(set(METHODS))],
        "network": [
            StrOptions({"auto", "unet", "resnet10", "resnet18", "resnet50"}),
            callable,
        ],
        "filters": [StrOptions({"auto"}), Interval(Integral, 1, 1024, closed="both")],
        "spacing": [Interval(Real, 0, None, closed="neither"), "array-like", None],
        "foreground_threshold": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"tuned"}),
        ],
        "object_threshold": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"tuned"}),
        ],
        "min_size": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
    }
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseEstimator._fitted_constraints,
        "foreground_threshold_": [Interval(Real, 0, 1, closed="both")],
        "object_threshold_": [Interval(Real, 0, 1, closed="both")],
        "min_size_": [Interval(Integral, 0, None, closed="left")],
        "classes_": [np.ndarray],
        "anchors_": [tuple],
        "max_objects_": [Interval(Integral, 0, None, closed="left")],
    }

    foreground_threshold_: float
    object_threshold_: float
    min_size_: int
    anchors_: tuple[Any, ...]
    max_objects_: int

    def __init__(
        self,
        *,
        method: str = "watershed",
        network: Any = "auto",
        filters: int | str = "auto",
        levels: int = 4,
        dropout_rate: float = 0.2,
        spacing: Any = None,
        foreground_threshold: float | str = "tuned",
        object_threshold: float | str = "tuned",
        min_size: int | str = "auto",
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
        augmentation: Any = "auto",
        pretrained: Any = None,
        precision: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        log_dir: Any = None,
        verbose: int = 0,
    ) -> None:
        self.method = method
        self.network = network
        self.filters = filters
        self.levels = levels
        self.dropout_rate = dropout_rate
        self.spacing = spacing
        self.foreground_threshold = foreground_threshold
        self.object_threshold = object_threshold
        self.min_size = min_size
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
        """Fit the network to images and their objects.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            2D images `(height, width[, channels])` or volumes `(depth, height,
            width[, channels])`, of any and of different sizes.

        y : array-like of shape (n_samples, *spatial), list or collection
            One label image per image: a number for each object, 0 for the
            background. Where objects have classes, a list of pairs: the label image,
            and a mapping from the number of each object to its class, text or a
            number.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image in the loss; those of 0 are left out.

        groups : array-like of shape (n_samples,), default=None
            For example patients; the images of a group are all trained on or all
            held back for validation.

        Returns
        -------
        self : InstanceSegmenter
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, an image or a label image is not as it must be; the
            message names it.
        """
        started = now()
        self._check_parameters()
        seeds = self._draw_seeds()
        n_channels = getattr(self, "n_channels_in_", None) if self.warm_start else None
        labels, mappings = split_classes(y)
        images, labels = check_images_and_masks(X, labels, n_channels=n_channels)
        self._method().check(images.spatial_ndim)
        as_spacing(labels[0], self.spacing)
        classes = find_classes(mappings)
        if mappings is not None:
            labels = CodedLabels(labels, mappings, classes)
        weight = check_sample_weight(sample_weight, len(images))
        groups = check_groups(groups, len(images))
        weight, groups, images, labels = drop_weightless(weight, groups, images, labels)
        survey = survey_masks(labels, seeds[2], instances=True)
        kinds = survey_kinds(images, labels)
        sizes = measure_objects(labels)
        self._settle(images, survey, sizes, seeds, classes)
        method = self._method()
        images, labels, training, validation = self._hold_back(
            images, labels, kinds.strata(survey.strata()), groups, seeds[1]
        )
        data = TrainingData(
            images=images,
            targets=method.targets(labels),
            encode=method.encode,
            weight=np.resize(weight, len(images)),
            training=training,
            validation=validation,
            class_weight=np.ones(2),
            patch_shape=self.patch_shape_,
            places=[survey.places[i] for i in training],
            nearest=method.nearest,
            finish=method.finish,
            emphasis=kinds.emphasis(training),
        )
        listeners = self._listeners(X, y)
        told = [
            sizes.numbers,
            sizes.areas,
            sizes.boxes,
            *map(np.array, classes.tolist()),
        ]
        self._train(data, seeds, started, listeners, told_apart_by=told)
        held_back = validation[:: max(1, -(-len(validation) // _MOST_TUNED))]
        self._tune(images.take(held_back), labels.take(held_back))
        for listener in listeners:
            listener.finish()
        return self

    def _settle(
        self,
        images: CheckedImages,
        survey: MaskSurvey,
        sizes: ObjectSizes,
        seeds: list[int],
        classes: NDArray[Any],
    ) -> None:
        """Set the fitted attributes that do not need training."""
        if len(survey.classes) < 2:
            raise ValueError(
                "`y` must mark objects in some images, and background. Got only "
                f"{'background' if survey.classes[0] == 0 else 'objects'}. Label "
                "images number objects from 1 on; 0 is the background."
            )
        if self.warm_start and hasattr(self, "_weights"):
            self._check_warm_start(images.spatial_ndim, classes)
            self._check_method()
            if self.min_size != "auto":
                self.min_size_ = int(self.min_size)
            return
        method = self._method()
        self._settle_images(images, seeds[3])
        self.classes_ = classes
        self.directed_axes_ = survey.directed_axes
        self._settle_patches(
            images,
            self._n_outputs(),
            width=survey.width,
            geometry=method.geometry(sizes),
        )
        method.settle(sizes)
        # Half the size below which hardly any object is.
        smallest = int(np.quantile(sizes.areas, 0.01) / 2)
        self.min_size_ = smallest if self.min_size == "auto" else int(self.min_size)
        # Callbacks predict before there is anything to tune these on.
        self._tune(images.take([]), [])

    def _tune(self, images: CheckedImages, labels: Any) -> None:
        """Set the thresholds, by images held back where they are to be tuned."""
        given = [
            None if value == "tuned" else float(value)
            for value in (self.foreground_threshold, self.object_threshold)
        ]
        if None in given and len(images):
            method, least = self._method(), self.min_size_
            foreground, start = tune_thresholds(
                lambda found, *pair: method.grow(found, (*pair, least)),
                [found for _, found in method.find(images)],
                list(labels),
                foreground=given[0],
                start=given[1],
            )
        else:
            foreground, start = (0.5 if value is None else value for value in given)
        self.foreground_threshold_, self.object_threshold_ = foreground, start
