"""Every gate that has a row in the export's table: what ONNX's reference evaluator computes is what the gate does."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import export
from minigrad.check.sampling import cases_of
from minigrad.export.functions import FUNCTIONS
from minigrad.export.rows import ROWS
from minigrad.gates import COMPOSED, REGISTRY

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402  behind the check that it is there

WITHOUT = {
    "cholesky", "cofactor", "cofactor_slope", "cumprod", "digamma", "eigh", "erfc", "erfinv", "inv", "lgamma", "pinv",
    "polygamma", "qr", "slogdet", "solve", "svd",
}  # fmt: skip
PARTS = ("put", "select")


def test_every_gate_has_a_row_or_is_known_to_have_none():
    assert set(ROWS) | WITHOUT | {"pick"} == set(REGISTRY) | {"pick"}
    assert not set(ROWS) & WITHOUT
    assert set(FUNCTIONS) <= set(COMPOSED)


def followed(case):
    """A question with one number for an answer is a Python bool or int, which the export refuses."""
    return case.differentiable or np.shape(case.call(*case.sample(np.random.default_rng(0)))) != ()


CASES = [case for name in sorted(ROWS) for case in cases_of(REGISTRY[name]) if followed(case)]


def run(path, inputs):
    return ReferenceEvaluator(onnx.load(path)).run(None, inputs)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_gate_and_its_row_compute_the_same(tmp_path, rng, case, dtype):
    """All wires that carry floats are inputs of the file; the numbers are other than those it was made with."""
    places = [i for i, shape in enumerate(case.shapes) if isinstance(shape, tuple)]

    def draw():
        sample = case.sample(rng)
        return tuple([np.asarray(sample[i], dtype) for i in places])

    def f(*xs):
        inputs = [*case.shapes]
        for i, x in zip(places, xs, strict=True):
            inputs[i] = x
        return case.call(*inputs)

    example, other = draw(), draw()
    export.onnx(f, example, tmp_path / "a.onnx")
    theirs = run(tmp_path / "a.onnx", {f"input_{i}": x for i, x in enumerate(other)})
    ours = f(*map(mg.Value, other))
    ours = ours if isinstance(ours, tuple) else (ours,)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a = np.asarray(a.data if isinstance(a, mg.Value) else a)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        single = dtype == np.float32 or case.name in ("erf", "gelu")  # the evaluator's Erf is one of float32
        digits = 2e-6 if single else 1e-12
        np.testing.assert_allclose(b, a, rtol=digits, atol=digits)
