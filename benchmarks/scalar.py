"""S1, S2 and S3: one number at a time.  One function per peer."""

from __future__ import annotations

import gc
import math
import sys
from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Chain, Graph, Training

__all__: list[str] = []


# ------------------------------------------------------------------------------ S1: micrograd's demo, neuron by neuron
def demo(problem: Training, model: Any, Value: Any, collect: bool = False) -> Step:
    """The training loop of micrograd's demo.ipynb, for any `Value`."""
    X, y = problem.X.tolist(), problem.y.tolist()
    initialise(model, problem)

    def step() -> float:
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + problem.l2 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= problem.lr * p.grad
        if collect:
            del inputs, scores, losses, data_loss
            number, loss = loss.data, None
            gc.collect()
            return float(number)
        return float(loss.data)

    return step


def initialise(model: Any, problem: Training) -> None:
    numbers = [v for W, b in zip(problem.weights, problem.biases, strict=True) for v in np.c_[W, b].ravel().tolist()]
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number


@peer("micrograd", "S1")
def micrograd(problem: Training) -> Step:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return demo(problem, MLP(2, problem.sizes[1:]), Value)


@peer("micrograd, gc off", "S1")
def micrograd_gc_off(problem: Training) -> Step:
    """Python's cyclic collector disabled, and called once after each step."""
    from micrograd.engine import Value
    from micrograd.nn import MLP

    gc.disable()
    return demo(problem, MLP(2, problem.sizes[1:]), Value, collect=True)


@peer("minigrad", "S1")
def minigrad(problem: Training) -> Step:
    """micrograd's own user code."""
    from minigrad import Value

    from .micrograd_nn import MLP

    return demo(problem, MLP(2, problem.sizes[1:]), Value)


@peer("minigrad compiled", "S1")
def minigrad_compiled(problem: Training) -> Step:
    """The same neurons, recorded once: the batch is an argument, and the optimiser is called for the update."""
    import minigrad as mg

    from .micrograd_nn import MLP

    model = MLP(2, problem.sizes[1:])
    initialise(model, problem)
    optimizer = mg.optim.SGD(model.parameters(), lr=problem.lr)

    def train(X: Any, y: Any) -> Any:
        scores = list(map(model, X))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + problem.l2 * sum(p * p for p in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = mg.compile(train)
    return lambda: float(step(problem.X, problem.y).item())


@peer("minigrad, n-ary neuron", "S1")
def minigrad_neuron(problem: Training) -> Step:
    """The same network and loop, but a neuron is one gate: w·x + b, and one of our own with the ReLU in it."""
    import minigrad as mg

    from .micrograd_nn import MLP, Neuron

    def forward(*wires: float) -> float:
        return max(0.0, mg.neuron.forward(*wires))

    def local(out: float, *wires: float) -> tuple[float, ...]:
        return mg.neuron.local(out, *wires) if out > 0 else (False,) * len(wires)

    relu_neuron = mg.Gate("relu_neuron", forward, scalar=forward, local=local)

    class OneGate(Neuron):
        def __call__(self, x: Any) -> Any:
            return (relu_neuron if self.nonlin else mg.neuron)([*self.w, *x, self.b])

    model = MLP(2, problem.sizes[1:])
    for neuron in [neuron for layer in model.layers for neuron in layer.neurons]:
        neuron.__class__ = OneGate
    return demo(problem, model, mg.Value)


@peer("Python lists by hand", "S1")
def python_lists(problem: Training) -> Step:
    """No engine: loops over lists of floats, the backward pass written out.  What CPython can do."""
    X, y, n = problem.X.tolist(), problem.y.tolist(), len(problem.y)
    weights = [W.tolist() for W in problem.weights]
    biases = [b.tolist() for b in problem.biases]
    last = len(weights) - 1

    def step() -> float:
        gw = [[[2.0 * problem.l2 * w for w in row] for row in W] for W in weights]
        gb = [[2.0 * problem.l2 * c for c in b] for b in biases]
        squares = [w * w for W in weights for row in W for w in row] + [c * c for b in biases for c in b]
        loss = problem.l2 * sum(squares)
        for h, yi in zip(X, y, strict=True):
            inputs = []
            for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
                inputs.append(h)
                h = [sum([w * v for w, v in zip(row, h, strict=True)], c) for row, c in zip(W, b, strict=True)]
                if k < last:
                    h = [v if v > 0.0 else 0.0 for v in h]
            margin = 1.0 - yi * h[0]
            if margin <= 0.0:
                continue
            loss += margin / n
            upstream = [-yi / n]
            for k in range(last, -1, -1):
                h = inputs[k]
                down = [0.0] * len(h)
                for j, g in enumerate(upstream):
                    if g:
                        gb[k][j] += g
                        gw[k][j] = [d + g * v for d, v in zip(gw[k][j], h, strict=True)]
                        down = [d + g * w for d, w in zip(down, weights[k][j], strict=True)]
                upstream = [d if v > 0.0 else 0.0 for d, v in zip(down, h, strict=True)]
        for k in range(last + 1):
            weights[k] = [moved(row, slopes) for row, slopes in zip(weights[k], gw[k], strict=True)]
            biases[k] = moved(biases[k], gb[k])
        return float(loss)

    def moved(numbers: list[float], slopes: list[float]) -> list[float]:
        return [v - problem.lr * d for v, d in zip(numbers, slopes, strict=True)]

    return step


# --------------------------------------------------------------------------------------------- S2: 100,000 gates deep
def tanh_chain(problem: Chain, Value: Any, collect: bool = False) -> Step:
    """For engines with operators, `.tanh()`, `.backward()` and `.grad`."""
    x, a, b = problem.x, problem.a, problem.b

    def step() -> float:
        nonlocal x, a, b
        v = vx = Value(x)
        va, vb = Value(a), Value(b)
        for _ in range(problem.turns):
            v = (v * va + vb).tanh()
        v.backward()
        x, a, b = [p.data - problem.lr * p.grad for p in (vx, va, vb)]
        out = float(v.data)
        if collect:
            del v, vx, va, vb
            gc.collect()
        return out

    return step


def micrograd_with_tanh() -> Any:
    """micrograd's `Value` with the tanh of its author's lecture, and room for its recursive backward."""
    from micrograd.engine import Value

    def tanh(self: Any) -> Any:
        out = Value(math.tanh(self.data), (self,), "tanh")

        def _backward() -> None:
            self.grad += (1 - out.data * out.data) * out.grad

        out._backward = _backward
        return out

    Value.tanh = tanh
    sys.setrecursionlimit(10**6)
    return Value


@peer("micrograd", "S2")
def micrograd_chain(problem: Chain) -> Step:
    return tanh_chain(problem, micrograd_with_tanh())


@peer("micrograd, gc off", "S2")
def micrograd_chain_gc_off(problem: Chain) -> Step:
    gc.disable()
    return tanh_chain(problem, micrograd_with_tanh(), collect=True)


@peer("minigrad", "S2")
def minigrad_chain(problem: Chain) -> Step:
    from minigrad import Value

    return tanh_chain(problem, Value)


@peer("minigrad compiled", "S2")
def minigrad_compiled_chain(problem: Chain) -> Step:
    """A chain has no two gates of the same level: straight-line Python."""
    import minigrad as mg
    from minigrad import Value

    x, a, b = Value(problem.x), Value(problem.a), Value(problem.b)
    optimizer = mg.optim.SGD([x, a, b], lr=problem.lr)

    def train() -> Any:
        v = x
        for _ in range(problem.turns):
            v = (v * a + b).tanh()
        optimizer.zero_grad()
        v.backward()
        optimizer.step()
        return v

    step = mg.compile(train)
    return lambda: float(step().item())


@peer("Python floats by hand", "S2")
def python_floats(problem: Chain) -> Step:
    x, a, b = problem.x, problem.a, problem.b

    def step() -> float:
        nonlocal x, a, b
        v, outs = x, [x]
        for _ in range(problem.turns):
            v = math.tanh(v * a + b)
            outs.append(v)
        g, da, db = 1.0, 0.0, 0.0
        for k in range(problem.turns, 0, -1):
            out = outs[k]
            g *= 1.0 - out * out
            da += g * outs[k - 1]
            db += g
            g *= a
        x, a, b = x - problem.lr * g, a - problem.lr * da, b - problem.lr * db
        return v

    return step


@peer("PyTorch", "S2")
def torch_chain(problem: Chain) -> Step:
    import torch

    torch.set_num_threads(1)
    x, a, b = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (problem.x, problem.a, problem.b)]
    optimizer = torch.optim.SGD([x, a, b], lr=problem.lr)

    def step() -> float:
        v = x
        for _ in range(problem.turns):
            v = (v * a + b).tanh()
        optimizer.zero_grad()
        v.backward()
        optimizer.step()
        return v.item()

    return step


@peer("MyGrad", "S2")
def mygrad_chain(problem: Chain) -> Step:
    import mygrad

    mygrad.turn_memory_guarding_off()
    x, a, b = problem.x, problem.a, problem.b

    def step() -> float:
        nonlocal x, a, b
        v = vx = mygrad.tensor(x)
        va, vb = mygrad.tensor(a), mygrad.tensor(b)
        for _ in range(problem.turns):
            v = mygrad.tanh(v * va + vb)
        v.backward()
        x, a, b = [float(p.data - problem.lr * p.grad) for p in (vx, va, vb)]
        return v.item()

    return step


@peer("autograd", "S2")
def autograd_chain(problem: Chain) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    p = (problem.x, problem.a, problem.b)

    def last(p: Any) -> Any:
        v, a, b = p
        for _ in range(problem.turns):
            v = anp.tanh(v * a + b)
        return v

    differentiate = value_and_grad(last)

    def step() -> float:
        nonlocal p
        out, grads = differentiate(p)
        p = tuple(v - problem.lr * g for v, g in zip(p, grads, strict=True))
        return float(out)

    return step


# ------------------------------------------------------------------------------------- S3: 10,000 gates, no two alike
MADE: dict[str, Any] = {  # of values with operators, `.exp()`, `.tanh()` and `.relu()`
    "mean": lambda a, b: (a + b) * 0.5,
    "product": lambda a, b: a * b,
    "maximum": lambda a, b: b + (a - b).relu(),
    "quotient": lambda a, b: a / (b * b + 1.0),
    "square": lambda a, b: a**2,
    "exp": lambda a, b: (a - 1.0).exp(),
    "tanh": lambda a, b: a.tanh(),
    "relu": lambda a, b: a.relu(),
}


def run_through(problem: Graph, x: list[Any]) -> Any:
    """The sum of the ends."""
    values = list(x)
    for kind, i, j in problem.plan:
        values.append(MADE[kind](values[i], values[j]))
    return sum([values[i] for i in problem.ends])


def irregular_graph(problem: Graph, Value: Any) -> Step:
    """For engines with operators, `.backward()` and `.grad`."""
    x = problem.x

    def step() -> float:
        nonlocal x
        leaves = [Value(number) for number in x]
        out = run_through(problem, leaves)
        out.backward()
        x = [p.data - problem.lr * p.grad for p in leaves]
        return float(out.data)

    return step


@peer("micrograd", "S3")
def micrograd_irregular(problem: Graph) -> Step:
    Value = micrograd_with_tanh()

    def exp(self: Any) -> Any:
        out = Value(math.exp(self.data), (self,), "exp")

        def _backward() -> None:
            self.grad += out.data * out.grad

        out._backward = _backward
        return out

    Value.exp = exp
    return irregular_graph(problem, Value)


@peer("minigrad", "S3")
def minigrad_irregular(problem: Graph) -> Step:
    from minigrad import Value

    return irregular_graph(problem, Value)


@peer("minigrad compiled", "S3")
def minigrad_compiled_irregular(problem: Graph) -> Step:
    import minigrad as mg
    from minigrad import Value

    x = [Value(number) for number in problem.x]
    optimizer = mg.optim.SGD(x, lr=problem.lr)

    def train() -> Any:
        out = run_through(problem, x)
        optimizer.zero_grad()
        out.backward()
        optimizer.step()
        return out

    step = mg.compile(train)
    return lambda: float(step().item())


def with_slopes(kind: str, a: float, b: float) -> tuple[float, float, float]:
    """A result and its two local gradients."""
    if kind == "mean":
        return (a + b) * 0.5, 0.5, 0.5
    if kind == "product":
        return a * b, b, a
    if kind == "maximum":
        return (a, 1.0, 0.0) if a > b else (b, 0.0, 1.0)
    if kind == "quotient":
        c = 1.0 / (b * b + 1.0)
        return a * c, c, -2.0 * a * b * c * c
    if kind == "square":
        return a * a, 2.0 * a, 0.0
    if kind == "exp":
        out = math.exp(a - 1.0)
        return out, out, 0.0
    if kind == "tanh":
        out = math.tanh(a)
        return out, 1.0 - out * out, 0.0
    return (a, 1.0, 0.0) if a > 0.0 else (0.0, 0.0, 0.0)


@peer("Python floats by hand", "S3")
def python_irregular(problem: Graph) -> Step:
    x = problem.x

    def step() -> float:
        nonlocal x
        values, slopes = list(x), []
        for kind, i, j in problem.plan:
            out, da, db = with_slopes(kind, values[i], values[j])
            values.append(out)
            slopes.append((da, db))
        grads = [0.0] * len(values)
        for i in problem.ends:
            grads[i] += 1.0
        for k in range(len(slopes) - 1, -1, -1):
            (_, i, j), (da, db), g = problem.plan[k], slopes[k], grads[k + len(x)]
            grads[i] += g * da
            grads[j] += g * db
        x = [v - problem.lr * d for v, d in zip(x, grads, strict=False)]
        return float(sum([values[i] for i in problem.ends]))

    return step
