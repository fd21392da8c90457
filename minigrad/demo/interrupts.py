"""Ctrl-C in the tour."""

from __future__ import annotations

from ..train import History

__all__ = ["finished"]


def finished(history: History) -> History:
    """The history of a whole run; where Ctrl-C cut it short, the tour ends too, not only this training."""
    if history.interrupted:
        raise KeyboardInterrupt
    return history
