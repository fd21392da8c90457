"""The list of peers.  A peer is one function: it is given the problem and returns a `step` that returns the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["PEERS", "Step", "peer"]

Step = Callable[[], float]
Build = TypeVar("Build", bound=Callable[..., Step])
PEERS: dict[str, dict[str, Callable[..., Step]]] = {}  # workload -> name -> function


def peer(name: str, *workloads: str) -> Callable[[Build], Build]:
    """Enter the function below as the peer `name` of these workloads.

    It imports what it needs itself, in a process of its own; where that is not installed the peer is skipped.
    """

    def enter(build: Build) -> Build:
        for workload in workloads:
            PEERS.setdefault(workload, {})[name] = build
        return build

    return enter
