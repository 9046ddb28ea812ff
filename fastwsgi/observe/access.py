"""The access log: a line for each response, gathered, and written by a thread of its own.

    127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /shop?id=1 HTTP/1.1" 200 1234 "-" "curl/8.0" 0.000213

Lines are written at most a second after they were made, or when 256 KiB have gathered; on a terminal, at once. A full
disk, or a pipe that is not read, holds up the thread but no request: up to 4 MiB of lines of each loop wait in memory
behind those that are being written, and more are dropped and counted. close() writes the rest, and so does the end of
the interpreter, even after an exception. What a worker leaves that ends in another way (SIGKILL, os._exit, a crash in
C), its supervisor writes: see waiting.py. A single process loses the lines of its last second then.
"""

from __future__ import annotations

import atexit
import logging
import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.daemon import Daemon
from fastwsgi.observe import order
from fastwsgi.observe.recorder import Recorder
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.originals import os, threading, time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastwsgi.observe.formats import Format
    from fastwsgi.observe.interfaces import Output

PERIOD = 1.0  # seconds between two writes
CATCH_UP = 0.1  # seconds that a line of the error log waits for lines before it
CLOSE_TIMEOUT = 2.0  # seconds to write the last lines
REPORT_PERIOD = 60.0  # seconds at least between two reports of dropped lines


class AccessLog:
    """The access log of a process, whose loops have a Recorder each.

    Attributes:
        output: where the lines go.

    Args:
        format: the form of the lines.
        build: the build that makes the responses, from fastwsgi.backend.
        waiting: where the lines of each loop wait; empty: in memory of its own.
    """

    def __init__(
        self,
        output: Output,
        format: Format,
        build: SimpleNamespace,
        waiting: Sequence[WaitingLines] = (),
    ) -> None:
        self.output = output
        self._format = format
        self._build = build
        self._given = list(waiting)
        self._is_alone = not waiting  # nobody writes what close() leaves, such as lines of calls that end after it
        self._recorders: list[Recorder] = []
        self._next = 0  # the place of the one whose lines are to be written next
        self._dropped = 0  # lines
        self._problem = ""
        self._reported = -REPORT_PERIOD
        self._closed = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        forks.hold(self)
        atexit.register(self.close)
        if output.is_terminal:
            order.precede(self._catch_up)

    def for_loop(self) -> Recorder:
        """An observer for another loop; called before any of them runs."""
        waiting = WaitingLines() if self._is_alone else self._given.pop(0)
        self._recorders.append(Recorder(self, self._format, self._build, waiting))
        return self._recorders[-1]

    def tick(self) -> None:
        """Start the thread if it is not running; not sooner, since a fork would lose it."""
        if self._thread is None and not self._closed:
            with self._starting:
                if self._thread is None:
                    self._thread = Daemon(self._run, "fastwsgi access log")
                    self._thread.start()

    def write_soon(self) -> None:
        """Have the thread write now."""
        if self.output.is_terminal:
            self.tick()
        self._wake.set()

    def flush(self) -> bool:
        """Write what has gathered; False if that failed. It waits for the disk, or for the reader of a pipe."""
        with self._writing:
            written = self._write()
        if written:
            self._report()
        return written

    def _write(self) -> bool:
        """Write what has gathered, with the lock held; False if that failed."""
        recorders, empty = self._recorders, 0
        try:
            while empty < len(recorders):
                one = recorders[self._next]
                piece = one.waiting.next_piece(self.output.piece)
                if piece is not None and self.output.write_piece(one.made_by, piece) < piece.size:
                    continue  # what comes next may be the rest of a line
                empty = empty + 1 if piece is None else 0
                self._next = (self._next + 1) % len(recorders)
        except OSError as error:
            self._problem = error.strerror or str(error)
            return False
        return True

    def reopen(self) -> None:
        """Reopen the file by its path, once the lines until now are in the one that was there. Raises OSError."""
        if self.output.fd >= 0 and stat.S_ISREG(os.fstat(self.output.fd).st_mode):  # which takes them at once
            self._catch_up()
        self.output.reopen()

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
            self._dropped += sum(one.waiting.discard() for one in self._recorders)
        self._reported = -REPORT_PERIOD
        self._report()
        self.output.close()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(PERIOD)
            self._wake.clear()
            self.flush()
        self.flush()

    def _catch_up(self) -> None:
        """Write what waits now, unless the thread is stuck in a write."""
        if any(one.waiting.size for one in self._recorders) and self._writing.acquire(timeout=CATCH_UP):
            try:
                self._write()
            finally:
                self._writing.release()

    def _report(self) -> None:
        self._dropped += sum(one.waiting.take_dropped() for one in self._recorders)
        now = time.monotonic()
        if self._dropped and now >= self._reported + REPORT_PERIOD:
            dropped, self._dropped, self._reported = self._dropped, 0, now
            reason = self._problem or "they came faster than they could be written"
            logging.getLogger("fastwsgi.error").warning("access log: %d lines were dropped: %s", dropped, reason)
            self._problem = ""

    def disown(self) -> None:
        """In a forked child, close the file: the parent writes the lines, those that gathered before the fork, too."""
        self._closed = True
        for one in self._recorders:
            one.made_by.disown()
        self._recorders = []
        self._wake = threading.Event()
        self._writing = threading.Lock()
        order.leave(self._catch_up)
        atexit.unregister(self.close)
        self.output.close()
