"""The access log: a line a response, gathered, and written by a thread of its own.

    127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /shop?id=1 HTTP/1.1" 200 1234 "-" "curl/8.0" 0.000213

Lines are written a second after they were made at the latest, or when 256 KiB have gathered. A full disk or a pipe that
nobody reads holds up the thread and no request: lines wait in memory, up to 4 MiB, and what is more is dropped and
counted. close() writes what is left, and so does the end of the interpreter, by an exception too. What ends a process
without it (SIGKILL, os._exit, a crash in C) costs the lines of the last second.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from types import SimpleNamespace
from typing import Any

from fastwsgi.observe.formats import Format

PERIOD = 1.0  # seconds between two writes
MOST = 4194304  # bytes that wait in memory
PATIENCE = 2.0  # seconds that the last lines get at the end
REPORTS = 60.0  # seconds at least between two reports of dropped lines

_open_logs: weakref.WeakSet[AccessLog] = weakref.WeakSet()


class AccessLog:
    """An observer that writes a line for each response.

    Args:
        output: where the lines go: write(bytes) gives how many it took or raises OSError, reopen(), close().
        format: what the lines look like.
        build: the build that makes the responses, from fastwsgi.backend.
    """

    _rest: bytes  # taken, and not written yet
    _thread: threading.Thread | None
    _wake: threading.Event
    _writing: threading.Lock

    def __init__(self, output: Any, format: Format, build: SimpleNamespace) -> None:
        self._output = output
        self._lines = build.access.Lines(format, self._full)
        self._dropped = 0  # lines
        self._problem = ""
        self._reported = -REPORTS
        self._closed = False
        self._begin()
        _open_logs.add(self)
        atexit.register(self.close)
        # What the gateway asks for, each only if the format needs it
        self.note = self._lines.note
        self.response_ended = self._lines.add
        self.response_started = self._keep_head if format.wants_head else None

    def request_refused(self, connection: Any, refusal: Any) -> None:
        """A line for what was not understood: little of it is known."""
        self._lines.refuse(connection.host, refusal.status)

    def tick(self) -> None:
        """See to it that the thread runs: it starts late, since a fork has to come before it."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="fastwsgi access log", daemon=True)
            self._thread.start()

    def flush(self) -> bool:
        """Write what has gathered; False if not all could be. It waits for the disk or whoever reads the pipe."""
        with self._writing:
            try:
                while self._rest or self._lines.size:
                    self._rest = self._rest or self._lines.take()[0]
                    self._rest = self._rest[self._output.write(self._rest) :]
            except OSError as error:
                self._problem = error.strerror or str(error)
                return False
        self._report()
        return True

    def reopen(self) -> None:
        """Open the file anew by its path; raises OSError."""
        self._output.reopen()

    def close(self) -> None:
        """Write the rest and close; give up after two seconds."""
        if self._closed:
            return
        self._closed = True
        _open_logs.discard(self)
        atexit.unregister(self.close)
        if self._thread is None:
            self.flush()
        else:
            self._wake.set()
            self._thread.join(PATIENCE)
            if self._thread.is_alive():
                return  # it hangs in a write, and needs the descriptor
        self._dropped += self._rest.count(b"\n") + self._lines.take()[1]
        self._reported = -REPORTS
        self._report()
        self._output.close()

    def _keep_head(self, exchange: Any, head: bytes) -> None:
        exchange.note = [*(exchange.note or ()), head]

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(PERIOD)
            self._wake.clear()
            self.flush()
        self.flush()

    def _full(self) -> None:
        """Another 256 KiB have gathered."""
        if self._lines.size > MOST:
            self._dropped += self._lines.take()[1]
        self._wake.set()

    def _report(self) -> None:
        now = time.monotonic()
        if self._dropped and now >= self._reported + REPORTS:
            dropped, self._dropped, self._reported = self._dropped, 0, now
            reason = self._problem or "they came faster than they could be written"
            logging.getLogger("fastwsgi.error").warning("access log: %d lines were dropped: %s", dropped, reason)
            self._problem = ""

    def _begin(self) -> None:
        """Begin with nothing: what was gathered before a fork is the parent's to write."""
        self._lines.take()
        self._rest = b""
        self._thread = None
        self._wake = threading.Event()
        self._writing = threading.Lock()


class LoggerOutput:
    """Hands lines to the logger "fastwsgi.access", for handlers of a --log-config: slow, some 10 us a line."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("fastwsgi.access")

    def write(self, data: bytes) -> int:
        """An entry for each line."""
        for line in data.decode("utf-8", "backslashreplace").splitlines():
            self._logger.info("%s", line)
        return len(data)

    def reopen(self) -> None:
        """The handlers' files are reopened by who reopens those of all loggers."""

    def close(self) -> None:
        """The handlers are logging's to close."""


def _begin_in_child() -> None:
    for log in list(_open_logs):
        log._begin()


os.register_at_fork(after_in_child=_begin_in_child)
