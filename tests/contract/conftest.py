"""The estimators that the contract holds for, and small data for each of them."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instantdl import (
    ImageClassifier,
    ImageCollection,
    InstanceSegmenter,
    PixelRegressor,
    SemanticSegmenter,
)

# Small and quick; one architecture throughout, so that it is traced only once.
TINY: dict[str, Any] = {
    "filters": 2,
    "epochs": 1,
    "augmentation": None,
    "precision": "float32",
    "random_state": 0,
}

# What `y` is made of, from the masks of some discs.
TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "masks": lambda masks: masks,
    "instances": lambda masks: masks.astype(np.int32),
    "values": lambda masks: masks.astype(np.float32),
    "labels": lambda masks: np.where(np.arange(len(masks)) % 2, "odd", "even"),
}

CONTAINERS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda array: array,
    "list": list,
    "collection": lambda array: ImageCollection(list(array)),
}


def two_convolutions(input_shape: tuple[int | None, ...], n_outputs: int) -> Any:
    """Build a network of the user's own, with a value for each pixel."""
    import keras

    convolution = keras.layers.Conv2D if len(input_shape) == 3 else keras.layers.Conv3D
    inputs = keras.Input(input_shape)
    x = convolution(4, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, convolution(n_outputs, 1)(x))


def pooled_convolution(input_shape: tuple[int | None, ...], n_outputs: int) -> Any:
    """Build a network of the user's own, with a value for each image."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


@dataclasses.dataclass(frozen=True)
class Case:
    """An estimator with the parameters that make it tiny, and what its `y` is."""

    kind: type
    target: str
    tiny: dict[str, Any]
    ranks: tuple[int, ...] = (2, 3)
    own_network: Callable[..., Any] = two_convolutions

    def make(self, **parameters: Any) -> Any:
        return self.kind(**(self.tiny | parameters))

    def levels(self, number: int) -> dict[str, int]:
        """Return the parameter for so many levels, where the estimator has it."""
        return {"levels": number} if hasattr(self.make(), "levels") else {}

    def require(self, *names: str) -> None:
        """Skip the test where the estimator has no such method or parameter."""
        for name in names:
            if not hasattr(self.make(), name):
                pytest.skip(f"{self.kind.__name__} has no {name}")

    def targets_of(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return a target with a value for each pixel, for each image."""
        return [TARGETS[self.target](image > 0.5) for image in images]

    def wrap_target(self, y: np.ndarray, container: str) -> Any:
        """Put a target into a container; labels stay an array, one for each image."""
        return y if self.target == "labels" else CONTAINERS[container](y)


# A new estimator joins the contract here.
CASES = [
    Case(SemanticSegmenter, target="masks", tiny=TINY | {"levels": 1}),
    Case(InstanceSegmenter, target="instances", tiny=TINY | {"levels": 1}),
    Case(PixelRegressor, target="values", tiny=TINY | {"levels": 1}),
    Case(
        ImageClassifier,
        target="labels",
        tiny=TINY | {"network": "resnet10"},
        ranks=(2,),
        own_network=pooled_convolution,
    ),
]


def digest(estimator: Any, X: Any) -> str:
    """Return a hash of all that a fit settles: weights, epochs, predictions."""
    hashed = hashlib.sha256(repr(estimator.history_).encode())
    arrays = [*estimator._weights, *estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        arrays += list(estimator.predict_proba(X))
    for array in arrays:
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def alternatives() -> dict[str, Any]:
    """Return per parameter another value than the tiny one, which changes results.

    Callables make the value when it is needed, given the case and the data.
    """
    from instantdl.images import Augmentation

    return {
        "augmentation": Augmentation(noise=1.0, probability=1.0),
        "batch_size": 5,
        "class_weight": lambda case, X, y: (
            {"odd": 3.0} if case.target == "labels" else "balanced"
        ),
        "dropout_rate": 0.7,
        "epochs": 2,
        "filters": 3,
        "foreground_threshold": 0.0,
        "min_size": 300,
        "method": "mask_rcnn",
        "object_threshold": 0.9,
        "spacing": (3.0, 1.0),
        "learning_rate": 0.02,
        "learning_rate_schedule": "constant",
        "levels": 2,
        "image_shape": (8, 8),
        "label_smoothing": 0.3,
        "loss": lambda case, X, y: "huber" if case.target == "values" else "focal",
        "network": lambda case, X, y: case.own_network,
        "normalization": "minmax",
        "optimizer": "sgd",
        "patch_shape": (8, 8),
        "precision": "bfloat16",
        "predict_variance": True,
        "pretrained": lambda case, X, y: case.make(random_state=7).fit(X, y),
        "random_state": 1,
        "threshold": 0.0,
        "validation_fraction": 0.5,
    }


# What changes speed, logs or the moment of the end, but not one given result; each
# has a test of its own.
WITHOUT_EFFECT = {
    "early_stopping",
    "log_dir",
    "n_iter_no_change",
    "spatial_ndim",
    "tile_shape",
    "time_limit",
    "verbose",
    "warm_start",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for every estimator, rank, container or parameter that it asks for."""
    names = set(metafunc.fixturenames)
    if "parameter" in names:
        pairs = [
            pytest.param(case, name, id=f"{case.kind.__name__}-{name}")
            for case in CASES
            for name in sorted(alternatives())
            if hasattr(case.make(), name)
        ]
        metafunc.parametrize(("case", "parameter"), pairs, scope="session")
    elif {"case", "rank"} <= names:
        pairs = [
            pytest.param(case, rank, id=f"{case.kind.__name__}-{rank}D")
            for case in CASES
            for rank in case.ranks
        ]
        metafunc.parametrize(("case", "rank"), pairs, scope="session")
    elif "case" in names:
        ids = [case.kind.__name__ for case in CASES]
        metafunc.parametrize("case", CASES, ids=ids, scope="session")
    if "container" in names:
        metafunc.parametrize("container", list(CONTAINERS))


@pytest.fixture(scope="session")
def discs(discs_2d: Any, discs_3d: Any) -> dict[int, Any]:
    return {2: discs_2d, 3: discs_3d}


@pytest.fixture(scope="session")
def data(case: Case, discs: dict[int, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Read-only images (6, 16, 16, 1) and their targets."""
    X, masks = discs[2]
    return X, TARGETS[case.target](masks)


@pytest.fixture(scope="session")
def ranked(case: Case, rank: int, discs: dict[int, Any]) -> Any:
    """As `data` in 2D, and volumes (4, 8, 8, 8, 1) in 3D."""
    X, masks = discs[rank]
    return X, TARGETS[case.target](masks)


@pytest.fixture(scope="session")
def fitted(case: Case, data: Any) -> Any:
    """Fitted to `data`; to be left as it is."""
    return case.make().fit(*data)


@pytest.fixture(scope="session")
def fitted_ranked(case: Case, ranked: Any) -> Any:
    """Fitted to `ranked`; to be left as it is."""
    return case.make().fit(*ranked)


@pytest.fixture(scope="session")
def digest_of() -> Callable[[Any, Any], str]:
    return digest


@pytest.fixture(scope="session")
def all_cases() -> list[Case]:
    return CASES


@pytest.fixture(scope="session")
def wrap() -> dict[str, Callable[[np.ndarray], Any]]:
    return CONTAINERS


@pytest.fixture(scope="session")
def values_of_parameters() -> dict[str, Any]:
    return alternatives()


@pytest.fixture(scope="session")
def parameters_without_effect() -> set[str]:
    return WITHOUT_EFFECT


@pytest.fixture(scope="session")
def own_network(case: Case) -> Callable[..., Any]:
    return case.own_network
