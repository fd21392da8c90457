"""Derivative statements as formulas: read from the gate's row, with names or numbers put in, as Unicode or LaTeX."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ..convert import shape_of
from ..gates import REGISTRY
from ..gates.table import Replace, entry, find_function, forward_signature, rows
from ..value import Value
from .names import number, raw, settings, spelled

__all__ = ["Rule", "escaped", "latex_name", "latex_number", "rule_of", "write"]

COMPARED: dict[type, tuple[str, str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("=", "=", operator.eq), ast.NotEq: ("≠", r"\neq", operator.ne), ast.Lt: ("<", "<", operator.lt),
    ast.LtE: ("≤", r"\leq", operator.le), ast.Gt: (">", ">", operator.gt), ast.GtE: ("≥", r"\geq", operator.ge),
}  # fmt: skip
BINARY = {
    ast.Add: (" + ", 1), ast.Sub: (" − ", 1), ast.Mult: (" · ", 2), ast.Div: (" / ", 2), ast.MatMult: (" @ ", 2),
    ast.BitAnd: (" ∧ ", 0), ast.BitOr: (" ∨ ", 0),
}  # fmt: skip
LATEX = {" − ": " - ", " · ": r" \cdot ", " @ ": r" \, ", " ∧ ": r" \wedge ", " ∨ ": r" \vee "}
FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"}  # LaTeX has a command for them


@dataclass(frozen=True)
class Rule:
    """The derivative of a gate for one wire."""

    statement: ast.expr
    known: dict[str, Any]  # what its names stand for: the inputs, `out`, the upstream `g` if that is 1
    settings: dict[str, Any]  # and the gate's parameters, such as axis
    notes: tuple[str, ...]  # what the functions in it say about themselves


def rule_of(v: Value, wire: int) -> Rule | None:
    """The derivative of v's gate for one wire, as its row states it; None for a gate that is not in the catalogue.

    >>> x = Value(3.0)
    >>> rule = rule_of(x / 2.0, 0)
    >>> ast.unparse(rule.statement), rule.known["b"]
    ('1 / b', 2.0)
    """
    gate = v.gate
    if gate is None or not gate.catalogued:
        return None
    row = entry(gate.name)
    joint = row.derivatives[0][0] == "all wires"
    stated = row.derivatives[0 if joint else wire][1]
    statement = ast.parse(stated.code, mode="eval").body
    known: dict[str, Any] = {"out": v, **dict(zip(row.inputs, v.inputs, strict=False))}
    if joint and gate.arity is None:
        known[row.inputs[-1]] = v.inputs[len(row.inputs) - 1 :]
    if joint:
        statement = one_of(statement, wire, known)
    if gate.local is None and gate.elementwise:
        known["g"] = 1.0  # the local gradient is what is sent for an upstream of 1
    chosen = settings(v, defaults=True)
    statement = Complete(gate.name, chosen).visit(statement)
    statement = Decide(gate.name, known | chosen).visit(statement)
    helped = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and helper(gate.name, n)]
    return Rule(statement, known, chosen, stated.notes if helped else ())


def helper(gate: str, call: ast.Call) -> ast.FunctionDef | None:
    """The function that a call in the row of a gate calls, if it is no gate."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return None if name in REGISTRY else find_function(rows()[gate][0], name)


def one_of(statement: ast.expr, wire: int, known: dict[str, Any]) -> ast.expr:
    """The part of a statement for all wires that is for one of them."""
    if isinstance(statement, ast.Tuple):
        return statement.elts[wire]
    if isinstance(statement, ast.Call) and isinstance(inner := statement.args[0], ast.ListComp):
        target, wires = inner.generators[0].target, inner.generators[0].iter
        if isinstance(target, ast.Name) and isinstance(wires, ast.Name) and wires.id in known:
            known[target.id] = known[wires.id][wire]
            return inner.elt
    return ast.Subscript(statement, ast.Constant(wire))


class Complete(ast.NodeTransformer):
    """`softmax(x, axis=axis)` is `softmax(x)` in the table of gates; here the axis is needed, for it may be given."""

    def __init__(self, gate: str, chosen: dict[str, Any]) -> None:
        self.gate, self.module, self.chosen = gate, rows()[gate][0], chosen

    def visit_Call(self, node: ast.Call) -> Any:
        function = node.func.id if isinstance(node.func, ast.Name) else self.gate
        if function != self.gate:
            passed = {k.arg for k in node.keywords}
            by_position = len([x for x in node.args if not isinstance(x, ast.Starred)])
            left_out = [name for name in self.parameters(function)[by_position:] if name not in passed]
            node.keywords += [ast.keyword(name, ast.Name(name)) for name in left_out if name in self.chosen]
        return self.generic_visit(node)

    def parameters(self, function: str) -> list[str]:
        if function in REGISTRY:
            signature = forward_signature(REGISTRY[function])
            return list(signature.parameters) if signature else []
        found = find_function(self.module, function)
        return [a.arg for a in (*found.args.args, *found.args.kwonlyargs)] if found else []


class Decide(ast.NodeTransformer):
    """where(condition, a, b) becomes a or b, as the numbers decide; an upstream g of 1 is left out.

    So does a function that begins with `if condition: return a`, if the condition holds.
    """

    def __init__(self, gate: str, known: dict[str, Any]) -> None:
        self.gate, self.known = gate, known

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id in ("where", "select") and len(node.args) > 1:
            holds = self.truth(node.args[0])
            if holds is not None:
                taken = node.args[1] if holds else node.args[2] if len(node.args) > 2 else ast.Constant(0)
                return self.visit(taken)
        if (function := helper(self.gate, node)) and len(function.body) > 1 and isinstance(function.body[1], ast.If):
            bound = Replace(dict(zip([a.arg for a in function.args.args], node.args, strict=False)))
            first = bound.visit(deepcopy(function.body[1]))
            if self.truth(first.test) and isinstance(first.body[0], ast.Return) and first.body[0].value is not None:
                return self.visit(first.body[0].value)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Constant(1) if node.id == "g" and node.id in self.known else node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Mult) and isinstance(left, ast.Constant) and left.value == 1:
            return right
        if isinstance(node.op, ast.Mult) and isinstance(right, ast.Constant) and right.value == 1:
            return left
        return ast.BinOp(left, node.op, right)

    def truth(self, node: ast.expr) -> bool | None:
        """Whether a comparison of scalars holds; None if that can't be told."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            left, right = self.truth(node.left), self.truth(node.right)
            if left is None or right is None:
                return None
            return (left and right) if isinstance(node.op, ast.BitAnd) else (left or right)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            parts = [self.truth(x) for x in node.values]
            return None if None in parts else all(parts)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is):  # type(x) is float
            kind, x = node.comparators[0], node.left.args[0] if isinstance(node.left, ast.Call) else node.left
            return True if isinstance(kind, ast.Name) and kind.id == "float" and self.value(x) is not None else None
        if isinstance(node, ast.Compare) and all([type(op) in COMPARED for op in node.ops]):
            numbers = [self.value(x) for x in (node.left, *node.comparators)]
            pairs = zip(numbers, numbers[1:], node.ops, strict=False)
            return None if None in numbers else all([bool(COMPARED[type(op)][2](a, b)) for a, b, op in pairs])
        return None

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            x = self.value(node.operand)
            return None if x is None else -x
        x = raw(self.known.get(node.id)) if isinstance(node, ast.Name) else None
        return None if x is None or shape_of(x) or isinstance(x, (str, tuple)) else float(x)


def write(
    node: ast.expr, name: Callable[[Any], str], known: dict[str, Any], latex: bool = False, tight: int = 0
) -> str:
    """A statement as text: `name` says how a value is written, by its name or by its number.

    >>> x = Value(3.0, label="x")
    >>> rule = rule_of(1.0 / x, 1)
    >>> write(rule.statement, lambda v: v.label or "y", rule.known)
    '(−y) / x'
    >>> write(rule.statement, lambda v: number(v.data), rule.known)
    '(−0.333333) / 3'
    """

    def put(x: ast.expr, tightness: int = 0) -> str:
        return write(x, name, known, latex, tightness)

    if isinstance(node, (ast.Constant, ast.Name)):
        text = node.id if isinstance(node, ast.Name) else ""
        if text not in known:
            if isinstance(node, ast.Name):
                return latex_name(text) if latex else text
            return in_text(node.value, latex)
        x = known[text]
        if isinstance(x, tuple) and any([isinstance(one, Value) for one in x]):  # the wires of a gate with any number
            return ", ".join([name(one) if isinstance(one, Value) else number(one) for one in x])
        text = name(x) if isinstance(x, Value) else in_text(x, latex)
        return f"({text})" if tight and (text[0] in "−-" or (tight > 2 and " " in text)) else text
    if isinstance(node, ast.Starred):
        return put(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        text = ("-" if latex else "−") + put(node.operand, 2)
        return f"({text})" if tight > 1 else text
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and latex:
        text = rf"\frac{{{put(node.left)}}}{{{put(node.right)}}}"
        return f"({text})" if tight > 2 else text
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        text = power(put, node.left, node.right, latex)
        return f"({text})" if tight > 2 else text
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        sign, level = BINARY[type(node.op)]
        product_of_matrices = isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.MatMult)
        right = put(node.right, level + (isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult)) or product_of_matrices))
        text = put(node.left, level if level > 1 else 0) + (LATEX.get(sign, sign) if latex else sign) + right
        return f"({text})" if tight > level or (tight == level == 2 and isinstance(node.op, ast.Div)) else text
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        unicode_sign, latex_sign, _ = COMPARED[type(node.ops[0])]
        sign = latex_sign if latex else unicode_sign
        return f"[{put(node.left)} {sign} {put(node.comparators[0])}]"  # Iverson's bracket: 1 if so, otherwise 0
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        f = node.func.id
        if f == "power":
            return put(ast.BinOp(node.args[0], ast.Pow(), node.args[1]), tight)
        by_name = [f"{latex_name(str(k.arg)) if latex else k.arg}={put(k.value)}" for k in node.keywords]
        inner = ", ".join([*[put(x) for x in node.args], *by_name])
        return (rf"\{f}" if f in FUNCTIONS else latex_name(f)) + f"({inner})" if latex else f"{f}({inner})"
    if isinstance(node, ast.Subscript):
        index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return f"{put(node.value, 3)}[{', '.join([put(x) for x in index])}]"
    text = ast.unparse(Put(put, known).visit(deepcopy(node)))
    return rf"\mathtt{{{escaped(text)}}}" if latex else text


def in_text(x: Any, latex: bool) -> str:
    text = spelled(x) if isinstance(x, str) else spelled(x).replace("-", "−")
    return latex_number(text) if latex else text


class Put(ast.NodeTransformer):
    """Names in an expression for which there is no formula."""

    def __init__(self, put: Callable[..., str], known: dict[str, Any]) -> None:
        self.put, self.known = put, known

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.put(node)) if node.id in self.known else node


def power(put: Callable[..., str], base: ast.expr, exponent: ast.expr, latex: bool) -> str:
    if latex:
        return f"{put(base, 3)}^{{{put(exponent)}}}"
    simple = isinstance(exponent, (ast.Name, ast.Constant))
    return f"{put(base, 3)}^{put(exponent, 2) if simple else f'({put(exponent)})'}"


def latex_number(text: str) -> str:
    """A number or an array, as `number` writes it, in LaTeX.

    >>> print(latex_number("−2.5e−07"), latex_number("inf"), latex_number("array (2, 3)"))
    -2.5 \\cdot 10^{-7} \\infty \\text{array (2, 3)}
    """
    text = text.replace("−", "-")
    if found := re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", text):
        return rf"{found[1]} \cdot 10^{{{int(found[2])}}}"
    if text in ("inf", "-inf"):
        return text.replace("inf", r"\infty")
    return rf"\text{{{escaped(text)}}}" if any([c.isalpha() for c in text]) else text


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
