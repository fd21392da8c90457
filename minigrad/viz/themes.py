"""The colours of pictures: on white, on black, and for a printer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["THEMES", "Theme", "mix"]


@dataclass(frozen=True)
class Theme:
    """Six-digit colours: older Graphviz paints #eee black.  Text has a contrast of at least 4.5 on `paper`."""

    paper: str = "#ffffff"
    ink: str = "#202124"
    value: str = "#0b6b2b"
    gradient: str = "#c5221f"
    dim: str = "#6b7075"  # constants
    wire: str = "#5f6368"
    gate: str = "#eef3fb"
    module: str = "#f8f9fa"
    positive: str = "#1b7837"  # of heatmaps: numbers above and below zero ...
    negative: str = "#762a83"
    up: str = "#b2182b"  # ... and gradients
    down: str = "#2166ac"
    alarm: str = "#f9c846"  # a gate that lets little through


THEMES = {
    "light": Theme(),
    "dark": Theme(
        "#15181c", "#e6e8ea", "#6fd08c", "#ff8a80", "#a3abb5", "#9aa3ad", "#25303f", "#1c2127",
        "#6fd08c", "#c79bdb", "#ff8a80", "#8ab4f8", "#6b5200",
    ),
    "print": Theme(
        "#ffffff", "#000000", "#000000", "#000000", "#595959", "#000000", "#ffffff", "#ffffff",
        "#3d3d3d", "#000000", "#3d3d3d", "#000000", "#d9d9d9",
    ),
}  # fmt: skip


def mix(low: str, high: str, share: Any) -> str:
    """A colour between two: `share` 0 is the first, 1 the second.

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    a, b = [np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) for color in (low, high)]
    return "#" + "".join([f"{int(x):02x}" for x in np.floor(a + (b - a) * share + 0.5)])
