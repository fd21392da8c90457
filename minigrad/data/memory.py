"""Is there room for it?  Asked before a file is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import DataError

__all__ = ["available_memory", "check_room"]


def available_memory() -> int | None:
    """How many bytes this process may still take, as far as the system says; None where it doesn't.

    The least of what the machine has free, what its container may use, and what the process is allowed (`ulimit -v`).

    >>> available_memory() != 0
    True
    """
    rooms: list[int] = []
    try:  # Linux
        lines = Path("/proc/meminfo").read_text().splitlines()
        rooms += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            rooms.append(max(limit - used, 0))
        group = Path("/sys/fs/cgroup")
        most, taken = [int((group / name).read_text()) for name in ("memory.max", "memory.current")]
        stat = dict([line.split() for line in (group / "memory.stat").read_text().splitlines()])
        rooms.append(max(most - taken + int(stat["inactive_file"]), 0))  # a cache of files makes room
    except (OSError, ValueError, KeyError, ImportError):  # another system, or no limit
        pass
    if not rooms and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        rooms.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(rooms, default=None)


def check_room(path: Path, needed: float, limit: float | None, what: str) -> None:
    """`DataError` if `needed` bytes are more than `limit`, or, without one, than 80 % of the available memory."""
    room = available_memory() if limit is None else limit
    allowed = None if room is None else (0.8 * room if limit is None else limit)
    if allowed is not None and needed > allowed:
        raise DataError(
            f"{path}: {what} would take about {readable(needed)} of memory; {readable(allowed)} may be used. "
            "Take a part of the file, or, if the estimate is wrong, set memory_limit (in bytes)."
        )


def readable(size: float) -> str:
    """
    >>> readable(3_200_000_000.0)
    '3.2 GB'
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"
