"""The contract really runs: nothing that is edited can switch it off unseen."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

MINIMUM = 60


@pytest.fixture(scope="session")
def collected():
    """Names of all tests of the contract, however few of them run now."""
    folder = Path(__file__).parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q"),
            *("-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"),
            *("--rootdir", str(folder.parent.parent), str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_at_least_60_checks_run_for_each_estimator(case, collected):
    name = case.kind.__name__
    checks = [one for one in collected if re.search(rf"[\[-]{name}[\]-]", one)]
    assert len(checks) == len(set(checks))
    assert len(checks) >= MINIMUM


def test_each_file_of_the_contract_is_collected(collected):
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    found = {Path(one.partition("::")[0]).name for one in collected}
    # scikit-learn before 1.9 has no callbacks to test
    assert files - {"test_callbacks.py"} <= found


def test_every_public_estimator_is_in_the_contract(all_cases):
    import instantdl
    from instantdl.estimators._base import BaseImageEstimator

    public = [getattr(instantdl, name) for name in instantdl.__all__]
    estimators = {
        one
        for one in public
        if isinstance(one, type) and issubclass(one, BaseImageEstimator)
    }
    assert estimators == {case.kind for case in all_cases}
