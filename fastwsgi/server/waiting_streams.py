"""The responses whose threads wait for clients that read more slowly than the response is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastwsgi.figures import STREAMS_WAITING
from fastwsgi.http.errors import ClientDisconnected
from fastwsgi.http.waits import pause, resume
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import select, time
from fastwsgi.server.lateness import count_lateness

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.server.loop import Loop

LOOK = 1.0  # seconds between two looks at a client that does not read


class WaitingStreams:
    """Those of one *loop*, at most *most*; the caller has the lock of the pool where they change."""

    def __init__(self, loop: Loop, most: int) -> None:
        self._meter = loop.meter
        self._guard = loop.guard
        self._rows = loop.rows
        self._most = most
        self._streams: set[Connection] = set()
        self._cuts = RateLimitedLog(loop.log_error)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, connection: Connection) -> bool:
        """Add *connection*. True if there are too many then: the one that is furthest behind ends, to be reported.

        That takes its thread up to LOOK to see, so of a burst of streams another one ends for each that is too many.
        """
        self._streams.add(connection)
        self._meter.set(STREAMS_WAITING, len(self._streams))
        if len(self._streams) <= self._most:
            return False
        staying = [one for one in self._streams if not one.given_up]
        if len(staying) <= self._most:
            return False
        min(staying, key=lambda one: one.pace.deadline).given_up = True
        return True

    def report_cut(self) -> None:
        """Log that one ends; without the lock: behind a log the guard is taken back, and that comes before the lock."""
        streams = "1 stream waits for its client" if self._most == 1 else f"{self._most} streams wait for their clients"
        message = f"more than {streams}: the one furthest behind is cut"
        self._cuts.log(time.monotonic(), message)

    def remove(self, connection: Connection) -> None:
        """Remove *connection*."""
        self._streams.discard(connection)
        self._meter.set(STREAMS_WAITING, len(self._streams))

    @contextmanager
    def resting(self, connection: Connection) -> Iterator[None]:
        """The time in which the response of *connection* keeps no thread busy, inside the block."""
        exchange = connection.exchange
        assert exchange is not None
        pause(self._meter, exchange)
        self._rows.hide()
        try:
            yield
        finally:
            resume(self._meter, exchange)
            self._rows.show(exchange)

    def await_reader(self, connection: Connection) -> None:
        """Wait until the client of *connection* has read.

        Raises:
            ClientDisconnected: it did not do so in time, or was given up.
        """
        poll = select.poll()
        poll.register(connection.fd, select.POLLOUT)
        while not self._has_read(poll, min(LOOK, max(0.0, connection.pace.left(time.monotonic())))):
            now = time.monotonic()
            is_late = not connection.given_up and connection.reads_too_slowly(now)
            if is_late:
                count_lateness(self._meter, connection, now)
            if is_late or connection.given_up:
                connection.given_up = True
                raise ClientDisconnected("it reads too slowly")
            connection.spool_if_short()

    def _has_read(self, poll: select.poll, seconds: float) -> bool:
        """Wait at most *seconds*; whether something can be sent now."""
        with self._guard.given_up():
            return bool(poll.poll(1000 * seconds))
