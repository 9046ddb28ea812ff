"""/status.json: a Snapshot with what was made of it, as `fastwsgi top` reads it.

Added to the keys of Snapshot are "verdict" (level, word, line, text, and others, each with level, word and line),
"totals" (TOTALS, and the fullest listener), "rates" (history.Rates), and for each worker those of history.WorkerRates.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastwsgi.status.history import History
from fastwsgi.status.snapshot import Snapshot
from fastwsgi.status.verdict import Verdict, judge

TOTALS = ("requests", "threads", "threads_busy", "queued", "oldest_queued", "oldest")
"""Properties of a Snapshot, which readers of JSON need not compute again."""


def document(snapshot: Snapshot, history: History) -> dict[str, Any]:
    """*snapshot*, which comes after all of *history*, with verdict and rates, as json.dumps() takes it."""
    found = snapshot.document()
    for worker, rates in zip(found["workers"], history.worker_rates(snapshot)):
        worker.update(asdict(rates))
    verdict = judge(snapshot, history)
    totals = {name: getattr(snapshot, name) for name in TOTALS}
    fullest = asdict(snapshot.fullest) if snapshot.fullest is not None else None
    return {
        "verdict": verdict_document(verdict),
        "totals": {**totals, "fullest": fullest},
        "rates": asdict(history.rates(snapshot)),
        **found,
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """*verdict* with its text."""
    others = [one._asdict() for one in verdict.others]
    return {"level": verdict.level, "word": verdict.word, "line": verdict.line, "text": verdict.text, "others": others}
