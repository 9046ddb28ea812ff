"""The calls that run without the loop, in the memory of this worker: a row for each, which other processes read.

A call gets its row when its thread loses the loop, or takes a request out of the queue, and leaves it when it ends, or
while it waits for its client. Where there are more calls than rows, the rest is not shown, but their time is counted.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from fastwsgi.figures import (
    CALL_BEGAN,
    CALL_NUMBER,
    CALL_THREAD,
    CALL_WORDS,
    MOST_ROWS,
    ROWS,
    ROWS_USED,
    UNSHOWN,
    UNSHOWN_BITS,
    WORD,
)
from fastwsgi.http.call_names import write_id, write_name
from fastwsgi.http.waits import began
from fastwsgi.originals import threading

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.exchange import Exchange

NO_ROW = 0


class Rows:
    """The rows of one loop, written with *meter*. Methods may be called in any thread."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._free = [ROWS + row * CALL_WORDS for row in reversed(range(MOST_ROWS))]
        self._exchanges: dict[int, Exchange] = {}  # of the calls without the loop, by the identifiers of their threads
        self._hidden: dict[int, memoryview] = {}  # what stood in the rows of threads that wait
        self._lock = threading.Lock()

    def hand_over(self, thread: int, exchange: Exchange | None) -> None:
        """Have the call of *thread* for *exchange*, which has lost the loop, be in a row from now on."""
        with self._lock:
            row = NO_ROW if exchange is None else self._take(thread, exchange)
            if exchange is not None and row:
                self._meter.move_call(exchange, row)
            else:
                self._meter.end_call()

    def begin(self, exchange: Exchange) -> None:
        """Note that this thread runs the call for *exchange*, which was in the queue."""
        with self._lock:
            self._fill(exchange, _described(exchange))

    def end(self) -> None:
        """Note that the call of this thread has ended."""
        with self._lock:
            self._empty(threading.get_ident())

    def hide(self) -> None:
        """Do not show the call of this thread, while it waits."""
        thread = threading.get_ident()
        with self._lock:
            exchange = self._exchanges.get(thread)
            if exchange is not None and exchange.row > 0:
                shown = self._meter.view[exchange.row : exchange.row + CALL_WORDS]
                self._hidden[thread] = memoryview(bytearray(shown.tobytes())).cast("q")
            self._empty(thread)

    def show(self, exchange: Exchange) -> None:
        """Show it, which is for *exchange*, again."""
        thread = threading.get_ident()
        with self._lock:
            hidden = self._hidden
            self._fill(exchange, hidden.pop(thread) if thread in hidden else _described(exchange))

    def show_id(self, request_id: str) -> None:
        """Show the *request_id* with the call of this thread."""
        with self._lock:
            exchange = self._exchanges.get(threading.get_ident())
            if exchange is None:
                self._meter.show_id(request_id)
            elif exchange.row > 0:
                write_id(self._meter.view, exchange.row, request_id)

    def disown(self) -> None:
        """In a forked child, go on with nothing; another thread may have held the lock."""
        self._lock = threading.Lock()

    def _take(self, thread: int, exchange: Exchange) -> int:
        """A row for the call of *thread*; NO_ROW if there is none: then its time is counted in another way."""
        self._exchanges[thread] = exchange
        if self._free:
            row = self._free.pop()
            used = (row - ROWS) // CALL_WORDS + 1
            self._meter.set(ROWS_USED, max(used, self._meter.view[ROWS_USED]))
            return row
        if exchange.end_reported:
            return NO_ROW  # it is counted already
        exchange.row = -(1 << UNSHOWN_BITS) - ceil(began(self._meter, exchange) * 1000)
        self._meter.add(UNSHOWN, -exchange.row)
        return NO_ROW

    def _fill(self, exchange: Exchange, call: memoryview) -> None:
        row = self._take(threading.get_ident(), exchange)
        if row:
            words = self._meter.view
            begin = int(began(self._meter, exchange) * 1e9)
            call[CALL_BEGAN] = -begin if exchange.end_reported else begin
            words[row + 1 : row + CALL_WORDS] = call[1:]
            exchange.row = row
            words[row + CALL_NUMBER] = (words[row + CALL_NUMBER] + 2) | 1

    def _empty(self, thread: int) -> None:
        exchange = self._exchanges.pop(thread, None)
        if exchange is None:
            return
        row, exchange.row = exchange.row, NO_ROW
        if row > 0:
            self._meter.view[row + CALL_NUMBER] = (self._meter.view[row + CALL_NUMBER] + 1) & ~1
            self._free.append(row)
        elif row < 0:
            self._meter.add(UNSHOWN, row)


def _described(exchange: Exchange) -> memoryview:
    """What a row says of the call of this thread for *exchange*."""
    call = memoryview(bytearray(WORD * CALL_WORDS)).cast("q")
    write_name(call, 0, exchange.connection.reader.name)
    call[CALL_THREAD] = threading.get_native_id()
    return call
