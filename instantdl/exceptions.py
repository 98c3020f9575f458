"""Errors and warnings of instantdl; each error is also a builtin one."""

__all__ = ["ImageError", "InstantDLError", "InstantDLWarning", "ModelFileError"]


class InstantDLError(Exception):
    """Base class of the errors that instantdl raises itself."""


class ImageError(InstantDLError, ValueError):
    """An image, a mask or a folder of them is not what it must be."""


class ModelFileError(InstantDLError, ValueError):
    """A saved model cannot be opened, or must not be trusted."""


class InstantDLWarning(UserWarning):
    """Something was done differently from what was asked; the text says what."""
