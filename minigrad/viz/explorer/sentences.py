"""What the page says about gates: the derivative as the row states it, and the pattern that it makes in backprop."""

from __future__ import annotations

import ast
import re
from typing import Any

from ...gates import REGISTRY
from ...gates.table import entry
from ...value import Gate, Value
from ..formula import write

__all__ = ["pattern_of", "statements_of"]

PATTERNS = {
    "add": "An add gate hands the gradient on, unchanged, to each of its inputs.",
    "subtract": "A subtraction hands the gradient on to the first input, and its negative to the second.",
    "multiply": "A multiply gate exchanges its inputs: each one's local gradient is the other one's value.",
    "divide": "Dividing by a large number makes a small local gradient.",
    "maximum": "A max gate sends the gradient to the larger input; the other one gets 0.",
    "minimum": "A min gate sends the gradient to the smaller input; the other one gets 0.",
    "relu": "A relu passes the gradient where its input is above 0, and stops it elsewhere.",
    "tanh": "The slope of tanh is 1 at 0 and nearly 0 far from it: saturated, it lets little through.",
    "sigmoid": "The slope of a sigmoid is at most 1/4, and nearly 0 far from 0: saturated, it lets little through.",
    "exp": "The slope of exp is its own result.",
    "negative": "A minus sign turns the gradient round.",
    "square": "The slope of x² is 2x.",
    "sum": "A sum hands its gradient on to each number that it added.",
    "mean": "A mean hands an equal part of its gradient to each number.",
    "matmul": "Each factor of a matrix product gets the gradient times the other factor, turned.",
    "linear": "A layer: the weights get gradient times input, the input gets gradient times weights.",
    "max": "The largest number gets the gradient; the others get 0.",
    "reshape": "The numbers only moved: their gradients move back.",
    "transpose": "The numbers only moved: their gradients move back.",
    "getitem": "What was picked gets the gradient; the rest gets 0.",
    "broadcast_to": "A number that was used in many places gets the sum of their gradients.",
    "hinge": "A margin that is met passes no gradient.",
    "negative_log_softmax": "The gradient of a softmax loss is the probabilities, minus 1 at the label.",
}


def pattern_of(gate: Gate) -> str:
    said = PATTERNS.get(gate.name, "")
    return said if REGISTRY.get(gate.name) is gate else ""


def statements_of(gate: Gate, wires: int) -> list[list[Any]]:
    """The derivative of each wire as its row states it, in pieces: texts, and the names that the page puts in.

    A name is a number, the wire's, or "o" for the output, "g" for the upstream gradient.

    >>> statements_of(REGISTRY["divide"], 2)
    [['1 / ', 1], ['(−', 'o', ') / ', 1]]
    """
    if REGISTRY.get(gate.name) is not gate:
        return []
    row = entry(gate.name)
    if len(row.derivatives) != wires or row.derivatives[0][0] == "all wires":
        return []
    names: list[Any] = ["g", "o", *range(len(row.inputs))]
    marks = {name: chr(0xE000 + i) for i, name in enumerate(names)}
    known: dict[str, Any] = {"g": stand_in(marks["g"]), "out": stand_in(marks["o"])}
    known |= {name: stand_in(marks[i]) for i, name in enumerate(row.inputs)}
    statements = []
    for _, statement in row.derivatives:
        body = Usual().visit(ast.parse(statement.code, mode="eval").body)
        calls = [node.func for node in ast.walk(body) if isinstance(node, ast.Call)]
        if any([getattr(f, "id", "") not in REGISTRY for f in calls]):  # a helper of the row: its own words say more
            notes = [re.split("[:;]", re.sub(r"^\\w+: ", "", note))[0] for note in statement.notes[:1]]
            statements.append([note for note in notes if "=" in note])
            continue
        text = write(body, lambda x: x.label, known)
        pieces = re.split("([\ue000-\uefff])", text)
        statements.append([names[ord(p) - 0xE000] if "\ue000" <= p <= "\uefff" else p for p in pieces if p])
    return statements


class Usual(ast.NodeTransformer):
    """where(an exception, a, b) becomes b."""

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "where" and len(node.args) == 3:
            return node.args[2]
        return node


def stand_in(mark: str) -> Value:
    return Value(0.0, label=mark)
