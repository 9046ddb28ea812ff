"""A single descriptor: its state, asked without waiting, and what has woken a loop."""

from __future__ import annotations

import errno
import sys

from fastwsgi.http.transport import FINISHED, LEFT, PRESENT
from fastwsgi.originals import os, select

# The events that mean a reset. Systems other than Linux may report POLLHUP for a half-closed connection.
GONE = select.POLLERR | select.POLLNVAL | (select.POLLHUP if sys.platform == "linux" else 0)
FIN = getattr(select, "POLLRDHUP", 0)  # asked for
ENDED = FIN | select.POLLHUP  # reported for a FIN, or more


def is_readable(fd: int) -> bool:
    """Whether bytes, or the end of the connection, wait to be read from *fd*."""
    return bool(_look(fd, select.POLLIN))


def is_gone(fd: int) -> bool:
    """Whether the client has reset the connection *fd*, rather than only finished sending."""
    return bool(_look(fd, 0) & GONE)


def empty(fd: int) -> None:
    """Read what waits in *fd*, which does not block; another process may have been faster.

    Raises:
        OSError: it is not what it was, as the application has closed a descriptor of the server's.
    """
    try:
        if not os.read(fd, 4096):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    except BlockingIOError:
        pass


def presence(fd: int) -> int:
    """Whether the client of the connection *fd* is there: a word of http/transport.py."""
    found = _look(fd, FIN)
    return LEFT if found & GONE else FINISHED if found & ENDED else PRESENT


def _look(fd: int, events: int) -> int:
    poll = select.poll()
    poll.register(fd, events)
    return next((found for _, found in poll.poll(0)), 0)
