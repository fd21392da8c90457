"""Expressions as typed on the command line, computed with gates: parsed, never run as Python."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any

from ..errors import MinigradError
from ..gates.registry import COMPOSED, REGISTRY
from ..value import Gate, Value

__all__ = ["ExpressionError", "compute", "parse_value"]

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.Pow: "power", ast.MatMult: "matmul", ast.USub: "negative", ast.UAdd: "positive",
    ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater",
    ast.GtE: "greater_equal",
}  # fmt: skip
LONGEST = 10_000  # characters
WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # what gates say of strange inputs


class ExpressionError(MinigradError, ValueError):
    """An expression or a value on the command line that can't be understood or computed."""


def parse_value(text: str) -> Value:
    """`x=-2` or `w=[[1, 2], [3, 4]]` as a labelled leaf; `ExpressionError` for anything else.

    >>> parse_value("x=-2")
    Value(-2.0, label='x')
    """
    name, equals, number = text.partition("=")
    name = unicodedata.normalize("NFKC", name.strip())  # as Python's parser does with the names in an expression
    if not equals or not name.isidentifier():
        raise ExpressionError(f"{text!r:.80} is not name=number or name=[numbers]: x=-2, w=[1, 2].")
    if iskeyword(name):
        raise ExpressionError(f"{name!r} is a word of Python's: give the value another name.")
    try:
        return Value(ast.literal_eval(number.strip()), label=name)
    except (*WRONG, SyntaxError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"{text!r:.80}: {name} is a number, -2 or 1e-3, or numbers in [], as [1, 2].") from error


def compute(text: str, values: list[Value]) -> Value:
    """The value of an expression in these names; `a = ...;` before it names values in between.

    Allowed are numbers, lists of them, the operators + - * / // % ** @ and comparisons, gates as functions or methods,
    indices, and the names.  Raises `ExpressionError` for everything else.

    >>> compute("q = x + 1; relu(q) * 2", [Value(3.0, label="x")])
    Value(8.0, gate=multiply)
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text):,} characters, more than {LONGEST:,}.")
    names: dict[str, Any] = {str(v.label): v for v in values}
    if len(names) < len(values):
        raise ExpressionError("a name is given two values.")
    try:
        out = run(parsed(text), names)
    except ExpressionError:
        raise
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deep.") from error
    except WRONG as error:
        raise ExpressionError(" ".join(str(error).split())) from error
    if isinstance(out, tuple):
        raise ExpressionError(f"{text!r:.80} has {len(out)} results: take one of them, as ({text:.80})[0].")
    if not isinstance(out, Value):
        raise ExpressionError(
            f"{text!r:.80} gives {out!r:.40}, which has no gradient: comparisons have none, and numbers without names."
        )
    return out


def parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text.strip()).body
    except (SyntaxError, ValueError) as error:  # a null character is a ValueError
        where = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        said = error.msg if isinstance(error, SyntaxError) else error
        raise ExpressionError(f"{text!r:.80} is not an expression: {said}{where}.") from error
    except (MemoryError, RecursionError) as error:
        raise ExpressionError("the expression is nested too deep.") from error


def run(steps: list[ast.stmt], names: dict[str, Any]) -> Any:
    """The value of the last of some assignments and an expression."""
    out = None
    for i, step in enumerate(steps):
        if isinstance(step, ast.Assign) and len(step.targets) == 1 and isinstance(step.targets[0], ast.Name):
            out = define(step.targets[0].id, evaluate(step.value, names), names)
        elif isinstance(step, ast.Expr) and i == len(steps) - 1:
            out = evaluate(step.value, names)
        elif i == len(steps) - 1:
            raise ExpressionError(f"{ast.unparse(step)!r:.80} is not an expression.")
        else:
            raise ExpressionError("before the last expression come only `name = expression;`.")
    if out is None:
        raise ExpressionError("there is no expression to draw.")
    return out


def define(name: str, value: Any, names: dict[str, Any]) -> Any:
    if name in names:
        raise ExpressionError(f"{name} has a value already.")
    if isinstance(value, Value) and not value.label:
        value.label = name
    names[name] = value
    return value


def evaluate(tree: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(tree, ast.Constant):
        if tree.value is None or tree.value is ... or isinstance(tree.value, (bool, int, float, str)):
            return float(tree.value) if isinstance(tree.value, int) and abs(tree.value) >= 2**53 else tree.value
    elif isinstance(tree, ast.Name):
        if tree.id not in names:
            near = meant(tree.id, names) or f"add {tree.id}=1.5 after the expression."
            raise ExpressionError(f"{tree.id} has no value: {near}")
        return names[tree.id]
    elif isinstance(tree, (ast.List, ast.Tuple)):
        parts = [evaluate(part, names) for part in tree.elts]
        return parts if isinstance(tree, ast.List) else tuple(parts)
    elif isinstance(tree, ast.UnaryOp) and type(tree.op) in OPERATORS:
        x = evaluate(tree.operand, names)
        return -x if isinstance(tree.op, ast.USub) and type(x) in (int, float) else applied(tree.op, x)
    elif isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return applied(tree.op, evaluate(tree.left, names), evaluate(tree.right, names))
    elif isinstance(tree, ast.Compare) and len(tree.ops) == 1 and type(tree.ops[0]) in OPERATORS:
        return applied(tree.ops[0], evaluate(tree.left, names), evaluate(tree.comparators[0], names))
    elif isinstance(tree, ast.Subscript):
        of, index = evaluate(tree.value, names), evaluate(tree.slice, names)
        return of[index] if isinstance(of, tuple) and type(index) is int else REGISTRY["getitem"](of, index)
    elif isinstance(tree, ast.Slice):
        return slice(*[None if end is None else evaluate(end, names) for end in (tree.lower, tree.upper, tree.step)])
    elif isinstance(tree, ast.Attribute) and tree.attr == "T":
        return REGISTRY["transpose"](evaluate(tree.value, names))
    elif isinstance(tree, ast.Call):
        if isinstance(tree.func, ast.Attribute):  # x.tanh()
            return called(tree.func.attr, [tree.func.value, *tree.args], tree.keywords, names)
        if isinstance(tree.func, ast.Name):
            return called(tree.func.id, tree.args, tree.keywords, names)
    raise ExpressionError(
        f"{ast.unparse(tree)!r:.80}: an expression has numbers, names, + - * / // % ** @ and gates such as tanh(x)."
    )


def called(gate: str, args: list[ast.expr], keywords: list[ast.keyword], names: dict[str, Any]) -> Any:
    function: Callable[..., Any] | None = REGISTRY.get(gate) or COMPOSED.get(gate)
    if function is None:
        near = meant(gate, [*REGISTRY, *COMPOSED]) or "`minigrad check` lists them."
        raise ExpressionError(f"there is no gate {gate!r:.40}: {near}")
    if any([k.arg is None for k in keywords]):
        raise ExpressionError(f"{gate}: ** is not for expressions: write axis=0.")
    inputs = [evaluate(x, names) for x in args]
    if isinstance(function, Gate) and function.elementwise:
        inputs = [float(x) if type(x) is int else x for x in inputs]
    return function(*inputs, **{str(k.arg): evaluate(k.value, names) for k in keywords})


def applied(operator: ast.AST, *inputs: Any) -> Any:
    numbers = [float(x) if type(x) is int else x for x in inputs]  # 9**9**9 is inf, and not a very long integer
    return REGISTRY[OPERATORS[type(operator)]](*numbers)


def meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=3)
    return f"did you mean {' or '.join(near)}?" if near else ""
