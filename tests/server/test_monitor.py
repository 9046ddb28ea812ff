"""What the monitor takes for calls that wait: planted accounts of a process, and real calls."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.http._inbox_py import Inbox
from fastwsgi.http._outbox_py import OutBuffer
from fastwsgi.http._turn_py import CallCounter, Turn
from fastwsgi.server._monitor_py import LONG, OTHER_WAITS, Monitor, _Use
from tests.helpers.serving import GET, serving
from tests.helpers.waiting import until


@pytest.mark.parametrize(
    ("share", "waits", "calm"),
    [
        (1.0, OTHER_WAITS, True),
        (0.4, OTHER_WAITS, True),  # another process had the core meanwhile
        (1.0, OTHER_WAITS + 500, True),  # threads wait for the GIL of one that computes
        (0.4, OTHER_WAITS + 1, False),
        (1.8, OTHER_WAITS + 1, False),  # calls compute without the GIL
    ],
)
@pytest.mark.skipif(not HAS_GIL, reason="without a GIL, threads are asked one by one")
def test_verdicts(share: float, waits: int, calm: bool) -> None:
    monitor = Monitor(Turn(Inbox(), OutBuffer(), CallCounter()))
    later = time.monotonic() + 3600.0
    monitor._judged = _Use(later - 0.1, 7.0, 1000)
    assert monitor.calm
    monitor._judge(_Use(later, 7.0 + 0.1 * share, 1000 + waits))
    assert monitor.calm is calm


def test_it_is_calm_again_when_its_verdict_is_old() -> None:
    monitor = Monitor(Turn(Inbox(), OutBuffer(), CallCounter()))
    monitor._lively_until = time.monotonic()
    assert monitor.calm


class Calls:
    """An application whose calls last as long as *last* takes.

    Attributes:
        found: for each call, how long it was, in seconds, and whether a spare was called for it.
    """

    def __init__(self, last: Callable[[Any], None]) -> None:
        self.last = last
        self.server: Any = None
        self.found: list[tuple[float, bool]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        monitor = self.server.loop.monitor
        before, began = monitor.stuck_call, time.monotonic()
        self.last(monitor)
        self.found.append((time.monotonic() - began, monitor.stuck_call != before))
        start_response("200 OK", [])
        return []


def wait(monitor: Any, seconds: float) -> None:
    time.sleep(seconds)


def wait_for_collection(monitor: Any, seconds: float) -> None:
    monitor.note_collection("start", {})
    time.sleep(seconds)
    monitor.note_collection("stop", {})


def compute(monitor: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.skipif(HAS_GIL, reason="with a GIL nobody can tell")
@pytest.mark.parametrize(
    ("last", "seconds", "is_stuck"),
    [
        (wait, LONG * 0.6, True),
        (compute, LONG * 0.6, False),
        (compute, LONG * 4, True),
        (wait_for_collection, LONG * 0.6, False),
        (wait_for_collection, LONG * 4, True),  # a destructor may wait
    ],
)
def test_who_keeps_the_loop(build: SimpleNamespace, last: Any, seconds: float, is_stuck: bool) -> None:
    app = Calls(partial(last, seconds=seconds))
    with serving(build, app, threads=2) as server, server.connect() as client:
        app.server = server

        def told() -> list[bool]:
            assert client.send(GET).answer().status == 200
            # A busy machine stretches calls, and the monitor's looks
            return [stuck for took, stuck in app.found if is_stuck or took < LONG * 0.9]

        until(lambda: is_stuck in told())
        assert is_stuck or not any(told())


@pytest.mark.skipif(HAS_GIL, reason="with a GIL nobody can tell")
def test_a_call_that_waits_behind_brisk_ones_is_found(build: SimpleNamespace) -> None:
    """The monitor looks less often while calls come and go quickly."""

    def last(monitor: Any) -> None:
        if len(app.found) % 3000 == 2999:
            time.sleep(2 * LONG)

    app = Calls(last)
    with serving(build, app, threads=2) as server, server.connect() as client:
        app.server = server

        def is_found() -> bool:
            client.send(GET * 3000)
            assert {client.answer().status for _ in range(3000)} == {200}
            return app.found[-1][1]

        until(is_found)
