"""Draw the pictures of the gallery and of the README, and write their page, gallery.md: make docs-gallery

Each function below is a picture: its docstring is the title and the text beneath, its lines are the code on the page.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import nn, optim, viz
from minigrad.viz.writers import WRITERS

HERE = Path(__file__).parent
PICTURES: dict[Callable[[], Any], str] = {}  # and the kind of file that is shown


def picture(function: Callable[[], Any], kind: str = "svg") -> Callable[[], Any]:
    PICTURES[function] = kind
    return function


@picture
def circuit():
    """A circuit

    Above each wire its value, below it the gradient. Into a gate goes the gate's local gradient, and out of it upstream
    times local: `*` swaps its inputs, `+` passes on what it is given.
    """
    x, y, z = mg.Value(-2.0, label="x"), mg.Value(5.0, label="y"), mg.Value(-4.0, label="z")
    q = x + y
    f = q * z
    q.label, f.label = "q", "f"
    f.backward()
    return viz.draw(f)


@picture
def neuron():
    """A neuron, gate by gate

    The sigmoid 1 / (1 + exp(−s)) of a weighted sum, taken apart. Constants are grey: no gradient goes there.
    """
    w0, x0 = mg.Value(2.0, "w0"), mg.Value(-1.0, "x0")
    w1, x1 = mg.Value(-3.0, "w1"), mg.Value(-2.0, "x1")
    s = w0 * x0 + w1 * x1 - 3.0
    out = 1 / (1 + mg.exp(-s))
    s.label, out.label = "s", "out"
    out.backward()
    return viz.draw(out)


@picture
def fan_out():
    """A value that is used several times

    `a` has four wires, two of them into one gate, and its gradient is the sum of what comes back along them.
    """
    a = mg.Value(3.0, "a")
    f = (a + a) * a - a
    f.backward()
    return viz.draw(f)


@picture
def hinge():
    """The hinge loss of a support vector machine

    Two points, one inside the margin and one safely beyond it. max(0, 1 − y·s) is closed for the second: it sends
    nothing back, and the weight learns from the first alone.
    """
    w, b = mg.Value(0.5, "w"), mg.Value(0.1, "b")
    inside = mg.maximum(0.0, 1 - 1.0 * (w * 1.5 + b))
    beyond = mg.maximum(0.0, 1 + 1.0 * (w * -4.0 + b))
    loss = inside + beyond
    inside.label, beyond.label, loss.label = "inside", "beyond", "loss"
    loss.backward()
    return viz.draw(loss)


@picture
def dead_relu():
    """A dead unit and a saturated one

    `health=True` shades each gate by the size of the gradient that arrives there, and names those that let little or
    nothing through. The weights before them hardly learn.
    """
    x = mg.Value(2.0, "x", requires_grad=False)
    dead = (mg.Value(-1.5, "w1") * x).relu()
    full = (mg.Value(2.5, "w2") * x).tanh()
    well = (mg.Value(0.3, "w3") * x).tanh()
    out = dead + full + well
    out.backward()
    return viz.draw(out, health=True)


@picture
def mlp():
    """A small network, opened

    `model=` frames the modules and names the parameters. Arrays are shape and a small picture, the darker the further
    from zero; negative cells have a frame. `linear` and `mean` mix elements: they send back an array, told by its norm.
    """
    model = nn.MLP([3, 4, 1], rng=0)
    X = mg.Value(np.random.default_rng(0).normal(size=(6, 3)), "X", requires_grad=False)
    loss = (model(X) ** 2).mean()
    loss.label = "loss"
    loss.backward()
    return viz.draw(loss, model=model)


@picture
def mlp_closed():
    """The same network, closed

    `depth=2` draws the layers as a box each, `depth=0` the whole model. What goes in and what comes out, and their
    gradients, are the same numbers as before.
    """
    model = nn.MLP([3, 4, 1], rng=0)
    X = mg.Value(np.random.default_rng(0).normal(size=(6, 3)), "X", requires_grad=False)
    loss = (model(X) ** 2).mean()
    loss.label = "loss"
    loss.backward()
    return viz.draw(loss, model=model, depth=2)


@picture
def batch_norm():
    """Batch normalisation, downwards

    The batch's own mean and variance are computed from it, so that gradients come back along three ways: straight,
    through the mean, through the variance. `direction="TB"` draws from top to bottom.
    """
    x = mg.Value(np.array([1.0, 2.0, 6.0]), "x")
    gamma = mg.Value(2.0, "gamma")
    centred = x - x.mean()
    out = gamma * centred / ((centred**2).mean() + 1e-5).sqrt()
    centred.label, out.label = "centred", "out"
    out.backward(np.array([1.0, 0.0, 0.0]))
    return viz.draw(out, direction="TB")


@picture
def convolution():
    """What a convolution sees

    An image of eight by eight with a stroke, through a convolution and a pool. Below each value is its gradient: where
    the score would grow with more ink (red), or with less (blue, framed).
    """
    model = nn.Sequential(nn.Conv2d(1, 1, 3, rng=4), nn.ReLU(), nn.MaxPool2d(2))
    image = mg.Value(np.eye(8).reshape(1, 1, 8, 8) + 0.5 * np.eye(8, k=1), "image")
    score = model(image).sum()
    score.label = "score"
    score.backward()
    return viz.draw(score, model=model, depth=1, direction="TB")


@picture
def blocks():
    """Twelve blocks alike

    A row of equal boxes is one box, × 12: their number is told, and so is what each has inside.
    """

    class Block(nn.Module):
        def __init__(self, n, seed):
            self.fc, self.norm = nn.Linear(n, n, rng=seed), nn.LayerNorm(n)

        def forward(self, x):
            return x + self.norm(self.fc(x).relu())

    model = nn.Sequential(*[Block(4, seed) for seed in range(12)], nn.Linear(4, 1, rng=0))
    X = mg.Value(np.random.default_rng(0).normal(size=(5, 4)), "X")
    loss = (model(X) ** 2).mean()
    loss.label = "loss"
    loss.backward()
    return viz.draw(loss, model=model, depth=1)


@picture
def loop():
    """A loop, without a model

    Rows of equal parts are found in the graph itself, when it has more than `max_nodes` values. The picture says what
    was closed, and how to open it.
    """
    rng = np.random.default_rng(0)
    y = mg.Value(rng.normal(size=4), "x")
    for _ in range(40):
        y = y + 0.1 * mg.tanh(mg.Value(rng.normal(size=(4, 4))) @ y)
    out = (y**2).sum()
    out.label = "out"
    out.backward()
    return viz.draw(out, max_nodes=50)


@picture
def hessian():
    """A row of the Hessian

    A gradient is computed by gates, and so it is a graph, too: here df/dx = 2xy of f = x²y. A backward pass through it
    gives the second derivatives, 2y under `x` and 2x under `y`.
    """
    x, y = mg.Value(3.0, "x"), mg.Value(5.0, "y")
    slope = mg.grad(lambda x: x * x * y)(x)
    slope.label = "df/dx"
    slope.backward()
    return viz.draw(slope)


@picture
def stale():
    """Gradients that are not what they seem

    After a second pass the leaves hold the sum of both; the optimiser has moved `w` since; `fresh` has not been walked
    back from yet, and that is not a gradient of zero.
    """
    x, w = mg.Value(3.0, "x", requires_grad=False), nn.Parameter(2.0, "w")
    error = w * x - 1.0
    loss = error**2
    loss.backward()
    loss.backward()
    optim.SGD([w], lr=0.01).step()
    fresh = loss * 1.0
    error.label, loss.label, fresh.label = "error", "loss", "fresh"
    return viz.draw(fresh)


@picture
def dark():
    """On a dark page"""
    x, y = mg.Value(3.0, "x"), mg.Value(-4.0, "y")
    f = (x + mg.sigmoid(y)) / (mg.sigmoid(x) + (x + y) ** 2)
    f.backward()
    return viz.draw(f, theme="dark")


@picture
def printed():
    """For a printer

    Without colours: which number is a gradient can be told by its place.
    """
    model = nn.Sequential(nn.Linear(3, 2, rng=1), nn.Tanh())
    X = mg.Value(np.random.default_rng(1).normal(size=(4, 3)), "X", requires_grad=False)
    loss = model(X).mean()
    loss.backward()
    return viz.draw(loss, model=model, theme="print", health=True)


@partial(picture, kind="mmd")
def mermaid():
    """As Mermaid text

    `export("f.mmd")` writes what GitHub, GitLab and many wikis draw themselves.
    """
    a = mg.Value(3.0, "a")
    f = a * a + a
    f.backward()
    return viz.draw(f)


@partial(picture, kind="txt")
def text():
    """As a table

    `export("f.txt")` has a line for each value, `export("f.html")` a page with picture and table, `export("f.json")`
    all numbers.
    """
    x, y, z = mg.Value(-2.0, label="x"), mg.Value(5.0, label="y"), mg.Value(-4.0, label="z")
    f = (x + y) * z
    f.backward()
    return viz.draw(f)


# ------------------------------------------------------------------------------------------------------ the page
INTRO = """# Gallery

What [`viz.draw`](drawing.md) draws, each picture with the lines that made it.

% written by docs/gallery.py: make docs-gallery
"""


def files() -> dict[str, bytes]:
    """The page and its pictures, by their path in docs/."""
    made, page = {}, [INTRO]
    for function, kind in PICTURES.items():
        title, _, said = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
        drawing = function()
        page += [f"## {title}\n", *[f"{said}\n"] * bool(said), f"```python\n{code_of(function, kind)}\n```\n"]
        if kind == "svg":
            name = f"pictures/{function.__name__}.svg"
            made[name] = drawing.picture("svg")
            page.append(f"![{title}]({name})\n")
        else:
            page.append(f"```text\n{WRITERS[kind](drawing.circuit, drawing.style.digits).rstrip()}\n```\n")
    made["gallery.md"] = "\n".join(page).encode()
    return made


def code_of(function: Callable[[], Any], kind: str) -> str:
    """The lines of a picture, after its docstring."""
    body = inspect.getsource(function).split('"""')[2]
    *lines, last = textwrap.dedent(body.strip("\n")).rstrip().splitlines()
    exported = "" if kind == "svg" else f'.export("f.{kind}")'
    return "\n".join([*lines, last.removeprefix("return ") + exported])


if __name__ == "__main__":
    (HERE / "pictures").mkdir(exist_ok=True)
    for name, content in files().items():
        (HERE / name).write_bytes(content)
