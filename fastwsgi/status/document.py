"""/status.json: a Snapshot with what was made of it, as `fastwsgi top` reads it.

Added to the keys of Snapshot are "verdict" (level, word, line, text, and others, each with level, word and line),
"totals" (TOTALS, and the fullest listener), "rates" (history.Rates), for each worker those of history.WorkerRates and
its word and level (condition.py), and "bounds", those of the buckets of the histograms, in seconds. A percentile that
is the first bound means less than that, one that is the last means more.
"""

from __future__ import annotations

from typing import Any

from fastwsgi.figures import DURATION_BOUNDS, QUEUE_BOUNDS
from fastwsgi.records import asdict
from fastwsgi.status.condition import condition
from fastwsgi.status.history import History
from fastwsgi.status.snapshot import Snapshot
from fastwsgi.status.verdict import Verdict, judge

TOTALS = (
    "requests", "loops", "threads", "threads_busy", "others_busy", "queued", "oldest_queued", "oldest",
    "streams_waiting",
)  # fmt: skip
"""Properties of a Snapshot, which readers of JSON need not compute again."""


def document(snapshot: Snapshot, history: History) -> dict[str, Any]:
    """*snapshot*, which comes after all of *history*, with verdict and rates, as json.dumps() takes it."""
    found = snapshot.document()
    for worker, figures, rates in zip(found["workers"], snapshot.workers, history.worker_rates(snapshot)):
        worker.update(condition(figures)._asdict(), **asdict(rates))
    verdict = judge(snapshot, history)
    totals = {name: getattr(snapshot, name) for name in TOTALS}
    fullest = asdict(snapshot.fullest) if snapshot.fullest is not None else None
    return {
        "verdict": verdict_document(verdict),
        "totals": {**totals, "fullest": fullest},
        "rates": asdict(history.rates(snapshot)),
        "bounds": {"durations": list(DURATION_BOUNDS), "queue": list(QUEUE_BOUNDS)},
        **found,
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """*verdict* with its text."""
    others = [one._asdict() for one in verdict.others]
    return {"level": verdict.level, "word": verdict.word, "line": verdict.line, "text": verdict.text, "others": others}
