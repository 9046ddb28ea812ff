"""A single descriptor: its state, asked without waiting, and what has woken a loop."""

from __future__ import annotations

import errno
import sys

from fastwsgi.http.transport import FINISHED, LEFT, PRESENT
from fastwsgi.originals import os, select

# The events that mean a reset, of those reported to whoever would write. Who asks for none gets none on macOS, and who
# would read, POLLHUP for a FIN; who would write gets it there once nothing can be sent.
GONE = select.POLLERR | select.POLLNVAL | select.POLLHUP
FIN = getattr(select, "POLLRDHUP", select.POLLHUP)  # asked for, and reported for a FIN


def is_readable(fd: int) -> bool:
    """Whether bytes, or the end of the connection, wait to be read from *fd*."""
    return bool(_look(fd, select.POLLIN))


def is_gone(fd: int) -> bool:
    """Whether the client has reset the connection *fd*, rather than only finished sending."""
    return bool(_look(fd, select.POLLOUT) & GONE)


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
    if sys.platform == "linux":
        found = _look(fd, FIN)
        return LEFT if found & GONE else FINISHED if found & FIN else PRESENT
    return LEFT if is_gone(fd) else FINISHED if _look(fd, FIN) & FIN else PRESENT


def _look(fd: int, events: int) -> int:
    poll = select.poll()
    poll.register(fd, events)
    return next((found for _, found in poll.poll(0)), 0)
