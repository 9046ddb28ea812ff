"""What the monitor takes for calls that wait: planted accounts of a process, and collections of garbage."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.http._inbox_py import Inbox
from fastwsgi.http._outbox_py import OutBuffer
from fastwsgi.http._turn_py import CallCounter, Turn
from fastwsgi.server._monitor_py import LONG, OTHER_WAITS, TICK, Monitor, _Use
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


class Collecting:
    """An application whose calls wait *seconds* as if for a garbage collection that does not end.

    Attributes:
        found: for each call, how long it was, in seconds, and whether a spare was called for it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.server: Any = None
        self.found: list[tuple[float, bool]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        monitor = self.server.loop.monitor
        before, began = monitor.stuck_call, time.monotonic()
        monitor.note_collection("start", {})
        time.sleep(self.seconds)
        is_stuck = monitor.stuck_call != before
        self.found.append((time.monotonic() - began, is_stuck))
        monitor.note_collection("stop", {})
        start_response("200 OK", [])
        return []


@pytest.mark.skipif(HAS_GIL, reason="only without a GIL does a collection stop other threads")
@pytest.mark.parametrize(("seconds", "is_stuck"), [(LONG * TICK * 0.6, False), (LONG * TICK * 2, True)])
def test_a_call_that_waits_for_a_collection_keeps_its_loop(
    build: SimpleNamespace, seconds: float, is_stuck: bool
) -> None:
    """Not longer than one that computes, as a destructor may wait for something else."""
    app = Collecting(seconds)
    with serving(build, app, threads=2) as server, server.connect() as client:
        app.server = server

        def told() -> list[bool]:
            assert client.send(GET).answer().status == 200
            # A busy machine stretches calls, and the monitor's looks
            return [stuck for took, stuck in app.found if is_stuck or took < LONG * TICK * 0.9]

        until(lambda: is_stuck in told())
        assert is_stuck or not any(told())
