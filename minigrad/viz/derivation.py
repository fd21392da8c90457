"""The chain rule written out for a graph: in symbols, with the numbers put in, and the result; Unicode and LaTeX."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from ..arguments import whole
from ..convert import shape_of
from ..value import Value, sent, upstream_of
from .diagnosis import no_path
from .explanation import check_index, entry_of, how_many, recipes, shown
from .formula import Rule, escaped, latex_name, latex_number, rule_of, write
from .names import Names, number, spelled
from .paths import Path, check_ends, survey

__all__ = ["Derivation", "derive"]

LENGTH = 30  # gates: a longer path is cut in the middle
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
WIRES = "|₁, |₂, …: along one wire alone, the first, the second, … from that value into that gate."
SENDS = "g ↦ …: what the gate sends back for the gradient g that arrives."


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


def derive(loss: Value, x: Value, *, index: Any = None, k: int = 5, model: Any = None) -> Derivation:
    """d loss / d x line by line: the chain rule in symbols, each local gradient as its gate states it, the numbers.

    Of many paths the k strongest are written.  Where gates mix elements, the lines say what each gate sends back, with
    its shape and size; `index` derives one entry of an array x instead.  `model` gives parameters the names that they
    have in it.  Needs no `backward()`, writes no `.grad`; raises what `explain` does.

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
    names, out = Names(model, "derive"), Derivation()
    names(x, "x"), names(loss, "loss")
    check_index(x, index, "derive")
    found = survey(loss, x, k, index)
    line = Writer(names, x, index, loss if found.count > 1 else None)
    left, tex = line.slope(loss, x)
    if not found.count:
        why = no_path(loss, x, names)
        out.add(f"{left} = 0: {why}", rf"{tex} &= 0 \quad\text{{{escaped(why)}}}")
        return out.finish()
    out.gradient = found.gradient
    if loss is x:
        out.add(f"{left} = 1", f"{tex} &= 1")
        return out.finish()
    chains = [line.chain(path) for path in found.paths]
    missing = found.count - len(found.paths)
    more, tex_more = (f" + … ({how_many(missing)} more paths)", r" + \cdots") if missing > 0 else ("", "")
    in_symbols, in_tex = [" + ".join([c[i] for c in chains]) for i in (0, 1)]
    one_step = found.count == 1 and len(found.paths[0].steps) == 1  # a single gate: its own line says it all
    if not one_step:
        out.add(f"{left} = {in_symbols}{more}", f"{tex} &= {in_tex}{tex_more}")
    written: set[tuple[Value, int]] = set()
    for path in found.paths:
        for v, wire in cut(path.steps):
            if (v, wire) not in written:
                written.add((v, wire))
                text, latex = line.gate(path, v, wire)
                out.add(text if one_step else f"  {text}", latex)
    lead, tex_lead, text = f"{left} ", f"{tex} ", ""  # of the first of the lines with results
    if not one_step and all([not shape_of(p.contribution) and factors(p) is not None for p in found.paths]):
        products = [factors(p) or [] for p in found.paths]
        text = " + ".join([" · ".join([signed(number(d)) for d in p]) or "1" for p in products])
        latex = " + ".join([r" \cdot ".join([signed(latex_number(number(d))) for d in p]) or "1" for p in products])
        out.add(f"{lead}= {text}{more}", f"{tex_lead}&= {latex}{tex_more}")
        lead, tex_lead = " " * len(lead), ""
    if found.count > 1:
        parts = [shown(p.contribution) for p in found.paths]
        total, latex = " + ".join(map(signed, parts)), " + ".join([signed(latex_number(p)) for p in parts])
        if total != text:  # which it is if each path is one gate
            out.add(f"{lead}= {total}{more}", f"{tex_lead}&= {latex}{tex_more}")
            lead, tex_lead = " " * len(lead), ""
    if not (one_step and factors(found.paths[0])):
        out.add(f"{lead}= {shown(found.gradient)}", f"{tex_lead}&= {latex_number(shown(found.gradient))}")
    for recipe in recipes(names, [v for v in found.gates if v is not loss]):
        out.add(recipe, "")
    for remark in line.remarks:
        out.add(remark, "")
    return out.finish()


class Writer:
    """The lines of a derivation, in Unicode and in LaTeX."""

    def __init__(self, names: Names, x: Value, index: Any, loss: Value | None) -> None:
        self.names, self.x, self.index = names, x, index
        self.loss = loss  # if several paths lead there: ∂loss/∂x is then more than what one wire says
        self.said: set[str] = set()  # of the functions in statements
        self.remarks: dict[str, None] = {}  # on the notation

    def slope(self, v: Value, source: Value, wire: int | None = None) -> tuple[str, str]:
        """∂v/∂source; of the array x, perhaps an entry; and if that alone isn't all, which wire it is."""
        above, below = self.names(v), self.names(source)
        tex, entry, one = latex_name(below), entry_of(self.index) if source is self.x else "", ""
        if entry:
            tex = f"{{{tex}}}_{{{entry[1:-1]}}}"
        text, tex = f"∂{above}/∂{below}{entry}", rf"\frac{{\partial {latex_name(above)}}}{{\partial {tex}}}"
        alone = len([x for x in v.inputs if x is source]) == 1 and not (v is self.loss and source is self.x)
        if wire is not None and not alone:
            one = str(1 + len([x for x in v.inputs[:wire] if x is source]))
            self.remarks[WIRES] = None
            text, tex = f"{text}|{one.translate(SUBSCRIPTS)}", f"{tex}|_{{{one}}}"
        return text, tex

    def chain(self, path: Path) -> tuple[str, str]:
        """∂f/∂q · ∂q/∂x"""
        slopes = [self.slope(v, v.inputs[wire], wire) for v, wire in cut(path.steps)]
        if len(path.steps) > LENGTH:
            slopes.insert(LENGTH // 2, ("…", r"\cdots"))
        return " · ".join([s for s, _ in slopes]) or "1", r" \cdot ".join([s for _, s in slopes]) or "1"

    def gate(self, path: Path, v: Value, wire: int) -> tuple[str, str]:
        """∂q/∂x = its statement = with numbers = the number; for an array, its statement and its size."""
        local, rule = v.local_gradients()[wire], rule_of(v, wire)
        left, tex = self.slope(v, v.inputs[wire], wire)
        if local is not None and not shape_of(local):
            steps, tex_steps = [number(local)], [latex_number(number(local))]
            if rule is not None:
                filled = rule.known | rule.settings
                steps = [write(rule.statement, self.names.any, rule.known),
                         write(rule.statement, lambda x: number(x.data), filled), *steps]  # fmt: skip
                tex_steps = [write(rule.statement, self.in_latex, rule.known, latex=True),
                             write(rule.statement, lambda x: latex_number(number(x.data)), filled, latex=True),
                             *tex_steps]  # fmt: skip
            remark = "".join([f"   ({note})" for note in self.note(rule)])
            # what is the same is written once
            return (
                f"{left} = {' = '.join(dict.fromkeys(steps))}{remark}",
                f"{tex} &= {' = '.join(dict.fromkeys(tex_steps))}",
            )
        size = [shown(self.arriving(path, v, wire))] if len(path.steps) <= LENGTH else []
        if rule is None:
            said = "; ".join(["by the gate's own rule", *size])
            return f"{left}: {said}", rf"{tex} &: \text{{{escaped(said)}}}"
        used = {node.id for node in ast.walk(rule.statement) if isinstance(node, ast.Name)}
        chosen = [
            f"{name} = {spelled(x, inner=True)}"
            for name, x in rule.settings.items()
            if name in used and x is not None and x is not False and not (isinstance(x, tuple) and not x)
        ]
        said = "; ".join([*chosen, *size, *self.note(rule)])
        symbols = write(rule.statement, self.names.any, rule.known)
        tex_symbols = write(rule.statement, self.in_latex, rule.known, latex=True)
        if local is None:
            self.remarks[SENDS] = None
        sign, tex_sign = (": g ↦", r"&: g \mapsto") if local is None else (" =", "&=")
        remark, tex_remark = (f"   ({said})", rf" \quad \text{{({escaped(said)})}}") if said else ("", "")
        return f"{left}{sign} {symbols}{remark}", f"{tex} {tex_sign} {tex_symbols}{tex_remark}"

    def note(self, rule: Rule | None) -> list[str]:
        """What a function in a statement says about itself, the first time."""
        new = [note for note in rule.notes[:1] if note not in self.said] if rule is not None else []
        self.said.update(new)
        return new

    def arriving(self, path: Path, v: Value, wire: int) -> Any:
        """The gradient that has come along the path as far as the given wire."""
        g: Any = upstream_of(path.steps[0][0], 1.0)
        for step, i in path.steps:
            g = sent(step, g)[i]
            if step is v and i == wire:
                break
        return g if self.index is None or v.inputs[wire] is not self.x else g[self.index]

    def in_latex(self, x: Any) -> str:
        text = self.names.any(x)
        return latex_name(text) if isinstance(x, Value) and x in self.names.given else latex_number(text)


def cut(steps: tuple[tuple[Value, int], ...]) -> list[tuple[Value, int]]:
    half = LENGTH // 2
    return list(steps) if len(steps) <= LENGTH else [*steps[:half], *steps[-half:]]


def factors(path: Path) -> list[Any] | None:
    """The local gradients along a path; None if there are too many, or arrays among them."""
    if len(path.steps) > LENGTH:
        return None
    slopes = [v.local_gradients()[wire] for v, wire in path.steps]
    return slopes if all([d is not None and not shape_of(d) for d in slopes]) else None


def signed(text: str) -> str:
    return f"({text})" if text[0] in "−-" else text
