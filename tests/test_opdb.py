"""PyTorch as an oracle: values, first and second derivatives on samples drawn from its own generators (op_db).

Every gate of the catalogue must be translated in `opdb_translation.py`, or stand there with the reason why not.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from opdb_translation import (
    DIFFERENCES,
    LOOSER,
    NOT_COVERED,
    OWN,
    REPLACED,
    TRANSLATION,
    CannotSay,
    Difference,
    Replaced,
)

import minigrad as mg
from minigrad.errors import MinigradError
from minigrad.gates.registry import COMPOSED, REGISTRY, Call

pytestmark = pytest.mark.oracle
SEED = 20260
SAMPLES = 40  # of an op_db entry in the fixed sample; all of them in the slow tests
LARGEST = 2000  # numbers in a tensor: op_db has a few of a million
CATALOGUE = [*REGISTRY, *COMPOSED]


# ------------------------------------------------------------------------------------------------------------- samples
@cache
def op_db() -> dict[str, list[Any]]:
    """op_db's entries by name, and by name/variant."""
    pytest.importorskip("torch")
    pytest.importorskip("expecttest")  # which PyTorch's generators import
    from torch.testing._internal.common_methods_invocations import op_db

    entries: dict[str, list[Any]] = {}
    for op in op_db:
        for key in (op.name, f"{op.name}/{op.variant_test_name}"):
            entries.setdefault(key, []).append(op)
    return entries


def drawn(op: Any, limit: int | None) -> list[Any]:
    """Its samples, of which at most `limit`, evenly spread; the generator of many ("reference") where it has one."""
    import torch

    torch.manual_seed(SEED)
    broken = op.name in ("clamp", "where")  # whose reference generators ask for integers with a gradient
    draw = op.sample_inputs if broken or op.reference_inputs_func is None else op.reference_inputs
    samples = list(draw("cpu", torch.float64, requires_grad=op.supports_autograd))
    if limit is None or len(samples) <= limit:
        return samples
    return [samples[i] for i in np.linspace(0, len(samples) - 1, limit).astype(int)]


def mapped(tree: Any, change: Any) -> Any:
    """Arguments with every tensor changed."""
    if isinstance(tree, (list, tuple)):
        return (list if isinstance(tree, list) else tuple)([mapped(x, change) for x in tree])
    if isinstance(tree, dict):
        return {k: mapped(x, change) for k, x in tree.items()}
    if isinstance(tree, slice):
        return slice(*[mapped(x, change) for x in (tree.start, tree.stop, tree.step)])
    return change(tree) if hasattr(tree, "requires_grad") else tree


# ---------------------------------------------------------------------------------------------------------- comparison
class Case:
    """One call: PyTorch's function and ours, of the same arrays."""

    def __init__(self, theirs: Any, ours: Any, args: Any, params: Any, twice: bool, finish: Any = None) -> None:
        self.theirs, self.ours, self.twice = theirs, ours, twice
        self.finish = finish or (lambda out: out)  # both results: to what is unique, such as the size of eigenvectors
        found: dict[int, Any] = {}  # as leaves with the same strides: some samples are views of others

        def leaf(t: Any) -> Any:
            return found.setdefault(id(t), t.detach().requires_grad_()) if t.requires_grad else t

        self.args, self.params = mapped(args, leaf), mapped(params, leaf)
        self.tensors = list(found.values())  # those that take a gradient, each once
        self.replaced = 0
        self.undefined = 0  # derivatives for which PyTorch has nan and we have a number

    def replace(self, row: Replaced) -> None:
        """Put another number in place of those that the two answer differently."""
        import torch

        old = self.args[row.argument] if len(self.args) > row.argument else None
        if not isinstance(old, torch.Tensor):
            return
        mask = row.where(*[x.numpy(force=True) if isinstance(x, torch.Tensor) else x for x in self.args])
        mask = unbroadcast(np.asarray(mask), tuple(old.shape))
        if mask.any():
            new = torch.where(torch.from_numpy(mask), row.number, old.detach()).requires_grad_(old.requires_grad)
            self.tensors = [new if t is old else t for t in self.tensors]
            self.args = tuple([new if x is old else x for x in self.args])
        self.replaced += int(mask.sum())

    def ours_of(self, values: list[Any]) -> list[Any]:
        """The outputs of our function; `values` stand for the tensors that take a gradient."""
        places = {id(t): i for i, t in enumerate(self.tensors)}

        def change(t: Any) -> Any:
            return values[places[id(t)]] if t.requires_grad else t.numpy(force=True)

        args, params = mapped(self.args, change), mapped(self.params, change)
        if inspect.isfunction(self.ours):
            known = inspect.signature(self.ours).parameters.values()
            if not any([p.kind is p.VAR_KEYWORD for p in known]):
                unknown = [k for k in params if k not in [p.name for p in known]]
                if unknown:
                    raise CannotSay(f"{', '.join(unknown)}=")
        elif params and not isinstance(self.ours, partial):
            raise CannotSay(f"{', '.join(params)}=")
        out = self.finish(self.ours(*args, **params))
        return list(out) if isinstance(out, (tuple, list)) else [out]

    def theirs_of(self, many: bool) -> list[Any]:
        out = self.finish(self.theirs(*self.args, **self.params))
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        return outs if many else outs[:1]

    def check(self, rtol: float, weights: np.random.Generator, floats: bool = False) -> int:
        """Value, gradient of a random weighting of it, and gradient of a random weighting of the gradients.

        Returns the order up to which there is something to compare.
        """
        import torch

        other = {str(t.dtype) for t in self.tensors} - {"torch.float64"}
        if other:
            raise CannotSay(f"{', '.join(other)} beside float64")
        if any([t.numel() > LARGEST for t in self.tensors]):
            raise CannotSay(f"more than {LARGEST} numbers")
        arrays = [t.numpy(force=True) for t in self.tensors]
        if floats:
            arrays = [a.item() for a in arrays]
        outs = self.ours_of([mg.Value(a) for a in arrays])
        expected = self.theirs_of(len(outs) > 1)
        if NotImplemented in expected:
            raise CannotSay("a Python number first, whose method PyTorch calls")
        for out, e in zip(outs, expected, strict=True):
            close("value", plain(out), e.numpy(force=True), rtol, 1.0)
        smooth = [i for i, e in enumerate(expected) if e.requires_grad]
        if not smooth:
            return 0
        v = {i: weights.standard_normal(tuple(expected[i].shape)) for i in smooth}
        loss = sum([(torch.from_numpy(np.asarray(v[i])) * expected[i]).sum() for i in smooth])
        grads = torch.autograd.grad(loss, self.tensors, create_graph=self.twice, allow_unused=True)
        grads = [torch.zeros_like(t) if g is None else g for t, g in zip(self.tensors, grads, strict=True)]

        def our_loss(values: list[Any]) -> Any:
            outs = self.ours_of(values)
            return mg.sum(mg.stack([mg.sum(outs[i] * v[i]) for i in smooth]))

        our_grad = mg.grad(our_loss)
        scale = max([magnitude(e) for e in expected])
        for ours, g in zip(our_grad(arrays), grads, strict=True):
            self.undefined += close("gradient", ours, g.numpy(force=True), rtol, scale)
        if not self.twice:
            return 1
        u = [weights.standard_normal(tuple(t.shape)) for t in self.tensors]
        tangents = [x.item() if floats else x for x in map(np.asarray, u)]
        parts = [(torch.from_numpy(np.asarray(x)) * g).sum() for x, g in zip(u, grads, strict=True) if g.requires_grad]
        second = torch.autograd.grad(sum(parts), self.tensors, allow_unused=True) if parts else [None] * len(u)
        scale = max([scale, *[magnitude(g) for g in grads]])
        reverse = mg.grad(lambda xs: mg.sum(mg.stack([mg.sum(g * x) for g, x in zip(our_grad(xs), u, strict=True)])))
        turned = mg.jvp(our_grad, [arrays], [tangents])[1]
        for t, h, once, other in zip(self.tensors, second, reverse(arrays), turned, strict=True):
            h = np.zeros(t.shape) if h is None else h.numpy(force=True)
            self.undefined += close("second derivative", once, h, rtol, scale)
            close("second derivative (forward over reverse)", other, h, rtol, scale)
        return 2


def plain(x: Any) -> Any:
    return np.asarray(x.data if isinstance(x, mg.Value) else x)


def magnitude(x: Any) -> float:
    """The largest finite number: what rounding errors are measured by."""
    x = np.abs(np.asarray(x.detach()))
    return float(np.max(x, initial=1.0, where=np.isfinite(x)))


def unbroadcast(mask: Any, shape: tuple[int, ...]) -> Any:
    """True where any number of the broadcast mask is."""
    mask = np.broadcast_to(mask, np.broadcast_shapes(mask.shape, shape))
    mask = mask.any(axis=tuple(range(mask.ndim - len(shape))))
    return mask.any(axis=tuple([i for i, n in enumerate(shape) if n == 1 < mask.shape[i]]), keepdims=True)


def close(what: str, ours: Any, theirs: Any, rtol: float, scale: float) -> int:
    """Compare; how often a derivative of PyTorch's is nan where ours is not (an oracle has nothing to say there)."""
    ours = plain(ours)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, PyTorch's {theirs.shape}"
    if theirs.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs, err_msg=what)
        return 0
    undefined = np.isnan(theirs) & ~np.isnan(ours) & (what != "value")
    if "forward" in what:  # it adds up the slopes on all wires: infinite ones may give nan
        undefined |= np.isinf(theirs) & np.isnan(ours)
    ours = np.where(undefined, theirs, ours)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-13 * min(scale, 1e3), err_msg=what)
    return int(undefined.sum())


class Result:
    """What became of a gate's samples."""

    def __init__(self) -> None:
        self.compared: Counter[str] = Counter()  # by op_db entry
        self.orders: Counter[int] = Counter()  # up to which derivative these were compared
        self.own = 0
        self.skipped: Counter[str] = Counter()  # by reason
        self.undefined = self.replaced = 0  # numbers left out
        self.failures: list[str] = []


@contextmanager
def quietly() -> Iterator[None]:
    """No warnings of either side's; and PyTorch computes in float64 with Python's numbers, too."""
    import torch

    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(dtype)


@cache
def run(gate: str, limit: int | None) -> Result:
    """All samples of a gate, once; the tests and the count share it."""
    op_db()
    with quietly():
        return compared(gate, limit)


def compared(gate: str, limit: int | None) -> Result:
    result = Result()
    rtol = LOOSER.get(gate, (1e-9, ""))[0]
    for entry, ours in TRANSLATION.get(gate, {}).items():
        for op in op_db()[entry]:
            for sample in drawn(op, limit):
                args, name = (sample.input, *sample.args), f"{op.name} {op.variant_test_name}".strip()
                theirs = partial(op.gradcheck_wrapper, op.op)  # some take 2 sym(a) for a, for instance
                case = Case(theirs, ours, args, sample.kwargs, op.supports_gradgrad, sample.output_process_fn_grad)
                for key in (gate, entry):
                    if key in REPLACED:
                        case.replace(REPLACED[key])
                attempt(result, name, case, rtol)
    for inputs, params in examples(gate) if gate in OWN else ():
        import torch

        tensors = [torch.tensor(x, requires_grad=getattr(x, "dtype", None) == np.float64) for x in inputs]
        case = Case(partial(OWN[gate], torch), partial(call, REGISTRY[gate]), tensors, params, True)
        attempt(result, None, case, rtol)
    return result


def examples(gate: str) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The example calls in the gate's own row."""
    rng = np.random.default_rng(SEED)
    for domain in REGISTRY[gate].domain:
        if isinstance(domain, Call):
            yield (
                [rng.uniform(domain.low, domain.high, s) if isinstance(s, tuple) else s for s in domain.shapes],
                domain.params,
            )
        else:
            yield [rng.uniform(*domain, (4, 5))], {}


def call(gate: Any, *inputs: Any, **params: Any) -> Any:
    return gate(list(inputs), **params) if gate.arity is None else gate(*inputs, **params)


def attempt(result: Result, entry: str | None, case: Case, rtol: float) -> None:
    """Compare one case; note what happened."""
    shown = f"{entry or 'own sample'}{mapped((case.args, case.params), lambda t: f'{t.dtype}{list(t.shape)}')}"
    numbers = not any([t.ndim for t in case.tensors])
    try:
        order = case.check(rtol, np.random.default_rng(SEED))
        if numbers and case.tensors:  # Python floats, too: the scalar path
            case.check(rtol, np.random.default_rng(SEED), floats=True)
        result.undefined += case.undefined
        result.replaced += case.replaced
    except CannotSay as reason:
        result.skipped[str(reason)] += 1
    except RuntimeError as error:
        if "not implemented" not in str(error):
            raise
        result.skipped[f"PyTorch: {error}"] += 1
    except (AssertionError, MinigradError, ArithmeticError, ValueError, TypeError, IndexError) as error:
        result.failures.append(f"{shown}: {type(error).__name__}: {error}")
    else:
        result.own += entry is None
        result.compared.update([entry] if entry else [])
        result.orders.update([order] if entry else [])


# --------------------------------------------------------------------------------------------------------------- tests
def check(gate: str, limit: int | None) -> None:
    result = run(gate, limit)
    assert not result.failures, f"{len(result.failures)} of {gate}'s samples differ:\n\n" + "\n\n".join(
        result.failures[:5]
    )
    assert result.own or result.compared.total() or gate in NOT_COVERED, f"{gate}: nothing compared: {result.skipped}"


@pytest.mark.parametrize("gate", sorted(TRANSLATION.keys() | OWN))
def test_gate(gate: str) -> None:
    check(gate, SAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("gate", sorted(TRANSLATION))
def test_gate_on_all_samples(gate: str) -> None:
    check(gate, None)


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: f"{row.gate}{row.inputs}")
def test_known_differences(row: Difference) -> None:
    """Ours is what the table says, and so is PyTorch's: a row that is no difference any more must go."""
    torch = pytest.importorskip("torch")
    at = tuple(range(len(row.inputs)))

    def slopes(*xs: Any) -> Any:
        return mg.grad(lambda *ys: mg.sum(getattr(mg, row.gate)(*ys, **row.params)), argnums=at)(*xs)

    with quietly():
        inputs = [np.array(x) if isinstance(x, list) else x for x in row.inputs]
        out, found = getattr(mg, row.gate)(*inputs, **row.params), slopes(*inputs)
        if row.order == 2:
            found = mg.grad(lambda *xs: mg.sum(mg.concatenate([mg.ravel(g) for g in slopes(*xs)])), argnums=at)(*inputs)
        assert_same([out, *found], [row.ours[0], *row.ours[1]])
        tensors = [torch.tensor(x, requires_grad=True) for x in row.inputs]
        function = attrgetter(row.torch)(torch)
        if row.theirs[1] is None:
            with pytest.raises(RuntimeError, match=r"not implemented|does not require grad"):
                torch.autograd.grad(function(*tensors, **row.params).sum(), tensors)
            assert_same([function(*[t.detach() for t in tensors], **row.params).numpy()], [row.theirs[0]])
            return
        out = function(*tensors, **row.params)
        found = torch.autograd.grad(out.sum(), tensors, create_graph=row.order == 2)
        if row.order == 2:
            found = torch.autograd.grad(sum([g.sum() for g in found]), tensors)
        assert_same([x.numpy(force=True) for x in (out, *found)], [row.theirs[0], *row.theirs[1]])
    assert str(row.ours) != str(row.theirs)


def assert_same(found: list[Any], expected: list[Any]) -> None:
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(x), y, rtol=1e-13)


def test_every_gate_is_translated_or_excused() -> None:
    """Say why, or cover it."""
    assert {*CATALOGUE} == {*TRANSLATION, *OWN, *NOT_COVERED}
    assert not NOT_COVERED.keys() & {*TRANSLATION, *OWN}


def test_count(capsys: pytest.CaptureFixture[str]) -> None:
    """At least 1,500 cases of PyTorch's own generators up to second derivatives; what was compared, and what not."""
    results = {gate: run(gate, SAMPLES) for gate in sorted({*TRANSLATION, *OWN})}
    with capsys.disabled():
        print("\n" + report(results))
    assert sum([r.orders[2] for r in results.values()]) >= 1500


def report(results: dict[str, Result]) -> str:
    lines = ["", "Cases compared with PyTorch: up to second derivatives, first ones, values only"]
    for gate, r in results.items():
        own = f"; {r.own} samples of our own" if r.own else ""
        left = f"; numbers replaced: {r.replaced}" if r.replaced else ""
        left += f"; PyTorch's derivative is nan: {r.undefined}" if r.undefined else ""
        entries = ", ".join([f"{name} {n}" for name, n in r.compared.items()])
        lines.append(f"  {gate:20} {r.orders[2]:4} {r.orders[1]:4} {r.orders[0]:4}  {entries}{own}{left}")
    second, first, none = [sum([r.orders[k] for r in results.values()]) for k in (2, 1, 0)]
    own = sum([r.own for r in results.values()])
    lines += [f"  {'in all':20} {second:4} {first:4} {none:4}  from op_db; {own} of our own", ""]
    lines.append("Samples that minigrad can't say")
    lines += [f"  {gate:20} {n:4}  {why}" for gate, r in results.items() for why, n in r.skipped.items()]
    lines += ["", "Looser than 1e-9, or replaced"]
    lines += [f"  {gate:20} {rtol:.0e}  {why}" for gate, (rtol, why) in LOOSER.items()]
    lines += [f"  {name:20}        {row.why}" for name, row in REPLACED.items()]
    lines += ["", "Gates not covered", *[f"  {gate:20}  {why}" for gate, why in NOT_COVERED.items()]]
    return "\n".join(lines if NOT_COVERED else [*lines, "  none"])
