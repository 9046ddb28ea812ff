"""The guard of a loop, in pure Python: the specification of _guard_c.pyx.

An interpreter without a GIL runs several threads at once. Those that serve one loop - the one that has it, those whose
calls have lost it, the watchdog - still touch what the loop owns one at a time: whoever does so has the loop's guard, a
lock. It is given up where the application runs or a thread waits, just where another thread may get a GIL, and so all
that holds with a GIL holds within a loop. Two loops have nothing of this in common.

With a GIL there is nothing to guard: in C the guard is then no code at all.
"""

from __future__ import annotations

from fastwsgi.gil import HAS_GIL
from fastwsgi.originals import threading


class Guard:
    """What one thread at a time has, of those that serve a loop.

    take_back() and give_up() are for the shared texts alone: in C, nobody else can call them.

    Args:
        is_needed: whether threads run at once.
    """

    def __init__(self, is_needed: bool = not HAS_GIL) -> None:
        # It notes its owner as it is acquired, so the exception of a signal's handler cannot come between
        self._lock = threading.RLock() if is_needed else None

    def take_back(self) -> bool:
        """Wait for the guard; False if this thread has it already."""
        if self._lock is None or self._lock._is_owned():  # type: ignore[attr-defined]
            return False
        return self._lock.acquire()

    def give_up(self) -> None:
        """Let other threads have the guard, if this thread has it."""
        if self._lock is not None and self._lock._is_owned():  # type: ignore[attr-defined]
            self._lock.release()

    def try_to_take(self) -> bool:
        """Take the guard if no thread has it; whether that is so."""
        if self._lock is None:
            return True
        return not self._lock._is_owned() and self._lock.acquire(blocking=False)  # type: ignore[attr-defined]

    def let_go(self) -> bool:
        """give_up(); whether this thread had it."""
        if self._lock is None or not self._lock._is_owned():  # type: ignore[attr-defined]
            return False
        self._lock.release()
        return True

    def is_ours(self) -> bool:
        """Whether this thread has the guard."""
        return self._lock is None or self._lock._is_owned()  # type: ignore[attr-defined]

    def held(self) -> Held:
        """The guard, inside a block, for a thread from outside, or one that has it already."""
        return Held(self)

    def given_up(self) -> GivenUp:
        """No guard, inside a block in which this thread may wait; behind it, as before."""
        return GivenUp(self)

    def renew(self) -> None:
        """In a forked child, begin anew: a thread that is not there may have it."""
        if self._lock is not None:
            self._lock = threading.RLock()


class Held:
    """The guard, inside a block."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._taken = False

    def __enter__(self) -> None:
        self._taken = self._guard.take_back()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._taken:
            self._guard.give_up()


class GivenUp:
    """No guard, inside a block."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._left = False

    def __enter__(self) -> None:
        self._left = self._guard.let_go()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._left:
            self._guard.take_back()
