"""The thread of one of several loops: it makes the loop, and then runs it.

Without a GIL, an object is cheapest for the thread that has made it: only there does its reference count change without
an atomic operation, and only what the same thread has made lies beside it in memory (PEP 703).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from fastwsgi.daemon import Daemon
from fastwsgi.originals import threading

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop


class LoopThread(Daemon):
    """Calls *make*, and waits until it is to run what that has made.

    Args:
        make: makes the loop.
        number: of the loop, from 1.
    """

    def __init__(self, make: Callable[[], Loop], number: int) -> None:
        super().__init__(self._work, f"fastwsgi-loop-{number}")
        self._make = make
        self._loop: Loop | None = None
        self._failure: BaseException | None = None
        self._serve: Callable[[Loop], None] | None = None
        self._made, self._called = threading.Lock(), threading.Lock()
        for lock in (self._made, self._called):
            lock.acquire()
        self.start()

    def loop(self) -> Loop:
        """The loop. Raises what making it has raised."""
        with self._made:
            if self._loop is None:
                assert self._failure is not None
                raise self._failure
            return self._loop

    def call(self, serve: Callable[[Loop], None] | None) -> None:
        """Have *serve* called with the loop, and end; None: end. What is said first holds."""
        if self._called.locked() and self._serve is None:
            self._serve = serve
            self._called.release()

    def _work(self) -> None:
        try:
            self._loop = self._make()
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._made.release()
        self._called.acquire()
        if self._serve is not None:
            self._serve(self._loop)
