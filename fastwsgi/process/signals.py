"""Signals as a queue: each is noted the moment it arrives, and read between two turns of the supervisor."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Callable

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


@contextmanager
def handled(numbers: Iterable[int], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Have *handler* called for these signals inside the block; for the main thread only.

    They are unblocked for that: some launchers start programs with signals blocked, and this one could not be stopped.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


def wakeup_pair() -> tuple[socket.socket, socket.socket]:
    """Two non-blocking sockets: a byte sent into the second makes the first readable."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader, writer


class SignalQueue:
    """Holds the signals of WATCHED that arrive while it is open; for the main thread only.

    Python's own handler in C writes the number of each signal into a socket (signal.set_wakeup_fd()).
    """

    def __init__(self) -> None:
        self._handlers = ExitStack()

    def __enter__(self) -> SignalQueue:
        self._reader, self._writer = wakeup_pair()
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers.enter_context(handled(WATCHED, ignore))
        return self

    def __exit__(self, *exception: object) -> None:
        self._handlers.close()
        signal.set_wakeup_fd(self._fd_before)
        self.close()

    def close(self) -> None:
        """Close the descriptors alone: in a forked child, which sets handlers of its own."""
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """The descriptor that is readable when a signal has arrived."""
        return self._reader.fileno()

    def read(self) -> Iterable[int]:
        """The numbers of the signals that have arrived since the last call."""
        try:
            return self._reader.recv(4096)
        except BlockingIOError:
            return ()
