"""The end of a loop whose requests have had their time, from outside."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from fastwsgi.server.monitoring import start_monitor
from fastwsgi.server.reach import HeldUp, reached

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop


def cut(loop: Loop) -> None:
    """Answer the requests that run with 504, end all connections, and let run() return. Called in another thread.

    A call that does not return is left behind. If it is on the thread that has called run(), caller_stuck() is called
    instead of the return.
    """
    if loop.monitor is None:
        loop.monitor = start_monitor(loop)
    loop.aborted = True
    with suppress(HeldUp), reached(loop.guard):
        for thread, connection in loop.calls():
            if connection.exchange is not None:
                loop.give_up(thread, connection, connection.exchange)
    loop.wake()
