"""How much memory a worker takes, and may take: one picture must not cost the machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from chroma_core.pictures.limits import VARIABLES, Limits
from chroma_core.pictures.worker import resident_bytes

__all__ = ["family_bytes", "memory_limit"]


def memory_limit(workers: int) -> int:
    """Return the resident bytes that each of so many workers may take.

    CHROMA_WORKER_MEMORY if it is set; else 4 GiB, or half of what there is, shared out among the
    workers, if that is less.

    Raises
    ------
    OptionError
        If the variable is not a positive number.
    """
    limits = Limits.from_environment()
    if os.environ.get(VARIABLES["worker_memory"], "").strip():
        return limits.worker_memory
    there = _memory()
    return min(limits.worker_memory, there // (2 * workers)) if there else limits.worker_memory


def family_bytes(process: int) -> int:
    """Return the resident bytes of a process and of those it started; 0 where nobody tells."""
    total = resident_bytes(process)
    with contextlib.suppress(OSError, ValueError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            total += sum(family_bytes(int(child)) for child in children.read_text().split())
    return total


def _memory() -> int:
    """Return the bytes of memory that this process can have at most; 0 where nobody tells."""
    found = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        # Version 2 of control groups says "max" where there is no limit.
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            found.append(int(file.read()))
    return min(found, default=0)
