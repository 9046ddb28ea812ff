"""The recycling of workers: limits on their requests, age and memory, each with a random share.

The random share keeps workers that were started together from ending together.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import RequestCounter, Timers
    from fastwsgi.settings.settings import Settings

MEMORY_INTERVAL = 1.0  # seconds between two checks
PAGE = os.sysconf("SC_PAGE_SIZE")


def watch_limits(
    timers: Timers, loop: RequestCounter, settings: Settings, replace: Callable[[str], None], quota: int
) -> None:
    """Call *replace* with the reason once the worker has reached one of the limits in *settings*.

    Args:
        timers: for the checks of age and memory.
        loop: counts the requests.
        settings: max_worker_age, max_worker_rss and their jitters are read.
        replace: has the worker replaced.
        quota: the most requests, sys.maxsize for any number; by max_requests and its jitter, or a hook.
    """
    if quota < sys.maxsize:
        loop.set_quota(quota, lambda: replace(f"it has served {quota} requests"))
    if settings.max_worker_age:
        age = settings.max_worker_age + random_share(settings.max_worker_age_jitter)
        timers.after(age, lambda: replace(f"it is {age:.0f} s old"))
    if settings.max_worker_rss:
        most = settings.max_worker_rss + round(random_share(settings.max_worker_rss_jitter))
        timers.every(MEMORY_INTERVAL, MemoryLimit(most, replace).check)


def random_share(most: float) -> float:
    """A number from 0 to *most*."""
    if not most:
        return 0.0
    import random

    return random.uniform(0, most)


class MemoryLimit:
    """Calls *replace* once, when it finds more than *most* bytes resident."""

    def __init__(self, most: int, replace: Callable[[str], None]) -> None:
        self._most = most
        self._replace = replace
        self._exceeded = False

    def check(self) -> None:
        """Measure, unless the limit has been exceeded already."""
        if not self._exceeded and (size := resident()) > self._most:
            self._exceeded = True
            self._replace(f"it has {size >> 20} MiB resident")


def resident() -> int:
    """The resident bytes of this process; where the system does not report them (macOS), the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
