"""`minigrad check`: the derivatives of the catalogue, of some gates, or of those in a user's file, line by line."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GradcheckError, MinigradError
from ..gates import REGISTRY
from ..gates.registry import COMPOSED
from ..value import Gate
from .diagnosis import replaced
from .gradcheck import gradcheck
from .sampling import cases_of, is_float

__all__ = ["check_gate", "check_gates"]

EXAMPLES = """
State example calls, a shape for each wire and the parameters:
    from minigrad.gates.registry import call
    {name}.domain = [call((2, 3), (3, 4)), call((2, 3), (3, 4), low=0.1, high=2.0, axis=0)]"""


def check_gates(wanted: Sequence[str] = (), say: Callable[[str], Any] = print) -> bool:
    """Check each gate in first and second order, say a line about each and a summary; whether all are right.

    `wanted` names gates of the catalogue and files that define gates; nothing means the whole catalogue.  Raises
    `MinigradError` for unknown names, and for files that are missing, don't import or define no gate.

    >>> check_gates(["exp"])  # doctest: +ELLIPSIS
    gate                      orders  worst error  kinks
    exp ... right
    1 gate: 1 right.
    True
    """
    gates = [gate for name in wanted for gate in find(name)] or list(REGISTRY.values())
    unique = list({id(gate): gate for gate in gates}.values())
    checked = [gate for gate in unique if gate.differentiable]
    verdicts = []
    say("gate                      orders  worst error  kinks")
    for gate in checked:
        verdict, text = check_gate(gate)
        verdicts.append(verdict)
        say(f"{gate.name:<24}  {text}")
    counts = ", ".join([f"{n} {kind}" for kind in ("right", "wrong", "unchecked") if (n := verdicts.count(kind))])
    say(f"{len(checked)} {'gate' if len(checked) == 1 else 'gates'}: {counts}.")
    if plain := len(unique) - len(checked):
        say(f"{plain} more {'has' if plain == 1 else 'have'} no derivative to check (comparisons and questions).")
    return set(verdicts) <= {"right"}


def check_gate(gate: Gate) -> tuple[str, str]:
    """Gradcheck of all example calls of a gate, up to the first that fails: the verdict, and the line about it."""

    def failed(verdict: str, why: str) -> tuple[str, str]:
        return verdict, f"{verdict.upper()}\n{why}".replace("\n", "\n    ")

    rng = np.random.default_rng(0)
    error, kinks = 0.0, 0
    try:
        cases = cases_of(gate)
    except ValueError as reason:
        return failed("unchecked", f"{reason}{EXAMPLES.format(name=gate.name)}")
    for case in cases:
        inputs = case.sample(rng)
        moving = [i for i, x in enumerate(inputs) if is_float(x)]

        def f(*xs: Any, case: Any = case, inputs: Any = inputs, moving: Any = moving) -> Any:
            return case.call(*replaced(inputs, moving, xs))

        points = [inputs[i] for i in moving]
        try:
            f(*points)
        except Exception as reason:  # the user's own rule: it may raise anything
            said = f"{type(reason).__name__}: {str(reason).rstrip('.')}."
            return failed("unchecked", f"{case} can't be called: {said}{EXAMPLES.format(name=gate.name)}")
        try:
            report = gradcheck(f, *points, order=2)
        except GradcheckError as mistake:
            return failed("wrong", f"{case}: {mistake}")
        except Exception as reason:  # a rule that fails on recorded or on raw numbers
            return failed("wrong", f"{case}: its derivative failed: {type(reason).__name__}: {reason}")
        error, kinks = max(error, report.max_error), kinks + len(report.kinks)
    return "right", f"1 2     {error:11.1e}  {kinks:5d}  right"


def find(name: str) -> Iterator[Gate]:
    """The gates meant by a name or a file."""
    if name.endswith(".py") or "/" in name or Path(name).is_file():
        yield from gates_in(Path(name))
    elif name in REGISTRY:
        yield REGISTRY[name]
    elif name in COMPOSED:
        raise MinigradError(f"check: {name} is composed of gates and states no derivative; its gates are checked.")
    else:
        near = get_close_matches(name, REGISTRY, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise MinigradError(f"check: there is no gate {name!r}{hint} A file is named with its .py.")


def gates_in(path: Path) -> list[Gate]:
    """The gates that a Python file defines at its top level; the file is run, as by `import`."""
    if not path.is_file():
        raise MinigradError(f"check: there is no file {path}.")
    if path.suffix != ".py":
        raise MinigradError(f"check: {path} is no Python file; its name ends with .py.")
    file, folder = str(path.resolve()), str(path.resolve().parent)
    sys.path.insert(0, folder)  # what lies beside the file can be imported, as when it is run
    try:
        names = runpy.run_path(file, run_name=path.stem)
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = f", line {lines[-1]}" if lines else ""
        raise MinigradError(f"check: {path.name}{line} doesn't import: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    ours = {id(gate) for gate in REGISTRY.values()}
    gates = [x for x in names.values() if isinstance(x, Gate) and id(x) not in ours]
    if not gates:
        raise MinigradError(
            f'check: {path.name} defines no gate at its top level, as in: my_gate = mg.Gate("my_gate", …).'
        )
    return gates
