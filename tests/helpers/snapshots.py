"""Snapshots and histories that are made up, for the views of the status."""

from __future__ import annotations

from typing import Any, TypeVar

from fastwsgi.figures import CLASSES, DURATION_BOUNDS, QUEUE_BOUNDS
from fastwsgi.status.history import INTERVAL, History
from fastwsgi.status.snapshot import FORMAT, Histogram, ListenQueue, Running, Snapshot, Told, WorkerFigures

AT = 1_790_000_000.0  # 21 September 2026, 14:13:20 UTC
CLOCK = 50_000.0
Record = TypeVar("Record")


def replace(one: Record, **changes: Any) -> Record:
    """The record *one* with other values of some fields."""
    return type(one)(**{**vars(one), **changes})


def histogram(*observations: float, many: int = 1) -> Histogram:
    """Of *observations* in seconds, each *many* times."""
    counts = [0] * (len(DURATION_BOUNDS) + 1)
    for one in observations:
        counts[sum(one > bound for bound in DURATION_BOUNDS)] += many
    return Histogram(counts, sum(observations) * many)


NONE_WAITED = Histogram([0] * (len(QUEUE_BOUNDS) + 1), 0.0)
WORKER = WorkerFigures(
    worker=0, slot=1, pid=7100, generation=0, state="ready", age=3600.0, seen=0.2, is_stuck=False, has_failed=False,
    threads=4, threads_busy=0, saturated=0.0, queued=0, oldest_queued=0.0, streams_waiting=0, connections=0, buffered=0,
    spooled=0, rss=48 * 1024**2, cpu=100.0, oldest=0.0, requests=0, errors=0, busy_seconds=0.0, durations=histogram(),
)  # fmt: skip
SNAPSHOT = Snapshot(
    format=FORMAT, version="0.1.0", build="c", python="3.11.2", at=AT, clock=CLOCK, since=AT - 3600, supervisor=7000,
    generation=0, workers_wanted=2, is_stopping=False, is_reload_failed=False, failing_starts=0, workers=[], running=[],
    listeners=[ListenQueue("127.0.0.1:8000", 0, 2048)], certificates=[],
    durations={name: histogram() for name in CLASSES}, codes={}, probe_answers={}, file_answers={}, queue=NONE_WAITED,
    proxy_queue=NONE_WAITED, busy_seconds=0.0, accepted=0, received=0, sent=0, refused={}, refused_peers={},
    timeouts={}, queue_full=0, application_errors=0, abandoned=0, lines_dropped=0, logged={}, starts={},
    reloads={}, cpu={}, told=Told(),
)  # fmt: skip


def worker(position: int = 0, **changes: Any) -> WorkerFigures:
    """A ready worker with four threads and nothing to do."""
    own = {"worker": position, "slot": position + 1, "pid": 7100 + position}
    return replace(WORKER, **{**own, **changes})


def snapshot(**changes: Any) -> Snapshot:
    """Two idle workers at AT and CLOCK."""
    return replace(SNAPSHOT, **{"workers": [worker(0), worker(1)], **changes})


def later(before: Snapshot, seconds: float = INTERVAL, **changes: Any) -> Snapshot:
    """*before* after some *seconds*, with *changes*."""
    return replace(before, at=before.at + seconds, clock=before.clock + seconds, **changes)


def running(path: str, seconds: float = 1.0, **changes: Any) -> Running:
    """A request that runs."""
    return replace(Running("GET", path, seconds, worker=0, pid=7100, thread=71, request_id=""), **changes)


def history(*snapshots: Snapshot) -> History:
    """What is remembered of them."""
    past = History()
    for one in snapshots:
        past.add(one)
    return past
