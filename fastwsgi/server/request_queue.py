"""The requests that wait for a thread, first come, first served."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.http.states import QUEUED
from fastwsgi.originals import time
from fastwsgi.server.readiness import is_gone

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.server.gauges import Gauges
    from fastwsgi.server.threads import Pool

PATIENCE = 0.05  # seconds for which the loop answers nothing but the queue


class RequestQueue:
    """The queue of one loop. Its pool's lock guards what changes it.

    Args:
        most: requests that may wait.
        gauges: told at each change, so that readiness sees it at once (status/readiness.py).
    """

    def __init__(self, most: int, gauges: Gauges) -> None:
        self.most = most
        self._gauges = gauges
        self._waiting: deque[tuple[Connection, float]] = deque()  # each with the time at which it was queued

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self) -> bool:
        """Whether another request may queue."""
        return len(self._waiting) < self.most

    def append(self, connection: Connection) -> None:
        """Have the request of *connection* wait."""
        self._waiting.append((connection, time.monotonic()))
        self._gauges.set_queue(self._waiting)

    def popleft(self) -> Connection:
        """The connection of the request that has waited for longest; that is noted in its exchange."""
        connection, since = self._waiting.popleft()
        if connection.exchange is not None:
            connection.exchange.queued += time.monotonic() - since
        self._gauges.set_queue(self._waiting)
        return connection


def serve_queue(pool: Pool) -> None:
    """In the loop's thread, answer what the pool gives it of its queue, one by one, until others have waited for long.

    Raises:
        LoopLost: another thread has taken the loop.
    """
    end = pool.meter.now() + PATIENCE
    while pool.meter.now() < end:
        connection = pool.next_queued()
        if connection is None:
            return
        if not drop_if_gone(connection):
            pool.service.renew_time()
            connection.wait_for_turn()
            pool.loop.take_turns()
    pool.loop.wake()  # the next step does not wait


def drop_if_gone(connection: Connection) -> bool:
    """End *connection* if its client does not wait for the answer to its queued request any more; True if so."""
    if connection.state is not QUEUED or not is_gone(connection.fd):
        return False
    connection.drop(False)
    return True
