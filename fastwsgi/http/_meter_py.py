"""The meter: what each request adds to the figures of its process; the specification of _meter_c.pyx.

The figures are words of memory, laid out by fastwsgi/figures.py. Several threads may count at once. In C the GIL, or
the loop's guard in its place, keeps them apart; here a lock does, which the thread that has it can take again, since a
signal's handler may log a line, which is counted, too.

The call that runs on the thread with the loop is in the memory with its name, as it may be the one that never returns.
What other threads run is written by server/rows.py.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from fastwsgi import figures
from fastwsgi.http.call_names import write_id, write_name
from fastwsgi.http.waits import began, count_route, count_turn, resume
from fastwsgi.originals import threading, time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.exchange import Exchange

EXPIRED = 504
DURATION_BOUNDS = tuple(round(bound * 10**9) for bound in figures.DURATION_BOUNDS)  # nanoseconds
LAST_CODE = figures.CODES + figures.CODE_WORDS - 1
NUMBER = figures.CALL + figures.CALL_NUMBER


class Meter:
    """Counts for one loop.

    Attributes:
        view: the memory.
        free_since: when the thread with the loop last came back from an application, in seconds on the loop's clock.
        ended: when the response ended that was counted last.

    Args:
        words: a view of figures.SIZE integers of 8 bytes; None: memory that nobody shares.
        keeps_durations: whether the ring of durations is written, which statsd alone needs.
    """

    def __init__(self, words: memoryview | None = None, keeps_durations: bool = False) -> None:
        self.keeps_durations = keeps_durations
        self.free_since = self.ended = 0.0
        self._use(figures.private_memory() if words is None else words)

    def _use(self, words: memoryview) -> None:
        self.view = words
        self._ring = words.cast("B").cast("I")[2 * figures.RING + 2 :]
        self._lock = threading.RLock()

    def disown(self) -> None:
        """In a forked child, count nothing for the parent any more."""
        self._use(figures.private_memory())

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return time.monotonic()

    def add(self, index: int, count: int) -> None:
        """Add *count* to the counter *index*."""
        with self._lock:
            self.view[index] += count

    def set(self, index: int, value: int) -> None:
        """Set the gauge *index*."""
        self.view[index] = value

    # The call on the thread with the loop

    def begin_call(self, connection: Connection) -> None:
        """Note that the call for *connection* runs on the thread with the loop."""
        exchange, words = connection.exchange, self.view
        assert exchange is not None
        write_name(words, figures.CALL, connection.reader.name)
        write_id(words, figures.CALL, "")
        resume(self, exchange)
        words[figures.CALL + figures.CALL_BEGAN] = int(began(self, exchange) * 1e9)
        words[NUMBER] = (words[NUMBER] + 2) | 1

    def end_call(self) -> None:
        """Note that it has ended, or goes on without the loop."""
        self.view[NUMBER] = (self.view[NUMBER] + 1) & ~1

    def move_call(self, exchange: Exchange, row: int) -> None:
        """Have it, which is that of *exchange*, be in the *row* from now on. No reader sees it twice."""
        words = self.view
        with self._lock:
            self.end_call()
            words[row + 1 : row + figures.CALL_WORDS] = words[figures.CALL + 1 : figures.CALL + figures.CALL_WORDS]
            exchange.row = row
            words[row + figures.CALL_NUMBER] = (words[row + figures.CALL_NUMBER] + 2) | 1

    def mark(self, exchange: Exchange) -> None:
        """Note that the time of the call of *exchange* is about to be part of BUSY_TIME, so that nobody adds it again.

        A reader in between misses it, and a killed process loses it: that is better than to count it twice for good.
        """
        with self._lock:
            if exchange.row < 0:
                self.view[figures.UNSHOWN] += exchange.row
                exchange.row = 0
            else:
                at = (exchange.row or figures.CALL) + figures.CALL_BEGAN
                self.view[at] = -abs(self.view[at])

    def show_id(self, request_id: str) -> None:
        """Show its *request_id*."""
        write_id(self.view, figures.CALL, request_id)

    # The end of a response

    def end(self, exchange: Exchange) -> None:
        """Count the request of *exchange*, which has ended."""
        now = self.ended = self.now()
        if exchange.route is not None:
            count_route(self, exchange)
            return
        begin = began(self, exchange)
        if exchange.settled:
            if exchange.turn is not None and exchange.turn.running() is exchange.connection:
                self.free_since = now
        elif exchange.turn is not None:
            count_turn(self, begin - exchange.started - exchange.idle)
            self.free_since = now
        with self._lock:
            if not exchange.paused and (exchange.settled or exchange.turn is not None):  # else nobody works on it
                self.mark(exchange)
                self.view[figures.BUSY_TIME] += max(0, int((now - begin) * 1e9))
            self._count(exchange, max(0, int((now - exchange.started) * 1e9)))

    def _count(self, exchange: Exchange, spent: int) -> None:
        """Count how it has ended, after *spent* nanoseconds."""
        words = self.view
        code = exchange.code
        if code == 0:
            words[figures.ABANDONED] += not exchange.is_refused
            return
        if code == EXPIRED and exchange.turn is not None and exchange.turn.given_up:
            return  # the monitor has counted it
        histogram = figures.DURATIONS + figures.HISTOGRAM * min(code // 100 - 2, 3)
        words[histogram + bisect_left(DURATION_BOUNDS, spent)] += 1
        words[histogram + figures.HISTOGRAM - 1] += spent
        words[min(figures.CODES + code - 100, LAST_CODE)] += 1
        if self.keeps_durations:
            self._ring[words[figures.RING] % figures.RING_ENTRIES] = min(spent // 1000, 0xFFFFFFFF)
            words[figures.RING] += 1
