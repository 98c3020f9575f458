"""Tiny data with fixed seeds, made once and read-only, and where real data lies."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent

# Traced graphs are many small objects, and looking through all of them for what can be
# given up takes a tenth of the tests' time.
gc.set_threshold(100_000, 20, 50)
# The same examples each time, and no data base of them in the working folder.
settings.register_profile("instantdl", database=None, deadline=None, derandomize=True)
settings.load_profile("instantdl")


def _discs(n_samples: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Draw one bright disc or ball per image on noise, and its mask."""
    rng = np.random.default_rng(0)
    size = np.array(shape)
    axes = np.indices(shape).reshape(len(shape), 1, *shape)
    centres = rng.uniform(0.3 * size, 0.7 * size, (n_samples, len(shape))).T
    centres = centres.reshape(len(shape), n_samples, *[1] * len(shape))
    distance = np.sqrt(((axes - centres) ** 2).sum(axis=0))
    masks = distance < 0.3 * size.min()
    images = (masks + rng.normal(0, 0.1, masks.shape)).astype(np.float32)
    for array in (images, masks):
        array.setflags(write=False)
    return images[..., np.newaxis], masks


@pytest.fixture(scope="session", autouse=True)
def _networks_are_kept() -> Iterator[None]:
    """Keep all the tiny networks: tracing them takes most of the tests' time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instantdl.training._network._MAX_CACHED", 64)
        yield


@pytest.fixture(scope="session")
def discs_2d() -> tuple[np.ndarray, np.ndarray]:
    """Six float32 images (6, 16, 16, 1) and bool masks (6, 16, 16)."""
    return _discs(6, (16, 16))


@pytest.fixture(scope="session")
def discs_3d() -> tuple[np.ndarray, np.ndarray]:
    """Four float32 volumes (4, 8, 8, 8, 1) and bool masks (4, 8, 8, 8)."""
    return _discs(4, (8, 8, 8))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets; tests that ask for it are skipped where it is not."""
    beside = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("INSTANTDL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set INSTANTDL_DATA")
    return folder
