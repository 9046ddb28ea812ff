"""A loop in a process that the application has forked: all of it is the parent's.

The descriptors are closed, since as long as the child has them, the parent's clients would not see the end of their
connections, nor could another server have the port. Nothing is shut down or sent. If the child comes back into the
loop, from a call of the application or the handler of a signal, say, it ends: see leaving.py.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

from fastwsgi.leaving import leave
from fastwsgi.originals import os, threading

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop


def disown(loop: Loop) -> None:
    """Close what *loop* has open, and take everything from it."""
    loop.guard.renew()
    loop.service.disown()
    loop.watchdog.disown()
    if loop.monitor is not None:
        loop.monitor.disown()
    if loop.pool is not None:
        loop.pool.disown()
    loop.slot = None
    loop.rows.disown()
    _close_connections(loop)
    for listener in loop.acceptor.listeners.values():
        listener.socket.close()
    loop.acceptor.listeners.clear()
    loop.wakers.clear()  # one may have been reported just before a handler of a signal has forked
    loop.poller.close()
    loop.wake_pipe.close()
    loop.poller = NoPoller()


def _close_connections(loop: Loop) -> None:
    own = dict(loop.calls()).get(threading.get_ident())
    for connection in loop.all_connections():
        connection.disown(connection is own)
        with contextlib.suppress(OSError):
            os.close(connection.fd)
    loop.connections.clear()
    loop.turns.clear()


class NoPoller:
    """Takes the poller's place: whoever asks it for something ends."""

    epoll = -1

    def watch(self, fd: int, event: str, before: str) -> NoReturn:
        leave()

    def forget(self, fd: int, before: str) -> NoReturn:
        leave()

    def poll(self, timeout: float) -> NoReturn:
        leave()

    def close(self) -> None:
        pass
