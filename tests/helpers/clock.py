"""A clock for a server on a real socket, which its test puts forward."""

from __future__ import annotations

import time

FULL_SPEED = 20.0  # seconds that pass as they do: more than any test takes where the machine is not held up
SLOW = 100  # then it takes so many of them to pass one


class Clock:
    """Stands for the module `time` in the loop and what belongs to it; `offset` seconds ahead of it.

    By itself it does not go as far as the deadlines of bodies, responses and idle connections, which are 30 s away or
    more by default: none of these passes because the machine is busy, or stands still; a head has 10 s. It stops when
    it is put forward for the first time.
    """

    def __init__(self) -> None:
        self.offset = 0.0
        self._begun = time.monotonic()
        self._ahead = time.time() - self._begun
        self._stopped: float | None = None

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        if self._stopped is None:
            self._stopped = self._passed()
        self.offset += seconds

    def _passed(self) -> float:
        """Seconds that have passed by themselves."""
        if self._stopped is not None:
            return self._stopped
        passed = time.monotonic() - self._begun
        return passed if passed < FULL_SPEED else FULL_SPEED + (passed - FULL_SPEED) / SLOW

    def monotonic(self) -> float:
        return self._begun + self._passed() + self.offset

    def time(self) -> float:
        return self.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
