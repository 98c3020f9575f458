"""What all estimators share: parameters, state, the borrowed network, files."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from instantdl._compat import (
    CallbackSupportMixin,
    Interval,
    Options,
    StrOptions,
    clone_parametrized,
    start_callbacks,
    validate_parameter_constraints,
)
from instantdl.estimators._arguments import function_name
from instantdl.estimators._callbacks import CallbackListener
from instantdl.estimators._pretrained import transfer_weights
from instantdl.estimators._saving import save_model
from instantdl.estimators._survey import regular_sample
from instantdl.exceptions import InstantDLWarning, ModelFileError
from instantdl.images import Augmentation, CheckedImages, Normalizer, check_images

if TYPE_CHECKING:
    from instantdl.training import (
        Checkpoint,
        CompiledNetwork,
        FitState,
        Logs,
        NetworkSpec,
        PatchSource,
    )

_N_SEEDS = 4


@dataclass(frozen=True)
class TrainingData:
    """Checked images and targets, and who serves for what.

    Attributes
    ----------
    images, targets : sequence of ndarray
        All that `fit` was given.

    encode : callable
        Turns a crop of a target into what the loss takes.

    weight : ndarray of shape (n_samples,)
        Weight of each image.

    training, validation : ndarray of int
        Positions of the images that are learnt from, and of those held back.

    class_weight : ndarray of shape (n_classes,)
        For the loss.

    patch_shape : tuple of int
        Spatial size of what the network is trained on.

    places : sequence
        Per training image and class some pixels that patches are cut around.

    max_validation : int
        How many patches of the images held back are looked at, at most.

    nearest : bool
        Whether targets are moved without interpolation.

    whole_images : bool
        Whether each image is one patch, of `patch_shape`, with one number as target.

    finish : callable or None
        Is applied to a target after it was moved.

    emphasis : array-like of float
        How often each training image is shown, as often as others; empty for once.
    """

    images: Any
    targets: Any
    encode: Callable[[NDArray[Any]], NDArray[Any]]
    weight: NDArray[Any]
    training: NDArray[Any]
    validation: NDArray[Any]
    class_weight: NDArray[Any]
    patch_shape: tuple[int, ...]
    places: Sequence[Any] = ()
    max_validation: int = 48
    nearest: bool = True
    whole_images: bool = False
    finish: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    emphasis: Any = ()


class BaseImageEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of the image estimators.

    A fitted estimator is its parameters, plain attributes and weights as arrays. The
    Keras network is borrowed from a cache for the length of a call, so nothing of
    Keras is ever pickled.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "network": [StrOptions({"unet"}), callable],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "optimizer": [StrOptions({"adam", "adamw", "nadam", "sgd", "rmsprop"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"cosine", "constant"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "normalization": [
            StrOptions({"percentile", "minmax", "standard", "dataset"}),
            None,
        ],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "pretrained": [str, os.PathLike, BaseEstimator, None],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "log_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    _auto_augmentation: ClassVar[Augmentation]

    network: Any
    classes_: NDArray[Any]
    n_channels_in_: int
    spatial_ndim_in_: int
    history_: dict[str, list[float]]

    # What `save` writes besides the parameters, and what `load` wants it to be.
    _fitted_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_channels_in_": [Interval(Integral, 1, None, closed="left")],
        "spatial_ndim_in_": [Options(int, {2, 3})],
        "history_": [dict],
        "n_epochs_": [Interval(Integral, 0, None, closed="left")],
        "best_epoch_": [Interval(Integral, -1, None, closed="left")],
        "precision_": [StrOptions({"float32", "mixed_bfloat16"})],
        "normalizer_": [Normalizer],
        "_noise_seed": [Interval(Integral, 0, None, closed="left")],
    }

    def _network_spec(self) -> "NetworkSpec":
        """Describe the fitted network."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        validate_parameter_constraints(
            self._parameter_constraints,
            self.get_params(deep=False),
            caller_name=type(self).__name__,
        )
        if isinstance(self.augmentation, Augmentation):
            self.augmentation.check()

    def _draw_seeds(self) -> list[int]:
        """Draw, in this order, seeds for weights, split, batches and uncertainty."""
        rng = check_random_state(self.random_state)
        return [int(seed) for seed in rng.randint(2**31 - 1, size=_N_SEEDS)]

    @contextmanager
    def _borrowed(self) -> Iterator["CompiledNetwork"]:
        """Borrow the network with this estimator's weights in it."""
        from instantdl.training import borrow_network

        with borrow_network(self._network_spec()) as network:
            try:
                network.load_weights(self._weights, owner=self._weights_token)
            except ValueError as error:
                raise ModelFileError(
                    "The weights must fit the network that the parameters describe. "
                    f"Got {len(self._weights)} arrays that do not. Save the model "
                    "again from the estimator that was fitted."
                ) from error
            yield network

    def _set_weights(self, weights: list[NDArray[Any]]) -> None:
        self._weights = weights
        self._weights_token = object()

    def _initial_weights(
        self, network: "CompiledNetwork", seed: int
    ) -> list[NDArray[Any]]:
        """Return the weights that training begins with."""
        if self.warm_start and hasattr(self, "_weights"):
            old = [array.shape for array in self._weights]
            if old != [tuple(variable.shape) for variable in network.model.weights]:
                raise ValueError(
                    "warm_start can only be used with the network of the first fit. "
                    "Got parameters of another one. Set them back, or "
                    "warm_start=False."
                )
            return self._weights
        weights = network.initial_weights(seed)
        if self.pretrained is not None:
            names = [variable.path for variable in network.model.weights]
            weights = self._transfer(weights, names)
        return weights

    def _transfer(
        self, weights: list[NDArray[Any]], names: list[str]
    ) -> list[NDArray[Any]]:
        """Return weights with the pretrained ones taken over."""
        weights, kept = transfer_weights(self.pretrained, weights, names)
        self._tell_transfer(kept, names)
        return weights

    def _check_warm_start(self, spatial_ndim: int, classes: Any = None) -> None:
        """Raise unless the last fit can go on with such images and classes."""
        if spatial_ndim != self.spatial_ndim_in_:
            raise ValueError(
                "warm_start can only be used with as many spatial axes as in the first "
                f"fit. Previously got {self.spatial_ndim_in_}, now {spatial_ndim}. "
                "Set warm_start=False."
            )
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"first fit. Previously got {self.classes_.tolist()}, now "
                f"{classes.tolist()}."
            )

    def _tell_transfer(self, kept: list[str], names: list[str]) -> None:
        left = [name for name in names if name not in set(kept)]
        if left:
            warnings.warn(
                f"Of the pretrained weights, {len(kept)} of {len(names)} arrays fit "
                f"and were taken over. Trained from scratch: {', '.join(left)}.",
                InstantDLWarning,
                stacklevel=5,
            )

    def _listeners(self, X: Any, y: Any) -> list[CallbackListener]:
        context = start_callbacks(self, X, y, epochs=self.epochs)
        return [] if context is None else [CallbackListener(context, self, X, y)]

    def _logs(self) -> "Logs":
        from instantdl.training import Logs

        folder = None if self.log_dir is None else Path(self.log_dir)
        return Logs(verbose=int(self.verbose), log_dir=folder)

    def _checkpoint(self, images: Any, *told_apart_by: Any) -> "Checkpoint | None":
        """Return where an interrupted fit of this very kind is taken up again."""
        from instantdl.training import Checkpoint

        if self.log_dir is None:
            return None
        folder = Path(self.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        told = {"verbose", "log_dir", "time_limit", "warm_start"}
        told.add("random_state")  # by the seeds that are drawn from it
        if not isinstance(self.pretrained, str):
            told.add("pretrained")
        parameters = {
            name: function_name(value) if name == "network" else value
            for name, value in self.get_params(deep=False).items()
            if name not in told
        }
        shapes = [images.shape(i) for i in range(len(images))]
        ends = images[0], images[len(images) - 1]
        pixels = [image[regular_sample(image.shape[:-1])] for image in ends]
        hashed = hashlib.sha256(repr((type(self), parameters, shapes)).encode())
        for values in (*pixels, *told_apart_by):
            hashed.update(np.ascontiguousarray(values).tobytes())
        return Checkpoint(folder / "checkpoint.npz", hashed.hexdigest())

    def __sklearn_clone__(self) -> Self:
        """Copy the parameters; what is pretrained stays fitted."""
        twin = clone_parametrized(self)
        twin.pretrained = self.pretrained
        return twin

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there are weights, which an aborted `fit` does not leave."""
        return hasattr(self, "_weights")

    def _check_fitted(self) -> None:
        """Raise if attributes that `fit` sets are missing or wrong, as in a file."""
        names = self._fitted_constraints
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise ModelFileError(f"a saved model must hold {', '.join(missing)}.")
        validate_parameter_constraints(
            names,
            {name: getattr(self, name) for name in names},
            caller_name=type(self).__name__,
        )

    def _keep_fit(self, state: "FitState") -> None:
        """Take over what training found."""
        past: dict[str, list[float]] = {}
        if self.warm_start and hasattr(self, "history_"):
            past = self.history_
        n_past = len(next(iter(past.values()), []))
        self.history_ = {
            name: past.get(name, []) + values for name, values in state.history.items()
        }
        self.n_epochs_ = n_past + state.epoch
        self.best_epoch_ = n_past + state.best_epoch
        self._set_weights(state.weights)

    def _split(
        self,
        strata: NDArray[Any],
        groups: NDArray[Any] | None,
        seed: int,
        *,
        keep_strata: bool = False,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return which images are trained on and which are held back."""
        from instantdl.training import split_validation

        return split_validation(
            len(strata),
            validation_fraction=self.validation_fraction,
            seed=seed,
            strata=strata,
            groups=groups,
            keep_strata=keep_strata,
        )

    def _settle_images(self, images: Any, noise_seed: int) -> None:
        """Set what follows from the training images, for a fit that begins anew."""
        # A fit that fails from here on leaves no mixture of two fits behind.
        self.__dict__.pop("_weights", None)
        self.n_channels_in_ = images.n_channels
        self.spatial_ndim_in_ = images.spatial_ndim
        self.normalizer_ = Normalizer.fit(images, self._chosen_normalization())
        self._noise_seed = noise_seed

    def _n_outputs(self) -> int:
        """Return how many numbers the network gives for all classes."""
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _chosen_augmentation(self) -> Augmentation | None:
        if self.augmentation == "auto":
            return self._auto_augmentation
        return self.augmentation

    def _chosen_normalization(self) -> str | None:
        kind: str | None = self.normalization
        return kind

    def _highest_rate(self) -> float:
        return float(self.learning_rate)

    def _chosen_batch_size(self, n_patches: int) -> int:
        """Return the batch size for so many patches in an epoch."""
        raise NotImplementedError

    def _train(
        self,
        data: TrainingData,
        seeds: Sequence[int],
        started: float,
        listeners: Sequence[Any],
        *,
        told_apart_by: Sequence[Any],
    ) -> None:
        """Train the network and keep what was found.

        `told_apart_by` are arrays by which a checkpoint of other data is known.
        """
        from instantdl.training import (
            FitSettings,
            TrainingBatches,
            borrow_network,
            fit_network,
            validation_batches,
        )

        with borrow_network(self._network_spec()) as network:
            batches = TrainingBatches(
                self._source(data, data.training),
                batch_size=1,
                augmentation=self._chosen_augmentation(),
                seed=seeds[2],
                n_noise=network.n_noise,
                places=data.places,
                nearest=data.nearest,
                emphasis=data.emphasis,
            )
            batches.batch_size = self._chosen_batch_size(len(batches))
            weights = self._initial_weights(network, seeds[0])
            told = [data.weight, data.training, seeds, *told_apart_by]
            if self.warm_start or self.pretrained is not None:
                told += weights
            state = fit_network(
                network,
                batches,
                validation_batches(
                    self._source(data, data.validation),
                    batch_size=batches.batch_size,
                    max_patches=data.max_validation,
                ),
                FitSettings(
                    epochs=self.epochs,
                    learning_rate=self._highest_rate(),
                    schedule=self.learning_rate_schedule,
                    early_stopping=self.early_stopping,
                    n_iter_no_change=self.n_iter_no_change,
                    time_limit=self.time_limit,
                    started=started,
                ),
                weights=weights,
                class_weight=data.class_weight,
                logs=self._logs(),
                checkpoint=self._checkpoint(data.images, *told),
                listeners=listeners,
            )
        self._keep_fit(state)

    def _source(self, data: TrainingData, indices: NDArray[Any]) -> "PatchSource":
        from instantdl.training import LabelledImages, PatchSource

        kind = LabelledImages if data.whole_images else PatchSource
        return kind(
            data.images.take(indices),
            data.targets.take(indices),
            encode=data.encode,
            normalizer=self.normalizer_,
            patch_shape=data.patch_shape,
            sample_weight=data.weight[indices] / data.weight[data.training].mean(),
            finish=data.finish,
        )

    def _check_predict(self, X: Any) -> CheckedImages:
        check_is_fitted(self)
        return check_images(
            X, spatial_ndim=self.spatial_ndim_in_, n_channels=self.n_channels_in_
        )

    def _noise(self, n_draws: int, n_noise: int) -> NDArray[np.float32]:
        """Return the noise of the sampled networks, a row each."""
        if not isinstance(n_draws, int | np.integer) or n_draws < 1:
            raise ValueError(f"`n_draws` must be an int >= 1. Got {n_draws!r}.")
        if n_noise == 0:
            raise ValueError(
                "`predict_uncertainty` needs a network with dropout. Got one without. "
                "Fit with `dropout_rate` above 0, or put dropout layers into a network "
                "of your own."
            )
        rng = np.random.default_rng(self._noise_seed)
        return rng.random((n_draws, n_noise), np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, without pickle.

        Parameters
        ----------
        path : path-like
            The file, by custom named `*.instantdl`. It is replaced atomically.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        save_model(self, Path(path))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_weights_token", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_weights" in state:
            self._weights_token = object()

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that inputs are images."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags


def now() -> float:
    """Return the clock that time limits are measured by, in seconds.

    Returns
    -------
    float
        Of `time.monotonic`.
    """
    return time.monotonic()
