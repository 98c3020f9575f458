"""The promises about names, documentation, imports and layers."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import instantdl

REPOSITORY = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
SUBPACKAGES = sorted(
    f"instantdl.{module.name}"
    for module in pkgutil.iter_modules(instantdl.__path__)
    if module.ispkg
)
# For the estimators alone: named and checked, but not documented for users.
INTERNAL = {"instantdl.training"}
ARRAYS_ONLY = ("images", "metrics", "io", "datasets", "plotting")

# Loads a module while Keras and TensorFlow cannot be found.
WITHOUT_KERAS = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import importlib
importlib.import_module(sys.argv[1])
"""


def _public_objects() -> list[tuple[str, object]]:
    found = {}
    user_facing = [name for name in SUBPACKAGES if name not in INTERNAL]
    for package in ("instantdl", "instantdl.exceptions", *user_facing):
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name, None)  # a missing one has a test of its own
            if inspect.isclass(value) or inspect.isfunction(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return sorted(found.items())


PUBLIC = _public_objects()
PUBLIC_NAMES = [name for name, _ in PUBLIC]


def _members(value: type) -> list[str]:
    """Public methods and properties; what a base class documents is left to it."""
    return [
        name
        for name, content in vars(value).items()
        if not name.startswith("_")
        and (callable(content) or isinstance(content, property | classmethod))
        and not any(hasattr(base, name) for base in value.__bases__)
    ]


def _documented_names() -> list[str]:
    """Public functions and classes, and the methods and properties of the latter."""
    names = list(PUBLIC_NAMES)
    for name, value in PUBLIC:
        if inspect.isclass(value):
            names += [f"{name}.{member}" for member in _members(value)]
    return names


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
    )


def _seconds(code: str) -> float:
    """Fastest of three runs, which the machine's other work disturbs least."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert _python("-c", code).returncode == 0
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("package", ["instantdl", *SUBPACKAGES])
def test_every_name_in_all_can_be_imported(package):
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", SUBPACKAGES)
def test_every_public_object_of_a_subpackage_is_in_all(package):
    module = importlib.import_module(package)
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "").startswith(f"{package}.")
    }
    assert public <= set(module.__all__)


def test_the_front_door_has_the_names_of_the_design():
    assert set(instantdl.__all__) >= {
        "Augmentation",
        "ImageCollection",
        "SemanticSegmenter",
        "__version__",
        "datasets",
        "images",
        "io",
        "load",
        "metrics",
        "networks",
        "plotting",
    }
    assert set(dir(instantdl)) >= set(instantdl.__all__)


@pytest.mark.parametrize("name", _documented_names())
def test_docstring_follows_numpydoc(name):
    validate = pytest.importorskip("numpydoc.validate")
    ignored = set(PYPROJECT["tool"]["numpydoc_validation"]["checks"]) - {"all"}
    errors = validate.validate(name)["errors"]
    assert [error for error in errors if error[0] not in ignored] == []


@pytest.mark.parametrize(("name", "value"), PUBLIC, ids=PUBLIC_NAMES)
def test_docstring_shows_an_example(name, value):
    if inspect.isclass(value) and issubclass(value, Exception):
        return  # errors are met, not built
    assert "Examples\n    --------\n" in (value.__doc__ or "")
    assert ">>> " in value.__doc__


def test_import_loads_nothing_heavy_and_prints_nothing():
    heavy = ("tensorflow", "keras", "sklearn", "scipy", "skimage", "numpy")
    loaded = f"[name for name in {heavy} if name in sys.modules]"
    code = f"import sys, instantdl; sys.exit(str({loaded}))"
    done = _python("-c", code)
    assert (done.stdout, done.stderr) == ("", "[]\n")


def test_import_takes_no_longer_than_numpy_and_a_little():
    assert _seconds("import instantdl") < _seconds("import numpy") + 0.3


@pytest.mark.parametrize("package", ARRAYS_ONLY)
def test_package_works_without_keras_and_tensorflow(package):
    done = _python("-c", WITHOUT_KERAS, f"instantdl.{package}")
    assert (done.returncode, done.stderr) == (0, "")


def test_layers_hold():
    pytest.importorskip("importlinter")
    code = "import importlinter.cli as c, sys; sys.exit(c.lint_imports(sys.argv[1]))"
    done = _python("-c", code, str(REPOSITORY / "pyproject.toml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_version_is_the_one_of_the_package():
    try:
        installed = metadata.version("instantdl")
    except metadata.PackageNotFoundError:
        pytest.skip("instantdl is not installed")
    assert installed == instantdl.__version__


def test_package_is_marked_as_typed():
    assert (Path(instantdl.__path__[0]) / "py.typed").is_file()
