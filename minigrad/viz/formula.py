"""Derivative statements as formulas: read from the gate's row, with names or numbers put in, as Unicode or LaTeX."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from ..convert import shape_of
from ..gates.table import entry
from ..value import Value
from .names import number, raw

__all__ = ["Local", "latex_name", "local_statement", "write"]

COMPARED: dict[type, tuple[str, str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("=", "=", operator.eq), ast.NotEq: ("≠", r"\neq", operator.ne), ast.Lt: ("<", "<", operator.lt),
    ast.LtE: ("≤", r"\leq", operator.le), ast.Gt: (">", ">", operator.gt), ast.GtE: ("≥", r"\geq", operator.ge),
}  # fmt: skip
BINARY = {ast.Add: (" + ", 1), ast.Sub: (" − ", 1), ast.Mult: (" · ", 2), ast.Div: (" / ", 2), ast.MatMult: (" @ ", 2)}
LATEX = {" − ": " - ", " · ": r" \cdot ", " @ ": r"\,"}
FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"}  # LaTeX has a command for them
Local = tuple[ast.expr, dict[str, Any], tuple[str, ...]]  # the statement, what its names stand for, remarks


def local_statement(v: Value, wire: int) -> Local | None:
    """The derivative of v's gate for one wire, as its row states it; None for a gate that is not in the catalogue.

    >>> x = Value(3.0)
    >>> statement, known, _ = local_statement(x / 2.0, 0)
    >>> ast.unparse(statement), known["b"]
    ('1 / b', 2.0)
    """
    gate = v.gate
    if gate is None or not gate.catalogued:
        return None
    row = entry(gate.name)
    stated = row.derivatives[0] if len(row.derivatives) == 1 else row.derivatives[wire]
    known: dict[str, Any] = {"out": v, **dict(zip(row.inputs, v.inputs, strict=False))}
    if gate.local is None and gate.elementwise:
        known["g"] = 1.0  # the local gradient is what is sent for an upstream of 1
    statement = ast.parse(stated[1].code, mode="eval").body
    return Decide(known).visit(statement), known, stated[1].notes


class Decide(ast.NodeTransformer):
    """where(condition, a, b) becomes a or b, as the numbers decide."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id in ("where", "select") and len(node.args) > 1:
            holds = self.truth(node.args[0])
            if holds is not None:
                taken = node.args[1] if holds else node.args[2] if len(node.args) > 2 else ast.Constant(0)
                return self.visit(taken)
        return self.generic_visit(node)

    def truth(self, node: ast.expr) -> bool | None:
        """Whether a comparison of scalars holds; None if that can't be told."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            left, right = self.truth(node.left), self.truth(node.right)
            if left is None or right is None:
                return None
            return (left and right) if isinstance(node.op, ast.BitAnd) else (left or right)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            a, b = [self.value(x) for x in (node.left, node.comparators[0])]
            return None if a is None or b is None else bool(COMPARED[type(node.ops[0])][2](a, b))
        return None

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        x = raw(self.known.get(node.id)) if isinstance(node, ast.Name) else None
        return None if x is None or shape_of(x) or isinstance(x, (str, tuple)) else float(x)


def write(
    node: ast.expr, name: Callable[[Any], str], known: dict[str, Any], latex: bool = False, tight: int = 0
) -> str:
    """A statement as text: `name` says how a value is written, by its name or by its number.

    >>> x = Value(3.0, label="x")
    >>> statement, known, _ = local_statement(1.0 / x, 1)
    >>> write(statement, lambda v: v.label or "y", known), write(statement, lambda v: number(v.data), known)
    ('(−y) / x', '(−0.333333) / 3')
    """

    def put(x: ast.expr, tightness: int = 0) -> str:
        return write(x, name, known, latex, tightness)

    if isinstance(node, ast.Constant):
        return number(node.value).replace("−", "-") if latex else number(node.value)
    if isinstance(node, ast.Name):
        if node.id not in known:
            return latex_name(node.id) if latex else node.id
        x = known[node.id]
        text = name(x) if isinstance(x, Value) else number(x)
        return f"({text})" if tight and text[0] in "−-" else text
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        text = ("-" if latex else "−") + put(node.operand, 2)
        return f"({text})" if tight > 1 else text
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and latex:
        return rf"\frac{{{put(node.left)}}}{{{put(node.right)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return power(put, node.left, node.right, latex)
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        sign, level = BINARY[type(node.op)]
        right = put(node.right, level + isinstance(node.op, (ast.Sub, ast.Div)))
        text = put(node.left, level if level > 1 else 0) + (LATEX.get(sign, sign) if latex else sign) + right
        return f"({text})" if tight > level or (tight == level == 2 and isinstance(node.op, ast.Div)) else text
    if isinstance(node, ast.Compare):
        unicode_sign, latex_sign, _ = COMPARED[type(node.ops[0])]
        sign = latex_sign if latex else unicode_sign
        return f"[{put(node.left)} {sign} {put(node.comparators[0])}]"  # Iverson's bracket: 1 if so, otherwise 0
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        f = node.func.id
        if f == "power":
            return power(put, node.args[0], node.args[1], latex)
        inner = ", ".join([put(x) for x in node.args])
        return (rf"\{f}" if f in FUNCTIONS else latex_name(f)) + f"({inner})" if latex else f"{f}({inner})"
    text = ast.unparse(node)
    return rf"\texttt{{{escaped(text)}}}" if latex else text


def power(put: Callable[..., str], base: ast.expr, exponent: ast.expr, latex: bool) -> str:
    if latex:
        return f"{put(base, 3)}^{{{put(exponent)}}}"
    return f"{put(base, 3)}^{put(exponent) if isinstance(exponent, (ast.Name, ast.Constant)) else f'({put(exponent)})'}"


def latex_name(name: str) -> str:
    """A name in LaTeX: one letter with digits as it is in formulas, others upright; special characters escaped.

    >>> latex_name("x"), latex_name("v12"), latex_name("W_1")
    ('x', 'v_{12}', '\\\\mathrm{W\\\\_1}')
    """
    if name[:1].isascii() and name[:1].isalpha() and (len(name) == 1 or name[1:].isdecimal()):
        return name if len(name) == 1 else f"{name[0]}_{{{name[1:]}}}"
    return rf"\mathrm{{{escaped(name)}}}"


SPECIAL = {"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "} | {c: "\\" + c for c in "#$%&_{}"}


def escaped(text: str) -> str:
    return "".join([SPECIAL.get(c, c) for c in text])
