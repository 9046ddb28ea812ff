"""The loop's work besides serving: the Date field, ticks and figures each second, and connections past a deadline.

It is due at the beginning of each second, or sooner on request, and is put off while many events wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi import figures
from fastwsgi.observe.formats import http_date
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop

SECOND = 1.0
OVERDUE = 5.0  # seconds after which it is done even if more events wait


class Housekeeping:
    """Work done for *loop*, in its thread.

    Attributes:
        due: when it is due next, in seconds on the loop's clock.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.due = 0.0
        self._next_second = 0.0
        self._renew_date()

    def schedule(self, when: float) -> None:
        """Make it due at *when*, if it is not due sooner."""
        self.due = min(self.due, when)

    def run(self) -> None:
        """Do what is due."""
        loop = self.loop
        now = time.monotonic()
        if now >= self._next_second:
            self._begin_second(now)
        if not loop.stopping:
            loop.acceptor.poll(True)
        self.due = 0.0 if loop.deadlines.exceeds_batch else self._next_second
        if loop.holdings.is_short:
            loop.relief.ask()
        loop.deadlines.enforce(now)

    def _begin_second(self, now: float) -> None:
        loop = self.loop
        self._renew_date()
        if loop.service.observer is not None:
            loop.service.observer.tick()
        for tick in loop.ticks:
            tick()
        self._write_figures()
        loop.deadlines.find_late(now)
        if loop.stopping:
            self.hurry_idle()

    def hurry_idle(self) -> None:
        """At a stop, read what has arrived, and hurry what is idle; again each second, for what threads give back."""
        loop = self.loop
        until = time.monotonic() + loop.service.keep_alive
        for connection in loop.all_connections():
            if not loop.stopping or connection.idle_since() < float("inf"):
                connection.on_ready()  # a request may have arrived just now
                # A Connection may have replaced its Preamble
                loop.connections.get(connection.fd, connection).hurry(until)

    def _renew_date(self) -> None:
        """Set the Date field (RFC 9110 6.6.1), which names whole seconds."""
        wall = time.time()
        self.loop.service.date_line = f"Date: {http_date(wall)}\r\n".encode("latin-1")
        self._next_second = time.monotonic() + SECOND - wall % SECOND

    def _write_figures(self) -> None:
        """Write the figures that change too often to be written with each change."""
        loop = self.loop
        loop.meter.set(figures.REQUESTS, loop.requests)
        loop.meter.set(figures.CONNECTIONS, len(loop.connections))
        loop.meter.set(figures.BUFFERED, loop.holdings.held)
