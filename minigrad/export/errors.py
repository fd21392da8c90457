"""The exception of this package."""

from ..errors import MinigradError

__all__ = ["ExportError"]


class ExportError(MinigradError, ValueError):
    """A function that has no counterpart in ONNX."""
