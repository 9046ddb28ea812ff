"""What the monitor takes for calls that wait: planted accounts of a process, for its specification in Python."""

from __future__ import annotations

import time

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.http._inbox_py import Inbox
from fastwsgi.http._outbox_py import OutBuffer
from fastwsgi.http._turn_py import CallCounter, Turn
from fastwsgi.server._monitor_py import OTHER_WAITS, Monitor, _Use


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
