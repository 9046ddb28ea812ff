"""One state of a file: opened, looked at, and, if it is small, read."""

from __future__ import annotations

import zlib

from fastwsgi.http.file_wrapper import FileStretch
from fastwsgi.originals import os

IN_MEMORY = 65536  # bytes: such a file is sent from memory, in one system call with its head
SECOND = 10**9  # nanoseconds
CREDIBLE = 347155200  # 1981-01-01: older dates are those of programs that give all files the same


class OpenFile:
    """The descriptor *fd* of a regular file, which is closed when nobody needs it any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class File:
    """A regular file as it was when it was opened.

    Attributes:
        size: in bytes.
        etag: a strong entity tag.
        modified: seconds since 1970; None if that cannot be, or says nothing.
        changed: when it was last modified, for what was made from it; in seconds.
        date_is_strong: whether that second is over.

    Args:
        fd: a descriptor, which belongs to this object from now on.
        status: what fstat() says of it.
        now: the time of day, in seconds.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, fd: int, status: os.stat_result, now: float) -> None:
        self._open: OpenFile | None = OpenFile(fd)
        self.data = _read_small(fd) if status.st_size <= IN_MEMORY else None
        if self.data is None:
            status = os.fstat(fd)  # it may have grown
            self.etag = _tag_of_state(status)
            self.size = status.st_size
        else:
            self._open = None
            self.size = len(self.data)
            self.etag = f'"{self.size:x}-{zlib.crc32(self.data):08x}{zlib.adler32(self.data):08x}"'
        self.changed = status.st_mtime_ns // SECOND
        self.modified = self.changed if CREDIBLE <= self.changed <= now else None
        self.date_is_strong = self.changed < now - 1

    @property
    def is_open(self) -> bool:
        """Whether it needs a descriptor."""
        return self._open is not None

    def part(self, start: int, end: int) -> list[bytes] | FileStretch:
        """The bytes from *start* up to *end*, for a response."""
        if self.data is None:
            assert self._open is not None
            return FileStretch(self._open.fd, start, end - start, self._open)
        return [self.data if end - start == self.size else self.data[start:end]]


def _read_small(fd: int) -> bytes | None:
    """All of a file, however it changes meanwhile; None if it is too long."""
    data = b""
    while len(data) <= IN_MEMORY:
        piece = os.pread(fd, IN_MEMORY + 1 - len(data), len(data))
        if not piece:
            return data
        data += piece
    return None


def _tag_of_state(status: os.stat_result) -> str:
    """An entity tag without a look at the content.

    Times of whole seconds are those that archives and reproducible builds set, perhaps the same for each version. So
    the time of the change of the inode, which nobody can set, is added there.
    """
    time = status.st_mtime_ns
    inode = f"-{status.st_ctime_ns:x}" if time % SECOND == 0 else ""
    return f'"{status.st_size:x}-{time:x}{inode}"'
