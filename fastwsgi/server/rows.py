"""The calls that run without the loop, in the memory of this worker: a row for each, which other processes read.

A call gets its row when its thread loses the loop, or takes a request out of the queue, and leaves it when it ends, or
while it waits for its client. Where there are more calls than rows, the rest is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.figures import CALL, CALL_NUMBER, CALL_STARTED, CALL_THREAD, CALL_WORDS, MOST_ROWS, ROWS
from fastwsgi.http.call_names import write_id, write_name
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
        self._rows: dict[int, int] = {}  # where the row of each thread begins, by its identifier
        self._hidden: dict[int, list[int]] = {}  # what stood in the rows of threads that wait
        self._lock = threading.Lock()

    def hand_over(self, thread: int) -> None:
        """Have the call of *thread*, which has lost the loop, be in a row from now on."""
        words = self._meter.view
        with self._lock:
            self._fill(thread, words[CALL : CALL + CALL_WORDS].tolist())
            self._meter.end_call()

    def begin(self, exchange: Exchange) -> None:
        """Note that this thread runs the call for *exchange*, which was in the queue."""
        words = memoryview(bytearray(8 * CALL_WORDS)).cast("q")
        write_name(words, 0, exchange.connection.reader.name)
        words[CALL_STARTED] = int(exchange.started * 1e9)
        words[CALL_THREAD] = threading.get_native_id()
        with self._lock:
            self._fill(threading.get_ident(), words.tolist())

    def end(self) -> None:
        """Note that the call of this thread has ended."""
        with self._lock:
            self._empty(threading.get_ident())

    def hide(self) -> None:
        """Do not show the call of this thread, while it waits."""
        thread = threading.get_ident()
        with self._lock:
            row = self._rows.get(thread, NO_ROW)
            if row:
                self._hidden[thread] = self._meter.view[row : row + CALL_WORDS].tolist()
            self._empty(thread)

    def show(self) -> None:
        """Show it again."""
        thread = threading.get_ident()
        with self._lock:
            self._fill(thread, self._hidden.pop(thread, None))

    def show_id(self, request_id: str) -> None:
        """Show the *request_id* with the call of this thread."""
        with self._lock:
            row = self._rows.get(threading.get_ident())
            if row is None:
                self._meter.show_id(request_id)
            elif row:
                write_id(self._meter.view, row, request_id)

    def disown(self) -> None:
        """In a forked child, go on with nothing; another thread may have held the lock."""
        self._lock = threading.Lock()

    def _fill(self, thread: int, call: list[int] | None) -> None:
        row = self._free.pop() if call is not None and self._free else NO_ROW
        self._rows[thread] = row
        if call is not None and row:
            words = self._meter.view
            for at in range(1, CALL_WORDS):
                words[row + at] = call[at]
            words[row + CALL_NUMBER] = (words[row + CALL_NUMBER] + 2) | 1

    def _empty(self, thread: int) -> None:
        row = self._rows.pop(thread, NO_ROW)
        if row:
            self._meter.view[row + CALL_NUMBER] = (self._meter.view[row + CALL_NUMBER] + 1) & ~1
            self._free.append(row)
