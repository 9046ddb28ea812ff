"""Calls that other threads and signal handlers ask for, made in the loop's thread, so none runs beside the loop."""

from __future__ import annotations

from collections import deque
from typing import Callable

from fastwsgi.originals import socketpair
from fastwsgi.process.signals import disown_wakeup
from fastwsgi.server.readiness import empty


class DeferredCalls:
    """A queue of calls; the loop, which watches fileno(), wakes up for them and calls run()."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._reader, self._writer = socketpair()

    def fileno(self) -> int:
        """The descriptor that is readable when there are calls to make."""
        return self._reader.fileno()

    def add(self, called: Callable[[], None]) -> None:
        """Have *called* called by the next run(); from any thread."""
        self._calls.append(called)
        try:
            self._writer.send(b"\0")
        except BlockingIOError:
            pass  # so many bytes are unread that the loop wakes up anyway

    def disown(self) -> None:
        """In a forked child, close the descriptors."""
        disown_wakeup(self._reader, self._writer)

    def run(self) -> None:
        """Make the calls that have been added."""
        empty(self._reader.fileno())
        while self._calls:
            self._calls.popleft()()
