"""The access log: a line for each response, gathered, and written by a thread of its own.

    127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /shop?id=1 HTTP/1.1" 200 1234 "-" "curl/8.0" 0.000213

Lines are written at most a second after they were made, or when 256 KiB have gathered; on a terminal, at once. A full
disk, or a pipe that is not read, holds up the thread but no request: up to 4 MiB of lines wait in memory behind those
that are being written, and more are dropped and counted. close() writes the rest, and so does the end of the
interpreter, even after an exception. What a worker leaves that ends in another way (SIGKILL, os._exit, a crash in C),
its supervisor writes: see waiting.py. A single process loses the lines of its last second then.
"""

from __future__ import annotations

import atexit
import logging
import stat
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.daemon import Daemon
from fastwsgi.figures import LINES_DROPPED
from fastwsgi.observe import order
from fastwsgi.observe.formats import Format
from fastwsgi.observe.refused import Refused
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.originals import os, threading, time

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.interfaces import Output

PERIOD = 1.0  # seconds between two writes
CATCH_UP = 0.1  # seconds that a line of the error log waits for lines before it
CLOSE_TIMEOUT = 2.0  # seconds to write the last lines
REPORT_PERIOD = 60.0  # seconds at least between two reports of dropped lines


class AccessLog:
    """An observer that writes a line for each response.

    Attributes:
        lines: makes them as the file has them, for the monitor of the compiled build.

    Args:
        output: where the lines go.
        format: the form of the lines.
        build: the build that makes the responses, from fastwsgi.backend.
        waiting: where lines wait; None: in memory of its own.
    """

    def __init__(
        self,
        output: Output,
        format: Format,
        build: SimpleNamespace,
        waiting: WaitingLines | None = None,
    ) -> None:
        self._output = output
        self._waiting = waiting or WaitingLines()
        self._is_alone = waiting is None  # nobody writes what close() leaves, such as lines of calls that end after it
        self._lines: Lines = build.access.Lines(format, self._waiting, self._full, output.is_terminal)
        self.lines = self._lines
        if format.in_file is not None:
            self.lines = build.access.Lines(format.in_file, self._waiting, self._full)
        self.lines.fd = output.fd
        self._dropped = 0  # lines
        self._problem = ""
        self._reported = -REPORT_PERIOD
        self._closed = False
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._writing = threading.Lock()
        forks.hold(self)
        atexit.register(self.close)
        if output.is_terminal:
            order.precede(self._catch_up)
        # The head of a response is copied only if the format needs it
        self.note = self._lines.note
        self.response_ended = self._lines.add
        self.response_started = self._keep_head if format.wants_head else None

    def count_with(self, meter: Meter) -> None:
        """Have *meter* count the lines for which there is no room."""
        self._lines.drop = partial(meter.add, LINES_DROPPED, 1)

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Make the line of a refused request, with what is known of it."""
        self._lines.refuse(Refused(connection, refusal, self.note))

    def tick(self) -> None:
        """Start the thread if it is not running; not sooner, since a fork would lose it."""
        if self._thread is None and not self._closed:
            self._thread = Daemon(self._run, "fastwsgi access log")
            self._thread.start()

    def flush(self) -> bool:
        """Write what has gathered; False if that failed. It waits for the disk, or for the reader of a pipe."""
        with self._writing:
            written = self._write()
        if written:
            self._report()
        return written

    def _write(self) -> bool:
        """Write what has gathered, with the lock held; False if that failed."""
        try:
            while (piece := self._waiting.next_piece(self._output.piece)) is not None:
                self._output.write_piece(self._lines, piece)
        except OSError as error:
            self._problem = error.strerror or str(error)
            return False
        return True

    def reopen(self) -> None:
        """Reopen the file by its path, once the lines until now are in the one that was there. Raises OSError."""
        if self._output.fd >= 0 and stat.S_ISREG(os.fstat(self._output.fd).st_mode):  # which takes them at once
            self._catch_up()
        self._output.reopen()

    def close(self) -> None:
        """Write the rest and close the file; it gives up after CLOSE_TIMEOUT."""
        if self._closed:
            return
        self._closed = True
        forks.release(self)
        order.leave(self._catch_up)
        atexit.unregister(self.close)
        if self._thread is None:
            self.flush()
        else:
            self._wake.set()
            self._thread.join(CLOSE_TIMEOUT)
            if self._thread.is_alive():
                return  # the thread is stuck in a write, and needs the descriptor
        if self._is_alone:
            self._dropped += self._waiting.discard()
        self._reported = -REPORT_PERIOD
        self._report()
        self._output.close()

    def _keep_head(self, exchange: Exchange, head: bytes) -> None:
        exchange.note = (*(exchange.note or ()), head)

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(PERIOD)
            self._wake.clear()
            self.flush()
        self.flush()

    def _full(self) -> None:
        if self._output.is_terminal:
            self.tick()
        self._wake.set()

    def _catch_up(self) -> None:
        """Write what waits now, unless the thread is stuck in a write."""
        if self._waiting.size and self._writing.acquire(timeout=CATCH_UP):
            try:
                self._write()
            finally:
                self._writing.release()

    def _report(self) -> None:
        self._dropped += self._waiting.take_dropped()
        now = time.monotonic()
        if self._dropped and now >= self._reported + REPORT_PERIOD:
            dropped, self._dropped, self._reported = self._dropped, 0, now
            reason = self._problem or "they came faster than they could be written"
            logging.getLogger("fastwsgi.error").warning("access log: %d lines were dropped: %s", dropped, reason)
            self._problem = ""

    def disown(self) -> None:
        """In a forked child, close the file: the parent writes the lines, those that gathered before the fork, too."""
        self._closed = True
        self._lines.disown()
        self._waiting = WaitingLines()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        order.leave(self._catch_up)
        atexit.unregister(self.close)
        self._output.close()
