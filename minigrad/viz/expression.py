"""Expressions as typed on the command line, computed with gates: parsed, never run as Python."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..errors import MinigradError
from ..gates.registry import COMPOSED, REGISTRY
from ..value import Value

__all__ = ["compute", "parse_value"]

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.Pow: "power", ast.MatMult: "matmul", ast.USub: "negative", ast.UAdd: "positive",
}  # fmt: skip
LONGEST = 10_000  # characters


def parse_value(text: str) -> Value:
    """`x=-2` or `w=[[1, 2], [3, 4]]` as a labelled leaf; `MinigradError` for anything else.

    >>> parse_value("x=-2")
    Value(-2.0, label='x')
    """
    name, equals, number = text.partition("=")
    name = name.strip()
    try:
        if not (equals and name.isidentifier()):
            raise ValueError("no name")
        return Value(ast.literal_eval(number.strip()), label=name)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise MinigradError(f"{text!r:.80} is not name=number or name=[numbers]: x=-2, w=[1, 2].") from error


def compute(text: str, values: list[Value]) -> Value:
    """The value of an expression in these names; `a = ...;` before it names values in between.

    Allowed are numbers, lists of them, the operators + - * / // % ** @, gates as functions or methods, and the names.

    >>> compute("q = x + 1; relu(q) * 2", [Value(3.0, label="x")])
    Value(8.0, gate=multiply)
    """
    if len(text) > LONGEST:
        raise MinigradError(f"the expression has {len(text):,} characters, more than {LONGEST:,}.")
    names: dict[str, Any] = {str(v.label): v for v in values}
    if len(names) < len(values):
        raise MinigradError("a name is given two values.")
    try:
        *steps, last = ast.parse(text.strip()).body or [ast.Pass()]
        for step in steps:
            if not (isinstance(step, ast.Assign) and len(step.targets) == 1 and isinstance(step.targets[0], ast.Name)):
                raise MinigradError("before the last expression come only `name = expression;`.")
            define(step.targets[0].id, evaluate(step.value, names), names)
        if isinstance(last, ast.Assign) and len(last.targets) == 1 and isinstance(last.targets[0], ast.Name):
            out = define(last.targets[0].id, evaluate(last.value, names), names)
        elif isinstance(last, ast.Expr):
            out = evaluate(last.value, names)
        else:
            raise MinigradError("there is no expression to draw.")
    except (SyntaxError, ValueError) as error:
        if isinstance(error, MinigradError):
            raise
        raise MinigradError(f"{text!r:.80} is not an expression: {error}.") from error
    except (RecursionError, MemoryError) as error:
        raise MinigradError("the expression is nested too deep.") from error
    if not isinstance(out, Value):
        raise MinigradError(f"{text!r:.80} is one value only if it names one: (x + y) * z x=-2 y=5 z=-4.")
    return out


def define(name: str, value: Any, names: dict[str, Any]) -> Any:
    if name in names:
        raise MinigradError(f"{name} has a value already.")
    if isinstance(value, Value) and not value.label:
        value.label = name
    names[name] = value
    return value


def evaluate(tree: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(tree, ast.Constant):
        if isinstance(tree.value, bool) or tree.value is None or isinstance(tree.value, (int, float)):
            return tree.value if not isinstance(tree.value, int) or abs(tree.value) < 2**53 else float(tree.value)
    elif isinstance(tree, ast.Name):
        if tree.id not in names:
            raise MinigradError(f"{tree.id} has no value: add {tree.id}=1.5 after the expression.")
        return names[tree.id]
    elif isinstance(tree, (ast.List, ast.Tuple)):
        parts = [evaluate(part, names) for part in tree.elts]
        return parts if isinstance(tree, ast.List) else tuple(parts)
    elif isinstance(tree, ast.UnaryOp) and type(tree.op) in OPERATORS:
        x = evaluate(tree.operand, names)
        return -x if isinstance(tree.op, ast.USub) and isinstance(x, (int, float)) else applied(tree.op, x)
    elif isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return applied(tree.op, evaluate(tree.left, names), evaluate(tree.right, names))
    elif isinstance(tree, ast.Call):
        args = [evaluate(x, names) for x in tree.args]
        if isinstance(tree.func, ast.Attribute):  # x.tanh()
            return gate_named(tree.func.attr)(evaluate(tree.func.value, names), *args, **keywords(tree, names))
        if isinstance(tree.func, ast.Name):
            return gate_named(tree.func.id)(*args, **keywords(tree, names))
    raise MinigradError(
        f"{ast.unparse(tree)!r:.80}: an expression has numbers, names, + - * / // % ** @ and gates such as tanh(x)."
    )


def applied(operator: ast.AST, *inputs: Any) -> Any:
    numbers = [float(x) if isinstance(x, int) else x for x in inputs]  # 9**9**9 is inf, and not a very long integer
    return REGISTRY[OPERATORS[type(operator)]](*numbers)


def gate_named(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = REGISTRY.get(name) or COMPOSED.get(name)
    if found is None:
        raise MinigradError(f"there is no gate {name!r:.40}: `minigrad check` lists them.")
    return found


def keywords(tree: ast.Call, names: dict[str, Any]) -> dict[str, Any]:
    if any([k.arg is None for k in tree.keywords]):
        raise MinigradError("** is not for expressions: write axis=0.")
    return {str(k.arg): evaluate(k.value, names) for k in tree.keywords}
