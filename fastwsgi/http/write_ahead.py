"""A temporary file for what an application has passed to write() and its client has not read yet."""

from __future__ import annotations

import io
import tempfile
from typing import Any

PIECE = 1048576  # bytes that are read back at once


class WriteAhead:
    """Bytes as they will be sent, appended at the end and read from the beginning."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        self._sent = 0

    def append(self, data: bytes) -> None:
        """Add *data* at the end."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(data)

    def next(self) -> bytes:
        """The next piece; b"" at the end, where the file is closed."""
        self._file.seek(self._sent)
        data = self._file.read(PIECE)
        self._sent += len(data)
        if not data:
            self.close()
        return data

    def disown(self) -> None:
        """In a forked child, close the file without writing what the parent has in its buffer."""
        file: Any = self._file
        file.raw.close()

    def close(self) -> None:
        """Close the file, which frees its disk space."""
        self._file.close()
