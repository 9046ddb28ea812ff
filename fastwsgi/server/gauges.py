"""The gauges of a thread pool, written when they change, and its timeouts: all of that happens rarely."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastwsgi import figures
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.connection import Connection


class Gauges:
    """Those of one pool, written with *meter*."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def set_running(self, count: int) -> None:
        """*count* threads run the application without the loop."""
        self._meter.set(figures.BUSY, count)

    def set_full(self, full: bool) -> None:
        """New requests queue from now on, or some thread is free."""
        self._meter.set(figures.SATURATED_SINCE, time.monotonic_ns() if full else 0)
        self._meter.set(figures.SATURATED, full)

    def set_queue(self, queued: deque[tuple[Connection, float]]) -> None:
        """These requests wait for a thread, each since a time on the loop's clock."""
        self._meter.set(figures.QUEUED, len(queued))
        self._meter.set(figures.OLDEST_QUEUED, int(queued[0][1] * 1e9) if queued else 0)

    def count_expiry(self) -> None:
        """A call was given up, as it ran past the deadline."""
        self._meter.add(figures.TIMEOUTS + figures.TIMEOUT_KINDS.index("application"), 1)
