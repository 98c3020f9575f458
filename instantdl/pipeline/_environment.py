"""On what a run was made."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

__all__ = ["describe_environment"]

_PACKAGES = (
    "instantdl",
    "keras",
    "numpy",
    "pandas",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tifffile",
)


def describe_environment() -> dict[str, Any]:
    """Return versions and what is computed on.

    Returns
    -------
    dict
        Plain values: Python, system, processors and versions of packages. Nothing
        of the user, of folders or of the network.

    Examples
    --------
    >>> from instantdl.pipeline._environment import describe_environment
    >>> sorted(describe_environment())
    ['cores', 'machine', 'packages', 'python', 'system']
    """
    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
