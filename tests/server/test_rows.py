"""The rows of calls without the loop: more calls than there are rows, and rows that are used again."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from fastwsgi import figures
from fastwsgi.server.rows import Rows
from tests.helpers.figures import rows
from tests.helpers.serving import PATIENCE


def request_for(number: int) -> Any:
    reader = SimpleNamespace(name=f"GET /{number}".encode())
    connection = SimpleNamespace(reader=reader)
    return SimpleNamespace(connection=connection, started=1.0, idle=1.0, settled=True, row=0, end_reported=False)


class Calls:
    """Calls in threads of their own, which end when they are told to."""

    def __init__(self, shown: Rows) -> None:
        self._shown = shown
        self._threads: dict[int, tuple[threading.Thread, threading.Event]] = {}

    def begin(self, number: int) -> None:
        begun, ends = threading.Event(), threading.Event()

        def run() -> None:
            self._shown.begin(request_for(number))
            begun.set()
            ends.wait(PATIENCE)
            self._shown.end()

        thread = threading.Thread(target=run)
        self._threads[number] = thread, ends
        thread.start()
        assert begun.wait(PATIENCE)

    def end(self, *numbers: int) -> None:
        for number in numbers or tuple(self._threads):
            thread, ends = self._threads.pop(number)
            ends.set()
            thread.join(PATIENCE)


def test_calls_beyond_the_last_row_are_not_shown_and_take_nobody_elses(build: SimpleNamespace) -> None:
    meter = build.meter.Meter()
    calls = Calls(Rows(meter))
    names = [f"GET /{number}" for number in range(figures.MOST_ROWS)]
    try:
        for number in range(figures.MOST_ROWS + 2):
            calls.begin(number)
        assert sorted(rows(meter.view)) == sorted(names)
        assert meter.view[figures.UNSHOWN] == 2 * ((1 << figures.UNSHOWN_BITS) + 2000)  # but counted
        calls.end(figures.MOST_ROWS)  # it had no row to give back
        assert sorted(rows(meter.view)) == sorted(names)
        calls.end(5)
        calls.begin(1000)
        assert sorted(rows(meter.view)) == sorted([*names[:5], *names[6:], "GET /1000"])
    finally:
        calls.end()
    assert rows(meter.view) == []
    assert meter.view[figures.UNSHOWN] == 0
    assert meter.view[figures.ROWS_USED] == figures.MOST_ROWS
