"""What a million scalar gates in a row cost minigrad: seconds, bytes, and no recursion (the default limit is kept)."""

from __future__ import annotations

import time

__all__ = ["million"]


def million(gates: int = 1_000_000) -> dict[str, float]:
    """Forward, backward and freeing of one chain of `gates` gates, in seconds; bytes kept per gate (Unix)."""
    import minigrad as mg

    x = mg.Value(1.0)
    (x * 1.0000001).backward()
    before = peak_bytes()
    start = time.perf_counter()
    v = x
    for _ in range(gates):
        v = v * 1.0000001
    recorded = time.perf_counter()
    kept = peak_bytes() - before
    v.backward()
    walked = time.perf_counter()
    peak = peak_bytes() - before
    freeing = time.perf_counter()
    del v
    freed = time.perf_counter()
    return {
        "forward (s)": recorded - start,
        "backward (s)": walked - recorded,
        "freed (s)": freed - freeing,
        "bytes kept per gate": kept / gates,
        "bytes at the peak of backward per gate": peak / gates,
    }


def peak_bytes() -> float:
    """The most memory that this process has held so far; nan where the system doesn't say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
