"""A log file: opened for appending, and reopened by its path after it was rotated.

Several processes may have the same file open: with O_APPEND each write is appended whole. What the application changes
in its process, such as the directory, the umask or the standard streams, affects no log.
"""

from __future__ import annotations

import contextlib
import stat
import sys
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.observe.links import open_file
from fastwsgi.observe.standard_streams import duplicate, moved_above
from fastwsgi.originals import os, select

if TYPE_CHECKING:
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.waiting import Piece

PIECE = 1048576  # bytes of one write to a file
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC

handed: dict[str, int] = {}
"""Descriptors by path, while logs are reopened that this process may not open itself."""


class LogFile:
    """The file at *path*, created if it is missing; "-" stands for the descriptor *standard*, of which it has its own.

    Raises:
        OSError: it cannot be opened; ENXIO for a named pipe that no process reads.
    """

    def __init__(self, path: str, standard: int = 1) -> None:
        self._standard = standard
        if path == "-":
            self.path = path
            self.fd = duplicate(standard)
            forks.hold(self)
        else:
            self.fd = open_log(path)
            self.path = os.path.abspath(path)
        # A write to a pipe that other processes write to stays in one piece up to this size (POSIX, PIPE_BUF)
        self.piece = PIECE if stat.S_ISREG(os.fstat(self.fd).st_mode) else select.PIPE_BUF
        self.is_terminal = os.isatty(self.fd)

    def write_piece(self, lines: Lines, piece: Piece) -> int:
        """Write *piece*, of which the file may take a part, and note what was written: bytes. Raises OSError."""
        return lines.write(self.fd, piece)

    def reopen(self) -> None:
        """Reopen the path on the same descriptor; a write in progress ends in the old file, whose mode a new one gets.

        Raises:
            OSError: it cannot be opened; the old file stays open.
        """
        if self.path != "-":
            fd = reopened(self.path, stat.S_IMODE(os.fstat(self.fd).st_mode))
            os.dup2(fd, self.fd, inheritable=False)
            os.close(fd)

    def close(self) -> None:
        """Close it, unless the application has done that."""
        forks.release(self)
        if self.fd != self._standard:
            with contextlib.suppress(OSError):
                os.close(self.fd)

    def disown(self) -> None:
        """In a forked child, go on with the standard stream itself.

        A child that detaches itself must not keep a pipe open whose reader waits for its end.
        """
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self.fd = self._standard


def reopened(path: str, mode: int | None) -> int:
    """A new descriptor of *path*: one that was handed over, or else by opening it. Raises OSError."""
    return os.dup(handed[path]) if path in handed else open_log(path, mode)


def open_log(path: str, mode: int | None = None) -> int:
    """A descriptor of the file, which gets *mode* if it is new, whatever the umask. Raises OSError."""
    try:
        fd = open_file(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        if mode is not None:
            os.fchmod(fd, mode)
    except FileExistsError:
        fd = open_file(path, _FLAGS | os.O_CREAT, 0o644)
    os.set_blocking(fd, True)  # without O_NONBLOCK, opening a named pipe would wait for a reader
    return moved_above(fd)


def standard_output() -> int:
    """The descriptor of sys.stdout; 1 where a program has put something without one in its place."""
    return _descriptor(sys.stdout, 1)


def standard_error() -> int:
    """The descriptor of sys.stderr; 2 where a program has put something without one in its place."""
    return _descriptor(sys.stderr, 2)


def _descriptor(stream: object, default: int) -> int:
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return default
