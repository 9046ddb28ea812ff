"""Room for the threads of a process, made before it serves.

An interpreter without a GIL has a table of its threads, which it doubles when it is full, and stops all threads for
that: while one is in a C call that does not let go of the interpreter, none goes on. The table never becomes smaller,
so as many threads as the loops may need are there at once, and end, before the first request.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from fastwsgi.daemon import Daemon
from fastwsgi.originals import threading

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

OF_A_LOOP = 3  # a spare that waits, the one that takes its place, the watchdog
OTHERS = 12  # the main thread, those of logs and of the channel, a few of the application
MOST = 256  # that are started; they take 10 ms


def make_room(settings: Settings, loops: int) -> None:
    """Have so many threads at once as *loops* loops with these *settings* may have."""
    gate = threading.Lock()
    waiting: list[Daemon] = []
    with suppress(RuntimeError), gate:  # the system may allow no more threads
        for _ in range(min(settings.threads + OF_A_LOOP * loops + OTHERS, MOST)):
            one = Daemon(partial(_pass, gate), "fastwsgi-room")
            one.start()
            waiting.append(one)
    for one in waiting:
        one.join()


def _pass(gate: threading.Lock) -> None:
    with gate:
        pass
