"""The monitor of a thread pool, in pure Python: the specification of _monitor_c.pyx.

It looks at the number of application calls that the loop's thread has begun and ended, each TICK while there are any.
The same odd number at two looks is a call that is stuck: a spare thread is called.
"""

from __future__ import annotations

import threading
import time
from typing import Any

TICK = 0.005  # seconds; shorter would cost more than it gives, since each look needs the GIL
PATIENCE = 100  # looks without a new call until the monitor dozes


class Monitor:
    """Watches the calls of one loop, and has spare threads wait.

    Args:
        shared: a shared.Shared: calls is read, dozing is set.
        timeout: seconds after which the twin in C, which needs no GIL, gives up the client of a call by itself: then
            the call holds the GIL, and nobody else can. 0: never.
    """

    def __init__(self, shared: Any, timeout: float = 0.0) -> None:
        self._shared = shared
        self.stuck = 0  # the number of the call that a spare was called for
        self._spares = threading.Semaphore(0)
        self._awake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, name="fastwsgi-monitor", daemon=True)

    def start(self) -> None:
        """Begin to look; after the fork, since threads do not survive it."""
        self._thread.start()

    def follow(self, baton: Any) -> None:
        """The calls of *baton* are looked at from now on."""

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
        self._shared.dozing = False
        self._awake.set()

    def give_way(self) -> None:
        """Let another thread have the GIL, if one waits for it."""
        time.sleep(0)

    def _watch(self) -> None:
        last = looks = 0
        while not self._stopped:
            time.sleep(TICK)
            calls = self._shared.calls
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
        self._shared.dozing = True
        time.sleep(TICK)
        if self._shared.calls == calls and not self._stopped:
            self._awake.wait()
        self._shared.dozing = False
