"""A clock for a server on a real socket, which its test puts forward."""

from __future__ import annotations

import time


class Clock:
    """Stands for the module `time` in the loop and its housekeeping; `offset` seconds ahead of it.

    It stops when it is put forward for the first time: then no deadline comes nearer because the machine is busy.
    """

    def __init__(self) -> None:
        self.offset = 0.0
        self._stopped: tuple[float, float] | None = None

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self._stopped = self._stopped or (time.monotonic(), time.time())
        self.offset += seconds

    def monotonic(self) -> float:
        return (self._stopped[0] if self._stopped else time.monotonic()) + self.offset

    def time(self) -> float:
        return (self._stopped[1] if self._stopped else time.time()) + self.offset
