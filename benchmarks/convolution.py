"""T5: a small convolutional network.  One function per peer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Training

__all__: list[str] = []


def training(problem: Training) -> Any:
    """The training step as a user writes it: X, y -> the loss."""
    from minigrad import nn, optim

    model: Any = network(nn, problem, dtype=problem.dtype)
    for p, number in zip(model.parameters(), problem.parameters(), strict=True):
        p.data = number
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=problem.lr)

    def step(X: Any, y: Any) -> Any:
        loss = criterion(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def network(nn: Any, problem: Training, **options: Any) -> Any:
    """The same layers in minigrad's nn and in PyTorch's."""
    (f1, c1, k1, _), (f2, c2, k2, _), (outs, ins) = [w.shape for w in problem.weights]
    first, second = nn.Conv2d(c1, f1, k1, **options), nn.Conv2d(c2, f2, k2, **options)
    last = [nn.Flatten(), nn.Linear(ins, outs, **options)]
    return nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), *last)


@peer("minigrad", "T5")
def minigrad(problem: Training) -> Step:
    step = training(problem)
    return lambda: float(step(problem.X, problem.y).item())


@peer("minigrad compiled", "T5")
def minigrad_compiled(problem: Training) -> Step:
    import minigrad as mg

    step = mg.compile(training(problem))
    return lambda: float(step(problem.X, problem.y).item())


@peer("PyTorch", "T5")
def torch(problem: Training) -> Step:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    model = network(nn, problem)
    for p, number in zip(model.parameters(), problem.parameters(), strict=True):
        p.data = torch.from_numpy(number)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def step() -> float:
        loss = criterion(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


# ----------------------------------------------------------------------------------------------------- by hand in NumPy
def windows(x: np.ndarray, k: int) -> np.ndarray:
    """im2col: a row per place, with the k x k window of all channels there."""
    parts = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    return parts.reshape(-1, x.shape[1] * k * k)


def pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest number of each 2 x 2 window, and where it is; a last odd row or column is left out."""
    n, c, height, width = x.shape
    whole = x[:, :, : height // 2 * 2, : width // 2 * 2].reshape(n, c, height // 2, 2, width // 2, 2)
    top = whole.max(axis=(3, 5))
    return top, whole == top[:, :, :, None, :, None]


def unpool(g: np.ndarray, won: np.ndarray, shape: Any) -> np.ndarray:
    out = np.zeros(shape, g.dtype)
    inner = won * g[:, :, :, None, :, None]
    out[:, :, : 2 * g.shape[2], : 2 * g.shape[3]] = inner.reshape(*g.shape[:2], 2 * g.shape[2], 2 * g.shape[3])
    return out


@peer("NumPy by hand", "T5")
def numpy_naive(problem: Training) -> Step:
    """im2col and a matrix product per layer, a line per formula."""
    X, y, n = problem.X, problem.y, len(problem.X)
    K1, b1, K2, b2, W, b = params = problem.parameters()
    k = K1.shape[2]

    def convolve(rows: np.ndarray, K: np.ndarray, c: np.ndarray, side: int) -> np.ndarray:
        return (rows @ K.reshape(len(K), -1).T + c).reshape(n, side, side, len(K)).transpose(0, 3, 1, 2)

    def step() -> float:
        rows1 = windows(X, k)
        z1 = convolve(rows1, K1, b1, X.shape[2] - k + 1)
        h1, won1 = pool(np.maximum(z1, 0))
        rows2 = windows(h1, k)
        z2 = convolve(rows2, K2, b2, h1.shape[2] - k + 1)
        h2, won2 = pool(np.maximum(z2, 0))
        scores = h2.reshape(n, -1) @ W.T + b
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean()
        ds = p
        ds[np.arange(n), y] -= 1
        ds /= n
        dz2 = unpool((ds @ W).reshape(h2.shape), won2, z2.shape) * (z2 > 0)
        d2 = dz2.transpose(0, 2, 3, 1).reshape(-1, len(K2))
        drows = (d2 @ K2.reshape(len(K2), -1)).reshape(n, *z2.shape[2:], *K2.shape[1:])
        dh1 = np.zeros_like(h1)
        for i in range(k):  # each number of h1 is in up to nine windows
            for j in range(k):
                dh1[:, :, i : i + z2.shape[2], j : j + z2.shape[3]] += drows[..., i, j].transpose(0, 3, 1, 2)
        dz1 = unpool(dh1, won1, z1.shape) * (z1 > 0)
        d1 = dz1.transpose(0, 2, 3, 1).reshape(-1, len(K1))
        dK1, dK2 = (d1.T @ rows1).reshape(K1.shape), (d2.T @ rows2).reshape(K2.shape)
        grads = [dK1, d1.sum(axis=0), dK2, d2.sum(axis=0), ds.T @ h2.reshape(n, -1), ds.sum(axis=0)]
        for p, g in zip(params, grads, strict=True):
            p -= problem.lr * g
        return float(loss)

    return step


class PooledConvolution:
    """A convolution with ReLU and 2 x 2 max-pool, forward and backward, in buffers made once; the batch comes last.

    Images are (channels, height, width, batch), so that every copy is of whole runs of the batch.  The windows of the
    four places that one pool joins are four slabs of the columns: the pool is a maximum of four contiguous arrays, and
    what it would leave out is never computed.  The ReLU comes after the pool, on a quarter of the numbers.
    """

    def __init__(self, K: np.ndarray, b: np.ndarray, image: tuple[int, ...], learns: bool) -> None:
        (filters, channels, k, _), (_, side, _, n), dtype = K.shape, image, K.dtype
        self.K, self.b, self.k = K.reshape(filters, -1), b[:, None], k
        self.half, self.learns = (side - k + 1) // 2, learns
        places = self.half**2 * n
        self.columns = np.empty((channels, k, k, 4, self.half, self.half, n), dtype)
        self.flat = self.columns.reshape(channels * k * k, 4 * places)
        self.z, self.won = np.empty((filters, 4, places), dtype), np.empty((filters, 4, places), bool)
        self.out, self.down = np.empty((filters, places), dtype), np.empty(image, dtype)
        self.ones = np.ones(places, dtype)
        self.gK, self.gb = np.empty_like(self.K), np.empty(filters, dtype)

    def parts(self, image: np.ndarray) -> Any:
        """The numbers of the image that take place (i, j) of the filter, for each of a pool's four windows."""
        for i in range(self.k):
            for j in range(self.k):
                for phase in range(4):
                    di, dj = i + phase // 2, j + phase % 2
                    numbers = image[:, di : di + 2 * self.half : 2, dj : dj + 2 * self.half : 2]
                    yield numbers, self.columns[:, i, j, phase]

    def forward(self, image: np.ndarray) -> np.ndarray:
        for numbers, columns in self.parts(image):
            np.copyto(columns, numbers)
        np.matmul(self.K, self.flat, out=self.z.reshape(len(self.K), -1))
        out, z = self.out, self.z
        np.maximum(z[:, 0], z[:, 1], out=out)
        np.maximum(out, z[:, 2], out=out)
        np.maximum(out, z[:, 3], out=out)
        np.equal(z, out[:, None], out=self.won)
        np.add(out, self.b, out=out)
        return np.maximum(out, out.dtype.type(0), out=out)

    def backward(self, g: np.ndarray) -> np.ndarray:
        """The gradients of K and b into gK and gb; returns the image's, if `learns` says that something is below."""
        np.multiply(g, np.sign(self.out, out=self.out), out=g)  # the ReLU's slope
        np.matmul(g, self.ones, out=self.gb)
        np.multiply(self.won, g[:, None], out=self.z)
        z = self.z.reshape(len(self.K), -1)
        np.matmul(z, self.flat.T, out=self.gK)
        if self.learns:
            np.matmul(self.K.T, z, out=self.flat)
            self.down.fill(0)
            for numbers, columns in self.parts(self.down):
                np.add(numbers, columns, out=numbers)
        return self.down


@peer("NumPy preallocated", "T5")
def numpy_preallocated(problem: Training) -> Step:
    """The best layout we know: see `PooledConvolution`."""
    X, y, n, lr = problem.X, problem.y, len(problem.X), problem.dtype.type(problem.lr)
    K1, b1, K2, b2, W, b = params = problem.parameters()
    image = np.empty((*X.shape[1:], n), X.dtype)
    one = PooledConvolution(K1, b1, image.shape, learns=False)
    two = PooledConvolution(K2, b2, (len(K1), one.half, one.half, n), learns=True)
    scores, ds, dh = np.empty((len(b), n), X.dtype), np.empty((len(b), n), X.dtype), np.empty_like(two.out)
    row, gW, gb, places = np.empty(n, X.dtype), np.empty_like(W), np.empty_like(b), np.arange(n)
    column, scale = np.ones(n, X.dtype), X.dtype.type(1 / n)
    grads = [one.gK.reshape(K1.shape), one.gb, two.gK.reshape(K2.shape), two.gb, gW, gb]

    def step() -> float:
        np.copyto(image, X.transpose(1, 2, 3, 0))
        h1 = one.forward(image).reshape(two.down.shape)
        h2 = two.forward(h1).reshape(W.shape[1], n)
        np.matmul(W, h2, out=scores)
        np.add(scores, b[:, None], out=scores)
        np.maximum.reduce(scores, axis=0, out=row)
        np.subtract(scores, row, out=scores)
        np.exp(scores, out=ds)
        np.add.reduce(ds, axis=0, out=row)
        np.divide(ds, row, out=ds)
        np.log(row, out=row)
        loss = float(np.add.reduce(row) - np.add.reduce(scores[y, places])) / n
        ds[y, places] -= 1
        np.multiply(ds, scale, out=ds)
        np.matmul(ds, h2.T, out=gW)
        np.matmul(ds, column, out=gb)
        np.matmul(W.T, ds, out=dh.reshape(W.shape[1], n))
        one.backward(two.backward(dh).reshape(one.out.shape))
        for p, g in zip(params, grads, strict=True):
            np.multiply(g, lr, out=g)
            np.subtract(p, g, out=p)
        return loss

    return step


# ------------------------------------------------------------------------------------------------------- other engines
@peer("MyGrad", "T5")
def mygrad(problem: Training) -> Step:
    import mygrad
    from mygrad.nnet.layers import conv_nd, max_pool
    from mygrad.nnet.losses import softmax_crossentropy

    mygrad.turn_memory_guarding_off()
    K1, b1, K2, b2, W, b = params = [mygrad.tensor(p) for p in problem.parameters()]

    def step() -> float:
        h: Any = problem.X
        for K, c in ((K1, b1), (K2, b2)):
            h = mygrad.maximum(conv_nd(h, K, stride=1) + c.reshape(1, -1, 1, 1), 0)
            even = h.shape[2] // 2 * 2  # its windows must fill the image
            h = max_pool(h[:, :, :even, :even], (2, 2), 2)
        loss = softmax_crossentropy(mygrad.matmul(h.reshape(len(problem.X), -1), W.T) + b, problem.y)
        loss.backward()
        for p in params:
            p.data -= problem.lr * p.grad
            p.null_grad()
        return float(loss.item())

    return step


@peer("JAX jit", "T5")
def jax(problem: Training) -> Step:
    import jax
    import jax.numpy as jnp
    from jax import lax

    params = [jnp.asarray(p) for p in problem.parameters()]
    X, y, rows = jnp.asarray(problem.X), jnp.asarray(problem.y), np.arange(len(problem.X))

    def loss_of(params: Any) -> Any:
        *layers, (W, b) = zip(params[::2], params[1::2], strict=True)
        h = X
        for K, c in layers:
            h = jnp.maximum(lax.conv(h, K, (1, 1), "VALID") + c[:, None, None], 0)
            h = lax.reduce_window(h, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        logs = jax.nn.log_softmax(h.reshape(len(rows), -1) @ W.T + b)
        return -jnp.mean(logs[rows, y])

    @jax.jit
    def advance(params: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(params)
        return loss, [p - problem.lr * g for p, g in zip(params, grads, strict=True)]

    def step() -> float:
        nonlocal params
        loss, params = advance(params)
        return float(loss)

    return step
