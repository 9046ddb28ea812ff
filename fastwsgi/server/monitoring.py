"""The start of a loop's monitor (_monitor_py.py and its twin in C), which needs its answer ready beforehand."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from fastwsgi import gil
from fastwsgi.http.answers import DATE, expired_template
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.server.interfaces import Monitor
    from fastwsgi.server.loop import Loop


def start_monitor(loop: Loop) -> Monitor:
    """The monitor of the calls of *loop*, started."""
    turn, template = loop.service.turn, expired_template()
    lines = getattr(loop.service.observer, "lines", None)
    date_at = template.index(DATE) + len(DATE)
    cores = 1 if gil.is_on() else getattr(os, "process_cpu_count", os.cpu_count)() or 1  # the former since Python 3.13
    monitor: Monitor = loop.build.monitor.Monitor(turn, loop.settings.timeout, template, date_at, lines, cores)
    turn.counter.monitor = monitor
    if not gil.is_on() and monitor.note_collection not in gc.callbacks:
        gc.callbacks.append(monitor.note_collection)
    monitor.start()
    return monitor
