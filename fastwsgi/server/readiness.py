"""A single descriptor: its state, asked without waiting, and what has woken a loop."""

from __future__ import annotations

import sys

from fastwsgi.originals import os, select

# The events that mean a reset. Systems other than Linux may report POLLHUP for a half-closed connection.
GONE = select.POLLERR | (select.POLLHUP if sys.platform == "linux" else 0)


def is_readable(fd: int) -> bool:
    """Whether bytes, or the end of the connection, wait to be read from *fd*."""
    return bool(_look(fd, select.POLLIN))


def is_gone(fd: int) -> bool:
    """Whether the client has reset the connection *fd*, rather than only finished sending."""
    return bool(_look(fd, 0) & GONE)


def empty(fd: int) -> None:
    """Read what waits in *fd*, which does not block; another process may have been faster."""
    try:
        os.read(fd, 4096)
    except BlockingIOError:
        pass


def _look(fd: int, events: int) -> int:
    poll = select.poll()
    poll.register(fd, events)
    return next((found for _, found in poll.poll(0)), 0)
