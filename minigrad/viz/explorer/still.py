"""The circuit of an explorer page as a picture: for where the page is not shown, a notebook that isn't trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...value import Value, pull
from ..dot import Style
from ..drawing import Drawing, drawn, view
from ..themes import THEMES

__all__ = ["still"]

MOST = 100  # values: larger pictures take Graphviz seconds


def still(v: Value, model: Any, upstream: Any) -> Drawing:
    """The drawing, with the gradients of a backward pass from `v` that changes none of the graph's own."""
    with np.errstate(all="ignore"):
        grads = pull(v, upstream)
    circuit = view(v, model, None, MOST, grads)
    if circuit.note:
        circuit = replace(circuit, note="A part of the circuit, or its modules as boxes: the page has more.")
    return drawn(circuit, Style(THEMES["light"]))
