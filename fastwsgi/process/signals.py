"""Signals as a queue: each is noted the moment it arrives, and read between two turns of the supervisor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from fastwsgi import forks
from fastwsgi.originals import os, signal, socket, socketpair

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
STOP_SIGNALS = WATCHED[:3]


def ignore(number: int, frame: object) -> None:
    """A handler that does nothing. Unlike SIG_IGN, programs that the application starts do not inherit it."""


@contextmanager
def handled(numbers: Iterable[int], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Have *handler* called for these signals inside the block; for the main thread only.

    They are unblocked for that: some launchers start programs with signals blocked, and this one could not be stopped.
    """
    mine = list(numbers)
    for number in mine:
        forks.handle(number, handler)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, mine)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number in mine:
            forks.give_back(number)


def is_free(number: int) -> bool:
    """Whether the program has set no handler for a signal, neither in Python nor in C, as faulthandler.register()."""
    if signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN):
        return False
    try:
        status = Path("/proc/self/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    except (OSError, ValueError, IndexError):
        return True
    return not caught >> (number - 1) & 1


class Hangup:
    """Tells the SIGHUP of a terminal that is gone, which ends a server as any program, from one that asks for a reload.

    Under nohup, which has SIGHUP ignored, and without a terminal, it is always the latter. gunicorn and nginx reload in
    both cases, and serve on with nobody to see it and their port taken.
    """

    def __init__(self) -> None:
        self._minds = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()

    def has_come(self) -> bool:
        """Whether the terminal is gone."""
        return self._minds and not _has_terminal()


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def disown_wakeup(reader: socket.socket, writer: socket.socket) -> None:
    """In a forked child, close such a pair, and let Python write no signals into it."""
    fd = signal.set_wakeup_fd(-1)
    if fd not in (-1, writer.fileno()):
        signal.set_wakeup_fd(fd)  # the application's
    reader.close()
    writer.close()


class Interrupted(BaseException):
    """A signal that asks for the end has come, and nothing is served yet."""


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted


class SignalQueue:
    """Holds the signals of WATCHED that arrive while it is open; for the main thread only.

    Python's own handler in C writes the number of each signal into a socket (signal.set_wakeup_fd()).
    """

    def __init__(self) -> None:
        self._handlers = handled(WATCHED, ignore)

    def __enter__(self) -> SignalQueue:
        self._reader, self._writer = socketpair()
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers.__enter__()
        return self

    def claim(self) -> None:
        """Have them again after hooks and the application have run here: asyncio.run() ends with set_wakeup_fd(-1)."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in WATCHED:
            signal.signal(number, ignore)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """In the block, in which nobody reads the queue, those that ask for the end raise Interrupted."""
        for number in STOP_SIGNALS:
            forks.handle(number, _interrupt)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                forks.handle(number, ignore)

    def __exit__(self, *exception: object) -> None:
        self._handlers.__exit__(None, None, None)
        signal.set_wakeup_fd(self._fd_before)
        self._reader.close()
        self._writer.close()

    def disown(self) -> None:
        """In a forked child, close the descriptors."""
        disown_wakeup(self._reader, self._writer)

    def fileno(self) -> int:
        """The descriptor that is readable when a signal has arrived."""
        return self._reader.fileno()

    def read(self) -> Iterable[int]:
        """The numbers of the signals that have arrived since the last call."""
        try:
            return self._reader.recv(4096)
        except OSError:  # there are none, or it is closed
            return ()
