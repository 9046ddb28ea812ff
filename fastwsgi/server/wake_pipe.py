"""The pipe that ends a loop's wait: any thread, and a handler of a signal, may write to it."""

from __future__ import annotations

from fastwsgi.originals import os
from fastwsgi.server.readiness import empty


class WakePipe:
    """A pipe of the loop's own, neither end of which blocks."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reader

    def wake(self) -> None:
        """End the wait. Called in any thread and in signal handlers."""
        try:
            os.write(self._writer, b"\0")
        except OSError:
            pass  # closed, or full, when the loop is awake anyway

    def empty(self) -> None:
        """Read what has been written. Raises OSError if the application has closed it."""
        empty(self._reader)

    def close(self) -> None:
        """Close both ends, once."""
        pipe, self._reader, self._writer = (self._reader, self._writer), -1, -1
        for fd in pipe:
            if fd >= 0:
                os.close(fd)
