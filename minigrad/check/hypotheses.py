"""The usual mistakes in a derivative, each recognised by what it does to the numbers.

Every hypothesis looks at a few samples, the numbers of a gate at and around the point that failed, and says in words
what it recognises, or None.  They are asked in order, the more special before the more general.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..errors import MinigradError
from ..tree import tree_leaves
from ..value import Gate, Value, pull, tape

__all__ = ["Sample", "all_right", "likely_mistake", "take_samples", "wrong_shape"]

STEP = 1e-5


class Sample(NamedTuple):
    """A gate at one point: upstream g, and per wire the gradient it sends, the true one, and the true Jacobian."""

    args: list[Any]
    out: Any
    g: Any
    sent: list[Any]
    true: list[Any]
    jacobians: list[Any]  # out.shape + arg.shape


def take_samples(call: Callable[..., Any], points: list[Any], count: int = 4) -> list[Sample]:
    """At the point and near it; a sample whose numbers are not finite is left out."""
    random = np.random.default_rng(1)
    samples = []
    for n in range(count):
        args = [
            np.asarray(x, float) + (0.1 * n / count) * random.uniform(-1, 1, np.shape(x)) * spread(x) for x in points
        ]
        with np.errstate(all="ignore"):
            samples.append(sample(call, args, random))
    return [s for s in samples if all([np.all(np.isfinite(x)) for x in [s.out, *s.true]])]


def spread(x: Any) -> Any:
    return np.where(np.asarray(x) == 0.0, 1.0, np.abs(x))


def sample(call: Callable[..., Any], args: list[Any], random: Any) -> Sample:
    def flat(*xs: Any) -> Any:
        parts = [part for part in tree_leaves(call(*xs)) if isinstance(part, Value)]
        return parts[0] if len(parts) == 1 else sum([p.sum() * (0.7 + 0.2 * i) for i, p in enumerate(parts)])

    def at(k: int, x: Any) -> Any:
        moved = [Value(tidy(x if i == k else y)) for i, y in enumerate(args)]
        return np.asarray(flat(*moved).data, float)

    leaves = [Value(tidy(x)) for x in args]
    out = flat(*leaves)
    g = random.uniform(0.5, 1.5, out.shape)
    found = pull(out, tidy(g)) if out.requires_grad else {}
    sent = [np.asarray(found.get(x, np.zeros(x.shape)), float) for x in leaves]
    jacobians = []
    for k, x in enumerate(args):
        jacobian = np.zeros(out.shape + x.shape)
        for index in np.ndindex(x.shape):
            h = STEP * max(1.0, abs(float(x[index])))
            unit = np.zeros(x.shape)
            unit[index] = h
            jacobian[(..., *index)] = (at(k, x + unit) - at(k, x - unit)) / (2.0 * h)
        jacobians.append(jacobian)
    true = [np.tensordot(g, j, g.ndim) for j in jacobians]
    return Sample(args, np.asarray(out.data, float), g, sent, true, jacobians)


def tidy(x: Any) -> Any:
    return x if np.ndim(x) else float(x)


def same(a: Any, b: Any) -> bool:
    """Equal up to the error of differences, and not both zero."""
    if np.shape(a) != np.shape(b) or not np.size(a):
        return False
    size = np.max(np.abs(b))
    return bool(size > 0.0 and np.max(np.abs(np.subtract(a, b))) <= 1e-4 * size)


def all_right(samples: list[Sample], k: int) -> bool:
    """Whether argument k's gradient is right in every sample, as where only the very point is special."""
    pairs = [(s.sent[k], s.true[k]) for s in samples]
    return bool(pairs) and all([same(a, b) or not (np.any(a) or np.any(np.abs(b) > 1e-8)) for a, b in pairs])


class Wire(NamedTuple):
    """What a hypothesis looks at."""

    samples: list[Sample]
    k: int  # the argument
    gate: Gate | None
    wires: list[int]  # the gate's wire of each argument

    def all(self, predict: Callable[[Sample], Any]) -> bool:
        """Whether what was sent is what a mistake predicts, in every sample."""
        return all([same(s.sent[self.k], predict(s)) for s in self.samples])

    def true(self, s: Sample) -> Any:
        return s.true[self.k]


def likely_mistake(samples: list[Sample], k: int, gate: Gate | None, wires: list[int]) -> str:
    """The first hypothesis that explains the numbers on argument k, in words; an honest shrug otherwise."""
    if not samples:
        return ""
    wire = Wire(samples, k, gate, wires)
    for hypothesis in HYPOTHESES:
        try:
            with np.errstate(all="ignore"):
                words = hypothesis(wire)
        except (MinigradError, ValueError, TypeError, IndexError, AttributeError):
            continue  # a rule that can't be asked in that way
        if words:
            return f"Likely mistake: {words}."
    return "No usual mistake fits: derive this rule again." if gate is not None else ""


# ------------------------------------------------------------------------------------------------------- the hypotheses
def not_finite(w: Wire) -> str | None:
    if all([np.all(np.isfinite(s.sent[w.k])) for s in w.samples]):
        return None
    return "the rule gives nan or inf where the slope is finite; guard the division, logarithm or root in it"


def zero(w: Wire) -> str | None:
    if any([np.any(s.sent[w.k]) for s in w.samples]):
        return None
    where = "the rule is zero" if w.gate is not None else "no gradient arrives"
    return f"zero where it should not be: {where}, although the output depends on this input"


def sign(w: Wire) -> str | None:
    return "the sign: exactly minus the right gradient" if w.all(lambda s: -w.true(s)) else None


def factor(w: Wire) -> str | None:
    sent = np.concatenate([np.ravel(s.sent[w.k]) for s in w.samples])
    true = np.concatenate([np.ravel(w.true(s)) for s in w.samples])
    largest = np.argmax(np.abs(true))
    c = float(sent[largest] / true[largest]) if true[largest] else 0.0
    if not c or abs(c - 1.0) < 1e-3 or not w.all(lambda s: c * w.true(s)):
        return None
    nice = Fraction(c).limit_denominator(1000)
    name = str(nice) if abs(float(nice) - c) <= 1e-4 * abs(c) else f"{c:.6g}"
    x, out = w.samples[0].args[w.k], w.samples[0].out
    counts = {
        "the number of entries of the input": x.size,
        "the number of entries of the output": out.size,
        **{f"the length of axis {i} of the input": n for i, n in enumerate(x.shape)},
        **{f"the length of axis {i} of the output": n for i, n in enumerate(out.shape)},
    }
    fits = [f"{n} is {what}" for what, n in counts.items() if n > 1 and abs(max(abs(c), 1 / abs(c)) / n - 1.0) < 1e-3]
    reasons = {
        "1/2": ["the 2 of a square, or one of two uses of a value (missing accumulation)"],
        "2": ["counted twice"],
    }
    why = reasons.get(name, [])
    if x.shape != out.shape and stretches(x.shape, out.shape) and abs(c * out.size / x.size - 1.0) < 1e-3:
        why = [f"not un-broadcast: the input {x.shape} was stretched to {out.shape}; sum over that axis, don't average"]
    elif not why and all([s.sent[w.k].shape == s.g.shape for s in w.samples]) and w.all(lambda s: s.g**2 / w.true(s)):
        why = ["1 over it, divided where it should be multiplied"]
    elif fits:
        why = [*why, f"{fits[0]}, {'by which an average divides' if c > 1.0 else 'averaged where it should be summed'}"]
    return f"a constant factor, {name} times the right gradient{': ' if why else ''}{'; or '.join(why)}"


def exchanged(w: Wire) -> str | None:
    for j in range(len(w.wires)):
        if j != w.k and w.all(lambda s, j=j: s.true[j]):  # type: ignore[misc]
            what = "wires" if w.gate is not None else "arguments"
            return f"swapped: this is the gradient of {what[:-1]} {w.wires[j]}; the two {what} are exchanged"
    return None


def transposed(w: Wire) -> str | None:
    n = w.samples[0].g.ndim
    shape = w.samples[0].args[w.k].shape
    if shape[-1:] == shape[-2:-1] and w.all(lambda s: np.swapaxes(w.true(s), -1, -2)):
        return "transposed: swap the axes (.T); or the factors of a product stand in the wrong order"
    if len(shape) > 1 and w.all(lambda s: np.swapaxes(w.true(s), -1, -2).reshape(shape)):
        return "transposed: the numbers of the transpose, reshaped to fit. Swap axes with .T, not with reshape"
    if shape == w.samples[0].g.shape and w.all(lambda s: np.tensordot(s.jacobians[w.k], s.g, n)):
        return "transposed: it sends the Jacobian times g; the way back is the transposed Jacobian times g"
    return None


def output_for_input(w: Wire) -> str | None:
    """The rule becomes right when out and the input change places."""
    if w.gate is None or not w.gate.elementwise or w.gate.local is None or w.gate.arity is None:
        return None
    i = w.wires[w.k]

    def turned(s: Sample) -> Any:
        args = [tidy(x) for x in s.args]
        args[w.k] = tidy(s.out)
        if len(args) != w.gate.arity:  # type: ignore[union-attr]
            raise ValueError
        return np.asarray(w.gate.rule(i)(tidy(s.args[w.k]), *args)) * s.g  # type: ignore[union-attr]

    if not all([same(turned(s), w.true(s)) for s in w.samples]):
        return None
    rule = w.gate.rule(i)
    s = w.samples[0]
    args = [tidy(x) for x in s.args]
    of_out = same(
        rule(tidy(s.out), *args), rule(tidy(s.out), *[x * 1.1 if j == w.k else x for j, x in enumerate(args)])
    )
    places = ("the output", "the input") if of_out else ("the input", "the output")
    return f"the derivative at {places[0]} instead of {places[1]}: local(out, x) gets the output first, then the input"


def mask(w: Wire) -> str | None:
    """Gradient where none should flow, or none where it should, and right elsewhere."""
    passes, blocks = False, False
    for s in w.samples:
        sent, true = s.sent[w.k], w.true(s)
        scale = 1e-6 * max(np.max(np.abs(sent), initial=0.0), np.max(np.abs(true), initial=0.0))
        shut, gone = (np.abs(true) <= scale) & (np.abs(sent) > scale), (np.abs(sent) <= scale) & (np.abs(true) > scale)
        rest = ~(shut | gone)
        if not np.allclose(sent[rest], true[rest], rtol=1e-4, atol=scale):
            return None
        passes, blocks = passes or bool(np.any(shut)), blocks or bool(np.any(gone))
    if passes and blocks:
        return (
            "the mask is inverted: gradient flows where the output doesn't depend on the input, and none where it does"
        )
    if passes:
        return "a dropped mask: gradient flows where the output doesn't depend on the input"
    return "a mask that closes too much: zero where it should not be, and right elsewhere" if blocks else None


def one_contribution(w: Wire) -> str | None:
    """Each number gets what one output sends back, where several do: the first, or the last, of them."""
    for pick in (0, -1):

        def one(s: Sample, pick: int = pick) -> Any:
            terms = (s.g.reshape(*s.g.shape, *[1] * s.args[w.k].ndim) * s.jacobians[w.k]).reshape(s.g.size, -1)
            chosen = [
                column[np.abs(column) > 1e-9][pick] if np.any(np.abs(column) > 1e-9) else 0.0 for column in terms.T
            ]
            return np.reshape(chosen, s.args[w.k].shape)

        if w.all(one):
            s, which = w.samples[0], "first" if pick == 0 else "last"
            if s.args[w.k].shape != s.out.shape and stretches(s.args[w.k].shape, s.out.shape):
                return (
                    f"not un-broadcast: an input {s.args[w.k].shape} was stretched to {s.out.shape}, but only the "
                    f"{which} copy's gradient comes back. Sum the upstream gradient over the stretched axes"
                )
            return (
                f"missing accumulation: a number is used several times, and only the {which} contribution is counted. "
                "Add them up: += (np.add.at for indices), not ="
            )
    return None


def stretches(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


def repeated(w: Wire) -> str | None:
    """Every number gets the same: what was due to all of them."""
    if w.samples[0].args[w.k].size < 2:
        return None
    if w.all(lambda s: np.full(s.args[w.k].shape, np.sum(w.true(s)))):
        return "summed over too many axes and repeated: every number gets the sum that is due to all together"
    if w.all(lambda s: np.full(s.args[w.k].shape, np.mean(w.true(s)))):
        return "summed over too many axes and shared out: every number gets the average over all"
    return None


def one_use(w: Wire) -> str | None:
    """The forward rule, run on Values, shows each use of the input; what was sent is the sum of some of them."""
    if w.gate is None:
        return None

    def uses(s: Sample) -> list[Any]:
        inputs = [Value(tidy(x)) for x in s.args]
        out = w.gate.forward(*inputs)  # type: ignore[union-attr]
        out.backward(tidy(s.g))
        parts = [pair for node in tape(out)[0] for pair in zip(node.inputs, node.contributions(), strict=True)]
        return [np.asarray(d, float) for x, d in parts if x is inputs[w.k]]

    count = len(uses(w.samples[0]))
    if not 1 < count < 7:
        return None
    for n in range(1, count):
        for some in combinations(range(count), n):
            if w.all(lambda s, some=some: sum([uses(s)[j] for j in some])):  # type: ignore[misc]
                return (
                    f"missing accumulation: the forward rule uses this input {count} times, and only {n} of the "
                    "contributions counted. Add them up"
                )
    return None


def other_axis(w: Wire) -> str | None:
    """Right if the upstream gradient, or all arrays, had two axes exchanged; or moved by one place, or reversed."""
    n = w.samples[0].g.ndim
    for i, j in combinations(range(n), 2):

        def upstream(s: Sample, i: int = i, j: int = j) -> Any:
            return np.tensordot(np.swapaxes(s.g, i, j), s.jacobians[w.k], n)

        def rule(s: Sample, i: int = i, j: int = j) -> Any:
            swapped = [np.swapaxes(x, i, j) if x.ndim == n else x for x in (s.g, s.out, *s.args)]
            return np.swapaxes(w.gate.rule(w.wires[w.k])(*swapped), i, j)  # type: ignore[union-attr]

        if w.samples[0].g.shape[i] == w.samples[0].g.shape[j] and w.all(upstream):
            return f"the wrong axis: right if axes {i} and {j} of the upstream gradient were exchanged"
        listed = w.gate is not None and w.gate.vjp is not None and w.gate.arity is not None
        if listed and all([same(rule(s), w.true(s)) for s in w.samples]):
            if len(w.wires) > 1:
                return "the factors of a product stand in the wrong order (which is on the left, which transposed?)"
            return f"the wrong axis: the rule works along axis {i} or {j} where the forward rule takes the other"
    for axis in range(w.samples[0].args[w.k].ndim):
        if w.all(lambda s, axis=axis: np.flip(w.true(s), axis)):  # type: ignore[misc]
            return f"reversed along axis {axis}"
        for shift in (1, -1):
            if w.all(lambda s, axis=axis, shift=shift: np.roll(w.true(s), shift, axis)):  # type: ignore[misc]
                return f"off by one: moved by {shift} along axis {axis}"
    return None


def elementwise_slip(w: Wire) -> str | None:
    """1 - s for s, 1/s for s, or s plus a constant, where s is the right local gradient."""
    if any([s.sent[w.k].shape != s.g.shape for s in w.samples]):
        return None
    if w.all(lambda s: s.g - w.true(s)):
        return "1 minus the right local gradient"
    if all([np.all(w.true(s)) for s in w.samples]) and w.all(lambda s: s.g**2 / w.true(s)):
        return "1 over the right local gradient: divided where it should be multiplied"
    gaps = np.concatenate([np.ravel((s.sent[w.k] - w.true(s)) / s.g) for s in w.samples])
    if np.max(np.abs(gaps - gaps[0])) <= 1e-4 * abs(gaps[0]):
        if gaps[0] > 0:
            return f"the local gradient is {gaps[0]:.6g} too large everywhere: one term too many"
        return f"the local gradient lacks {-gaps[0]:.6g} everywhere: a forgotten term (missing accumulation)"
    return None


HYPOTHESES = (
    not_finite, zero, sign, exchanged, one_use, factor, transposed, output_for_input, mask, one_contribution,
    repeated, other_axis, elementwise_slip,
)  # fmt: skip


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
