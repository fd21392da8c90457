"""The usual mistakes in a derivative, each recognised by what it does to the numbers.

A wrong rule is run at a few points, and differences give the right gradient there.  `usual_mistakes` is a table: what
may have been done wrong, and what that makes of the right gradient.  If it makes, at every point, just what the rule
sent, the mistake is found.  `mended_rules` is the other way round: a change to the rule that makes it right.  The more
special stand before the more general.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..convert import tidy
from ..errors import MinigradError
from ..tree import tree_leaves
from ..value import Gate, Value, pull, tape, times
from .differences import numerical_jacobian

__all__ = ["likely_mistake", "wrong_shape"]

SPECIAL = (
    "Near this point the gradient is right. The point is special (a tie, a pole, the edge of a domain): what the gates "
    "take for their slopes there doesn't make up a slope of the function."
)


class Sample(NamedTuple):
    """A gate, or a function, at one point, seen from one of its inputs, x."""

    x: Any
    out: Any
    g: Any  # upstream
    sent: Any  # the gradient that the rule sends to x
    true: Any  # the right one
    jacobian: Any  # the right d out / d x, of shape x.shape + out.shape
    uses: list[Any]  # what each use of x in the forward rule should contribute, where that can be told
    args: list[Any]  # all inputs
    trues: list[Any]  # the right gradient of each


Row = tuple[str, Callable[[Sample], Any]]  # words, and an array to compare


def likely_mistake(call: Callable[..., Any], points: list[Any], k: int, gate: Gate | None, wires: list[int]) -> str:
    """What is probably wrong with the gradient of input `k`, or an honest shrug; `wires` are the inputs' wires."""
    samples = take_samples(call, points, k, gate)
    if not samples:
        return ""
    with np.errstate(all="ignore"):
        if all([same(s.sent, s.true) or not (np.any(s.sent) or np.any(np.abs(s.true) > 1e-8)) for s in samples]):
            return SPECIAL
        if not all([np.all(np.isfinite(s.sent)) for s in samples]):
            words = "the rule gives nan or inf where the slope is finite; guard the division, logarithm or root in it"
            return f"Likely mistake: {words}."
        if not any([np.any(s.sent) for s in samples]):
            where = "the rule is zero" if gate is not None else "no gradient arrives"
            return f"Likely mistake: zero where it should not be: {where}, although the output depends on this input."
        for words, wrong in usual_mistakes(samples, gate, k, wires):
            if explains(wrong, [(s, s.sent) for s in samples]):
                return f"Likely mistake: {words}."
        for words, mended in mended_rules(gate, k, wires):
            if explains(mended, [(s, s.true) for s in samples]):
                return f"Likely mistake: {words}."
    return "No usual mistake fits: derive this rule again." if gate is not None else ""


def explains(guess: Callable[[Sample], Any], numbers: list[tuple[Sample, Any]]) -> bool:
    try:
        return all([same(guess(s), x) for s, x in numbers])
    except (MinigradError, ValueError, TypeError, IndexError, AttributeError):
        return False  # a rule that can't be asked in that way


def same(a: Any, b: Any) -> bool:
    """Equal up to the error of differences, and neither both zero nor infinite."""
    size = float(np.max(np.abs(b), initial=0.0))
    return np.shape(a) == np.shape(b) and 0.0 < size < np.inf and bool(np.all(np.abs(a - b) <= 1e-4 * size))


def usual_mistakes(samples: list[Sample], gate: Gate | None, k: int, wires: list[int]) -> Iterator[Row]:
    """(what was done wrong, what that makes of the right gradient)"""
    s = samples[0]
    n, shape, uses = s.g.ndim, s.x.shape, len(s.uses)
    yield "the sign: exactly minus the right gradient", lambda s: -s.true
    if gate is not None:
        words = "the upstream gradient is ignored: multiply by g"
        yield words, lambda s: np.tensordot(s.jacobian, np.ones(s.g.shape), n)
    for j, wire in enumerate(wires):
        if j != k:
            one, both = ("wire", "wires") if gate is not None else ("argument", "arguments")
            words = f"swapped: this is the gradient of {one} {wire}; the two {both} are exchanged"
            yield words, partial(lambda s, j: s.trues[j], j=j)
    for some in [some for count in range(1, uses) for some in combinations(range(uses), count)]:
        words = f"missing accumulation: the forward rule uses this input {uses} times, and only {len(some)} of the "
        words += "contributions counted. Add them up"
        yield words, partial(lambda s, some: sum(s.uses[j] for j in some), some=some)
    yield "1 over the right local gradient: divided where it should be multiplied", lambda s: s.g**2 / s.true
    if c := constant_factor(samples):
        yield factor_in_words(c, s), lambda s: c * s.true
    words = "swap the axes (.T); or the factors of a product stand in the wrong order"
    yield f"transposed: {words}", lambda s: np.swapaxes(s.true, -1, -2)
    words = "the numbers of the transpose, reshaped to fit. Swap axes with .T, not with reshape"
    yield f"transposed: {words}", lambda s: np.swapaxes(s.true, -1, -2).reshape(shape)
    if shape == s.g.shape:
        words = "it sends the Jacobian times g; the way back is the transposed Jacobian times g"
        yield f"transposed: {words}", lambda s: np.tensordot(s.g, s.jacobian, n)
    masks = {
        (True, False): "a dropped mask: gradient flows where the output doesn't depend on the input",
        (False, True): "a mask that closes too much: zero where it should not be, and right elsewhere",
        (
            True,
            True,
        ): "the mask is inverted: gradient flows where the output doesn't depend on the input, and only there",
    }
    leaks, blocks = (any([np.any(odd(*flow(s))) for s in samples]) for odd in (np.greater, np.less))
    if words := masks.get((leaks, blocks), ""):
        yield words, lambda s: np.where(np.equal(*flow(s)), s.true, s.sent)
    for place, which in ((0, "first"), (-1, "last")):
        words = f"missing accumulation: a number is used several times, and only the {which} contribution is counted. "
        words += "Add them up: += (np.add.at for indices), not ="
        if stretches(shape, s.out.shape):
            words = f"not un-broadcast: an input {shape} was stretched to {s.out.shape}, but only the {which} copy's "
            words += "gradient comes back. Sum the upstream gradient over the stretched axes"
        yield words, partial(one_contribution, place=place)
    words = "summed over too many axes"
    yield f"{words} and repeated: every number gets the sum of all", lambda s: np.full(shape, np.sum(s.true))
    yield f"{words} and shared out: every number gets the average of all", lambda s: np.full(shape, np.mean(s.true))
    for i, j in combinations(range(n), 2):
        words = f"the wrong axis: right if axes {i} and {j} of the upstream gradient were exchanged"
        yield words, partial(lambda s, i, j: np.tensordot(s.jacobian, np.swapaxes(s.g, i, j), n), i=i, j=j)
    for axis in range(len(shape)):
        yield f"reversed along axis {axis}", partial(lambda s, axis: np.flip(s.true, axis), axis=axis)
        for by in (1, -1):
            words = f"off by one: moved by {by} along axis {axis}"
            yield words, partial(lambda s, by, axis: np.roll(s.true, by, axis), by=by, axis=axis)
    yield "1 minus the right local gradient", lambda s: s.g - s.true
    if shape == s.g.shape:
        gap = float(np.ravel((s.sent - s.true) / s.g)[0])
        words = f"lacks {-gap:.6g} everywhere: a forgotten term (missing accumulation)"
        if gap > 0.0:
            words = f"is {gap:.6g} too large everywhere: one term too many"
        yield f"the local gradient {words}", lambda s: s.true + gap * s.g


def mended_rules(gate: Gate | None, k: int, wires: list[int]) -> Iterator[Row]:
    """(what was done wrong, what the rule sends once that is mended)"""
    if gate is None or gate.arity != len(wires):
        return
    rule = gate.rule(wires[k])

    def local(s: Sample, first: Any, then: Any) -> Any:
        return times(s.g, rule(tidy(first), *[tidy(then if i == k else x) for i, x in enumerate(s.args)]))

    def swapped(s: Sample, i: int, j: int) -> Any:
        """The vjp, run on arrays of which all have two axes exchanged."""
        turned = [np.swapaxes(x, i, j) if x.ndim == s.g.ndim else x for x in (s.g, s.out, *s.args)]
        return np.swapaxes(rule(*turned), i, j)

    if gate.local is not None:
        order = "local(out, x) gets the output first, then the input"
        yield f"the derivative at the output instead of the input: {order}", lambda s: local(s, s.x, s.x)
        yield f"the derivative at the input instead of the output: {order}", lambda s: local(s, s.out, s.out)
        yield f"the output and the input have changed places: {order}", lambda s: local(s, s.x, s.out)
        return
    for i, j in combinations((0, 1, 2, 3), 2):
        words = f"the wrong axis: the rule works along axis {i} or {j} where the forward rule takes the other"
        if len(wires) > 1:
            words = "the factors of a product stand in the wrong order (which is on the left, which transposed?)"
        yield words, partial(swapped, i=i, j=j)


# ------------------------------------------------------------------------------------------------------------- evidence
def take_samples(call: Callable[..., Any], points: list[Any], k: int, gate: Gate | None) -> list[Sample]:
    """At the point and near it; a sample whose numbers are not finite is left out."""
    random = np.random.default_rng(1)
    samples = []
    with np.errstate(all="ignore"):
        for distance in (0.0, 0.025, 0.05, 0.075):
            moves = [distance * random.uniform(-1, 1, np.shape(x)) * np.where(x == 0.0, 1.0, np.abs(x)) for x in points]
            samples.append(sample(call, list(map(np.asarray, map(np.add, points, moves))), k, gate, random))
    return [s for s in samples if all([np.all(np.isfinite(x)) for x in [s.out, *s.trues]])]


def sample(call: Callable[..., Any], args: list[Any], k: int, gate: Gate | None, random: Any) -> Sample:
    def output(*xs: Any) -> Any:
        parts = [part for part in tree_leaves(call(*xs)) if isinstance(part, Value)]
        return parts[0] if len(parts) == 1 else sum([p.sum() * (0.7 + 0.2 * i) for i, p in enumerate(parts)])

    def numbers(*xs: Any) -> Any:
        return np.asarray(output(*[Value(tidy(x)) for x in xs]).data, float)

    leaves = [Value(tidy(x)) for x in args]
    out = output(*leaves)
    g = random.uniform(0.5, 1.5, out.shape)
    found = pull(out, tidy(g)) if out.requires_grad else {}
    sent = np.asarray(found.get(leaves[k], np.zeros(leaves[k].shape)), float)
    steps = [1e-5 * max(1.0, float(np.max(np.abs(x), initial=0.0))) for x in args]
    jacobians = [numerical_jacobian(numbers, args, j, step) for j, step in enumerate(steps)]
    trues = [np.tensordot(jacobian, g, g.ndim) for jacobian in jacobians]
    data, uses = np.asarray(out.data, float), uses_of(gate, args, k, g)
    return Sample(args[k], data, g, sent, trues[k], jacobians[k], uses, args, trues)


def uses_of(gate: Gate | None, args: list[Any], k: int, g: Any) -> list[Any]:
    """The forward rule, run on Values, shows each use of its input k, and what that should contribute."""
    inputs = [Value(tidy(x)) for x in args]
    try:
        out = gate.forward(*inputs)  # type: ignore[union-attr]
        out.backward(tidy(g))
    except (MinigradError, ValueError, TypeError, IndexError, AttributeError):
        return []  # no gate, or one that computes in a way that Values don't follow
    sent = [pair for node in tape(out)[0] for pair in zip(node.inputs, node.contributions(), strict=True)]
    uses = [np.asarray(d, float) for x, d in sent if x is inputs[k]]
    return uses if len(uses) < 7 else []


def constant_factor(samples: list[Sample]) -> float:
    """How many times the right gradient was sent, judged by the largest number; 0 where that says nothing."""
    sent, true = np.concatenate([np.stack([s.sent.ravel(), s.true.ravel()]) for s in samples], axis=1)
    i = np.argmax(np.abs(true))
    c = float(sent[i] / true[i]) if true[i] else 0.0
    return 0.0 if abs(c - 1.0) < 1e-3 else c


def factor_in_words(c: float, s: Sample) -> str:
    """The factor as a fraction, and where it may come from."""
    nice = Fraction(c).limit_denominator(1000)
    name = str(nice) if abs(float(nice) - c) <= 1e-4 * abs(c) else f"{c:.6g}"
    counts = []  # of what an average may have divided by
    for what, x in (("input", s.x), ("output", s.out)):
        counts += [(x.size, f"the number of entries of the {what}")]
        counts += [(size, f"the length of axis {i} of the {what}") for i, size in enumerate(x.shape)]
    size = max(abs(c), 1.0 / abs(c))
    average = "by which an average divides" if abs(c) > 1.0 else "averaged where it should be summed"
    fits = [f"{n} is {what}, {average}" for n, what in counts if n > 1 and abs(size / n - 1.0) < 1e-3]
    why = {"1/2": ["the 2 of a square, or one of two uses of a value (missing accumulation)"], "2": ["counted twice"]}
    reasons = "; or ".join([*why.get(name, []), *fits[:1]])
    if stretches(s.x.shape, s.out.shape) and abs(c * s.out.size / s.x.size - 1.0) < 1e-3:
        words = f"the input {s.x.shape} was stretched to {s.out.shape}; sum over that axis, don't average"
        reasons = f"not un-broadcast: {words}"
    return f"a constant factor, {name} times the right gradient{': ' if reasons else ''}{reasons}"


def flow(s: Sample) -> tuple[Any, Any]:
    """Where gradient flows, and where some should."""
    least = 1e-6 * max(np.max(np.abs(s.sent), initial=0.0), np.max(np.abs(s.true), initial=0.0))
    return np.abs(s.sent) > least, np.abs(s.true) > least


def one_contribution(s: Sample, place: int) -> Any:
    """Each number gets what one output sends back, where several do: the first, or the last, of them."""
    terms = [row[np.abs(row) > 1e-9] for row in (s.jacobian * s.g).reshape(s.x.size, -1)]
    return np.reshape([row[place] if len(row) else 0.0 for row in terms], s.x.shape)


def stretches(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return small != large == np.broadcast_shapes(small, large)
    except ValueError:
        return False


def wrong_shape(have: tuple[int, ...], want: tuple[int, ...], others: list[tuple[int, ...]]) -> str | None:
    """What a derivative of the wrong shape probably is; None for one that broadcasting explains."""
    extra = len(have) - len(want)
    if extra >= 0 and all([n in (1, h) for n, h in zip(want, have[extra:], strict=True)]):
        return None  # the engine sums it
    if have in others:
        return "Likely mistake: swapped wires; that is the shape of another input."
    if len(want) > 1 and have == (*want[:-2], want[-1], want[-2]):
        return "Likely mistake: transposed; swap the axes (.T), or the factors of the product."
    if extra < 0:
        return "Likely mistake: summed over too many axes; sum over those only along which the input was stretched."
    return "A derivative has the shape of its input: check the order of the factors and the axes of sums."
