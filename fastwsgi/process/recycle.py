"""When a worker has served enough: by its requests, its age or its memory, each with a share of chance.

The chance keeps workers that were started together from ending together.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, Callable

from fastwsgi.process.control import Control

MEMORY_INTERVAL = 1.0  # seconds between two looks
PAGE = os.sysconf("SC_PAGE_SIZE")


def watch_limits(control: Control, loop: Any, settings: Any, worn: Callable[[str], None]) -> None:
    """Call *worn* with the reason once the worker has reached one of the limits that *settings* set.

    Args:
        loop: whose requests count.
    """
    if settings.max_requests:
        limit = settings.max_requests + random.randint(0, settings.max_requests_jitter)
        loop.set_quota(limit, lambda: worn(f"it has served {limit} requests"))
    if settings.max_worker_age:
        age = settings.max_worker_age + random.uniform(0, settings.max_worker_age_jitter)
        control.after(age, lambda: worn(f"it is {age:.0f} s old"))
    if settings.max_worker_rss:
        most = settings.max_worker_rss + random.randint(0, settings.max_worker_rss_jitter)
        control.every(MEMORY_INTERVAL, MemoryLimit(most, worn).check)


class MemoryLimit:
    """Calls *worn* once, when more than *most* bytes are resident."""

    def __init__(self, most: int, worn: Callable[[str], None]) -> None:
        self._most = most
        self._worn = worn
        self._said = False

    def check(self) -> None:
        if not self._said and (size := resident()) > self._most:
            self._said = True
            self._worn(f"it has {size >> 20} MiB resident")


def resident() -> int:
    """Bytes that this process has resident now; where the system does not tell (macOS), the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
