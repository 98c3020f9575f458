"""What holds for tests and doctests alike: where they run, and what they may leave."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent
SOURCE_SUFFIXES = {".py", ".pyi", ".md", ".toml", ".pyc"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-slow",
        action="store_true",
        help="also run the tests marked slow or benchmark",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--run-slow"):
        return
    slow = {
        item
        for item in items
        if item.get_closest_marker("slow") or item.get_closest_marker("benchmark")
    }
    if slow:
        config.hook.pytest_deselected(items=[item for item in items if item in slow])
        items[:] = [item for item in items if item not in slow]


def _files(folder: Path) -> set[Path]:
    """Files that are no source, hidden folders and caches left out."""
    found = set()
    for parent, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__pycache__", "venv"))
        ]
        paths = (Path(parent, name) for name in files)
        found.update(path for path in paths if path.suffix not in SOURCE_SUFFIXES)
    return found


@pytest.fixture(scope="session", autouse=True)
def _clean_repository() -> Iterator[None]:
    """Fail the session when something new lies in the repository after it."""
    before = _files(REPOSITORY)
    yield
    left = sorted(str(path) for path in _files(REPOSITORY) - before)
    assert not left, f"the tests left files in the repository: {left}"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test run in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
