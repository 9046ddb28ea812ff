"""Descriptors 0 to 2: they are for the standard streams, and nothing of the server's own may be there.

An application may close them, as daemons do. The system would give the next connection the number of standard output,
and whatever is printed would go to that client.
"""

from __future__ import annotations

import fcntl

from fastwsgi.originals import os

FIRST_OTHER = 3


def duplicate(fd: int) -> int:
    """Another descriptor for what *fd* refers to, for this program alone. Raises OSError."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_OTHER)


def moved_above(fd: int) -> int:
    """*fd*, or a descriptor in its place if that is one of a standard stream. Raises OSError."""
    if fd >= FIRST_OTHER:
        return fd
    try:
        return duplicate(fd)
    finally:
        os.close(fd)
        occupy()


def occupy() -> None:
    """Open /dev/null in the place of each standard stream that is closed."""
    for number in range(FIRST_OTHER):
        try:
            os.fstat(number)
        except OSError:
            _open_nothing()


def _open_nothing() -> None:
    try:
        fd = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    except OSError:
        return  # there is no room
    if fd < FIRST_OTHER:
        os.set_inheritable(fd, True)
    else:
        os.close(fd)  # another thread was faster
