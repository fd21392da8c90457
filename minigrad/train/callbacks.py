"""Callbacks: what a training does beside learning.

The simplest is a function: it is called with each epoch's record, may add numbers to it, and ends the training if it
returns True.  One that wants to see more is a `Callback`, of which every method may be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .history import Record

if TYPE_CHECKING:
    from .loop import Run, Step

__all__ = ["Callback"]


class Callback:
    """Base of callbacks that look at single steps, or that a checkpoint has to remember.

    >>> class Hardest(Callback):  # the worst batch of each epoch
    ...     loss = 0.0
    ...     def step(self, step):
    ...         self.loss = max(self.loss, step.loss)
    ...     def __call__(self, record):
    ...         record["hardest"], self.loss = self.loss, 0.0
    ...     def state_dict(self):
    ...         return {"loss": self.loss}
    ...     def load_state_dict(self, state):
    ...         self.loss = state["loss"]
    """

    def start(self, run: Run) -> None:
        """Before the first update, also of a run that was loaded: then `run.resumed` is True."""

    def step(self, step: Step) -> None:
        """After every update; the parameters still have the gradients of this step."""

    def __call__(self, record: Record) -> Any:
        """After every epoch, with its numbers; True ends the training."""

    def end(self, run: Run) -> None:
        """When the training is over: `run.finished` tells whether it came to its end or was broken off."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to remember, as `mg.save` can write it; leave it out if there is nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict`; on an error nothing has changed."""
