"""The one place that holds the version."""

__all__ = ["__version__"]

__version__ = "2.0.0.dev0"
