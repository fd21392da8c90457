"""Pictures: circuits with the numbers on their wires, loss curves, decision boundaries.

    viz.draw(loss).render(outfile="circuit.svg")

Nothing here is imported before it is used: neither graphviz nor matplotlib belong to `import minigrad`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drawing import draw
    from .plots import decision_boundary, optimizer_race, plot_gradcheck, plot_history

__all__ = ["decision_boundary", "draw", "optimizer_race", "plot_gradcheck", "plot_history"]

HOME = {"draw": ".drawing"} | dict.fromkeys(
    ("decision_boundary", "optimizer_race", "plot_gradcheck", "plot_history"), ".plots"
)


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOME[name], __name__), name)
