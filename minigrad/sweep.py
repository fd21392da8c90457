"""Try many settings: a function is called once per configuration, by joblib, and the results make a table.

    def train_one(lr, hidden, rng):
        ...
        return {"accuracy": 0.97}

    records = sweep.run(train_one, sweep.grid(lr=[0.1, 0.01], hidden=[16, 64]), n_jobs=4)

Where it runs is joblib's business: processes on this machine, or a cluster's, by `joblib.parallel_config(backend=...)`.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np

from . import random
from .errors import DtypeError, MissingExtraError

__all__ = ["grid", "run"]

Record = dict[str, Any]


def grid(**settings: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of the settings, the last one varying fastest; `DtypeError` for a setting without a list.

    >>> grid(lr=[0.1, 0.01], hidden=[16, 64])
    [{'lr': 0.1, 'hidden': 16}, {'lr': 0.1, 'hidden': 64}, {'lr': 0.01, 'hidden': 16}, {'lr': 0.01, 'hidden': 64}]
    """
    for name, values in settings.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise DtypeError(f"grid: {name}={values!r:.60} is no list of values to try: write {name}=[{values!r:.60}].")
    return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


def run(
    function: Callable[..., Any],
    configurations: Iterable[dict[str, Any]],
    *,
    rng: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
    **options: Any,
) -> list[Record]:
    """The results of `function(**configuration, rng=generator)`, a record per configuration, in order.

    A record holds the configuration, what the function returned (its entries if it is a dict, otherwise as "result"),
    "seconds", and "error": None, or what was raised, and then "traceback" says where; the others run on.  A warning
    counts the failed.  Ctrl-C, or a worker that died, ends the sweep: what had come back is returned, and the rest are
    errors; it is raised if nothing had come back.

    Each configuration draws from a generator of its own, spawned from `rng` by its place in the list: the results are
    the same for any `n_jobs` and backend.  What takes no `rng=` (a layer made without it) draws from it too, but in
    threads.  `n_jobs` and all other `options` are those of `joblib.Parallel`: None is one at a time, -1 is all cores.
    joblib shares the cores out: each of its processes gets cores / n_jobs BLAS threads, unless OPENBLAS_NUM_THREADS
    says otherwise.  Progress is a bar where tqdm is installed; `progress=False` shows none.

    Raises `DtypeError` for what is not a function and dicts, and `MissingExtraError` without joblib.

    >>> def draw(scale, rng):
    ...     return {"x": round(scale * rng.random(), 3)}
    >>> records = run(draw, grid(scale=[1, 10]), rng=0, progress=False)
    >>> [(record["scale"], record["x"], record["error"]) for record in records]
    [(1, 0.943, None), (10, 6.772, None)]
    """
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise MissingExtraError('sweep needs joblib: pip install "minigrad-engine[sweep]"') from error
    todo = checked(function, configurations)
    generators = random.generator(rng).spawn(len(todo))
    jobs = (delayed(call)(i, function, *job) for i, job in enumerate(zip(todo, generators, strict=True)))
    try:
        parallel = Parallel(n_jobs, return_as="generator_unordered", **options)
    except ValueError:  # a backend that gives all results at once
        parallel = Parallel(n_jobs, **options)
    found: dict[int, Record] = {}
    lost: Record = {}
    try:
        for i, record in shown(parallel(jobs), len(todo), progress):
            found[i] = record
    except (Exception, KeyboardInterrupt) as error:
        if not found:
            raise
        lost = {"seconds": None, "error": f"not finished: {summary(error)}", "traceback": traceback.format_exc()}
    records = [found.get(i, {**configuration, **lost}) for i, configuration in enumerate(todo)]
    failed = [record for record in records if record["error"]]
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(todo)} configurations failed; the first: {failed[0]['error']}", stacklevel=2
        )
    return records


def checked(function: Any, configurations: Any) -> list[dict[str, Any]]:
    if not callable(function):
        raise DtypeError(f"sweep: {function!r:.60} is no function to call with each configuration.")
    todo = [configurations] if isinstance(configurations, dict) else list(configurations)
    for configuration in todo:
        if not isinstance(configuration, dict):
            raise DtypeError(
                f"sweep: a configuration is a dict, such as those of sweep.grid, not {configuration!r:.60}."
            )
        if taken := {"rng", "seconds", "error", "traceback"} & set(configuration):
            raise DtypeError(f"sweep: a configuration has {sorted(taken)}, which sweep.run gives: choose another name.")
    return todo


def call(
    i: int, function: Callable[..., Any], configuration: dict[str, Any], rng: np.random.Generator
) -> tuple[int, Record]:
    """The i-th record; runs in the worker."""
    start = time.perf_counter()
    try:
        with default(rng):
            result = function(**configuration, rng=rng)
        result = result if isinstance(result, dict) else {"result": result}
        if taken := ({"seconds", "error", "traceback"} | set(configuration)) & set(result):
            raise DtypeError(
                f"the function returned {sorted(taken, key=str)}, which the record has: choose another name."
            )
        if multiprocessing.parent_process() is not None:
            from joblib.externals.loky.backend.reduction import dumps

            dumps(result)  # what can't be sent back is an error here, and not the end of the sweep
        outcome = {**result, "error": None}
    except Exception as error:
        outcome = {"error": summary(error), "traceback": traceback.format_exc()}
    return i, {**configuration, "seconds": time.perf_counter() - start, **outcome}


@contextmanager
def default(rng: np.random.Generator) -> Iterator[None]:
    """What is random without `rng=` draws from this one meanwhile; not in threads, which share the default."""
    before = random._default
    if threading.current_thread() is threading.main_thread():
        random._default = rng
    try:
        yield
    finally:
        if random._default is rng:
            random._default = before


def shown(records: Any, total: int, progress: bool) -> Any:
    if not progress:
        return records
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return records
    return tqdm(records, total=total, unit="run")


def summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
