"""Temporary files for what waits for clients, and one account of their size for the whole service.

A file is written without a buffer, so that a full disk shows where the client can still be told. It has no name, and
its space is free again once it is closed. Each worker keeps its own sum where the others can read it (Shared), and may
take what they leave of the limit; two that take the last of it at the same moment can pass the limit by a piece each.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Callable

from fastwsgi import temporary
from fastwsgi.http.errors import SpoolError
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import os, threading, time

if TYPE_CHECKING:
    from fastwsgi.server.interfaces import SpoolShare

RESERVE = 8  # file descriptors kept from temporary files, half of what is kept from connections; 1/16 of a small limit


class Disk:
    """The account of the temporary files of this worker.

    Attributes:
        used: bytes in its files.
        share: where the workers of a service read each other's sums; None for a single process.

    Args:
        limit: bytes for the whole service; 0 for no limit.
        log_error: called with a message and None, once a minute at most.
    """

    def __init__(
        self, limit: int, log_error: Callable[[str, BaseException | None], None], share: SpoolShare | None = None
    ) -> None:
        self.limit = limit
        self._log = RateLimitedLog(log_error)
        self.used = 0
        self.share = share
        self._lock = threading.Lock()
        temporary.directory()  # chosen while file descriptors and modules can still be had

    def open(self) -> Spool:
        """A new file. Raises SpoolError."""
        return Spool(self)

    def take(self, count: int) -> None:
        """Charge *count* bytes. Raises SpoolError where the limit leaves no room for them."""
        with self._lock:
            others = self.share.others_spooled() if self.share is not None else 0
            if not self.limit or self.used + others + count <= self.limit:
                self._set(self.used + count)
                return
        raise self.failure(f"{self.limit} bytes are in use (--max-spooled)")

    def give_back(self, count: int) -> None:
        """Take back the charge of *count* bytes."""
        with self._lock:
            self._set(self.used - count)

    def _set(self, used: int) -> None:
        self.used = used
        if self.share is not None:
            self.share.spooled = used

    def failure(self, problem: str) -> SpoolError:
        """The error for a *problem*, which is logged."""
        directory = temporary.directory() or "no directory"
        consequence = "requests that need one get a 503, or their response is cut"
        self._log.log(time.monotonic(), f"temporary files in {directory}: {problem}: {consequence}")
        return SpoolError(f"no temporary file: {problem}")


class Spool:
    """A temporary file that only grows.

    Attributes:
        file: to be read with; its position is at the beginning, as it is not written with.
        size: bytes in it.

    Raises:
        SpoolError: there can be none, as when no file descriptor is left.
    """

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.size = 0
        try:
            self.file: IO[bytes] = temporary.open_file()
        except OSError as error:
            raise disk.failure(error.strerror or str(error)) from None
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if 0 < limit <= self.file.fileno() + min(RESERVE, limit // 16):
            self.file.close()
            raise disk.failure(f"file descriptors are short (ulimit -n is {limit})")

    def append(self, data: bytes | memoryview) -> None:
        """Add *data*. Raises SpoolError, and then the file is as before."""
        count = len(data)
        self.disk.take(count)
        try:
            self._write(memoryview(data))
        except OSError as error:
            self.disk.give_back(count)
            raise self.disk.failure(error.strerror or str(error)) from None
        self.size += count

    def _write(self, data: memoryview) -> None:
        at = 0
        while at < len(data):
            at += os.pwrite(self.file.fileno(), data[at:], self.size + at)

    def read(self, offset: int, count: int) -> bytes:
        """Up to *count* bytes from *offset*. Raises SpoolError."""
        try:
            return os.pread(self.file.fileno(), min(count, self.size - offset), offset)
        except OSError as error:
            raise self.disk.failure(error.strerror or str(error)) from None

    def shorten(self, size: int) -> None:
        """Forget all behind the first *size* bytes."""
        self.disk.give_back(self.size - size)
        self.size = size

    def disown(self) -> None:
        """In a forked child, close the file; its account is the parent's."""
        file: Any = self.file
        file.raw.close()  # nothing is written that may be in a buffer

    def close(self) -> None:
        """Close the file, which frees its space."""
        with suppress(OSError):  # what an application has written into its input
            self.file.close()
        self.shorten(0)
