"""The watchdog: it logs slow requests with their stacks, and answers requests past the deadline with 504.

A thread looks a few times a second at the application calls that run, so the requests themselves pay nothing for it.
At the deadline the client is answered, or cut off if the head of its response is already sent. The call keeps running,
since nothing can end a Python thread from outside, but the loop continues without it, even where it was the only
thread; a callback lets the process be replaced.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Callable

from fastwsgi.daemon import Daemon
from fastwsgi.gil import HAS_GIL
from fastwsgi.http.naming import request_name
from fastwsgi.originals import os, threading, time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.server.interfaces import WatchedLoop

LOOKS = 10  # looks in the shorter of the two times ...
LONGEST = 0.25  # ... but at most so many seconds apart
TRIES = 5  # at the stack of a thread that goes on
PATIENCE = 1.0  # seconds with a call whose thread is not in the application at any look
IN_C = "  a call in C that does not let go of the interpreter"
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Watchdog:
    """Watches the application calls of one loop.

    Attributes:
        waits_since: when it began to wait for the guard of the loop, which a thread that hangs may have; infinity if it
            does not wait.

    Args:
        loop: runs the calls.
        timeout: seconds that a request may take; 0: no limit.
        slow_log: seconds after which it is logged; 0: never.
        expired: called after a request has passed the deadline, with what was logged about it.
    """

    def __init__(self, loop: WatchedLoop, timeout: float, slow_log: float, expired: Callable[[str], None]) -> None:
        self.loop = loop
        self.timeout = timeout
        self.slow_log = slow_log
        self.expired = expired
        self.waits_since = float("inf")
        self._running: dict[Exchange, float] = {}  # when each was first seen
        self._logged: set[Exchange] = set()  # those logged as slow
        self._given_up: set[Exchange] = set()
        self._ended = threading.Event()
        self._thread = Daemon(self._watch, "fastwsgi-watchdog")

    def start(self) -> None:
        """Start the thread; after the fork."""
        if self.timeout or self.slow_log:
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def disown(self) -> None:
        """In a forked child, let a thread of this that has forked end."""
        self._ended = threading.Event()
        self._ended.set()

    def _watch(self) -> None:
        pause = min(LONGEST, min(filter(None, (self.timeout, self.slow_log))) / LOOKS)
        while not self._ended.wait(pause):
            try:
                self.look(time.monotonic())
            except Exception as error:
                self.loop.log_error("internal error: the watchdog", error)

    def look(self, now: float) -> None:
        """Look once at the calls; *now* is in seconds."""
        with self._guarded():
            running = [(thread, connection, connection.exchange) for thread, connection in self.loop.calls()]
        calls = [(thread, connection, exchange) for thread, connection, exchange in running if exchange is not None]
        before = self._running
        self._running = {exchange: before.get(exchange, now) for _, _, exchange in calls}
        self._logged &= self._running.keys()
        self._given_up &= self._running.keys()
        for thread, connection, exchange in calls:
            age = now - self._running.get(exchange, now)
            if self.timeout and age >= self.timeout and exchange not in self._given_up:
                if age >= self.timeout + PATIENCE or not self._is_passing(exchange):
                    self._give_up(thread, connection, exchange, age)
            elif self.slow_log and age >= self.slow_log and not {exchange} & (self._logged | self._given_up):
                self._logged.add(exchange)
                self._log(f"slow: {self._name(exchange)} has run for {age:.1f} s", thread)

    def _give_up(self, thread: int, connection: Connection, exchange: Exchange, age: float) -> None:
        request = self._name(exchange)
        # Without a GIL, it may have to wait for the end of a call in C; with one, nothing runs meanwhile
        stack = stack_of(self.loop, thread) if HAS_GIL else None
        with self._guarded():
            is_given_up = self.loop.give_up(thread, connection, exchange)
        if is_given_up:  # otherwise it has ended, or changed hands: look again
            self._given_up.add(exchange)
            self.expired(self._log(f"timeout: {request} has run for {age:.1f} s and is given up", thread, stack))

    def _is_passing(self, exchange: Exchange) -> bool:
        """Whether the server has the response this moment, of which nothing is sent.

        It could only be cut now; as soon as its thread is in the application again, the client can be sent 504.
        """
        with self._guarded():
            return exchange.is_held_back() and not exchange.is_in_application()

    def _name(self, exchange: Exchange) -> str:
        with self._guarded():
            return name_of(exchange)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        self.waits_since = time.monotonic()
        with self.loop.guard.held():
            self.waits_since = float("inf")
            yield

    def _log(self, message: str, thread: int, stack: str | None = None) -> str:
        """Log *message* with the stack of *thread*; the whole of it."""
        stack = stack_of(self.loop, thread) if stack is None else stack
        logged = f"{message}; its thread is at:\n{stack}" if stack else message
        self.loop.log_error(logged, None)
        return logged


def name_of(exchange: Exchange) -> str:
    """The request and its client, from what the application has left in environ."""
    environ = exchange.environ or {}
    return f"{request_name(environ)} from {environ.get('REMOTE_ADDR', '?')}"


def stack_of(loop: WatchedLoop, thread: int) -> str:
    """The Python stack of the thread with that identifier, without the server's frames below the application.

    Without a GIL, all threads are stopped for that, so one in a C call that does not let them stop has none.
    """
    if not HAS_GIL and loop.keeps_interpreter(thread):
        return IN_C
    for _ in range(TRIES):
        frame: FrameType | None = sys._current_frames().get(thread)
        if frame is None:
            return ""
        stack = traceback.extract_stack(frame)
        ours = [number for number, one in enumerate(stack) if one.filename.startswith(_PACKAGE)]
        if ours:  # else a frame has ended, and was without its caller, while the stack was read
            break
    above = stack[ours[-1] + 1 :] if ours and ours[-1] + 1 < len(stack) else stack
    return "".join(traceback.StackSummary.from_list(above).format()).rstrip("\n")
