"""Circuits: what is drawn is what the engine computed, wire by wire, and the same text on every run."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, ShapeError
from minigrad.viz.circuit import trace
from minigrad.viz.drawing import draw
from minigrad.viz.svg import draw_svg

ROOT = Path(mg.__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing: Any, svg: bytes | None = None) -> dict[str, list[str]]:
    """What each node and each edge of the picture says, by its id: [name,] value, gradient; local and contribution."""
    found = {}
    for group in ET.fromstring(svg or drawing.pipe(format="svg")).iter(f"{SVG}g"):
        lines = [(t.text or "").replace("\xa0", " ").strip() for t in group.findall(f"{SVG}text")]
        found[group.attrib["id"]] = [line for line in lines if line]
    return found


def wire_numbers(lines: list[str]) -> tuple[float, float]:
    """(local, contribution) of a wire's text `local -4 → -4`."""
    local, contribution = " ".join(lines).removeprefix("local ").split(" → ")
    return float(local), float(contribution)


def leaf(number: Any, label: str = "") -> mg.Value:
    return mg.Value(number, label=label)


def sum_times_z() -> mg.Value:
    x, y, z = leaf(-2.0, "x"), leaf(5.0, "y"), leaf(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return f


def sigmoid_neuron() -> mg.Value:
    w0, w1, w2, x0, x1 = leaf(2.0, "w0"), leaf(-3.0, "w1"), leaf(-3.0, "w2"), leaf(-1.0, "x0"), leaf(-2.0, "x1")
    return 1.0 / (1.0 + mg.exp((w0 * x0 + w1 * x1 + w2) * -1.0))


def staged() -> mg.Value:
    x, y = leaf(3.0, "x"), leaf(-4.0, "y")
    return (x + y.sigmoid()) / (x.sigmoid() + (x + y) ** 2)


def patterns() -> mg.Value:
    x, y, z, w = leaf(3.0, "x"), leaf(-4.0, "y"), leaf(2.0, "z"), leaf(-1.0, "w")
    return (x * y + mg.maximum(z, w)) * 2.0


# ------------------------------------------------------------------------------------ the circuits of the CS231n notes
@pytest.mark.parametrize(
    ("circuit", "result", "gradients"),
    [
        (lambda: leaf(4.0, "x") * leaf(-3.0, "y"), -12.0, {"x": -3.0, "y": 4.0}),
        (sum_times_z, -12.0, {"x": -4.0, "y": -4.0, "z": 3.0, "q": -4.0, "f": 1.0}),
        (
            sigmoid_neuron,
            0.7310585786300049,
            {
                "w0": -0.19661193324148185, "w1": -0.3932238664829637, "w2": 0.19661193324148185,
                "x0": 0.3932238664829637, "x1": -0.5898357997244456,
            },
        ),
        (staged, 1.545644884106644, {"x": 2.059569795572165, "y": 1.592232751483809}),
        (patterns, -20.0, {"x": -8.0, "y": 6.0, "z": 2.0, "w": 0.0}),
    ],
    ids=["xy", "(x+y)z", "neuron", "staged", "patterns"],
)  # fmt: skip
def test_cs231n_circuits_show_the_numbers_of_the_notes(
    circuit: Any, result: float, gradients: dict[str, float]
) -> None:
    f = circuit()
    f.backward()
    nodes = trace(f).nodes
    drawn = texts(draw(f))
    assert float(drawn[nodes[-1].id][-2]) == pytest.approx(result, rel=1e-3)
    by_name = {lines[0]: lines for key, lines in drawn.items() if key[0] == "v" and len(lines) == 3}
    assert by_name.keys() == {node.label for node in nodes if node.label} == gradients.keys()
    for name, gradient in gradients.items():
        assert float(by_name[name][2]) == pytest.approx(gradient, rel=1e-3), name


def test_the_chain_of_the_neuron_shows_the_notes_intermediate_gradients() -> None:
    """CS231n: 1.00, -0.53, -0.53, -0.20, 0.20 from the output back to the dot product."""
    f = sigmoid_neuron()
    f.backward()
    drawn = texts(draw(f, digits=2))
    chain, v = [], f
    circuit = trace(f)
    ids = {id(node.data): node.id for node in circuit.nodes}
    while len(chain) < 5:
        chain.append(drawn[ids[id(v.data)]][-1])
        v = next(x for x in v.inputs if isinstance(x, mg.Value))
    assert chain == ["1", "-0.53", "-0.53", "-0.2", "0.2"]


def test_multiply_swaps_and_add_distributes_on_the_wires() -> None:
    f = sum_times_z()
    f.backward()
    drawn = texts(draw(f))
    said = [" ".join(" ".join(drawn[f"e{i}"]).split()) for i in range(4)]
    assert said == ["local 1 → -4", "local 1 → -4", "local -4 → -4", "local 3 → 3"]


# ------------------------------------------------------------------------------------------------ every wire, any graph
def random_graph(seed: int) -> mg.Value:
    """A scalar graph with fan-out, constants and gates of one and two wires."""
    rng = np.random.default_rng(seed)
    values = [leaf(float(rng.uniform(0.5, 2.0)), f"x{i}") for i in range(4)]
    for _ in range(12):
        a, b = (values[i] for i in rng.integers(len(values), size=2))
        c = float(rng.uniform(0.5, 2.0))
        makers = [a + b, a * b, a - b, a / (b * b + c), a.tanh(), (a * 0.1).exp(), mg.maximum(a, b), c - a, a.relu()]
        values.append(makers[rng.integers(len(makers))])
    total = values[-1]
    for v in values[4:-1]:
        total = total + v
    return total


@pytest.mark.parametrize("seed", range(6))
def test_every_wire_shows_its_gates_slope_and_upstream_times_it(seed: int) -> None:
    """Slopes against finite differences of the gate's forward rule; contributions add up to their value's gradient."""
    f = random_graph(seed)
    f.backward()
    circuit, drawn = trace(f), texts(draw(f, digits=17))
    nodes = {node.id: node for node in circuit.nodes}
    total = dict.fromkeys(nodes, 0.0)
    for target in circuit.nodes:
        wires = [wire for wire in circuit.wires if wire.target == target.id]
        numbers = [float(nodes[wire.source].data) for wire in wires]
        for i, wire in enumerate(wires):
            if nodes[wire.source].constant:
                assert drawn[wire.id] == []
                continue
            local, contribution = wire_numbers(drawn[wire.id])
            step = np.zeros(len(wires))
            step[i] = 1e-6
            gate = mg.REGISTRY[str(target.gate)].forward
            slope = (gate(*(numbers + step)) - gate(*(numbers - step))) / 2e-6
            assert local == pytest.approx(slope, rel=1e-6, abs=1e-8)
            assert contribution == float(target.grad) * local
            total[wire.source] += contribution
    for node in circuit.nodes[:-1]:
        if not node.constant:
            assert total[node.id] == pytest.approx(node.grad, rel=1e-12, abs=1e-15)
            assert [float(t) for t in drawn[node.id][-2:]] == [node.data, node.grad]


@pytest.mark.parametrize("seed", range(3))
def test_every_wire_ends_at_its_own_value_and_gate(seed: int) -> None:
    """Right numbers on wrong wires pass every test of numbers: so look where the lines go."""
    f = random_graph(seed)
    f.backward()
    groups = {g.attrib["id"]: g for g in ET.fromstring(draw(f).pipe()).iter(f"{SVG}g")}

    def points(element: ET.Element, tag: str, attribute: str) -> np.ndarray:
        found = [p for e in element.findall(f"{SVG}{tag}") for p in re.findall(r"-?[\d.]+", e.attrib[attribute])]
        return np.array(found, dtype=float).reshape(-1, 2)

    for wire in trace(f).wires:
        path = points(groups[wire.id], "path", "d")
        rule = points(groups[wire.source], "polyline", "points")
        (circle,) = groups["g" + wire.target[1:]].findall(f"{SVG}ellipse")
        center = np.array([float(circle.attrib["cx"]), float(circle.attrib["cy"])])
        assert np.abs(path[0] - rule[rule[:, 0].argmax()]).max() < 2.0  # it continues the piece of wire of its value
        assert np.linalg.norm(path[-1] - center) < float(circle.attrib["rx"]) + 12.0  # and an arrowhead closes the gap


def test_a_plus_a_has_two_wires() -> None:
    a = leaf(3.0, "a")
    f = a + a
    f.backward()
    assert [(w.source, w.target, w.local, w.contribution) for w in trace(f).wires] == [("v0", "v1", 1.0, 1.0)] * 2
    drawn = texts(draw(f))
    assert drawn["v0"] == ["a", "3", "2"]
    assert [wire_numbers(drawn[e]) for e in ("e0", "e1")] == [(1.0, 1.0)] * 2


def test_equal_numbers_stay_different_values() -> None:
    f = leaf(1.0, "a") * leaf(1.0, "b")
    assert [node.label for node in trace(f).nodes] == ["a", "b", ""]


def test_before_backward_gradients_are_absent_and_not_zero() -> None:
    drawn = texts(draw(sum_times_z()))
    assert drawn["v0"] == ["x", "-2", "no gradient yet"]
    assert drawn["e2"] == ["local -4"]


def test_a_gradient_of_zero_is_a_zero() -> None:
    x = leaf(-1.0, "x")
    x.relu().backward()
    assert texts(draw(x))["v0"] == ["x", "-1", "0"]


def test_a_gradient_of_another_pass_is_marked() -> None:
    """A training loop that draws before backward(), two backward passes, an optimiser's step."""
    x = leaf(2.0, "x")
    f = x * x
    f.backward()
    g = x * 3.0
    assert texts(draw(g))["v0"] == ["x", "2", "4 (stale)"]
    g.backward()
    assert texts(draw(g))["v0"] == ["x", "2", "7 (accumulated)"]
    assert texts(draw(f))["v0"] == ["x", "2", "7 (accumulated)"]
    x.data = 5.0
    assert texts(draw(f))["v0"] == ["x", "5 (changed since)", "7 (accumulated)"]
    y = leaf(2.0, "y")
    q = y * 2.0
    q.label = "q"
    (q * 3.0 + q).backward()
    (drawn,) = [lines for lines in texts(draw(q * 5.0)).values() if lines[:1] == ["q"]]
    assert drawn == ["q", "4", "4 (stale)"]
    h = q * 5.0
    h.backward()
    (q * 3.0).backward()
    (drawn,) = [lines for lines in texts(draw(h)).values() if lines[:1] == ["q"]]
    assert drawn == ["q", "4", "3 (from elsewhere, too)"]


def test_a_weight_that_an_optimiser_has_moved_is_marked() -> None:
    model = mg.nn.Linear(3, 1, rng=0)
    loss = model(np.ones((4, 3))).mean()
    loss.backward()
    assert "changed since" not in draw(loss, model=model).source
    mg.optim.SGD(model.parameters(), lr=0.1).step()
    assert draw(loss, model=model).source.count("changed since") == 2


def test_constants_are_dimmed_and_carry_no_gradient() -> None:
    frozen = mg.Value(5.0, label="frozen", requires_grad=False)
    f = leaf(3.0, "x") * 2.0 + frozen
    f.backward()
    circuit = trace(f)
    assert [(n.data, n.constant) for n in circuit.nodes] == [
        (3.0, False),
        (2.0, True),
        (6.0, False),
        (5.0, True),
        (11.0, False),
    ]
    drawing = draw(f)
    drawn = texts(drawing)
    assert drawn["v1"] == ["2"]
    assert drawn["v3"] == ["frozen", "5"]
    assert drawn["e1"] == drawn["e3"] == []
    assert [line.split()[0] for line in drawing.source.splitlines() if "dashed" in line] == ["v1", "v3"]


def test_infinite_and_undefined_numbers_are_shown() -> None:
    f = leaf(0.0, "x").log() * leaf(-0.0, "y")
    f.backward()
    drawn = texts(draw(f))
    assert drawn["v0"] == ["x", "0", "nan"]  # -0 times infinity
    assert drawn["v1"] == ["-inf", "-0"]
    assert drawn["v2"] == ["y", "-0", "-inf"]


def test_a_closed_wire_sends_0_even_when_upstream_is_infinite() -> None:
    x = leaf(-1.0, "x")
    f = x.relu() * math.inf
    f.backward()
    drawn = texts(draw(f))
    assert (drawn["v0"], wire_numbers(drawn["e0"])) == (["x", "-1", "0"], (0.0, 0.0))
    y = leaf(2.0, "y")
    f = (y * 0.0) * math.inf  # a factor of 0 is not a closed wire
    f.backward()
    assert math.isnan(y.grad)
    assert texts(draw(f))["v0"] == ["y", "2", "nan"]
    assert math.isnan(wire_numbers(texts(draw(f))["e0"])[1])


# --------------------------------------------------------------------------------------------------------------- arrays
def test_arrays_show_shapes_and_norms() -> None:
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(5, 3)), leaf(rng.normal(size=(3, 4)), "W")
    b = leaf(np.zeros(4), "b")
    h = (mg.Value(X, label="X", requires_grad=False) @ W + b).relu()
    (h * h).mean().backward()
    drawn = texts(draw(h))
    by_name = {lines[0]: lines for lines in drawn.values() if len(lines) > 1}
    assert by_name["W"] == ["W", "(3, 4)", f"norm {np.linalg.norm(W.grad):.4g}"]
    assert by_name["X"] == ["X", "(5, 3)"]
    wires = trace(h).wires
    product, bias = [w for w in wires if w.target == wires[-1].source]
    assert bias.contribution.shape == (4,)  # summed over the rows to which b was broadcast
    np.testing.assert_allclose(bias.contribution, b.grad)
    assert drawn[bias.id] == ["local 1 →", f"norm {np.linalg.norm(b.grad):.4g}"]
    np.testing.assert_allclose(product.contribution, h.grad * (h.data > 0))
    assert drawn[wires[0].id] == []  # X is a constant; and a matrix product mixes elements: no local number
    assert drawn[wires[1].id] == ["→", f"(3, 4) norm {np.linalg.norm(W.grad):.4g}"]
    assert drawn[wires[-1].id][0] == "local (5, 4) →"


def test_small_arrays_show_their_numbers() -> None:
    x = leaf(np.array([1.0, -2.0, 0.5]), "x")
    (x * x).sum().backward()
    assert texts(draw(x))["v0"] == ["x", "(3,) [1, -2, 0.5]", "[2, -4, 1]"]


@pytest.mark.parametrize("shape", [(0,), (1,), (1, 1), (2, 3, 4)])
def test_arrays_of_any_shape_can_be_drawn(shape: tuple[int, ...]) -> None:
    x = leaf(np.ones(shape), "x")
    y = x.tanh() * np.ones(shape)
    y.sum().backward()
    assert texts(draw(y))["v0"][1].startswith(str(shape))


def test_float32_and_masks() -> None:
    x = leaf(np.float32(0.1) * np.ones(3, np.float32), "x")
    y = mg.where(np.array([True, False, True]), x, 0.0).sum()
    y.backward()
    (drawn,) = [lines for lines in texts(draw(y)).values() if lines[:1] == ["x"]]
    assert drawn == ["x", "(3,) [0.1, 0.1, 0.1]", "[1, 0, 1]"]


@pytest.mark.parametrize("name", ["neuron", "concatenate", "stack", "linear", "logsumexp", "clip"])
def test_gates_with_any_number_of_wires(name: str) -> None:
    a, b = leaf(np.ones((2, 2)), "a"), leaf(np.ones((2, 2)), "b")
    v = {
        "neuron": lambda: mg.neuron([leaf(1.0), leaf(2.0), leaf(3.0)]),
        "concatenate": lambda: mg.concatenate([a, b, a]),
        "stack": lambda: mg.stack([a, b]),
        "linear": lambda: mg.linear(a, b, leaf(np.ones(2))),
        "logsumexp": lambda: a.logsumexp(axis=1),
        "clip": lambda: a.clip(0.0, 1.0),
    }[name]()
    v.backward(np.ones(v.shape))
    circuit, drawn = trace(v), texts(draw(v))
    assert len(circuit.wires) == len(v.inputs)
    said = {"logsumexp": ["axis=1"], "clip": ["a_min=0, a_max=1"]}
    assert drawn["g" + circuit.nodes[-1].id[1:]] == [v.gate.symbol, *said.get(name, [])]


def test_a_gate_says_what_it_was_called_with() -> None:
    x = leaf(np.arange(12.0).reshape(3, 4), "x")
    for v, said in [
        (x.sum(axis=0), "axis=0"), (x.sum(), ""), (x.mean(axis=(0, 1), keepdims=True), "axis=(0, 1), keepdims=True"),
        (x[1:, ::2], "index=(1:, ::2)"), (x[np.array([0, 2])], "index=[0, 2]"), (x.reshape((2, 6)), "dims=(2, 6)"),
        (x.astype(np.float32), "dtype=float32"), (x.T, ""), (x * 2.0, ""), (mg.stack([x, x], axis=1), "axis=1"),
    ]:  # fmt: skip
        node = trace(v).nodes[-1]
        assert node.given == said
        assert texts(draw(v))[f"g{node.id[1:]}"] == [v.gate.symbol, *[said] * bool(said)]
    rule = mg.Gate("rule", lambda x, *, how, text: x, vjp=lambda g, out, x, *, how, text: (g,))
    v = rule(leaf(1.0), how=lambda: 1, text="<b>&\n" + "x" * 90)  # functions have an address, which differs
    given = trace(v).nodes[-1].given
    assert "how" not in given
    assert texts(draw(v))["g1"][1] == visible(given)


# ----------------------------------------------------------------------------------------- large graphs, and the limits
def test_a_diamond_of_2_to_the_60_paths() -> None:
    x = leaf(1.0, "x")
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    circuit = trace(y)
    assert (len(circuit.nodes), len(circuit.wires)) == (61, 120)
    assert texts(draw(y, digits=17))["v0"] == ["x", "1", f"{2.0**60:.17g}"]


def test_a_deep_chain_needs_no_recursion() -> None:
    y = x = leaf(1.0, "x")
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert len(trace(y).nodes) == 40_001
    source = draw(y, max_nodes=50_000).source
    assert source.count("local 1") == 20_000
    assert x.grad == 1.0


def test_a_graph_too_large_is_drawn_in_part_and_says_so() -> None:
    y = leaf(1.0, "x")
    for i in range(2_500):  # in the order of Thue and Morse, in which nothing comes three times in a row
        y = y + 1.0 if i.bit_count() % 2 else y - -1.0
    y.backward()
    drawing = draw(y)
    assert len(drawing.circuit.nodes) <= 400
    said = texts(drawing)
    assert said["graph0"] == [
        "The 399 values nearest to the result, of 5,001. … marks where it goes on; a larger max_nodes shows more."
    ]
    (first,) = [node for node in drawing.circuit.nodes if node.cut]
    assert said[first.id] == ["…", f"{first.data:.0f}", "1"]
    assert first.data == y.data - len(drawing.circuit.wires) / 2
    assert not [node for node in drawing.circuit.nodes if node.marks]
    whole = draw(y, max_nodes=5_001)
    assert (len(whole.circuit.nodes), whole.circuit.note) == (5_001, "")


def test_a_very_large_graph_is_not_walked_to_its_end() -> None:
    y = leaf(1.0, "x")
    for _ in range(120_000):
        y = y + y
    assert "of more than 100,000." in draw(y).circuit.note
    del y


@pytest.mark.parametrize(
    "many", [lambda: mg.stack([leaf(1.0) for _ in range(9)]), lambda: mg.stack([leaf(1.0)] + [1.0] * 8)]
)
def test_the_limit_counts_values_and_constants(many: Any) -> None:
    v = many()
    assert len(trace(v, 10).nodes) == 10
    circuit = trace(v, 9)
    assert [node.cut for node in circuit.nodes] == [True]
    assert circuit.note.startswith("The one value nearest to the result, of 10.")


def test_drawing_a_leaf_and_a_result_without_a_graph() -> None:
    assert texts(draw(leaf(2.0, "x")))["v0"] == ["x", "2", "no gradient yet"]
    with mg.no_grad():
        y = leaf(2.0) * 3.0
    assert texts(draw(y))["v0"] == ["6"]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(DtypeError, match="expected a Value, got float"):
        draw(3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'UP' is not one of LR, RL, TB, BT"):
        draw(leaf(1.0), direction="UP")


def test_drawing_changes_nothing() -> None:
    f = sum_times_z()
    f.backward()
    before = [(v.data, v.grad) for v in (f, *f.inputs)]
    draw(f).pipe()
    assert [(v.data, v.grad) for v in (f, *f.inputs)] == before


@pytest.mark.parametrize(
    ("digits", "error", "text"),
    [(-1, ShapeError, "draw: digits=-1; it is at least 1"), ("x", DtypeError, "digits='x' is not a whole")],
)
def test_digits_are_a_whole_number(digits: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        draw(mg.Value(1.0), digits=digits)


# ---------------------------------------------------------------------------------------------------------- determinism
@pytest.mark.parametrize("kind", ["gv", "svg"])
@pytest.mark.parametrize("stem", ["sum_times_z", "neuron", "model"])
def test_the_text_is_the_golden_one(stem: str, kind: str) -> None:
    """Also read by people: if you change the drawing on purpose, look at the picture, then write the new text here.

    The SVGs are laid out without any program; those of Graphviz are in docs/pictures.
    """
    model = mg.nn.Sequential(mg.nn.Linear(2, 4, rng=0), mg.nn.ReLU()) if stem == "model" else None
    if model is not None:
        for p in model.parameters():
            p.data = np.linspace(-1.0, 1.0, p.size).reshape(p.shape)
        f = model(np.array([[1.0, 2.0], [3.0, -4.0]])).sum()
    else:
        f = sum_times_z() if stem == "sum_times_z" else sigmoid_neuron()
    f.backward()
    drawing = draw(f, model=model, theme="print" if stem == "model" else "light", health=model is not None)
    text = drawing.source if kind == "gv" else draw_svg(drawing.circuit, drawing.style).decode()
    assert text == (GOLDEN / f"{stem}.{kind}").read_text(encoding="utf-8")


def test_text_and_picture_are_the_same_in_another_process_with_other_hashes() -> None:
    code = """if True:
        import sys; from test_viz import draw, random_graph
        f = random_graph(3); f.backward()
        sys.stdout.buffer.write(draw(f).source.encode() + draw(f).pipe(format="svg"))"""
    path = os.pathsep.join(map(str, [Path(__file__).parent, ROOT]))
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True, check=True, cwd=Path(__file__).parent,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    f = random_graph(3)
    f.backward()
    assert runs[0] == runs[1] == draw(f).source.encode() + draw(f).pipe(format="svg")


@pytest.mark.parametrize("direction", ["LR", "RL", "TB", "BT"])
def test_all_directions_say_the_same(direction: str) -> None:
    f = staged()
    f.backward()
    assert texts(draw(f, direction=direction)) == texts(draw(f))


# ----------------------------------------------------------------------------------------------------- labels are input
HOSTILE = [
    "<b>bold</b>", "<script>alert(1)</script>", '<<TABLE HREF="javascript:alert(1)"><TR><TD>x</TD></TR></TABLE>>',
    "<a & b>", "&lt;&amp;&#60;", "\"quotes\" and 'quotes'", "back\\slash", "\\N \\G \\E \\T \\H \\L", "ends in \\",
    "\\\\\\", "{a|b}", "|", "<port> x", "a:b", "a:b:ne", "line\nbreak\r\nand\ttab", "nul\x00inside",
    "\x01\x02\x1b[31m", "\ud800", "\ufffe\uffff", "right\u202eto left", "zero\u200bwidth", "   ", "", "x" * 20_000,
    "ünï çødé 数 Ω 🙂", "javascript:alert(1)", "https://example.org/", "'; DROP TABLE", "-->", "]]>", "<!-- -->",
    "%s %d {0}", "node [shape=box]; }", "=cmd()", "x -> y", "\u2028\u2029", "+", "label=<x>",
]  # fmt: skip
ELEMENTS = {SVG + tag for tag in ("svg", "g", "title", "text", "path", "polygon", "polyline", "ellipse")}


def visible(label: str) -> str:
    """What must be read in the picture: one line, without characters that nobody can see."""
    line = " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in label).split())
    return line if len(line) <= 40 else line[:39] + "…"


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label)[:25])
@pytest.mark.parametrize("alone", [False, True], ids=["graphviz", "own"])
def test_hostile_labels_are_shown_as_text(label: str, alone: bool) -> None:
    x = leaf(2.0, label)
    f = x * x
    f.label = label
    f.backward()
    drawing = draw(f)
    assert max(map(len, drawing.source.splitlines())) < 16_000  # older Graphviz stops at 16 kB
    svg = draw_svg(drawing.circuit, drawing.style) if alone else drawing.pipe(format="svg")
    root = ET.fromstring(svg)
    assert {element.tag for element in root.iter()} == ELEMENTS
    for element in root.iter():
        assert not [a for a in element.attrib if a.endswith("href") or a.startswith("on") or a == "style"]
    drawn = texts(drawing, svg)
    assert {k for k in drawn if k[0] in "vgwe"} - {"graph0"} == {"v0", "v1", "g1", "w1", "e0", "e1"}
    name = [visible(label)] if visible(label) else []
    assert drawn["v0"] == [*name, "2", "4"]
    assert drawn["v1"] == [*name, "4", "1"]


def test_a_gates_symbol_is_input_too() -> None:
    for symbol in HOSTILE:
        gate = mg.Gate("hostile", lambda x: 2.0 * x, local=[2.0], symbol=symbol or " ")
        drawing = draw(gate(leaf(1.0)))
        for svg in (drawing.pipe(format="svg"), draw_svg(drawing.circuit, drawing.style)):
            assert texts(drawing, svg)["g1"] == [visible(symbol) or "?"]


def test_random_labels_are_shown_as_text() -> None:
    rng = np.random.default_rng(1)
    pool = [chr(c) for c in range(256)] * 4 + list("\\<>&;\"'{}|[]:#NGELTH") * 10 + ["�", "→", "数"]
    labels = ["".join(rng.choice(pool, size=rng.integers(1, 30))) for _ in range(80)]
    drawn = texts(draw(mg.stack([leaf(1.0, label) for label in labels])))
    for i, label in enumerate(labels):
        assert drawn[f"v{i}"] == ([visible(label)] if visible(label) else []) + ["1", "no gradient yet"]


def test_colours_have_six_digits_and_fonts_are_single() -> None:
    """Older Graphviz paints #eee black, and measures a list of fonts as if it were Times."""
    f = staged()
    f.backward()
    source = draw(f).source
    assert set(re.findall(r"#[0-9a-zA-Z]+", source)) == set(re.findall(r"#[0-9a-f]{6}\b", source))
    assert set(re.findall(r"fontname=(\S+?)[\s\]]", source)) == {"Verdana"}


def test_import_minigrad_imports_no_graphviz_and_no_matplotlib() -> None:
    code = "import sys, minigrad.viz; sys.exit(any(m in sys.modules for m in ('graphviz', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, check=False).returncode == 0


def test_viz_names() -> None:
    from minigrad import viz

    assert viz.draw is draw
    assert all(callable(getattr(viz, name)) for name in viz.__all__)
    with pytest.raises(AttributeError, match="no attribute 'drow'"):
        viz.drow  # noqa: B018
