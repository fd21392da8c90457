"""Five circuits of the CS231n notes: the numbers forward, the gradients backward, and the picture.

Source: CS231n, "Backpropagation, Intuitions".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..gates import exp, maximum, sigmoid
from ..value import Value
from ..viz import draw
from .page import Section, Table

__all__ = ["CIRCUITS", "draw_circuits"]

Circuit = tuple[Value, list[Value]]  # the output, and the inputs whose gradients the notes give


def product() -> Circuit:
    x, y = Value(4.0, label="x"), Value(-3.0, label="y")
    f = x * y
    f.label = "f"
    return f, [x, y]


def sum_times() -> Circuit:
    x, y, z = Value(-2.0, label="x"), Value(5.0, label="y"), Value(-4.0, label="z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return f, [x, y, z]


def patterns() -> Circuit:
    x, y, z, w = [Value(number, label=name) for name, number in zip("xyzw", (3.0, -4.0, 2.0, -1.0), strict=True)]
    f = (x * y + maximum(z, w)) * 2.0
    f.label = "f"
    return f, [x, y, z, w]


def sigmoid_neuron() -> Circuit:
    w0, x0, w1, x1, w2 = [
        Value(number, label=name)
        for name, number in zip(["w0", "x0", "w1", "x1", "w2"], (2.0, -1.0, -3.0, -2.0, -3.0), strict=True)
    ]
    dot = w0 * x0 + w1 * x1 + w2
    f = 1.0 / (1.0 + exp(dot * -1.0))
    f.label = "f"
    return f, [w0, x0, w1, x1, w2]


def staged() -> Circuit:
    x, y = Value(3.0, label="x"), Value(-4.0, label="y")
    numerator = x + sigmoid(y)
    denominator = sigmoid(x) + (x + y) ** 2
    numerator.label, denominator.label = "num", "den"
    f = numerator / denominator
    f.label = "f"
    return f, [x, y]


CIRCUITS: list[tuple[str, Any, str, list[float]]] = [  # name, circuit, what to see, the notes' f and gradients
    ("f = x y", product, "A product: each input's local gradient is the other input.", [-12.0, -3.0, 4.0]),
    (
        "f = (x + y) z", sum_times, "The chain rule: the sum passes on what it receives, upstream times 1.",
        [-12.0, -4.0, -4.0, 3.0],
    ),
    (
        "f = 2 (x y + max(z, w))", patterns,
        "Patterns in the flow: a sum distributes, a maximum routes, a product swaps.", [-20.0, -8.0, 6.0, 2.0, 0.0],
    ),
    (
        "f = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2)))", sigmoid_neuron,
        "A sigmoid neuron taken apart into the simplest gates.",
        [0.7310585786300049, -0.19661193324148185, 0.3932238664829637, -0.3932238664829637, -0.5898357997244456,
         0.19661193324148185],
    ),
    (
        "f = (x + σ(y)) / (σ(x) + (x + y)²)", staged,
        "x and y are used more than once: the gradients of their wires add up.",
        [1.545644884106644, 2.059569795572165, 1.592232751483809],
    ),
]  # fmt: skip


def draw_circuits(folder: Path, quick: bool = False) -> Section:
    """Compute each circuit, compare with the notes, draw it to `circuit-1.svg` to `circuit-5.svg`."""
    section = Section(
        "Five circuits",
        "The circuits of the CS231n notes on backpropagation. Above a wire its value, below it the gradient of f; at a "
        "gate, the local gradient of each input and what it sends back: upstream times local.",
    )
    rows = []
    for number, (name, circuit, remark, notes) in enumerate(CIRCUITS, start=1):
        f, inputs = circuit()
        f.backward()
        file = f"circuit-{number}.svg"
        direction = "LR" if number <= 3 else "TB"  # the long ones run downwards, to fit a page
        draw(f, direction=direction).render(outfile=folder / file, cleanup=True)
        section.parts.append((file, f"{name}. {remark}"))
        ours = [f.data, *[x.grad for x in inputs]]
        for what, mine, theirs in zip(["f", *[f"df/d{x.label}" for x in inputs]], ours, notes, strict=True):
            same = "yes" if abs(mine - theirs) <= 1e-12 * abs(theirs) else "NO"
            rows.append([f"{number}: {what}", f"{mine:.10g}", f"{theirs:.10g}", same])
    section.parts.append(Table(["circuit", "minigrad", "the notes", "equal"], rows))
    return section
