"""The end of the listeners in a worker: it accepts what waits in their queues, and then no client can connect.

The loop does that in its next turn. But an application may occupy the only thread for a long time: then the control
thread accepts instead and shuts the listeners for all processes, and the loop serves the connections in its next turn.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastwsgi.observe.standard_streams import moved_above
from fastwsgi.originals import accept, os, socket, threading

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import ConnectionTaker

PATIENCE = 0.05  # seconds in which the loop may do it itself


class ListenerDrain:
    """Closes *listeners* once, in the first of two threads to reach it.

    Args:
        listeners: this worker's.
        shared: those of them on which a process outside this service keeps listening, which are not shut.
    """

    def __init__(self, listeners: list[socket.socket], shared: list[socket.socket]) -> None:
        self._listeners = listeners
        self._shared = shared
        self._accepted: list[tuple[socket.socket, int, str, str]] = []
        self._lock = threading.Lock()
        self._closed = False

    def prepare(self) -> None:
        """Some time before the end, have connections queue without their first bytes: those not queued end with it."""
        for listener in self._listeners:
            is_tcp = listener.family in (socket.AF_INET, socket.AF_INET6)
            if is_tcp and listener not in self._shared and hasattr(socket, "TCP_DEFER_ACCEPT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 0)

    def close(self, loop: ConnectionTaker) -> None:
        """In the loop, which has emptied the queues: close, and serve what the control thread has accepted."""
        with self._lock:
            self._closed = True
            for connection in self._accepted:
                loop.take(*connection)
            for listener in self._listeners:
                listener.close()

    def shut(self) -> None:
        """In the control thread: if the loop has not had its turn, empty the queues and refuse new connections."""
        with self._lock:
            if self._closed:
                return
            for listener in self._listeners:
                if listener not in self._shared:
                    self._accept_all(listener)
                    with contextlib.suppress(OSError):  # another worker was faster; macOS cannot do it
                        listener.shutdown(socket.SHUT_RDWR)

    def disown(self) -> None:
        """In a forked child, close the listeners, and what the control thread has accepted."""
        for listener in self._listeners:
            listener.close()
        for _, fd, _, _ in self._accepted:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _accept_all(self, listener: socket.socket) -> None:
        while True:
            try:
                fd, address = accept(listener)
            except OSError:
                return
            host, port = (address[0], str(address[1])) if isinstance(address, tuple) else ("", "")
            self._accepted.append((listener, moved_above(fd), host, port))
