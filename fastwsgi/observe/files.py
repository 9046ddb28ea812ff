"""A log file: opened for appending, and reopened by its path after it was rotated.

Several processes may have the same file open: with O_APPEND each write is appended whole.
"""

from __future__ import annotations

import os
import select
import stat
import sys

PIECE = 1048576  # bytes of one write to a file


class LogFile:
    """The file at *path*, created if it is missing; "-" stands for the descriptor *standard*.

    Raises:
        OSError: it cannot be opened; ENXIO for a named pipe that no process reads.
    """

    def __init__(self, path: str, standard: int = 1) -> None:
        self.path = path
        self.fd = standard if path == "-" else _open(path)
        # A write to a pipe that other processes write to stays in one piece up to this size (POSIX, PIPE_BUF)
        self.piece = PIECE if stat.S_ISREG(os.fstat(self.fd).st_mode) else select.PIPE_BUF

    def write(self, data: bytes) -> int:
        """Write as much of *data*, whole lines, as may go in one piece: bytes written. Raises OSError."""
        if len(data) > self.piece:
            end = data.rfind(b"\n", 0, self.piece) + 1 or data.find(b"\n") + 1
            data = data[: end or len(data)]
        return os.write(self.fd, data)

    def reopen(self) -> None:
        """Reopen the path on the same descriptor; a write in progress ends in the old file.

        Raises:
            OSError: it cannot be opened; the old file stays open.
        """
        if self.path != "-":
            fd = _open(self.path)
            os.dup2(fd, self.fd, inheritable=False)
            os.close(fd)

    def close(self) -> None:
        if self.path != "-":
            os.close(self.fd)


def _open(path: str) -> int:
    """A descriptor of the file; without O_NONBLOCK, opening a named pipe would wait for a reader."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    os.set_blocking(fd, True)
    return fd


def standard_output() -> int:
    """The descriptor of sys.stdout; 1 where a program has put something without one in its place."""
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return 1
