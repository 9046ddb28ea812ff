"""/status.json: the snapshot with its verdict and rates, as JSON takes it."""

from __future__ import annotations

import json

from fastwsgi.status.document import document
from fastwsgi.status.snapshot import ListenQueue
from tests.helpers.snapshots import history, later, snapshot, worker


def test_retiring_workers_are_in_no_total_of_threads() -> None:
    workers = [worker(0, threads_busy=3), worker(1, state="retiring", threads_busy=4, queued=2, oldest_queued=1.5)]
    found = document(snapshot(workers=workers), history())["totals"]
    assert (found["threads_busy"], found["threads"]) == (3, 4)
    assert found["others_busy"] == 4
    assert (found["queued"], found["oldest_queued"]) == (2, 1.5)
    alone = document(snapshot(workers=workers[1:]), history())["totals"]
    assert (alone["threads_busy"], alone["threads"]) == (4, 4)


def test_a_worker_has_a_word() -> None:
    workers = [
        worker(0), worker(1, saturated=1.0), worker(2, is_stuck=True), worker(3, has_failed=True),
        worker(4, state="retiring"),
    ]  # fmt: skip
    found = document(snapshot(workers=workers), history())["workers"]
    assert [(one["word"], one["level"]) for one in found] == [
        ("ready", "ok"), ("saturated", "warn"), ("stuck", "bad"), ("failed", "bad"), ("retiring", "warn"),
    ]  # fmt: skip


def test_the_fullest_listener_is_the_one_nearest_to_its_limit() -> None:
    listeners = [ListenQueue("a", 9, 2048), ListenQueue("b", 4, 8)]
    assert document(snapshot(listeners=listeners), history())["totals"]["fullest"]["address"] == "b"
    assert document(snapshot(listeners=[]), history())["totals"]["fullest"] is None


def test_the_document_has_verdict_and_rates() -> None:
    first = snapshot()
    now = later(first, workers=[worker(0, requests=10), worker(1)], is_stopping=True, workers_wanted=3)
    found = json.loads(json.dumps(document(now, history(first)), allow_nan=False))
    assert found["format"] == 1
    assert found["verdict"] == {
        "level": "warn",
        "word": "stopping",
        "line": "2 workers left, 0 requests running",
        "text": "stopping: 2 workers left, 0 requests running",
        "others": [],
    }
    assert (found["rates"]["requests"], found["rates"]["errors"], found["rates"]["p95"]) == (0.0, None, None)
    assert [one["request_rate"] for one in found["workers"]] == [5.0, 0.0]
    assert {"error_rate", "p95", "cpu_share", "utilisation", "pid", "durations"} <= found["workers"][0].keys()
