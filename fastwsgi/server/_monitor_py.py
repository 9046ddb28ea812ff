"""The monitor of a thread pool, in pure Python: the specification of _monitor_c.pyx.

It looks at the number of application calls that the loop's thread has begun and ended, each TICK while there are any.
The same odd number at two looks is a call that is stuck: a spare thread is called.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.http._turn_py import Turn

TICK = 0.005  # seconds; shorter would cost more than it gives, since each look needs the GIL
PATIENCE = 100  # looks without a new call until the monitor dozes


class Monitor:
    """Watches the calls of one loop, and has spare threads wait.

    Args:
        turn: of the thread that has the loop; its counter is looked at.
        timeout: seconds after which the twin in C, which needs no GIL, gives up the client of a call by itself: then
            the call holds the GIL, and nobody else can. 0: never.
        answer: what that client gets ...
        date_at: ... with the date of then in the place that begins here.
    """

    def __init__(self, turn: Turn, timeout: float = 0.0, answer: bytes = b"", date_at: int = 0) -> None:
        self._counter = turn.counter
        self.stuck = 0  # the number of the call that a spare was called for
        self._spares = threading.Semaphore(0)
        self._awake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, name="fastwsgi-monitor", daemon=True)

    def start(self) -> None:
        """Begin to look; after the fork, since threads do not survive it."""
        self._thread.start()

    def follow(self, turn: Turn) -> None:
        """The calls of *turn* are looked at from now on."""

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self) -> None:
        """Block a spare thread until it is called."""
        self._spares.acquire()

    def post(self) -> None:
        """Call a spare thread, or the next that comes."""
        self._spares.release()

    def wake(self) -> None:
        """A call has begun while dozing was set."""
        self._counter.dozing = False
        self._awake.set()

    def give_way(self) -> None:
        """Let another thread have the GIL, if one waits for it."""
        time.sleep(0)

    def _watch(self) -> None:
        last = looks = 0
        while not self._stopped:
            time.sleep(TICK)
            calls = self._counter.number
            if calls != last:
                last, looks = calls, 0
                continue
            looks += 1
            if calls & 1:
                if self.stuck != calls:
                    self.stuck = calls
                    self.post()
            elif looks > PATIENCE:
                self._doze(calls)
                looks = 0

    def _doze(self, calls: int) -> None:
        """Sleep until a call begins. The tick after the announcement is longer than any store takes to be seen."""
        self._awake.clear()
        self._counter.dozing = True
        time.sleep(TICK)
        if self._counter.number == calls and not self._stopped:
            self._awake.wait()
        self._counter.dozing = False
