"""`draw`: circuits in the style of the CS231n notes, and the files that they can be written to."""

from __future__ import annotations

import os
import pathlib
import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import graphviz

from ..arguments import flag, whole
from ..errors import DtypeError, MinigradError
from ..io import atomic_write
from ..value import Value
from .circuit import Circuit, nearest, trace
from .collapse import collapse, depth_of, fold
from .dot import FONT, SIDES, Style, attributes, write_dot
from .notebook import Ways, bundle, image
from .renderer import BITMAPS, has_renderer, render
from .repeats import fold_repeats
from .svg import draw_svg
from .themes import THEMES
from .words import shorten
from .writers import WRITERS, write_page

__all__ = ["Drawing", "draw"]

LARGEST = 20_000  # values of a graph that are looked at to draw its parts as boxes


class Drawing(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """A `graphviz.Digraph` that renders with or without an installed `dot` (see `renderer.find_renderer`).

    `.source`, `.pipe(format=)`, `.render(outfile=)`, `.save()` and the display in notebooks are those of the graphviz
    package, which calls the three methods below to run its program.
    """

    circuit = Circuit((), ())  # what is drawn
    style = Style(THEMES["light"])

    def copy(self) -> Drawing:
        """A copy to change."""
        twin: Drawing = super().copy()
        twin.circuit, twin.style = self.circuit, self.style
        return twin

    def export(self, path: str | os.PathLike[str]) -> str:
        """Write what the suffix says, all or nothing, and return the path: .svg, .png, .pdf (by an installed `dot`) and
        the like; .dot or .gv; .mmd (Mermaid); .json; .txt (a table of the gates); .html (picture and table).

        Raises `MinigradError` for another suffix.
        """
        path = pathlib.Path(path)
        kind = path.suffix[1:].lower()
        if kind in ("dot", "gv"):
            picture = self.source.encode()
        elif kind in WRITERS:
            picture = WRITERS[kind](self.circuit, self.style.digits).encode()
        elif kind == "html":
            write_page(path, self.circuit, self.style.digits, self.picture("svg"))
            return os.fspath(path)
        elif kind in graphviz.FORMATS:
            picture = self.picture(kind)
        else:
            raise MinigradError(
                f"export: {path.name!r:.80} doesn't say what to write: end it in .svg, .png, .pdf, .html, .dot, .mmd, "
                ".json or .txt."
            )
        with atomic_write(path) as file:
            file.write(picture)
        return os.fspath(path)

    def picture(self, kind: str, engine: str = "dot") -> bytes:
        """The bytes of a picture: `kind` is svg, png, pdf, ...

        Where no Graphviz program can be found, an svg is laid out by `draw_svg`, with a warning: the circuit, without
        what was changed in the DOT text since.
        """
        if kind == "svg" and not has_renderer():
            warnings.warn(
                "no Graphviz program was found: this is a simpler layout of minigrad's own, without frames. "
                "For the full one: pip install graphviz-pure.",
                stacklevel=3,
            )
            return draw_svg(self.circuit, self.style)
        drawing = self
        if kind.partition(":")[0] in BITMAPS:  # the letters that graphviz-pure paints have the widths of Helvetica
            drawing = self.copy()
            for attributes in (drawing.graph_attr, drawing.node_attr, drawing.edge_attr):
                if attributes.get("fontname") == FONT:
                    attributes["fontname"] = "Helvetica"
        return render(drawing.source, kind, engine)

    def __repr__(self) -> str:
        return f"Drawing({size_of(self.circuit)}; .export('circuit.svg') writes it)"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, Any]:
        """For notebooks: the picture as HTML, which one that isn't trusted shows as well; as svg; and a line of text.

        Other formats are shown as `graphviz` does: those in `include`, or that of `graphviz.set_jupyter_format`.
        """
        if include is None and self._jupyter_mimetype != "image/svg+xml":
            include = {self._jupyter_mimetype, "text/plain"}
        svg = cache(lambda: self.pipe("svg", encoding="utf-8"))
        ways: Ways = {"image/svg+xml": svg, "text/plain": self.__repr__}
        ways["text/html"] = lambda: image(svg(), size_of(self.circuit))
        bitmaps: dict[str, Any] = super()._repr_mimebundle_(set(include or ()) - set(ways), exclude)
        return bitmaps | bundle(ways, include, exclude)

    def _mime_(self) -> tuple[str, str]:
        """For marimo."""
        return "text/html", self._repr_mimebundle_({"text/html"})["text/html"]

    def _pipe_lines(self, engine: str, format: str, lines: Iterable[str], **options: Any) -> bytes:
        return self.picture(dotted(format, **options), engine)

    def _pipe_lines_string(self, engine: str, format: str, lines: Iterable[str], **options: Any) -> str:
        return self._pipe_lines(engine, format, lines, **options).decode()

    def _render(
        self, engine: str, format: str, filepath: Any, outfile: Any = None, raise_if_result_exists: bool = False,
        **options: Any,
    ) -> str:  # fmt: skip
        kind = dotted(format, **options)
        path = pathlib.Path(outfile or f"{os.fspath(filepath)}.{'.'.join(reversed(kind.split(':')))}")
        if raise_if_result_exists and path.exists():
            raise graphviz.FileExistsError(f"output file exists: {os.fspath(path)!r}")
        picture = self.picture(kind, engine)
        with atomic_write(path) as file:
            file.write(picture)
        return os.fspath(path)


def size_of(circuit: Circuit) -> str:
    """What is drawn, in a few words."""
    name = shorten(circuit.nodes[-1].label) if circuit.nodes else ""
    gates = [node for node in circuit.nodes if node.symbol is not None and not node.box]
    counts = [f"{len(x):,} {what}{'s' * (len(x) != 1)}" for x, what in ((circuit.nodes, "value"), (gates, "gate"))]
    return ", ".join([f"circuit{f' of {name}' * bool(name)}", *counts])


def dotted(format: str, renderer: str | None = None, formatter: str | None = None, **_: Any) -> str:
    """Graphviz's name of a format and who writes it: svg, svg:cairo, png:cairo:gd."""
    return ":".join([part for part in (format, renderer, formatter) if part])


def draw(
    v: Value, *, model: Any = None, depth: int | None = None, direction: str = "LR", theme: str = "light",
    max_nodes: int = 400, digits: int = 4, values: bool = True, grads: bool = True, local: bool = True,
    heatmaps: bool = True, health: bool = False,
) -> Drawing:  # fmt: skip
    """Draw the circuit behind `v`, as in the CS231n notes.

    Each value is a piece of wire with its name, its number above (green) and its gradient below (red); gates are
    circles, with what they were called with (axis=0); each wire into a gate carries the gate's local gradient and its
    contribution, upstream times local.  Arrays show their shape and their gradients the (Euclidean) norm, both their
    numbers if there are at most three or else a small picture (negative cells are framed, a large array is pooled);
    constants are grey.  A gradient that is not the sum of its wires says so: "stale", "accumulated".

    `model` gives parameters their names (`layers.0.weight`) and draws its modules as frames; `depth` draws those that
    deep as one box each (0: the whole model), rows of equal ones as `× 12`.  `direction` is LR, RL, TB or BT, `theme`
    light, dark or print; numbers have `digits` significant digits.  `values`, `grads` and `local` leave numbers
    out, `heatmaps` the small pictures; `health` shades gates by the size of the gradient that arrives and names dead
    and saturated ones.

    Of a graph of more than `max_nodes` values and constants the modules of `model` are drawn as boxes, or without a
    model rows of equal parts (× 12); where that is not enough, the values nearest to `v`.  The picture says so.

    Raises `DtypeError` for what is not a `Value`, and when a picture is made `MissingExtraError` for one that needs a
    Graphviz program, where none can be found.

    >>> x, y = Value(4.0, label="x"), Value(-3.0, label="y")
    >>> f = x * y
    >>> f.backward()
    >>> picture = draw(f)  # picture.export("xy.svg"), or leave it at the end of a notebook cell
    >>> "local -3 →" in picture.source
    True
    """
    if not isinstance(v, Value):
        raise DtypeError(f"draw: expected a Value, got {type(v).__name__}.")
    if direction not in SIDES:
        raise ValueError(f"draw: direction={direction!r} is not one of {', '.join(SIDES)}.")
    if theme not in THEMES:
        raise ValueError(f"draw: theme={theme!r} is not one of {', '.join(THEMES)}.")
    digits, max_nodes = whole("draw: digits", digits, least=1), whole("draw: max_nodes", max_nodes, least=1)
    flags = {"values": values, "grads": grads, "local": local, "heatmaps": heatmaps, "health": health}
    for name, x in flags.items():
        flag(f"draw: {name}", x)
    style = Style(THEMES[theme], direction, digits, **flags)
    return drawn(view(v, model, depth, max_nodes), style)


def drawn(circuit: Circuit, style: Style) -> Drawing:
    """The drawing of a circuit."""
    drawing = Drawing("circuit", format="svg", **attributes(style))
    drawing.circuit, drawing.style = circuit, style
    write_dot(circuit, style, drawing)
    return drawing


def view(v: Value, model: Any, depth: int | None, max_nodes: int, grads: dict[Value, Any] | None = None) -> Circuit:
    """What is drawn: all of the graph, modules or rows of equal parts as boxes, or the part nearest to `v`."""
    if depth is not None:
        depth = whole("draw: depth", depth, least=0)
        if model is None:
            raise MinigradError("draw: depth= draws the modules of a model as boxes: give model=, too.")
    most = max(LARGEST, max_nodes)
    if model is None and nearest(v, most)[0] is not None:
        return trace(v, max_nodes, None, grads)
    circuit = trace(v, most, model, grads)
    size = len(circuit.nodes)
    if depth is not None:
        circuit = fold(collapse(circuit, depth))
    elif size > max_nodes and model is not None:
        for depth in range(depth_of(circuit), -1, -1):
            closed = fold(collapse(circuit, depth))
            if len(closed.nodes) <= max_nodes:
                said = f"{size:,} values; modules at depth {depth} are drawn as boxes. max_nodes={size} opens them."
                return replace(closed, note=f"{circuit.note} {said}".strip())
    elif size > max_nodes:
        closed = fold_repeats(circuit)
        if len(closed.nodes) <= max_nodes:
            return replace(closed, note=f"{size:,} values; rows of equal parts are boxes. max_nodes={size} opens them.")
    return circuit if len(circuit.nodes) <= max_nodes else trace(v, max_nodes, model, grads)
