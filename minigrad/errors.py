"""The exceptions: each is a `MinigradError` and also the built-in that Python or NumPy would raise."""

from typing import Any


class MinigradError(Exception):
    """Base of every error that minigrad raises on purpose."""


class ShapeError(MinigradError, ValueError):
    """Shapes that don't fit, or a size that is wrong."""


class OutOfRangeError(MinigradError, IndexError):
    """An index beyond the end of an axis, or one that is no index."""


class DtypeError(MinigradError, TypeError):
    """Data of a kind that has no gradient, or that would lose precision unseen."""


class GradientError(MinigradError, RuntimeError):
    """A gradient that was asked for in a way that has no answer."""


class GradcheckError(MinigradError, AssertionError):
    """A stated derivative that disagrees with finite differences; `.report` has both, as far as they were compared."""

    report: Any = None


class AnomalyError(MinigradError, FloatingPointError):
    """The first non-finite value of a forward or backward pass."""


class CheckpointError(MinigradError, ValueError):
    """A file that is truncated, mismatched or not a checkpoint."""


class DataError(MinigradError, ValueError):
    """A file of data that is damaged, too large, or not what it should be: it says where."""


class CompileError(MinigradError, RuntimeError):
    """A function that mg.compile can't record: it says at which line, and what to do."""


class MissingExtraError(MinigradError, ImportError):
    """An optional package that a feature needs and that is not installed."""
