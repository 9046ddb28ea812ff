"""What a worker does, in the word that the page, `fastwsgi top` and /status.json share, and how bad that is."""

from __future__ import annotations

from fastwsgi.records import NamedTuple
from fastwsgi.status.history import BUSY_MOMENT
from fastwsgi.status.snapshot import WorkerFigures


class Condition(NamedTuple):
    """That of a worker.

    Attributes:
        word: booting, ready, saturated, retiring, stuck or failed.
        level: ok, warn or bad, as of verdict.Finding.
    """

    word: str
    level: str


def condition(worker: WorkerFigures) -> Condition:
    """What *worker* does."""
    if worker.is_stuck:
        return Condition("stuck", "bad")
    if worker.has_failed or worker.state == "failed":
        return Condition("failed", "bad")
    if worker.state != "ready":
        return Condition(worker.state, "warn")
    if max(worker.saturated, worker.oldest_queued) >= BUSY_MOMENT:
        return Condition("saturated", "warn")
    return Condition("ready", "ok")
