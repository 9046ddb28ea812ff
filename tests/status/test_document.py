"""/status.json: the snapshot with its verdict and rates, as JSON takes it."""

from __future__ import annotations

import json

from fastwsgi.status.document import document
from tests.helpers.snapshots import history, later, snapshot, worker


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
