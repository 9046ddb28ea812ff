"""The verdict: what it says of which snapshot, and what comes first."""

from __future__ import annotations

from typing import Any

import pytest

from fastwsgi.status.phrases import HELD
from fastwsgi.status.snapshot import Certificate, ListenQueue, Snapshot, Told
from fastwsgi.status.verdict import FINDERS, LONGEST, Verdict, judge
from tests.helpers.snapshots import AT, histogram, history, later, running, snapshot, worker

STUCK = [worker(0), worker(1, pid=71, is_stuck=True, seen=7.0)]
SATURATED = [
    worker(0, threads_busy=4, saturated=12.0, queued=3, oldest_queued=2.5),
    worker(1, threads_busy=4, saturated=12.0),
]
DAY = 86400.0
SERVING = ("ok", "serving", "2 workers, 8 threads, 0% busy")


def verdict(**changes: Any) -> Verdict:
    """Of a service that was idle 10 s ago."""
    before = snapshot()
    return judge(later(before, 10.0, **changes), history(*(later(before, 2.0 * step) for step in range(5))))


CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, *SERVING),
    ({"is_stopping": True, "workers": [worker(0)], "running": [running("/a")]}, "warn", "stopping",
     "1 worker left, 1 request running"),
    ({"workers": []}, "bad", "no worker", "0 of 2 workers ready"),
    ({"workers": [worker(0)]}, "warn", "workers missing", "1 of 2 workers ready"),
    ({"workers": [worker(0, state="booting", age=3.0)]}, "warn", "starting",
     "0 of 2 workers ready, 1 worker starting for 3.0 s"),
    ({"workers": [], "failing_starts": 5}, "bad", "crash loop",
     "0 of 2 workers ready; 5 in a row ended at their start"),
    ({"failing_starts": 5}, "warn", "crash loop", "2 of 2 workers ready; 5 in a row ended at their start"),
    ({"workers": [], "told": Told(crash_loop="exit code 3")}, "bad", "crash loop", "0 of 2 workers ready; exit code 3"),
    ({"failing_starts": 2}, *SERVING),
    ({"workers": [worker(0, has_failed=True)]}, "bad", "not loaded",
     "the application cannot be loaded; each request gets a page that says why"),
    ({"workers": STUCK, "running": [running("/report", pid=71)]}, "bad", "stuck",
     f"worker 1 (pid 71) has not been seen for 7.0 s, a C call holds {HELD}: GET /report"),
    ({"workers": STUCK, "running": [running("/a", pid=71), running("/b", pid=71), running("/c")]}, "bad", "stuck",
     f"worker 1 (pid 71) has not been seen for 7.0 s, a C call holds {HELD}: one of 2, the oldest GET /a"),
    ({"workers": [worker(0, pid=70, is_stuck=True, seen=4.0), STUCK[1]]}, "bad", "stuck",
     f"worker 1 (pid 71) has not been seen for 7.0 s, a C call holds {HELD} (1 more likewise)"),
    ({"workers": SATURATED}, "bad", "saturated",
     "for 12 s, all 8 threads busy, 3 requests waiting, the oldest for 2.5 s"),
    ({"workers": [worker(0, threads_busy=4, saturated=12.0)], "workers_wanted": 1}, "warn", "saturated",
     "for 12 s, all 4 threads busy, no request waiting"),
    ({"workers": [worker(0, threads_busy=1, saturated=2.0, queued=5, oldest_queued=2.0)], "workers_wanted": 1}, "bad",
     "saturated", "for 2.0 s, 1 of 4 threads busy, 5 requests waiting, the oldest for 2.0 s"),
    ({"workers": [worker(0, threads=1, saturated=0.75)], "workers_wanted": 1}, "warn", "saturated",
     "for 750 ms, the only thread busy, no request waiting"),
    ({"workers": [worker(0, threads=1, saturated=3.0)], "workers_wanted": 1, "listeners": [ListenQueue("a", 2, 100)]},
     "bad", "saturated", "for 3.0 s, the only thread busy, 2 connections waiting for accept"),
    ({"busy_seconds": 78.0, "workers": [worker(0, saturated=0.1), worker(1, threads_busy=3)]}, "warn", "saturated",
     "for 9.5 s, 8 threads 98% busy, no request waiting"),
    ({"busy_seconds": 70.0}, "ok", "serving", "2 workers, 8 threads, 88% busy"),
    ({"workers": [worker(0, threads_busy=4, queued=1, oldest_queued=2.0), worker(1)]}, "bad", "saturated",
     "for 2.0 s, 4 of 8 threads busy, 1 request waiting, the oldest for 2.0 s"),
    ({"queue_full": 7}, "bad", "queue full", "7 requests refused with 503 in 10 s"),
    ({"told": Told(reload_failure="ImportError: no\n module")}, "warn", "reload failed",
     "ImportError: no module; what ran before still serves"),
    ({"is_reload_failed": True}, "warn", "reload failed", "see the error log; what ran before still serves"),
    ({"durations": {"2xx": histogram(0.1, many=90), "5xx": histogram(0.1, many=10)}}, "bad", "errors",
     "10% of answers are 5xx, 10 in 10 s"),
    ({"durations": {"2xx": histogram(0.1, many=99), "5xx": histogram(0.1, many=1)}}, *SERVING),
    ({"durations": {"2xx": histogram(0.1), "5xx": histogram(0.1, many=4)}}, *SERVING),
    ({"certificates": [Certificate("far", AT + 90 * DAY), Certificate("shop.example", AT + 3.5 * DAY)]}, "warn",
     "certificate", "shop.example ends in 3 days"),
    ({"certificates": [Certificate("shop.example", AT + 0.4 * DAY)]}, "bad", "certificate", "shop.example ends in 9 h"),
    ({"certificates": [Certificate("shop.example", AT - 2.5 * DAY)]}, "bad", "certificate",
     "shop.example ended 2 days ago"),
    ({"certificates": [Certificate("shop.example", AT + 30 * DAY)]}, *SERVING),
    ({"listeners": [ListenQueue("a", 90, 100)]}, "warn", "listen queue", "90 of 100 connections wait at a"),
    ({"listeners": [ListenQueue("a", 9, 100), ListenQueue("b", 100, 100)]}, "bad", "listen queue",
     "100 of 100 connections wait at b"),
    ({"listeners": [ListenQueue("a", 0, 0)]}, *SERVING),
    ({"lines_dropped": 9}, "warn", "log lines dropped", "9 lines of the access log in 10 s"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "level", "word", "line"), CASES, ids=[one[2] for one in CASES])
def test_verdict(changes: dict[str, Any], level: str, word: str, line: str) -> None:
    found = verdict(**changes)
    assert (found.level, found.word, found.line, found.others) == (level, word, line, ())
    assert found.text == f"{word}: {line}"


def test_each_finder_has_a_case() -> None:
    assert len(FINDERS) <= len({word for _, _, word, _ in CASES})


ALL: dict[str, Any] = {
    "workers": [*SATURATED, STUCK[1]], "queue_full": 7, "told": Told(reload_failure="why"), "lines_dropped": 1,
    "durations": {"2xx": histogram(), "5xx": histogram(0.1, many=10)}, "certificates": [Certificate("x", AT + 2 * DAY)],
    "listeners": [ListenQueue("a", 90, 100)], "failing_starts": 3,
}  # fmt: skip


def test_what_harms_users_comes_first() -> None:
    found = verdict(**ALL)
    words = [found.word, *(one.word for one in found.others)]
    assert words == ["stuck", "queue full", "saturated", "errors", "crash loop", "reload failed", "certificate",
                     "listen queue", "log lines dropped"]


def test_retiring_workers_are_not_saturated() -> None:
    assert verdict(is_stopping=True, busy_seconds=80.0, workers=[worker(0, state="retiring")]).others == ()


def test_a_stop_comes_before_all() -> None:
    found = verdict(**ALL, is_stopping=True)
    assert (found.word, found.others[0].word) == ("stopping", "stuck")
    assert "crash loop" not in [one.word for one in found.others]


def test_what_others_wrote_is_cut() -> None:
    line = verdict(told=Told(reload_failure="x" * 100_000)).line
    assert len(line) < LONGEST + 100


def test_a_snapshot_alone_has_a_verdict() -> None:
    only: Snapshot = snapshot()
    assert judge(only, history()).line == "2 workers, 8 threads"
