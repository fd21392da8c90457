"""The documentation's generated parts: every gate is in the table, with what its row says and what measuring shows.

The site itself is built and checked by `make docs`.
"""

from __future__ import annotations

import ast
import importlib
import operator
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.gates.registry import COMPOSED, REGISTRY, Call
from minigrad.gates.table import describe_gate, entry, signature

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("api/*.md")])


def part(name):
    """A module of docs/, which is no package of the distribution."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))


kinks, names, pages, differences = [part(f"tables.{name}") for name in ("kinks", "names", "pages", "differences")]
check_site = part("check_site")


# ------------------------------------------------------------------------------------------------------ what a row says
@pytest.mark.parametrize("name", REGISTRY)
def test_every_row_is_read(name):
    gate, row = REGISTRY[name], entry(name)
    assert row.formula.code
    assert bool(row.derivatives) == gate.differentiable
    assert all([rule.code for _, rule in row.derivatives])
    if gate.differentiable and gate.arity is not None:
        assert len(row.derivatives) == gate.arity == len(row.inputs)
    for statement in (row.formula, *[rule for _, rule in row.derivatives]):
        ast.parse(statement.code, mode="eval")
    line = (ROOT / "minigrad" / row.file).read_text().splitlines()[row.line - 1]
    assert "row(" in line or "Gate(" in line
    assert describe_gate(gate).startswith(f"{name}{signature(gate)}: ")


@pytest.mark.parametrize(
    ("name", "formula", "rules"),
    [
        ("multiply", "a * b", {"a": "b", "b": "a"}),
        ("divide", "a / b", {"a": "1 / b", "b": "-out / b"}),
        ("exp", "exp(x)", {"x": "out"}),
        ("sigmoid", "sigmoid(x)", {"x": "out * sigmoid(-x)"}),
        ("deg2rad", "deg2rad(x)", {"x": "pi / 180"}),  # a constant of the module, written out
        ("elu", "where(x > 0, x, alpha * expm1(minimum(x, 0)))", {"x": "elu_pull(g, out, x, alpha)"}),  # a short helper
        ("where", "where(mask, a, b)", {"mask": "none", "a": "mask != 0", "b": "mask == 0"}),
        ("matmul", "a @ b", {"a": "matmul_left(g, out, a, b)", "b": "matmul_right(g, out, a, b)"}),
        ("concatenate", "concatenate(xs)", {"all wires": "cut(g, out, *xs)"}),
    ],
)
def test_formulas(name, formula, rules):
    assert entry(name).formula.code == formula
    assert {wire: rule.code for wire, rule in entry(name).derivatives} == rules


FORMULAS = [
    name
    for name, gate in REGISTRY.items()
    if isinstance(gate.local, tuple) and not gate.plain and isinstance(gate.domain[0], tuple)
    and not isinstance(gate.domain[0], Call) and not any(rule.notes for _, rule in entry(name).derivatives)
]  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_the_printed_derivative_is_the_one_that_runs(name):
    """Evaluated as it stands in the table, it gives the gate's local gradients."""
    gate, row = REGISTRY[name], entry(name)
    inputs = [np.array([low + 0.3 * (high - low), low + 0.6 * (high - low)]) for low, high in gate.domain]
    out = gate(*[mg.Value(x) for x in inputs])
    defaults = {p.name: p.default for p in signature(gate).parameters.values() if p.default is not p.empty}
    numbers = {"out": out.data, **defaults, **dict(zip(row.inputs, inputs, strict=True))}
    for (_, rule), local in zip(row.derivatives, out.local_gradients(), strict=True):
        printed = eval(rule.code, {**vars(np), **REGISTRY}, numbers)
        np.testing.assert_allclose(np.broadcast_to(printed, out.shape), np.broadcast_to(local, out.shape), rtol=1e-14)


def test_most_formulas_are_evaluated():
    assert len(FORMULAS) > 40


def test_a_gate_of_the_user_is_not_in_the_catalogue():
    with pytest.raises(KeyError):
        entry("no_such_gate")


# ------------------------------------------------------------------------------------------------------- the gate table
def test_every_gate_is_in_one_family():
    listed = [name for _, members in pages.families().values() for name in members]
    assert sorted(listed) == sorted([*REGISTRY, *COMPOSED])


def test_every_gate_has_a_row_and_an_entry():
    table, entries = pages.gate_tables(), pages.gate_entries()
    for name in [*REGISTRY, *COMPOSED]:
        assert table.count(f'<tr id="{name}">') == 1
        assert re.search(rf"minigrad\.(gates\.\w+\.)?{name}\b", entries)
    assert "<script" not in table + entries


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", ["x = 0: slopes 0 | 1; minigrad says 0"]),
        ("absolute", ["x = 0: slopes −1 | 1; minigrad says 0"]),
        ("maximum", ["a = b: slopes 0 | 1 by a and by b; minigrad says 0.5"]),
        ("hardtanh", ["x = −1: slopes 0 | 1; minigrad says 0", "x = 1: slopes 1 | 0; minigrad says 0"]),
        ("sqrt", ["x = 0: the end of the domain, slope ∞; minigrad says ∞"]),
        ("floor", ["every whole x: a jump; minigrad says 0"]),
        ("hypot", ["a = b = 0: slopes −1 | 1 by a and by b; minigrad says 0"]),
        ("norm", ["x = [0, 0]: by the first number slopes −1 | 1; minigrad says 0"]),
        (
            "remainder",  # its slope by b depends on the place: the formula stands for it
            [
                "a / b whole: jumps as a moves; minigrad says 1",
                "a / b whole, not 0: jumps as b moves; minigrad says -floor_divide(a, b)",
            ],
        ),
        ("exp", []),
        ("multiply", []),
        ("softmax", []),
    ],
)
def test_kinks_are_found(name, expected):
    assert kinks.kinks(name) == expected


def test_clip_passes_the_gradient_at_its_bounds_and_relu6_does_not():
    assert all(["minigrad says 1" in text for text in kinks.kinks("clip")])
    assert all(["minigrad says 0" in text for text in kinks.kinks("relu6")])


@pytest.mark.parametrize("name", [*REGISTRY, *COMPOSED])
def test_numpy_names(name):
    where = names.numpy_name(name)
    if where.startswith("np."):
        assert callable(eval(where, {"np": np}))


def test_powers():
    rows = {(a, b): (out, by_a, by_b) for a, b, out, by_a, by_b in differences.power_rows()}
    assert rows[0.0, 0.0] == (1.0, 0.0, 0.0)
    assert rows[0.0, 1.0] == (0.0, 1.0, 0.0)
    assert rows[-2.0, 3.0][:2] == (-8.0, 12.0)
    assert np.isnan(rows[-2.0, 3.0][2])


@pytest.mark.parametrize("row", differences.MORE, ids=lambda row: f"{row.gate}{row.inputs}")
def test_our_side_of_the_differences(row):
    value, slopes = differences.ours(row)
    np.testing.assert_allclose([value, *slopes], [row.ours[0], *row.ours[1]], rtol=1e-12)


def test_every_difference_has_a_row():
    assert pages.differences().count("<tr>") == len(differences.DIFFERENCES) + 1
    assert pages.answer("gradient", [np.nan] * 8, [[0.5, -np.inf]]) == "<p>8 × nan</p><p>gradient [0.5, −∞]</p>"


# -------------------------------------------------------------------------------------------------------------- PyTorch
@pytest.mark.oracle
@pytest.mark.parametrize("name", names.TORCH)
def test_torch_names(name):
    torch = pytest.importorskip("torch")
    where = names.torch_name(name)
    if where and not where.startswith("x"):
        assert callable(eval(where, {"torch": torch, "F": torch.nn.functional}))
    assert name in {*REGISTRY, *COMPOSED} or name in ("split", "array_split", "cond"), "the table has no such gate"


@pytest.mark.oracle
def test_pytorch_has_no_name_that_the_table_leaves_out():
    torch = pytest.importorskip("torch")
    spaces = [torch, torch.nn.functional, torch.linalg, torch.special]
    others = {"put", "select", "windows"}  # something else there
    unnamed = {name for name in [*REGISTRY, *COMPOSED] if not names.torch_name(name)} - others
    assert not [name for name in unnamed if any([hasattr(space, name) for space in spaces])]


@pytest.mark.oracle
@pytest.mark.parametrize("row", differences.MORE, ids=lambda row: f"{row.gate}{row.inputs}")
def test_pytorch_answers_as_the_table_says(row):
    """(The other rows are checked by test_opdb.)"""
    torch = pytest.importorskip("torch")
    inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in row.inputs]
    out = operator.attrgetter(row.torch)(torch)(*inputs, **row.params)
    grads = torch.autograd.grad(out.sum(), inputs)
    np.testing.assert_allclose(
        [x.numpy(force=True) for x in (out, *grads)], [row.theirs[0], *row.theirs[1]], rtol=1e-12
    )


# ------------------------------------------------------------------------------------------------------------ the pages
def test_links_between_pages_lead_somewhere():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())]
    assert len(links) > 15
    for page, link in links:
        assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_nothing_comes_from_the_network():
    files = [*PAGES, DOCS / "conf.py", *DOCS.glob("tables/*.py"), *DOCS.glob("_static/*")]
    assert len(files) > 20
    for file in files:
        assert not re.search(r"https?://|cdn|intersphinx|mathjax", file.read_text(), re.IGNORECASE), file


def test_every_placeholder_is_known():
    found = [word for page in PAGES for word in re.findall(r"\{\{ (\w+)[\w. ]* \}\}", page.read_text())]
    assert set(found) == set(pages.GENERATED)


def test_members_of_value_are_its_own():
    members = pages.own_members(mg.Value)
    assert {"data", "backward", "local_gradients", "zero_grad"} <= set(members)
    assert not {"exp", "sum", "T"} & set(members)


def test_the_site_checker_finds_what_is_wrong(tmp_path):
    (tmp_path / "objects.inv").write_bytes(
        b"1\n2\n3\n4\n" + __import__("zlib").compress(b"minigrad.Value py:class 1\n")
    )
    (tmp_path / "a.html").write_text(
        '<p id="here"></p><a href="b.html">lost</a><a href="#there">lost</a><a href="#here">found</a>'
        '<script src="https://far.example/x.js"></script><link rel="stylesheet" href="//far.example/x.css">'
        '<style>@import "https://far.example/y.css";</style><img src="gone.png"><a href="https://far.example">fine</a>'
    )
    (tmp_path / "c.css").write_text("@font-face { src: url(https://far.example/font.woff2) }")
    found = list(check_site.problems(tmp_path))
    assert [text for text in found if "is public" not in text] == [
        "a.html: loads https://far.example/x.js from the network",
        "a.html: loads //far.example/x.css from the network",
        "a.html: loads https://far.example/y.css from the network",
        "a.html: loads gone.png, which isn't there",
        "a.html: the link b.html leads nowhere",
        "a.html: the link #there has no such place on its page",
        "c.css: loads https://far.example/font.woff2 from the network",
    ]
    missing = {text.split()[0] for text in found if "is public" in text}
    assert "minigrad.grad" in missing
    assert "minigrad.Value" not in missing
