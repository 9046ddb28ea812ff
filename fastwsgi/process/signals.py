"""Signals as a queue: what comes in is noted at once and taken between two turns of the supervisor."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable
from typing import Any

WATCHED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCHLD,
)


def ignore(number: int, frame: object) -> None:
    """A handler that does nothing. Unlike SIG_IGN, programs that the application starts do not inherit it."""


class SignalQueue:
    """Takes the signals of WATCHED while it is open; for the main thread only."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> SignalQueue:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, ignore) for number in WATCHED}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._fd_before)
        self.close()

    def close(self) -> None:
        """Close the descriptors alone: in a forked child, which sets handlers of its own."""
        self._out.close()
        self._in.close()

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._out.fileno()

    def read(self) -> Iterable[int]:
        """The numbers of the signals that have come since the last call."""
        try:
            return self._out.recv(4096)
        except BlockingIOError:
            return ()
