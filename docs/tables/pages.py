"""Markdown for the places in the pages that say {{ gate_tables }}, {{ api minigrad.optim }} and so on."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import gates
from minigrad.gates import operators
from minigrad.gates.registry import COMPOSED, REGISTRY
from minigrad.gates.table import Entry, Statement, entry, signature

from .differences import DIFFERENCES, ours, power_rows
from .kinks import kinks, number
from .names import numpy_name, torch_name

__all__ = ["api", "differences", "families", "fill", "gate_entries", "gate_tables", "powers"]

FIRST = [
    "arithmetic", "exponential", "trigonometric", "hyperbolic", "special", "activations", "selection", "rounding",
    "comparisons", "questions", "reductions", "cumulative", "statistics", "quantiles", "norms", "sorting", "shapes",
    "axes", "splitting", "arranging", "linalg", "einsum", "products", "matrices", "determinants", "factorizations",
    "convolution", "pooling", "windows",
]  # fmt: skip
GATE = ("Gate", "Forward", "Derivative", "Kinks, jumps, ends", "NumPy, PyTorch")
POWER = ("a", "b", "a ** b", "slope by a", "slope by b")
DIFFERENCE = ("Call", "minigrad", "PyTorch", "Why")
TITLES = {
    "exponential": "Exponentials, logarithms, roots",
    "trigonometric": "Angles",
    "hyperbolic": "Hyperbolic functions",
    "special": "Special functions",
    "selection": "Gates that choose",
    "questions": "Questions about an array",
    "shapes": "Shapes and indices",
    "linalg": "Matrix products",
    "products": "Products of arrays",
    "matrices": "Matrix functions",
    "cumulative": "Running sums and products",
}


def families() -> dict[str, tuple[str, list[str]]]:
    """For each module of the catalogue what its docstring says, and its gates and composed functions."""
    found: dict[str, tuple[str, list[str]]] = {}
    everything, seen = {*REGISTRY, *COMPOSED}, set()
    modules = [m.name for m in pkgutil.iter_modules(gates.__path__) if not m.name.startswith("_")]
    for name in sorted(modules, key=lambda m: (FIRST.index(m) if m in FIRST else len(FIRST), m)):
        module = importlib.import_module(f"minigrad.gates.{name}")
        names = [n for n in getattr(module, "__all__", ()) if n in everything and n not in seen]
        seen |= set(names)
        if names:
            found[name] = inspect.getdoc(module) or "", sorted(names)
    if missing := everything - seen:
        raise LookupError(f"in no family of gates: {missing}; add them to the __all__ of their module")
    return found


def title(family: str) -> str:
    return TITLES.get(family, family.replace("_", " ").capitalize())


# ------------------------------------------------------------------------------------------------------- the gate table
def gate_tables() -> str:
    """A section and a table per family."""
    parts = []
    for family, (about, names) in families().items():
        rows = "".join([table_row(name) for name in names])
        parts += [f"## {title(family)}", plain_markdown(about), html_table(GATE, rows, "gates")]
    return "\n\n".join(parts)


def table_row(name: str) -> str:
    bends = "".join([f"<p>{escape(text)}</p>" for text in kinks(name)])
    if name == "power":
        bends = '<p>See <a href="#powers">the table of powers</a>.</p>'
    outside = [escape(text) for text in (numpy_name(name), torch_name(name)) if text]
    elsewhere = "".join([f"<p><code>{breakable(text)}</code></p>" for text in outside])
    if name in COMPOSED:
        forward = f"<p>{html_text(summary(COMPOSED[name]))}</p>"
        derivative = "<p>that of the gates it is made of</p>"
        symbol, source = "", source_of(COMPOSED[name])
    else:
        row = entry(name)
        forward = html_statement(row.formula) + "".join([f"<p>{html_text(text)}</p>" for text in row.comments])
        derivative = html_derivatives(row)
        symbol = REGISTRY[name].symbol if REGISTRY[name].symbol != name else ""
        source = f"{Path(row.file).name}:{row.line}"
    badge = f' <span class="symbol" title="in drawings">{escape(symbol)}</span>' if symbol else ""
    link = f'<a href="{api_link(name)}"><code>{breakable(name)}</code></a>'
    first = f'<p>{link}{badge}</p><p class="source">{breakable(source)}</p>'
    return html_row(GATE, [first, forward, derivative, bends, elsewhere], id=name)


def breakable(name: str) -> str:
    """A name that may continue on the next line after a dot or an underscore."""
    return re.sub(r"([._:])", r"\1<wbr>", name)


def api_link(name: str) -> str:
    return f"api/gates.html#minigrad.{name}"


def html_derivatives(row: Entry) -> str:
    if not row.derivatives:
        return "<p>none: the result is raw</p>"
    said: set[str] = set()
    parts = []
    for wire, rule in row.derivatives:
        label = f'<span class="wire">{escape(wire)}</span> ' if len(row.derivatives) > 1 else ""
        new = Statement(rule.code, tuple([note for note in rule.notes if note not in said]))
        said |= set(rule.notes)
        parts.append(html_statement(new, label))
    return "".join(parts)


def html_statement(statement: Statement, label: str = "") -> str:
    notes = "".join([f'<p class="note">{html_text(note)}</p>' for note in statement.notes])
    return f"<p>{label}<code>{escape(statement.code)}</code></p>{notes}"


def html_text(text: str) -> str:
    """A sentence of a docstring: `code` becomes code."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text))


def html_row(heads: Iterable[str], cells: Iterable[str], id: str = "") -> str:
    """A row; each cell knows its heading, which stands beside it on a phone."""
    start = f'<tr id="{id}">' if id else "<tr>"
    pairs = zip(heads, cells, strict=True)
    return start + "".join([f'<td data-head="{head}">{cell}</td>' for head, cell in pairs]) + "</tr>\n"


def html_table(heads: Iterable[str], rows: str, kind: str) -> str:
    head = "".join([f"<th>{text}</th>" for text in heads])
    table = f'<table class="table catalogue {kind}"><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>'
    return f"```{{raw}} html\n{table}\n```"


def plain_markdown(text: str) -> str:
    """A docstring as Markdown; what Markdown would take for emphasis stays as it is."""
    return re.sub(r"(?<!\\)([*_<])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


def summary(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def source_of(function: Callable[..., Any]) -> str:
    inner = inspect.unwrap(function)
    file = Path(inspect.getsourcefile(inner) or "")
    return f"{file.name}:{inner.__code__.co_firstlineno + 1}"  # below its decorator


# ------------------------------------------------------------------------------------------------- the API of the gates
def gate_entries() -> str:
    """A section per family with an entry for every gate and function, from the rows and docstrings."""
    parts = []
    for family, (about, names) in families().items():
        parts += [f"## {title(family)}", plain_markdown(about)]
        for name in names:
            if name in COMPOSED:
                shown = name if hasattr(mg, name) else f"gates.{family}.{name}"
                parts.append(f"```{{eval-rst}}\n.. autofunction:: minigrad.{shown}\n```")
                continue
            gate = REGISTRY[name]
            parts.append(f"````{{py:function}} minigrad.{name}{signature(gate)}\n\n{entry_text(name)}\n````")
    return "\n\n".join(parts)


def entry_text(name: str) -> str:
    """What the row of a gate says, as Markdown."""
    gate, row = REGISTRY[name], entry(name)
    outside = [f"`{text}`" for text in (numpy_name(name), torch_name(name)) if text]
    text = ["An elementwise gate." if gate.elementwise else "A gate." if gate.differentiable else "A raw result."]
    text += [f"In NumPy and PyTorch: {', '.join(outside)}."] if outside else []
    text += [] if hasattr(mg, name) else ["Used by derivatives; not at the top level."]
    text.append(f'<a href="../gates.html#{name}">In the table</a>; {row.file}:{row.line}.')
    items = [f"computes {markdown(row.formula)}"]
    verb = "derivative" if gate.local is not None else "sends back"
    for wire, rule in row.derivatives:
        towards = "" if len(row.derivatives) == 1 else f" by `{wire}`" if gate.local is not None else f" to `{wire}`"
        items.append(f"{verb}{towards}: {markdown(rule)}")
    items += [plain_markdown(comment) for comment in row.comments]
    return "\n".join([" ".join(text), "", *[f"- {item}" for item in items]])


def markdown(statement: Statement) -> str:
    return " — ".join([f"`{statement.code}`", *[plain_markdown(note) for note in statement.notes]])


# -------------------------------------------------------------------------------------------------- the rest of the API
def api(module: str, *names: str) -> str:
    """A summary and the entries of some names of a module, or of all that its `__all__` promises but modules."""
    home = importlib.import_module(module)
    things = {name: getattr(home, name) for name in names or home.__all__}
    things = {name: thing for name, thing in things.items() if not inspect.ismodule(thing)}
    things = {name: thing for name, thing in things.items() if not isinstance(thing, mg.Gate)}  # they have a page
    paths = {name: "minigrad" if getattr(mg, name, None) is thing else module for name, thing in things.items()}
    lines = [".. autosummary::", "   :nosignatures:", "", *[f"   ~{paths[name]}.{name}" for name in things]]
    for name, thing in things.items():
        if COMPOSED.get(name) is thing:
            continue  # the page of the gates has its entry
        lines += ["", f".. auto{'class' if inspect.isclass(thing) else 'function'}:: {paths[name]}.{name}"]
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            bases = [] if thing.__bases__ == (object,) else ["   :show-inheritance:"]
            lines += [*bases, f"   :members: {', '.join(own_members(thing))}"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def own_members(thing: Any) -> list[str]:
    """The public names in the body of a class, without the gates that are attached to `Value`."""
    attached = {*REGISTRY, *COMPOSED, *operators.ALIASES, "T"} if thing is mg.Value else set()
    public = [name for name in vars(thing) if not name.startswith("_") and name not in attached]
    return [name for name in public if inspect.getdoc(inspect.getattr_static(thing, name)) or thing is not mg.Value]


# ------------------------------------------------------------------------------------------ conventions and differences
def powers() -> str:
    rows = "".join([html_row(POWER, [f"<p>{number(x)}</p>" for x in row]) for row in power_rows()])
    return html_table(POWER, rows, "small")


def differences() -> str:
    rows = "".join([difference_row(row) for row in DIFFERENCES])
    return html_table(DIFFERENCE, rows, "differences")


def difference_row(row: Any) -> str:
    """The call, both answers, and the reason."""
    arguments = [short(x) for x in row.inputs] + [f"{k}={v!r}" for k, v in row.params.items()]
    call = f"<p><code>{row.gate}({escape(', '.join(arguments))})</code></p>"
    call += f'<p class="source">torch.{breakable(row.torch)}</p>'
    what = "gradient" if row.order == 1 else "second slopes"
    cells = [call, answer(what, *ours(row)), answer(what, *row.theirs), f"<p>{html_text(row.why)}</p>"]
    return html_row(DIFFERENCE, cells)


def answer(what: str, value: Any, slopes: list[Any] | None) -> str:
    text = "none" if slopes is None else ", ".join([short(g) for g in slopes])
    return f"<p>{short(value)}</p><p>{what} {text}</p>".replace("-", "−").replace("inf", "∞")


def short(x: Any) -> str:
    """A number, or a list of a few; many equal ones are counted."""
    x = np.asarray(x).tolist()
    if not isinstance(x, list):
        return f"{x + 0.0:.10g}"
    texts = [short(y) for y in x]
    return f"{len(x)} × {texts[0]}" if len(x) > 4 and len(set(texts)) == 1 else f"[{', '.join(texts)}]"


GENERATED: dict[str, Callable[..., str]] = {
    "api": api,
    "gate_tables": gate_tables,
    "gate_entries": gate_entries,
    "powers": powers,
    "differences": differences,
}


def fill(app: Any, docname: str, source: list[str]) -> None:
    """Sphinx's event `source-read`: put the generated parts into a page."""
    source[0] = re.sub(r"\{\{ (\w+)([\w. ]*) \}\}", lambda m: GENERATED[m[1]](*m[2].split()), source[0])
