"""Pictures: circuits with the numbers on their wires, loss curves, decision boundaries; and gradients explained.

    viz.draw(loss).render(outfile="circuit.svg")
    print(viz.explain(loss, x))

Nothing here is imported before it is used: neither graphviz nor matplotlib belong to `import minigrad`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .derivation import derive
    from .drawing import draw
    from .explanation import explain
    from .explorer import explore
    from .explorer.training import Snapshots, explore_training
    from .plots import decision_boundary, optimizer_race, plot_gradcheck, plot_history
    from .scalar_circuit import expand, expansion

__all__ = [
    "decision_boundary", "derive", "draw", "expand", "expansion", "explain", "explore", "explore_training",
    "optimizer_race", "plot_gradcheck", "plot_history", "Snapshots",
]  # fmt: skip

HOME = {"draw": ".drawing"} | dict.fromkeys(
    ("decision_boundary", "optimizer_race", "plot_gradcheck", "plot_history"), ".plots"
)
HOME |= {
    "derive": ".derivation",
    "explain": ".explanation",
    "explore": ".explorer",
    "explore_training": ".explorer.training",
    "Snapshots": ".explorer.training",
    "expand": ".scalar_circuit",
    "expansion": ".scalar_circuit",
}


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOME[name], __name__), name)
