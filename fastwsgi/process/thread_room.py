"""Room for the threads of a process, made before it serves.

An interpreter without a GIL has a table of its threads, at first for eight, which it doubles when it is full, and stops
all threads for that: while one is in a C call that does not let go of the interpreter, none goes on. The table never
becomes smaller, so as many threads as the loops may need are there at once, and end, before the first request.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fastwsgi.originals import os, threading

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

OF_A_LOOP = 4  # its own thread, a spare that waits, the watchdog, in pure Python the monitor
OTHERS = 3  # of the application, besides those that are there already
MOST = 256  # that are started; they take 10 ms


def make_room(settings: Settings, loops: int) -> None:
    """Have so many threads at once as *loops* loops with these *settings* may have."""
    # One that runs no Python leaves 35 KB behind, a threading.Thread 150
    start: Any = threading._start_joinable_thread  # type: ignore[attr-defined]
    waiting = []
    reader, writer = os.pipe()
    with suppress(RuntimeError):  # the system allows no more threads
        for _ in range(min(settings.threads + OF_A_LOOP * loops + OTHERS, MOST)):
            waiting.append(start(partial(os.read, reader, 1), daemon=True))
    os.close(writer)
    for one in waiting:
        one.join()
    os.close(reader)
