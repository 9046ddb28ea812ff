"""What waits in a temporary file for a client that reads slowly: what write() was given, or the rest of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.http.spool import Spool, SpoolError

if TYPE_CHECKING:
    from fastwsgi.http.spool import Disk

PIECE = 65536  # bytes that are read back at once


class WriteAhead:
    """Bytes as they will be sent, appended at the end and read from the beginning.

    Args:
        disk: the account of temporary files.
        parts: the first bytes.

    Raises:
        SpoolError: there is no room for them.
    """

    def __init__(self, disk: Disk, parts: list[bytes | memoryview]) -> None:
        self._spool = Spool(disk)
        self._sent = 0
        try:
            self.append(parts)
        except SpoolError:
            self.close()
            raise

    def append(self, parts: list[bytes | memoryview]) -> None:
        """Add *parts* at the end. Raises SpoolError, and then none of them is added."""
        before = self._spool.size
        try:
            for part in parts:
                self._spool.append(part)
        except SpoolError:
            self._spool.shorten(before)
            raise

    def next(self) -> bytes:
        """The next piece; b"" at the end, where the file is closed. Raises SpoolError."""
        data = self._spool.read(self._sent, PIECE)
        self._sent += len(data)
        if not data:
            self.close()
        return data

    def close(self) -> None:
        """Close the file, which frees its disk space."""
        self._spool.close()
