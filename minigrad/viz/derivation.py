"""The chain rule written out for a graph: in symbols, with the numbers put in, and the result; Unicode and LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..arguments import whole
from ..convert import shape_of
from ..value import Value, sent, upstream_of
from .diagnosis import no_path
from .explanation import how_many, recipes, shown
from .formula import escaped, latex_name, local_statement, write
from .names import Names, number
from .paths import Path, check_ends, survey

__all__ = ["Derivation", "derive"]

LENGTH = 30  # gates: a longer path is cut in the middle


@dataclass(repr=False)
class Derivation:
    """What `derive` wrote: `text` in Unicode, `latex` for a formula block; `str()` of it is the text."""

    text: str = ""
    latex: str = ""
    gradient: Any = None
    lines: list[tuple[str, str]] = field(default_factory=list)  # each in Unicode and in LaTeX

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$${self.latex}$$"

    def add(self, text: str, latex: str) -> None:
        self.lines.append((text, latex))

    def finish(self) -> Derivation:
        self.text = "\n".join([text for text, _ in self.lines])
        rows = " \\\\\n".join([latex for _, latex in self.lines if latex])
        self.latex = f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"
        return self


def derive(loss: Value, x: Value, *, k: int = 5) -> Derivation:
    """d loss / d x line by line: the chain rule in symbols, each local gradient as its gate states it, the numbers.

    Of many paths the k strongest are written.  Where gates mix elements, the lines say what each gate sends back, with
    its shape and size.  Needs no `backward()`, writes no `.grad`; raises `GradientError` as `explain` does.

    >>> x, y, z = Value(-2.0, label="x"), Value(5.0, label="y"), Value(-4.0, label="z")
    >>> q = x + y
    >>> f = q * z
    >>> q.label, f.label = "q", "f"
    >>> print(derive(f, x))
    ∂f/∂x = ∂f/∂q · ∂q/∂x
      ∂f/∂q = z = −4
      ∂q/∂x = 1
    ∂f/∂x = (−4) · 1
          = −4
    """
    check_ends(loss, x, "derive")
    k = whole("derive: k", k, least=1)
    names, out = Names(), Derivation()
    names(x, "x"), names(loss, "loss")
    left, tex = slope(loss, x, names)
    found = survey(loss, x, k)
    if not found.count:
        why = no_path(loss, x, names)
        out.add(f"{left} = 0: {why}", rf"{tex} &= 0 \quad\text{{{escaped(why)}}}")
        return out.finish()
    out.gradient = found.gradient
    chains = [chain(path, names) for path in found.paths]
    missing = found.count - len(found.paths)
    more, tex_more = (f" + … ({how_many(missing)} more paths)", r" + \cdots") if missing > 0 else ("", "")
    in_symbols, in_tex = [" + ".join([c[i] for c in chains]) for i in (0, 1)]
    one_step = found.count == 1 and len(found.paths[0].steps) == 1  # a single gate: its own line says it all
    if not one_step:
        out.add(f"{left} = {in_symbols}{more}", f"{tex} &= {in_tex}{tex_more}")
    written: set[tuple[Value, int]] = set()
    for path in found.paths:
        flow = None
        for v, wire in cut(path.steps):
            local = v.local_gradients()[wire]
            if local is None and len(path.steps) <= LENGTH:
                flow = follow(path, v, wire)
            if (v, wire) not in written:
                written.add((v, wire))
                out.add(*one_gate(v, wire, local, flow, names))
    pad, tex_pad = (left + " ", tex + " ") if one_step else (" " * (len(left) + 1), "")
    if not one_step and all([not shape_of(p.contribution) and factors(p) is not None for p in found.paths]):
        products = [factors(p) or [] for p in found.paths]
        text = " + ".join([" · ".join([signed(d) for d in p]) or "1" for p in products])
        latex = " + ".join([r" \cdot ".join([plain(signed(d)) for d in p]) or "1" for p in products])
        out.add(f"{left} = {text}{more}", f"{tex} &= {latex}{tex_more}")
    if found.count > 1:
        parts = [shown(p.contribution) for p in found.paths]
        sum_of = " + ".join([f"({p})" if p[0] == "−" else p for p in parts])
        out.add(f"{pad}= {sum_of}{more}", f"&= {text_in(sum_of)}{tex_more}")
    out.add(f"{pad}= {shown(found.gradient)}", f"{tex_pad}&= {text_in(shown(found.gradient))}")
    for line in recipes(names, [v for v in found.gates if v is not loss]):
        out.add(line, "")
    return out.finish()


def slope(v: Value, x: Value, names: Names) -> tuple[str, str]:
    f, s = names(v), names(x)
    return f"∂{f}/∂{s}", rf"\frac{{\partial {latex_name(f)}}}{{\partial {latex_name(s)}}}"


def cut(steps: tuple[tuple[Value, int], ...]) -> list[tuple[Value, int]]:
    half = LENGTH // 2
    return list(steps) if len(steps) <= LENGTH else [*steps[:half], *steps[-half:]]


def chain(path: Path, names: Names) -> tuple[str, str]:
    """∂f/∂q · ∂q/∂x"""
    slopes = [slope(v, v.inputs[wire], names) for v, wire in cut(path.steps)]
    if len(path.steps) > LENGTH:
        slopes.insert(LENGTH // 2, ("…", r"\cdots"))
    return " · ".join([s for s, _ in slopes]) or "1", r" \cdot ".join([s for _, s in slopes]) or "1"


def follow(path: Path, v: Value, wire: int) -> Any:
    """The gradient that has come along the path as far as the given wire."""
    g: Any = upstream_of(path.steps[0][0], 1.0)
    for step, i in path.steps:
        g = sent(step, g)[i]
        if step is v and i == wire:
            break
    return g


def one_gate(v: Value, wire: int, local: Any, flow: Any, names: Names) -> tuple[str, str]:
    """∂q/∂x = its statement = with numbers = the number."""
    left, tex = slope(v, v.inputs[wire], names)
    found = local_statement(v, wire)
    numeric = local is not None and not shape_of(local)
    value = number(local) if local is not None else ""
    if found is None:
        return f"  {left} = {value}", rf"{tex} &= {text_in(value)}"
    statement, known, notes = found
    symbols = write(statement, names.any, known)
    tex_symbols = write(statement, in_latex(names), known, latex=True)
    if not numeric:
        sends = f"  {left}: g ↦ {symbols}" if local is None else f"  {left} = {symbols}"
        size = f"   ({value or shown(flow)})" if value or flow is not None else ""
        return sends + size, rf"{tex} &: {tex_symbols} \quad {text_in(size.strip())}"
    with_numbers = write(statement, lambda x: number(x.data), known)
    tex_numbers = write(statement, lambda x: plain(number(x.data)), known, latex=True)
    steps = dict.fromkeys((symbols, with_numbers, value))  # what is the same is written once
    tex_steps = dict.fromkeys((tex_symbols, tex_numbers, plain(value)))
    remark = f"   ({notes[0]})" if notes else ""
    return f"  {left} = {' = '.join(steps)}{remark}", f"{tex} &= {' = '.join(tex_steps)}"


def in_latex(names: Names) -> Callable[[Any], str]:
    return lambda x: latex_name(text) if not (text := names.any(x))[:1].isdigit() and text[0] != "−" else plain(text)


def factors(path: Path) -> list[Any] | None:
    slopes = [v.local_gradients()[wire] for v, wire in path.steps]
    return slopes if len(slopes) <= LENGTH and all([d is not None and not shape_of(d) for d in slopes]) else None


def signed(d: Any) -> str:
    text = number(d)
    return f"({text})" if text[0] == "−" else text


def plain(text: str) -> str:
    return text.replace("−", "-")


def text_in(text: str) -> str:
    return plain(text) if not any([c.isalpha() for c in text.replace("e", "")]) else rf"\text{{{escaped(plain(text))}}}"
