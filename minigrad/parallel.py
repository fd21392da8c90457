"""Data-parallel training: every process computes the gradient of its own rows of a batch, and all step by the mean.

    ranks = parallel.DataParallel(model)  # from here on all processes have the weights of rank 0
    for X, y in ranks.shard(loader):  # this process's rows of each batch
        optimizer.zero_grad()
        loss(model(X), y).backward()
        ranks.average_gradients()
        optimizer.step()

`mpiexec -n 2 python script.py` runs two processes that take the steps of one; `python script.py` is one, by the same
code.  Where the loss is a mean over rows, the mean of the ranks' gradients, weighted by rows, is the batch's gradient.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np

from .convert import describe
from .errors import DtypeError, GradientError, MissingExtraError, ShapeError
from .nn import Module
from .value import Value

__all__ = ["Alone", "DataParallel", "Shard", "world"]

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")  # how many processes a launcher has started


class Alone:
    """The communicator of a single process: what `DataParallel` asks of mpi4py's, where there is nobody to talk to."""

    rank, size = 0, 1

    def bcast(self, x: Any, root: int = 0) -> Any:
        return x

    def allgather(self, x: Any) -> list[Any]:
        return [x]

    def Allreduce(self, mine: np.ndarray, total: np.ndarray) -> None:
        total[...] = mine


def world() -> Any:
    """mpi4py's communicator of all processes, or `Alone()` where there is no MPI.

    Raises `MissingExtraError` where a launcher has started several processes that can't see each other: each would
    train alone, on everything, and nobody would notice.

    >>> world().size
    1
    """
    started = max([int(os.environ.get(name) or 1) for name in LAUNCHED])
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, but no MPI library
        if started > 1:
            raise MissingExtraError(
                f"{started} processes were started, and mpi4py can't be used ({error}). They need "
                'pip install "minigrad-engine[mpi]" and an MPI: the machine\'s own, or pip install mpich.'
            ) from error
        return Alone()
    if started > MPI.COMM_WORLD.size == 1:
        raise MissingExtraError(
            f"{started} processes were started, but MPI sees only one: the launcher is not that of mpi4py's library "
            f"({MPI.Get_library_version().splitlines()[0]:.60}). Use the mpiexec beside it; with Slurm, srun "
            "--mpi=pmi2 or --mpi=pmix."
        )
    return MPI.COMM_WORLD


class DataParallel:
    """Lets the processes of `comm` train one model: equal weights at the start, the mean gradient at every step.

    `model` is a Module or a list of Values.  On construction all processes take over rank 0's parameters and buffers.
    `comm` is an mpi4py communicator; by default all processes that mpiexec started, or this one alone.
    Raises `ShapeError` on all ranks where the models differ in names, shapes, dtypes, or in what is frozen.  An
    exception that nobody catches, on one rank, ends all of them: the others would wait for it forever.

    >>> from minigrad import nn, optim
    >>> model = nn.Linear(2, 1, rng=0)
    >>> ranks, sgd = DataParallel(model), optim.SGD(model.parameters(), lr=0.1)
    >>> for X, y in ranks.shard([(np.ones((4, 2)), np.zeros((4, 1)))]):
    ...     nn.MSELoss()(model(X), y).backward()
    ...     ranks.average_gradients()
    ...     sgd.step()
    >>> ranks.rank, ranks.size
    (0, 1)
    """

    def __init__(self, model: Module | Iterable[Value], comm: Any = None) -> None:
        self.comm = world() if comm is None else comm
        self.rank, self.size = self.comm.rank, self.comm.size
        self.share = 1.0 / self.size  # of the current batch's rows
        self.last = False  # is it the epoch's last?
        self.rows = 0  # of this epoch, on this rank
        self.pressed = False  # Ctrl-C, since the last step ...
        self.handler: Any = signal.default_int_handler  # ... which this will be told
        if self.size > 1:
            end_together(self.comm)
        self.model = model if isinstance(model, Module) else None
        self.names, self.params = named(model)
        state = [] if self.model is None else [(k, a.shape, str(a.dtype)) for k, a in self.model.state_dict().items()]
        params = zip(self.names, self.params, strict=True)
        self.agree("the model", state + [(k, p.shape, f"{p.dtype}, learns: {p.requires_grad}") for k, p in params])
        dtypes = sorted({p.dtype for p in self.params}, key=str)
        self.buffers = [Buffer([p for p in self.params if p.dtype == dtype]) for dtype in dtypes]
        if self.size > 1:
            self.share_state()

    def shard(self, loader: Any) -> Shard:
        """This rank's rows of each batch of `loader`; see `Shard`."""
        return Shard(self, loader)

    def average_gradients(self, parameters: Iterable[Value] | None = None) -> None:
        """Replace each gradient by its mean over the ranks, weighted by rows; one Allreduce (per dtype).

        Call it between `backward()` and what needs the whole batch's gradient: clipping, and `optimizer.step()`.  A
        parameter without a gradient on some ranks counts as zeros there; without one on all it keeps None.  A nan on
        one rank is a nan on all.  To accumulate the gradients of several batches, call it after every backward.
        After an epoch's last batch all ranks also take over rank 0's buffers, so that they measure the same.
        `parameters`, which `train.fit(clip=...)` passes, must be among the model's: `GradientError` otherwise.
        """
        known = {id(p) for p in self.params} if parameters is not None else set()
        for i, p in enumerate(parameters or ()):
            if id(p) not in known:
                raise GradientError(
                    f"average_gradients: {p.label or f'parameter {i}'} {p.shape} is none of the model's that "
                    "DataParallel was given: every rank would train it by its own rows."
                )
        pressed = self.pressed
        pressed = any([buffer.average(self.comm, self.share, pressed) for buffer in self.buffers])
        if self.last:
            self.share_buffers()
        if pressed:
            self.pressed = False
            self.handler(signal.SIGINT, None)

    def average(self, x: float) -> float:
        """The mean of a number, such as a loss, over the ranks, weighted by the current batch's rows; the same on all.

        Decide by such numbers when training ends: a rank that stops alone leaves the others waiting.
        """
        return float(sum([share * y for share, y in self.comm.allgather((self.share, float(x)))]))

    def average_record(self, record: dict[str, Any]) -> None:
        """Replace the numbers of an epoch by their means over the ranks: the first of `train.fit`'s callbacks.

        >>> record = {"epoch": 1, "loss": 0.5}
        >>> DataParallel([Value([1.0])]).average_record(record)
        >>> record
        {'epoch': 1, 'loss': 0.5}
        """
        everyone = self.comm.allgather((self.rows or 1, record))
        total = sum([rows for rows, _ in everyone])
        for name in [name for name in record if all([name in theirs for _, theirs in everyone])]:
            if isinstance(record[name], float):
                record[name] = sum([rows * theirs[name] for rows, theirs in everyone]) / total

    # ----------------------------------------------------------------------------------------------- what keeps in step
    def agree(self, what: str, mine: Any) -> None:
        """Raise `ShapeError`, on all ranks, where `mine` is not the same on all."""
        everyone = self.comm.allgather(mine)
        for rank, theirs in enumerate(everyone):
            if theirs != everyone[0]:
                pairs = zip(everyone[0], theirs, strict=False)
                first, other = next(((a, b) for a, b in pairs if a != b), (len(everyone[0]), len(theirs)))
                raise ShapeError(
                    f"DataParallel: {what} of rank {rank} is not that of rank 0: {other} instead of {first}. All ranks "
                    "run the same script: is there a random number without a fixed rng=, or a branch on the rank?"
                )

    def share_state(self) -> None:
        """Rank 0's parameters and buffers for all."""
        if self.model is not None:
            self.model.load_state_dict(self.comm.bcast(self.model.state_dict()))
        else:
            for p, data in zip(self.params, self.comm.bcast([p.data for p in self.params]), strict=True):
                p.data = data

    def share_buffers(self) -> None:
        """Rank 0's buffers (running statistics) for all."""
        if self.model is None or self.size == 1:
            return
        names = {name for name, _ in self.model.named_buffers()}
        if names:
            saved = {name: a for name, a in self.model.state_dict().items() if name in names}
            self.model.load_state_dict(self.comm.bcast(saved), strict=False)

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """While an epoch lasts, Ctrl-C waits for the next step, and then reaches all ranks in that same step."""
        main = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT)
        if self.size == 1 or not main or not callable(handler):
            yield
            return
        self.handler = handler

        def note(number: int, frame: Any) -> None:
            if self.pressed:  # again: at once, as without us
                signal.default_int_handler(number, frame)
            self.pressed = True

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) is note:  # train.fit may have put its own back already
                signal.signal(signal.SIGINT, handler)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """What is done in this block prints on rank 0 only: progress, mostly."""
        if self.rank == 0:
            yield
            return
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield

    def __repr__(self) -> str:
        return f"DataParallel(rank {self.rank} of {self.size}, {len(self.params)} parameters)"


class Shard:
    """This rank's rows of every batch of a loader: put together, the ranks have the loader's batches, in order.

    Of n rows, rank r of R has those from ⌊n r / R⌋ to ⌊n (r + 1) / R⌋.  In a batch of fewer rows than ranks, a rank
    without a row computes the first one, and its gradient counts nothing (though a record of `train.fit` counts it).
    A shuffling loader deals on all ranks in the order of rank 0's generator, and augments the same.
    Raises `ShapeError`, on all ranks, where the loaders' lengths or data differ.

    >>> batches = DataParallel([Value([1.0])]).shard([(np.arange(4), np.arange(4))])
    >>> [X.tolist() for X, y in batches], len(batches)
    ([[0, 1, 2, 3]], 1)
    """

    def __init__(self, ranks: DataParallel, loader: Any) -> None:
        if not (hasattr(loader, "__iter__") and hasattr(loader, "__len__")) or isinstance(loader, np.ndarray):
            raise DtypeError(f"shard: {describe(loader)} deals no batches: pass data.DataLoader(X, y, ...).")
        self.ranks, self.loader = ranks, loader
        self.rng = getattr(loader, "rng", None)  # by this name train's checkpoints find it
        arrays = [(k, a) for k, a in vars(loader).items() if isinstance(a, np.ndarray)] if hasattr(loader, "X") else []
        sums = [(k, a.shape, str(a.dtype), f"checksum {zlib.crc32(np.ascontiguousarray(a).data):x}") for k, a in arrays]
        ranks.agree("the data", [f"{len(loader)} batches", *sums])

    def __len__(self) -> int:
        """How many batches an epoch has: as many as the loader's."""
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        ranks = self.ranks
        self.follow_rank_0()
        ranks.rows = 0
        with ranks.interrupts():
            for i, (X, y) in enumerate(self.loader, start=1):
                start, stop = len(X) * ranks.rank // ranks.size, len(X) * (ranks.rank + 1) // ranks.size
                ranks.share, ranks.last = (stop - start) / len(X), i == len(self)
                mine = slice(start, stop) if stop > start else slice(0, 1)
                ranks.rows += mine.stop - mine.start
                yield X[mine], y[mine]

    def follow_rank_0(self) -> None:
        """The order of an epoch is drawn from the same state on all ranks."""
        if isinstance(self.rng, np.random.Generator):
            self.rng.bit_generator.state = self.ranks.comm.bcast(self.rng.bit_generator.state)
        elif isinstance(self.rng, np.random.RandomState):
            self.rng.set_state(self.ranks.comm.bcast(self.rng.get_state()))


class Buffer:
    """The gradients of one dtype side by side; behind them a 1 for each that is there, and one for Ctrl-C."""

    def __init__(self, params: list[Value]) -> None:
        self.params = params
        ends = np.cumsum([0, *[p.size for p in params]]).tolist()
        self.slices = [slice(start, end) for start, end in pairwise(ends)]
        self.mine = np.zeros(ends[-1] + len(params) + 1, params[0].dtype)
        self.there = slice(ends[-1], -1)

    def average(self, comm: Any, share: float, pressed: bool) -> bool:
        """Each gradient becomes the sum of share · gradient over the ranks; returns whether Ctrl-C was pressed."""
        for i, (p, where) in enumerate(zip(self.params, self.slices, strict=True)):
            name = p.label or f"parameter {i}"
            if p.dtype != self.mine.dtype or p.size != where.stop - where.start:
                raise ShapeError(
                    f"DataParallel: {name} has changed and is {describe(p.data)}: make a new DataParallel."
                )
            if p.grad is None:
                self.mine[where] = 0.0
            elif np.shape(p.grad) != p.shape:
                raise ShapeError(f"DataParallel: {name} has shape {p.shape}, its grad {np.shape(p.grad)}.")
            else:
                np.multiply(np.reshape(p.grad, -1), share, out=self.mine[where])
        self.mine[self.there] = [p.grad is not None for p in self.params]
        self.mine[-1] = pressed
        total = np.empty_like(self.mine)  # new each time: the gradients are views of it
        comm.Allreduce(self.mine, total)
        for p, where, there in zip(self.params, self.slices, total[self.there], strict=True):
            if there:
                p.grad = total[where].item() if isinstance(p.data, float) else total[where].reshape(p.shape)
        return bool(total[-1])


def named(model: Module | Iterable[Value]) -> tuple[list[str], list[Value]]:
    """Names and parameters of a module, or of a list of leaves."""
    if isinstance(model, Module):
        pairs = list(model.named_parameters())
        return [name for name, _ in pairs], [p for _, p in pairs]
    if isinstance(model, (Value, type)) or not isinstance(model, Iterable):
        raise DtypeError(f"DataParallel: {model!r:.60} is not a Module, nor a list of Values.")
    params = list(model)
    for i, p in enumerate(params):
        if not isinstance(p, Value) or p.gate is not None:
            raise DtypeError(f"DataParallel: parameter {i} is {describe(p)}; parameters are Values that no gate made.")
    return [p.label or f"parameter {i}" for i, p in enumerate(params)], params


def end_together(comm: Any) -> None:
    """From now on an exception that nobody catches ends all ranks, with its traceback on stderr."""
    if getattr(sys.excepthook, "ends_all_ranks", False):
        return

    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, where))
        print(f"rank {comm.rank} of {comm.size} failed, and all ranks end:\n{text}", file=sys.stderr, flush=True)
        code = 130 if issubclass(kind, KeyboardInterrupt) else 1
        last = threading.Timer(5.0, os._exit, [code])  # should Abort itself hang
        last.daemon = True
        last.start()
        time.sleep(0.5 if comm.rank == 0 else 1.0)  # mpiexec drops what it has not read by then; one aborts, not all
        comm.Abort(code)

    hook.ends_all_ranks = True  # type: ignore[attr-defined]
    sys.excepthook = hook
