"""The catalogue in words: what each gate computes and its derivative, read from its row in the source.

`help(mg.exp)` and the documentation's gate table show what is found here, so that no derivative is written twice.
The source is parsed when somebody asks, not when minigrad is imported.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..value import Gate
from .registry import REGISTRY

__all__ = ["Entry", "Statement", "describe_gate", "entry", "signature"]

HERE = Path(__file__).parent
LONG = 70  # characters: a helper that would make a statement longer than this stays a call
REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}  # np.add.reduce is np.sum
INFIX = {"+", "-", "*", "/", "//", "%", "**", "@", "==", "!=", "<", "<=", ">", ">="}


@dataclass(frozen=True)
class Statement:
    """A formula as code, and what the functions that it calls say about themselves."""

    code: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A row of the catalogue: `derivatives` has a statement per wire, or one for all under the name `all wires`."""

    name: str
    file: str  # relative to the package: gates/exponential.py
    line: int
    inputs: tuple[str, ...]
    formula: Statement
    derivatives: tuple[tuple[str, Statement], ...]
    comments: tuple[str, ...]


@cache
def entry(name: str) -> Entry:
    """What the row of gate `name` says; `KeyError` for a gate that is not in the catalogue.

    >>> entry("divide").formula.code
    'a / b'
    >>> [(wire, rule.code) for wire, rule in entry("divide").derivatives]
    [('a', '1 / b'), ('b', '-out / b')]
    """
    gate, (module, call) = REGISTRY[name], rows()[name]
    stated = {k.arg: k.value for k in call.keywords}
    by_local = "local" in stated
    rules = stated.get("local", stated.get("vjp"))
    inputs = input_names(gate)
    derivatives: list[tuple[str, Statement]] = []
    if isinstance(rules, ast.List):
        for wire, rule in zip(inputs, rules.elts, strict=True):
            derivatives.append((wire, module.statement(rule, (("out",) if by_local else ("g", "out")) + inputs)))
    elif rules is not None:
        derivatives.append(("all wires", module.statement(rules, ("g", "out", *inputs))))
    if isinstance(gate.forward, np.ufunc) and gate.symbol in INFIX:
        code = f" {gate.symbol} ".join(inputs) if len(inputs) > 1 else gate.symbol + inputs[0]
        formula = Statement(code)
    else:
        formula = module.statement(call.args[1], inputs)
        if isinstance(call.args[1], ast.Name):  # a named function that was not written out: it is the gate
            formula = Statement(re.sub(rf"^{call.args[1].id}\(", f"{name}(", formula.code), formula.notes)
    return Entry(name, module.file, call.lineno, inputs, formula, tuple(derivatives), module.comments(call))


def describe_gate(gate: Gate) -> str:
    """The docstring of a gate of the catalogue.

    >>> print(describe_gate(REGISTRY["tanh"]))
    tanh(x): an elementwise gate.
    <BLANKLINE>
    Derivative: sech_squared(out, x).
    1 - tanh² = 1 / cosh²: the second form where the first rounds to 0, and on arrays, which have such numbers.
    """
    row = entry(gate.name)
    kind = "an elementwise gate" if gate.elementwise else "a gate" if gate.differentiable else "a gate, no derivative"
    lines = [f"{gate.name}{signature(gate)}: {kind}."]
    if row.formula.code not in lines[0]:
        lines += ["", f"Computes {row.formula.code}."]
        lines += row.formula.notes
    if row.derivatives:
        lines.append("")
    for wire, rule in row.derivatives:
        towards = f" by {wire}" if len(row.derivatives) > 1 else ""
        what = "Derivative" if gate.local is not None else "Sends back, for an upstream g,"
        what += towards if gate.local is not None else towards.replace("by", "to")
        lines.append(f"{what}: {rule.code}.")
        lines += [note for note in rule.notes if note not in lines]
    return "\n".join([*lines, *[f"({comment})" for comment in row.comments]])


def signature(gate: Gate) -> inspect.Signature:
    """How a gate is called.

    >>> print(signature(REGISTRY["divide"]), signature(REGISTRY["softmax"]), signature(REGISTRY["stack"]))
    (a, b) (x, axis=-1) (xs, axis=0)
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = forward_signature(gate)
    if found is None:
        return inspect.Signature([inspect.Parameter(name, kind) for name in input_names(gate)])
    parameters = list(found.parameters.values())
    if parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:  # such a gate takes a list, then its parameters
        parameters = [p.replace(kind=kind) for p in parameters]
    return inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters])


def forward_signature(gate: Gate) -> inspect.Signature | None:
    """The parameters of the forward rule; None for a function of NumPy's, or a rule that says only *inputs."""
    function = inspect.unwrap(gate.forward)
    if not inspect.isfunction(function):
        return None
    found = inspect.signature(function)
    return None if list(found.parameters) == ["inputs"] else found


def input_names(gate: Gate) -> tuple[str, ...]:
    """The names of the wires, as the derivative or the forward rule calls them."""
    rules, skipped = (gate.vjp, 2) if gate.local is None else (gate.local, 1)
    for rule in rules if isinstance(rules, tuple) else [rules] if rules else []:
        parameters = inspect.signature(rule).parameters.values() if rule else ()
        names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.KEYWORD_ONLY)][skipped:]
        if names and len(names) >= (gate.arity or 1):
            return tuple(names[: gate.arity])
    found = forward_signature(gate)
    names = list(found.parameters) if found else []
    n = gate.arity or (gate.forward.nin if isinstance(gate.forward, np.ufunc) else len(names))
    return tuple(names[:n]) if len(names) >= n else ("x",) if n == 1 else ("a", "b", "c")[:n]


# ------------------------------------------------------------------------------------------------- reading the source
class Module:
    """A file of rows: its functions and constants by name."""

    def __init__(self, path: Path) -> None:
        self.file = path.relative_to(HERE.parent).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.functions: dict[str, ast.FunctionDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.rows: dict[str, ast.Call] = {}
        for node in ast.parse(self.text).body:
            if isinstance(node, ast.FunctionDef):
                self.functions[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                self.assign(target, node.value)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for t, v in zip(target.elts, value.elts, strict=True):
                self.assign(t, v)
        elif isinstance(target, ast.Name):
            if isinstance(value, ast.Call) and called(value) in ("row", "Gate"):
                self.rows[ast.literal_eval(value.args[0])] = value
            elif (target.id.isupper() and isinstance(value, (ast.Constant, ast.BinOp, ast.Call))) or (
                isinstance(value, ast.Attribute)  # sum_along = np.add.reduce
            ):
                self.constants[target.id] = value

    def statement(self, rule: ast.expr, names: tuple[str, ...]) -> Statement:
        """A rule as text: the body of a lambda, a number, or the call of a named function with what it says of itself.

        `names` are what a named function is called with.
        """
        if isinstance(rule, ast.Call) and called(rule) == "scipy":  # scipy("erf"): a function of scipy.special
            return Statement(f"scipy.special.{ast.literal_eval(rule.args[0])}({', '.join(names)})")
        if isinstance(rule, ast.Constant) and rule.value is None:
            return Statement("none")
        body: ast.expr = rule.body if isinstance(rule, ast.Lambda) else rule
        if isinstance(rule, (ast.Name, ast.Attribute)) and ast.unparse(rule) not in self.constants:
            arguments: list[ast.expr] = [ast.Name(name) for name in names]
            if function := find_function(self, ast.unparse(rule)):
                arguments = [ast.Name(a.arg) for a in function.args.args]
                arguments += [ast.Starred(ast.Name(function.args.vararg.arg))] if function.args.vararg else []
            body = ast.Call(rule, arguments, [])
        notes: list[str] = []
        tidied = Tidy(self, notes).visit(deepcopy(body))
        own = f"{ast.unparse(rule)}: "  # what the rule itself says needs no name before it
        return Statement(ast.unparse(tidied), tuple([note.removeprefix(own) for note in notes]))

    def comments(self, call: ast.Call) -> tuple[str, ...]:
        """The remarks beside a row."""
        lines = self.text.splitlines()[call.lineno - 1 : call.end_lineno]
        found = []
        try:
            for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
                if token.type == tokenize.COMMENT and not token.string.startswith(("# fmt", "# noqa", "# type")):
                    found.append(token.string.lstrip("# "))
        except tokenize.TokenError:
            pass
        return tuple(found)


class Tidy(ast.NodeTransformer):
    """Code as a reader wants it: 2 for 2.0, log for np.log, constants and short helpers written out."""

    def __init__(self, module: Module, notes: list[str], depth: int = 0) -> None:
        self.module, self.notes, self.depth = module, notes, depth

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        whole = isinstance(node.value, float) and node.value.is_integer()
        return ast.Constant(int(node.value)) if whole else node  # type: ignore[arg-type]

    def visit_Name(self, node: ast.Name) -> Any:
        value = self.module.constants.get(node.id)
        return node if value is None else self.visit(deepcopy(value))

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Attribute) and node.attr in ("reduce", "accumulate"):
            return ast.Name(REDUCTIONS.get(node.value.attr, node.value.attr))
        if isinstance(node.value, ast.Name) and node.value.id in ("np", "math"):
            return ast.Name(node.attr)
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Mult) and ast.unparse(left) == "1":
            return right
        if isinstance(node.op, (ast.Mult, ast.Div)) and ast.unparse(right) == "1":
            return left
        return ast.BinOp(left, node.op, right)

    def visit_Call(self, node: ast.Call) -> Any:
        node.keywords = [k for k in node.keywords if ast.unparse(k.value) != k.arg]  # axis=axis says nothing
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = find_function(self.module, name)
        if function is not None and name not in REGISTRY:
            if doc := ast.get_docstring(function):
                if (note := f"{name}: " + " ".join(doc.split("\n\n")[0].split())) not in self.notes:
                    self.notes.append(note)
            elif self.depth < 4 and (inlined := self.inline(function, node)) is not None:
                return inlined
        return self.generic_visit(node)

    def inline(self, function: ast.FunctionDef, call: ast.Call) -> ast.expr | None:
        """The expression that a helper returns, its parameters replaced; None if it is more than a line or two."""
        parameters = function.args.args
        if function.args.vararg or any([isinstance(a, ast.Starred) for a in call.args]):
            return None
        bound: dict[str, ast.expr] = {p.arg: ast.Name(p.arg) for p in parameters}
        defaults = function.args.defaults
        bound |= {p.arg: d for p, d in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True)}
        bound |= {p.arg: a for p, a in zip(parameters, call.args, strict=False)}
        bound |= {k.arg: k.value for k in call.keywords if k.arg}
        body = list(function.body)
        while body:
            step = body.pop(0)
            if isinstance(step, ast.With):
                body = step.body + body
            elif isinstance(step, ast.If) and isinstance(step.body[0], ast.Raise) and not step.orelse:
                continue  # a check
            elif isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name):
                bound[step.targets[0].id] = Replace(bound).visit(deepcopy(step.value))
            elif isinstance(step, ast.Return) and step.value is not None:
                out = Replace(bound).visit(deepcopy(step.value))
                home = find_module(self.module, function.name)
                notes = list(self.notes)
                out = Tidy(home, notes, self.depth + 1).visit(out)
                if len(text := ast.unparse(out)) > LONG or "lambda" in text:
                    return None
                self.notes[:] = notes
                return out  # type: ignore[no-any-return]
            else:
                return None
        return None


class Replace(ast.NodeTransformer):
    def __init__(self, bound: dict[str, ast.expr]) -> None:
        self.bound = bound

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return deepcopy(self.bound.get(node.id, node))


@cache
def modules() -> dict[str, Module]:
    files = [HERE.parent / "value.py", *sorted(HERE.glob("*.py"))]
    return {file.stem: Module(file) for file in files if not file.stem.startswith("_")}


@cache
def rows() -> dict[str, tuple[Module, ast.Call]]:
    return {name: (module, call) for module in modules().values() for name, call in module.rows.items()}


def find_module(module: Module, name: str) -> Module:
    """Where the function `name`, as `module` sees it, is defined."""
    if name in module.functions:
        return module
    return next((other for other in modules().values() if name in other.functions), module)


def find_function(module: Module, name: str) -> ast.FunctionDef | None:
    return find_module(module, name).functions.get(name)


def called(node: ast.AST) -> str:
    """The name of the function that a call calls."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
