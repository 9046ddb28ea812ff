"""The stacks of the requests that run, asked for by clients of the status address, and answered by the workers.

The status process asks the supervisor, which asks all workers. Whatever number of clients want to know, that is done
at most once a second, and each of them waits at most a second: a worker in which a C call holds the GIL cannot answer.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.originals import threading, time

PATIENCE = 1.0  # seconds
FRESH = 1.0  # seconds for which an answer is given again
MOST_WAITING = 2  # clients that wait, each in a thread of the status process


class StacksInquiry:
    """The inquiries, one after another.

    Args:
        ask: begins one, and is given its number; take() and end() follow in another thread.
    """

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._number = 0
        self._begun = float("-inf")
        self._missing: set[int] | None = None
        self._found: dict[int, str] = {}

    def stacks(self) -> dict[int, str] | None:
        """The text for each worker that has answered, by its process ID; None if too many wait for it."""
        with self._lock:
            if self._waiting >= MOST_WAITING:
                return None
            self._waiting += 1
            try:
                return self._wait()
            finally:
                self._waiting -= 1

    def _wait(self) -> dict[int, str]:
        now = time.monotonic()
        if now >= self._begun + FRESH:
            self._number += 1
            self._begun = now
            self._missing = None
            self._found = {}
            self._ask(self._number)
        self._changed.wait_for(lambda: self._missing is not None and not self._missing, self._begun + PATIENCE - now)
        return dict(self._found)

    def expect(self, number: int, pids: list[int]) -> None:
        """The workers *pids* have been asked."""
        with self._lock:
            if number == self._number:
                self._missing = set(pids)
                self._changed.notify_all()

    def take(self, number: int, pid: int, text: str) -> None:
        """The worker *pid* has answered."""
        with self._lock:
            if number == self._number and self._missing is not None:
                self._missing.discard(pid)
                self._found[pid] = text
                self._changed.notify_all()
