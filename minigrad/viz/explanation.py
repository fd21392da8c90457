"""Why is this gradient 0.37?  The paths from x to the loss, what each carries, and what is remarkable, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import whole
from ..convert import shape_of
from ..errors import OutOfRangeError, ShapeError
from ..value import Value
from .diagnosis import diagnose, no_path
from .names import Names, given, number, settings, size_of, spelled
from .paths import Path, Survey, check_ends, survey

__all__ = ["Explanation", "explain"]

ENDS = 5  # of a long path, this many gates at each end are written
RECIPES = 12  # unnamed values that are spelled out below the paths


@dataclass(frozen=True, repr=False)
class Explanation:
    """What `explain` found; `str()` of it, and its display in a notebook, is the text."""

    text: str
    gradient: Any  # a number or array; None if no path leads from x to the loss
    paths: tuple[Path, ...]  # the strongest, each with its `contribution`
    count: float  # how many paths there are
    diagnosis: tuple[str, ...]

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def explain(loss: Value, x: Value, *, index: Any = None, k: int = 5, model: Any = None) -> Explanation:
    """Why d loss / d x is what it is: the k strongest paths, their sum, and a diagnosis, as text.

    A path's product of local gradients is its part of the gradient.  Where gates mix elements (matmul, sum), a path
    carries an array, of which the size is given; `index` explains one entry of an array x instead.  The findings
    are dead ReLUs, saturated and masking gates, factors of 0, cancelling paths, vanishing and exploding products,
    and why there is no path.  `model` gives parameters the names that they have in it, `layers.0.weight`.  Needs no
    `backward()` and writes no `.grad`.  Raises `GradientError` unless `loss` is a `Value` with a single number,
    `OutOfRangeError` for an index that x doesn't have, `DtypeError` for a model that is no `nn.Module`.

    >>> x, y, z = Value(-2.0, label="x"), Value(5.0, label="y"), Value(-4.0, label="z")
    >>> f = (x + y) * z
    >>> f.label = "f"
    >>> print(explain(f, x))
    ∂f/∂x = −4
    1 path leads from x to f:
      −4  (100 %)   x →[+: 1]→ v1 →[*: −4]→ f
    where v1 = x + y = 3
    Nothing is closed, saturated or cancelling.
    """
    check_ends(loss, x, "explain")
    k = whole("explain: k", k, least=1)
    names = Names(model)
    names(x, "x"), names(loss, "loss")
    check_index(x, index, "explain")
    what = f"∂{names(loss)}/∂{names(x)}" + entry_of(index)
    found = survey(loss, x, k, index)
    if not found.count:
        why = no_path(loss, x, names)
        return Explanation(f"{what}: there is none.\n{why}", None, (), 0.0, (why,))
    lines = [f"{what} = {shown(found.gradient)}", headline(found, names(x), names(loss))]
    lines += [f"  {column(p, found)}   {route(p, found, x, names)}" for p in found.paths]
    lines += carried(found)
    findings = diagnose(found, names)
    lines += recipes(names, [v for v in found.gates if v is not loss])
    lines += [f"! {finding}" for finding in findings] or ["Nothing is closed, saturated or cancelling."]
    return Explanation("\n".join(lines), found.gradient, tuple(found.paths), found.count, tuple(findings))


def entry_of(index: Any) -> str:
    return "" if index is None else f"[{spelled(index)}]"


def check_index(x: Value, index: Any, function: str) -> None:
    if index is None:
        return
    try:
        entry = x.numpy()[index]
    except IndexError as error:
        raise OutOfRangeError(
            f"{function}: index={spelled(index, inner=True)} is no entry of x, whose shape is {x.shape}."
        ) from error
    if not x.shape or shape_of(entry):
        raise ShapeError(
            f"{function}: index={spelled(index, inner=True)} of an x of shape {x.shape} has the shape "
            f"{shape_of(entry)}; it picks one entry of an array, as (0, 1) does."
        )


def shown(g: Any) -> str:
    if isinstance(g, tuple):  # to a gate with several outputs
        return ", ".join([f"output {i}: {shown(part)}" for i, part in g])
    return f"{number(g)} of length {number(size_of(g))}" if shape_of(g) else number(g)


def headline(found: Survey, x: str, f: str) -> str:
    if found.count == 1:
        return f"1 path leads from {x} to {f}:"
    shut = found.count - found.open
    open_ones = f", {how_many(found.open)} of them open" if shut > 0 else ""
    some = "" if found.count <= len(found.paths) else f" The {len(found.paths)} strongest:"
    if some and not found.exact:
        some = f" The {len(found.paths)} strongest found (through arrays, the search goes by an estimate):"
    return f"{how_many(found.count)} paths lead from {x} to {f}{open_ones}.{some}"


def how_many(n: float) -> str:
    return "more than 1e308" if n == float("inf") else f"{n:.0f}" if n < 1e6 else f"about {n:.3g}"


def share(part: Any, whole_: Any) -> float:
    """The part of the gradient that a contribution makes up; the shares of all paths sum to 1."""
    if not shape_of(whole_):
        return float(part) / float(whole_) if whole_ else float("nan")
    with np.errstate(all="ignore"):
        square = float((whole_ * whole_).sum())
        return float((part * whole_).sum()) / square if square else float("nan")


def percent(part: float) -> str:
    digits = f"{100 * part:,.0f}" if abs(part) >= 10.0 else f"{100 * part:.3g}"
    return f"{digits} %".replace("-", "−")


def column(path: Path, found: Survey) -> str:
    part = share(path.contribution, found.gradient)
    return shown(path.contribution) + (f"  ({percent(part)})" if abs(part) < 1e6 else "")


def carried(found: Survey) -> list[str]:
    """What the paths shown carry together, and how much of the whole that is."""
    if len(found.paths) < 2:
        return []
    total = found.paths[0].contribution
    for p in found.paths[1:]:
        total = total + p.contribution
    if found.count <= len(found.paths):
        return [f"sum of the paths: {shown(total)}"]
    part = share(total, found.gradient)
    of_gradient = f", {percent(part)} of the gradient" if abs(part) < 1e6 else ""
    flow = sum([size_of(p.contribution) for p in found.paths])
    of_all = f"; {percent(flow / found.total)} of all that flows" if 0 < found.total < float("inf") else ""
    return [f"together: {shown(total)}{of_gradient}{of_all}"]


def route(path: Path, found: Survey, x: Value, names: Names) -> str:
    """x →[gate: local gradient]→ ... → loss; where a gate mixes elements, without a number."""
    text = names(x)
    steps = list(reversed(path.steps))
    for at, (v, wire) in enumerate(steps):
        if len(steps) > 2 * ENDS + 1 and ENDS <= at < len(steps) - ENDS:
            if at == ENDS:
                text += f" → … {len(steps) - 2 * ENDS} more gates …"
            continue
        local = v.local_gradients()[wire]
        slope = "" if local is None else f": {number(local)}"
        text += f" →[{gate_of(v)}{slope}]→ {names(v)}"
    return text


def gate_of(v: Value) -> str:
    """A gate with the parameters that it was given: `Σ axis=0`."""
    symbol, chosen = v.gate.symbol if v.gate is not None else "", settings(v)
    if v.gate is not None and v.gate.name in ("getitem", "pick") and chosen:
        return f"[{spelled(next(iter(chosen.values())))}]"
    return f"{symbol} {given(v)}".strip()


def recipes(names: Names, gates: list[Value]) -> list[str]:
    """How the values that were given a name here were made, oldest first."""
    unnamed = [v for v in gates if v in names.given and not v.label]
    lines = [names.recipe(v) for v in unnamed[:RECIPES]]
    more = [f"… and {len(unnamed) - RECIPES} more"] if len(unnamed) > RECIPES else []
    return [("where " if i == 0 else "      ") + line for i, line in enumerate(lines + more)]
