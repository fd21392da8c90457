"""`viz.explore`: a page in which a circuit is stepped through, gate by gate, forward and back, with sliders."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...arguments import whole
from ...convert import describe
from ...errors import DtypeError, GradientError, MinigradError
from ...io import atomic_write
from ...value import Value, upstream_of
from ..drawing import Drawing, size_of
from ..notebook import bundle, framed, image
from .page import page
from .record import recorded
from .still import still

__all__ = ["Circuit", "explore"]


@dataclass(frozen=True, repr=False)
class Circuit:
    """The page that `explore` made: `.html` is its text, `.save(path)` writes it."""

    html: str
    title: str
    note: str  # what of the graph is not in the page, or can't be computed there
    drawing: Drawing  # the same as a picture
    height: int  # of the frame that notebooks show it in, in pixels

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page, all or nothing, and return the path; `MinigradError` unless it ends in .html."""
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise MinigradError(f"explore: {path.name!r:.80}: the page is HTML, so its name ends in .html.")
        with atomic_write(path) as file:
            file.write(self.html.encode())
        return os.fspath(path)

    def __repr__(self) -> str:
        return f"Circuit({self.title!r}, {len(self.html.encode()):,} bytes; .save('circuit.html') writes the page)"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        """For notebooks: the page in a frame, and its picture where the notebook isn't trusted; and a line of text."""
        svg = cache(lambda: self.drawing.pipe("svg", encoding="utf-8"))

        def html() -> str:
            return framed(self.html, self.title, self.height, image(svg(), size_of(self.drawing.circuit)))

        return bundle({"text/html": html, "image/svg+xml": svg, "text/plain": self.__repr__}, include, exclude)

    def _mime_(self) -> tuple[str, str]:
        """For marimo."""
        return "text/html", self._repr_mimebundle_({"text/html"})["text/html"]


def explore(
    v: Value | Callable[[], Value],
    *,
    model: Any = None,
    gradient: Any = None,
    title: str | None = None,
    max_nodes: int = 300,
) -> Circuit:
    """A page to explore the circuit behind `v`: one file, which needs nothing else, also without a network.

    The page goes through forward pass and backpropagation gate by gate, in both directions, and says each step in words
    and numbers; sliders change the inputs, and all numbers with them; a nudge by h checks a gradient, a quiz hides one.
    The gradients are those of `v.backward(gradient)`; the values are computed from the data that leaves have now.  The
    derivatives in the page are the gates' own: their rows are recorded, and written as calls of forward functions.

    `v` may be a function without arguments, too: `explore(lambda: loss(model(x), y))`.  Then comparisons in it are part
    of the circuit, and masks follow the sliders; of a value, which was computed before, they stay as they were.

    `model` gives parameters their names, and draws modules as boxes.  A graph of more than `max_nodes` values is shown
    as boxes that stand for several, or else in part; the page says so.  Gates that it can't compute anew (qr, eigh,
    svd, gates of your own that are not made of the catalogue's) are named, and the sliders before them stay fixed.
    Raises `DtypeError` for what is not a `Value`, `GradientError` where nothing requires a gradient or an array comes
    without `gradient`, and `MissingExtraError` where no Graphviz program can be found.

    >>> x, y = Value(4.0, label="x"), Value(-3.0, label="y")
    >>> explore(x * y, title="x times y")  # doctest: +ELLIPSIS
    Circuit('x times y', ... bytes; .save('circuit.html') writes the page)
    """
    f = v if callable(v) and not isinstance(v, Value) else None
    v = f() if f is not None else v
    if not isinstance(v, Value):
        raise DtypeError(f"explore: expected a Value, got {type(v).__name__}.")
    if not v.requires_grad:
        raise GradientError(f"explore: {describe(v)} depends on nothing that requires a gradient.")
    if gradient is None and v.size != 1:
        raise GradientError(
            f"explore: {describe(v)} has {v.size} numbers: explore v.sum(), or pass gradient= of its shape."
        )
    if title is not None and not isinstance(title, str):
        raise DtypeError(f"explore: title={title!r:.40} is a {type(title).__name__}, not a text.")
    max_nodes = whole("explore: max_nodes", max_nodes, least=1)
    drawing = still(v, model, upstream_of(v, 1.0 if gradient is None else gradient))
    v, branches = recorded(f) if f is not None else (v, "")
    text, title, note, height = page(v, model, gradient, title, max_nodes, branches)
    return Circuit(text, title, note, drawing, height)
