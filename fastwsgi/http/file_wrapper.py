"""wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"), and the part of a file to send."""

from __future__ import annotations

import io
import stat
from typing import IO, Any

from fastwsgi.originals import os

BLOCK = 65536  # bytes of a piece, if a file is read instead


class FileWrapper:
    """An iterable over a file, which is sent by sendfile() if possible.

    Args:
        filelike: the application's object, with read() and perhaps close(). A real file is sent from its position.
        blksize: bytes of a piece, if it is read instead.
    """

    def __init__(self, filelike: Any, blksize: int = BLOCK) -> None:
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        piece: bytes = self.filelike.read(self.blksize)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()


class FileStretch:
    """The *size* bytes from *offset* on of an open file; as an iterable, for who cannot use sendfile().

    Args:
        file: a descriptor.
        owner: keeps it open.
    """

    def __init__(self, file: int, offset: int, size: int, owner: object = None) -> None:
        self.file = file
        self.offset = offset
        self.size = size
        self.owner = owner

    def __iter__(self) -> FileStretch:
        return self

    def __next__(self) -> bytes:
        try:
            piece = os.pread(self.file, min(BLOCK, self.size), self.offset)
        except OSError:  # as with sendfile(): it is shorter than it was
            piece = b""
        if not piece:
            raise StopIteration
        self.advance(len(piece))
        return piece

    def cut(self, size: int) -> None:
        """Shorten it to its first *size* bytes."""
        self.size = min(self.size, size)

    def advance(self, count: int) -> None:
        """Remove the first *count* bytes, which have been sent."""
        self.offset += count
        self.size -= count


def stretch_of(filelike: Any) -> FileStretch | None:
    """The rest of a real file from its position on; None if *filelike* must be read instead."""
    file = _plain_file(filelike)
    if file is None:
        return None
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:  # files in /proc say 0 and have more
        return None
    offset = file.tell()
    return FileStretch(file.fileno(), offset, max(0, status.st_size - offset))


def _plain_file(filelike: Any) -> IO[bytes] | None:
    """*filelike*, if its descriptor gives the same bytes as its read(); that of a gzip file gives compressed ones."""
    if type(filelike).__module__ == "tempfile":
        filelike = getattr(filelike, "file", filelike)
    raw = getattr(filelike, "raw", filelike)
    plain = type(filelike) in (io.BufferedReader, io.BufferedRandom, io.FileIO) and type(raw) is io.FileIO
    return filelike if plain and not filelike.closed else None
