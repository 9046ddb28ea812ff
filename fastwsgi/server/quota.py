"""The requests after which a process is replaced, counted over several loops without a lock in the way of each.

A loop counts for itself, up to its part of what is left. Then the sum is taken, and what is left is divided again; at
the end that is one request a loop. So the number is passed by a request of each loop at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Callable

from fastwsgi.originals import threading

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop


class Quota:
    """*count* requests of all *loops*, after which *called* is called, once."""

    def __init__(self, loops: Sequence[Loop], count: int, called: Callable[[], None]) -> None:
        self._loops = loops
        self._count = count
        self._called = called
        self._reached = False
        self._lock = threading.Lock()

    def divide(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.set_quota(self._next(loop, self._count), partial(self._look, loop))

    def _next(self, loop: Loop, left: int) -> int:
        return loop.requests + max(1, left // len(self._loops))

    def _look(self, loop: Loop) -> None:
        """Divide what is left again, for *loop*, which has had its part; called in its thread."""
        with self._lock:
            left = self._count - sum(one.requests for one in self._loops)
            if left > 0:
                loop.set_quota(self._next(loop, left), partial(self._look, loop))
                return
            is_first, self._reached = not self._reached, True
        if is_first:
            self._called()
