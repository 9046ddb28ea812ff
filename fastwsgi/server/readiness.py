"""What the system says of a single connection, asked at once and without waiting; it reads nothing."""

from __future__ import annotations

import select
import sys

# What tells of a reset. Elsewhere than on Linux a connection that is closed half-way may be said to hang up.
GONE = select.POLLERR | (select.POLLHUP if sys.platform == "linux" else 0)


def is_readable(fd: int) -> bool:
    """Whether something has come to *fd* that was not read, the end of the connection included."""
    return bool(_look(fd, select.POLLIN))


def is_gone(fd: int) -> bool:
    """Whether the client has reset the connection *fd*; not if it only sends no more."""
    return bool(_look(fd, 0) & GONE)


def _look(fd: int, events: int) -> int:
    poll = select.poll()
    poll.register(fd, events)
    return next((found for _, found in poll.poll(0)), 0)
