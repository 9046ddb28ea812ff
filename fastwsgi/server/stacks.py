"""The Python stacks of the requests that the application answers just now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fastwsgi.http.naming import request_name
from fastwsgi.http.waits import began
from fastwsgi.originals import threading, time
from fastwsgi.server.watchdog import stack_of

if TYPE_CHECKING:
    from typing import TypedDict

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
    found = [one for loop in loops for one in _of_loop(loop)]
    return sorted(found, key=lambda one: -one["seconds"])[:MOST]


def _of_loop(loop: WatchedLoop) -> Iterator[RunningStack]:
    now = time.monotonic()
    threads = {one.ident: one.native_id or 0 for one in threading.enumerate()}
    for thread, connection in loop.calls():
        exchange = connection.exchange
        environ = (exchange.environ if exchange is not None else None) or {}
        if exchange is not None:
            yield {
                "name": request_name(environ)[:MOST_NAME],
                "request_id": str(environ.get("fastwsgi.request_id", ""))[:MOST_NAME],
                "seconds": max(0.0, now - began(loop.meter, exchange)),
                "thread": threads.get(thread, 0),
                "stack": stack_of(thread)[-MOST_STACK:],
            }
