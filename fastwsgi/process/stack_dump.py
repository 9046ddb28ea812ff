"""The stacks of a worker in which no Python may run: its faulthandler writes them on a signal, which needs no GIL.

It writes into a file that the supervisor has made before the fork, and reads afterwards: in memory where there are such
files (memfd_create(2)), else a temporary one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import sys

from fastwsgi import temporary
from fastwsgi.observe.files import standard_error
from fastwsgi.originals import os, signal

DUMP = signal.SIGURG  # ignored by default, and hardly ever used
DUMP_TIME = 0.1  # seconds that a dump takes, or more on a busy machine ...
LONGEST_TIME = 0.5  # ... but it is not waited for any longer
MOST = 65536  # bytes that are read
ELSEWHERE = "(its standard error has them)"


class StackDump:
    """The file of one worker."""

    def __init__(self) -> None:
        self.fd = -1
        self._size = 0
        self._last = ""
        with contextlib.suppress(OSError):  # there is no room for it
            self.fd = _open()
            fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_APPEND)

    def enable(self) -> None:
        """Have this worker write the stacks of all its threads on DUMP."""
        faulthandler.register(DUMP, standard_error() if self.fd < 0 else self.fd, all_threads=True)

    def disable(self) -> None:
        """In a forked child, leave DUMP as it was."""
        faulthandler.unregister(DUMP)
        self.close()

    def ask(self, pid: int) -> None:
        """Have the worker *pid* write its stacks."""
        self._size = 0
        os.kill(pid, DUMP)

    def is_whole(self) -> bool:
        """Whether some were written since ask(), and none since the last call of this."""
        if self.fd < 0:
            return True
        before, self._size = self._size, os.fstat(self.fd).st_size
        return self._size > 0 and self._size == before

    def take(self) -> str:
        """What has been written; of two that have asked at once, the second gets the same."""
        if self.fd < 0:
            return ELSEWHERE
        text = os.pread(self.fd, MOST, 0).decode("utf-8", "replace").strip("\n")
        os.ftruncate(self.fd, 0)
        self._last = text or self._last
        return self._last

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open() -> int:
    if sys.platform == "linux":
        return os.memfd_create("fastwsgi stacks")
    with temporary.open_file() as file:
        return os.dup(file.fileno())
