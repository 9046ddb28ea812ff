"""The access lines of workers that ended before they had written them: the supervisor does so, and never waits.

A worker adds its lines to memory that the supervisor has mapped (observe/waiting.py). What a regular file takes is
written at once. A pipe takes what it has room for, and the rest goes on waiting, up to MOST bytes of it, for SECONDS at
most: whoever reads it may have stopped.
"""

from __future__ import annotations

import errno
import stat
from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.observe.entries import Entries
from fastwsgi.observe.files import LogFile, standard_output
from fastwsgi.observe.logs import access_destinations, error_log
from fastwsgi.observe.outputs import LoggerOutput
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.originals import os, select, time

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

MOST = 4194304  # bytes that wait
SECONDS = 10.0  # that they wait while nothing is read
AGAIN = 0.1  # seconds between two tries
AT_THE_END = 2.0  # seconds for the last of them


class Remains:
    """The lines of one worker that wait for the reader of a pipe.

    Args:
        path: access_logfile.
        data: whole lines, but for the first, of which a part may be written.
        until: when they are dropped (time.monotonic()).
    """

    def __init__(self, path: str, data: bytes, until: float) -> None:
        self.path = path
        self.data = data
        self.until = until

    def write(self) -> None:
        """Write as much as may be written without waiting. Raises OSError."""
        file = LogFile(self.path, standard_output())
        fd = file.fd
        try:
            fd = _without_waiting(file)
            while self.data and _has_room(fd):
                end = self.data.rfind(b"\n", 0, file.piece) + 1 or self.data.find(b"\n") + 1
                self.data = self.data[os.write(fd, self.data[: end or None]) :]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
        finally:
            if fd != file.fd:
                os.close(fd)
            file.close()


class Salvage:
    """Writes what is left of the access log.

    Attributes:
        next_try: when advance() next does something (time.monotonic()); None: nothing waits.
    """

    def __init__(self) -> None:
        self.next_try: float | None = None
        self._remains: deque[Remains] = deque()

    def take(self, waiting: list[WaitingLines], settings: Settings) -> None:
        """Write what the loops of a worker with *settings* have left, now that it has ended, and unmap the memory."""
        for one in waiting:
            self._take(one, settings)

    def _take(self, waiting: WaitingLines, settings: Settings) -> None:
        data, dropped = waiting.rest(), waiting.take_dropped()
        waiting.close()
        if dropped:
            _report(dropped, "they came faster than they could be written")
        path, to_logger = access_destinations(settings)
        entries = Entries(settings.access_log_format)
        if data and path is not None:
            self._add(Remains(path, entries.plain(data), time.monotonic() + SECONDS))
        if data and to_logger:
            LoggerOutput(entries).write(data)

    def advance(self, now: float) -> None:
        """Write more of what waits, or drop it if its time is over."""
        if self.next_try is None or now < self.next_try:
            return
        while self._remains:
            remains = self._remains[0]
            before = len(remains.data)
            reason = "nobody reads them"
            try:
                remains.write()
            except OSError as error:
                reason, remains.until = error.strerror or str(error), now
            if len(remains.data) < before:
                remains.until = max(remains.until, now + SECONDS)
            if remains.data and now < remains.until:
                self.next_try = now + AGAIN
                return
            self._remains.popleft()
            if remains.data:
                _report(remains.data.count(b"\n"), reason)
        self.next_try = None

    def close(self) -> None:
        """Write the last of it, for at most AT_THE_END seconds, and drop the rest."""
        until = time.monotonic() + AT_THE_END
        while self.next_try is not None and (now := time.monotonic()) < until:
            time.sleep(max(0.0, min(self.next_try - now, until - now)))
            self.advance(time.monotonic())
        lines = sum(one.data.count(b"\n") for one in self._remains)
        if lines:
            _report(lines, "nobody reads them")
        self._remains.clear()

    def _add(self, remains: Remains) -> None:
        if self._remains and sum(len(one.data) for one in [*self._remains, remains]) > MOST:
            _report(remains.data.count(b"\n"), "nobody reads them")
            return
        self._remains.append(remains)
        now = time.monotonic()
        if self.next_try is None:
            self.next_try = now
            self.advance(now)


def waiting_for(settings: Settings, loops: int) -> list[WaitingLines]:
    """Memory for the access lines of each loop of a worker with *settings*; none if it has no access log."""
    return [WaitingLines() for _ in range(loops)] if access_destinations(settings) != (None, False) else []


def _report(lines: int, reason: str) -> None:
    error_log.warning("access log: %d lines of a worker that has ended were dropped: %s", lines, reason)


def _has_room(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(0))


def _without_waiting(file: LogFile) -> int:
    """A descriptor of the same file, pipe or terminal that does not block; where there is none, its own.

    The flag of its own descriptor is shared with every process that writes there.
    """
    if stat.S_ISREG(os.fstat(file.fd).st_mode):
        return file.fd
    try:
        return os.open(f"/proc/self/fd/{file.fd}", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return file.fd  # a socket, or another system: it was asked whether it has room
