"""The Python stacks of the requests that the application answers just now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from fastwsgi.http.naming import request_name
from fastwsgi.http.waits import began
from fastwsgi.originals import threading, time
from fastwsgi.server.reach import HeldUp, reached
from fastwsgi.server.watchdog import stack_of

if TYPE_CHECKING:
    from typing import TypedDict

    from fastwsgi.http.exchange import Exchange
    from fastwsgi.server.interfaces import WatchedLoop

    class RunningStack(TypedDict):
        """One request.

        Attributes:
            name: method and path.
            request_id: "" if it has none.
            seconds: since its thread began to work on it.
            thread: the native ID of its thread.
            stack: as a traceback prints it.
        """

        name: str
        request_id: str
        seconds: float
        thread: int
        stack: str

MOST = 64  # requests
MOST_NAME = 200  # characters
MOST_STACK = 8192


def running_stacks(loops: Iterable[WatchedLoop]) -> list[RunningStack]:
    """Those of all *loops*, oldest first; called in any thread."""
    now = time.monotonic()
    threads = {one.ident: one.native_id or 0 for one in threading.enumerate()}
    found: list[RunningStack] = []
    for loop in loops:
        with suppress(HeldUp), reached(loop.guard):
            for thread, connection in loop.calls():
                if connection.exchange is not None:
                    seconds = max(0.0, now - began(loop.meter, connection.exchange))
                    found.append(_described(loop, connection.exchange, seconds, thread, threads.get(thread, 0)))
    return sorted(found, key=lambda one: -one["seconds"])[:MOST]


def _described(loop: WatchedLoop, exchange: Exchange, seconds: float, thread: int, native_id: int) -> RunningStack:
    environ = exchange.environ or {}
    return {
        "name": request_name(environ)[:MOST_NAME],
        "request_id": str(environ.get("fastwsgi.request_id", ""))[:MOST_NAME],
        "seconds": seconds,
        "thread": native_id,
        "stack": stack_of(loop, thread)[-MOST_STACK:],
    }
