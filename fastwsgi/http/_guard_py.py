"""The guard of a loop, in pure Python: the specification of _guard_c.pyx.

An interpreter without a GIL runs several threads at once. Those that serve one loop - the one that has it, those whose
calls have lost it, the watchdog - still touch what the loop owns one at a time: whoever does so has the loop's guard, a
lock. It is given up where the application runs or a thread waits, just where another thread may get a GIL, and so all
that holds with a GIL holds within a loop. Two loops have nothing of this in common.

With a GIL there is nothing to guard: in C the guard is then no code at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastwsgi.gil import HAS_GIL
from fastwsgi.originals import threading


class NoGuard:
    """What takes the guard's place where there is a GIL; its methods are those of a guard."""

    def take_back(self) -> bool:
        """Wait for the guard; False if this thread has it already."""
        return False

    def give_up(self) -> None:
        """Let other threads have the guard, if this thread has it."""

    def try_to_take(self) -> bool:
        """Take the guard if it is free; whether this thread got it just now."""
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """The guard, inside the block; for threads from outside."""
        taken = self.take_back()
        try:
            yield
        finally:
            if taken:
                self.give_up()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """No guard, inside the block, in which this thread, which has it, waits."""
        self.give_up()
        try:
            yield
        finally:
            self.take_back()

    def renew(self) -> None:
        """In a forked child, begin anew: a thread that is not there may have it."""


class LockingGuard(NoGuard):
    """The guard where there is no GIL."""

    def __init__(self) -> None:
        # It notes its owner as it is acquired, so the exception of a signal's handler cannot come between
        self._lock = threading.RLock()

    def take_back(self) -> bool:
        if self._lock._is_owned():  # type: ignore[attr-defined]
            return False
        return self._lock.acquire()

    def give_up(self) -> None:
        if self._lock._is_owned():  # type: ignore[attr-defined]
            self._lock.release()

    def try_to_take(self) -> bool:
        return not self._lock._is_owned() and self._lock.acquire(blocking=False)  # type: ignore[attr-defined]

    def renew(self) -> None:
        self._lock = threading.RLock()


Guard: type[NoGuard] = NoGuard if HAS_GIL else LockingGuard
