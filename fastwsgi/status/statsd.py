"""Metrics by statsd: those of gunicorn under its names, and what it has not under ours.

They are sent once a second by the status process, so no request waits for it. Several are in one datagram, on lines of
their own, and with DogStatsD's tags if there are any. What cannot be sent is lost, and one line a minute says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable

from fastwsgi.settings.status_kinds import parse_statsd_address
from fastwsgi.status.datagrams import Datagrams
from fastwsgi.status.rings import Rings, Timings
from fastwsgi.status.snapshot import Snapshot

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

MOST_TIMINGS = 4096  # durations that are sent at a time; of more requests some are chosen, and their share is told

# What has grown since the last time, by the name's end
COUNTERS: dict[str, Callable[[Snapshot], dict[str, float]]] = {
    "gunicorn.requests": lambda it: {"": sum(it.codes.values())},
    "gunicorn.request.status.": lambda it: dict(it.codes),
    "gunicorn.log.": lambda it: dict(it.logged),
    "fastwsgi.threads_busy_seconds": lambda it: {"": round(it.busy_seconds, 6)},
    "fastwsgi.request_queue.seconds": lambda it: {"": round(it.queue.total, 6)},
    "fastwsgi.request_queue.waited": lambda it: {"": sum(it.queue.counts[1:])},
    "fastwsgi.connections_accepted": lambda it: {"": it.accepted},
    "fastwsgi.received_bytes": lambda it: {"": it.received},
    "fastwsgi.sent_bytes": lambda it: {"": it.sent},
    "fastwsgi.refused.": lambda it: dict(it.refused),
    "fastwsgi.probe_answers.": lambda it: dict(it.probe_answers),
    "fastwsgi.file_answers.": lambda it: dict(it.file_answers),
    "fastwsgi.timeouts.": lambda it: dict(it.timeouts),
    "fastwsgi.queue_full": lambda it: {"": it.queue_full},
    "fastwsgi.application_errors": lambda it: {"": it.application_errors},
    "fastwsgi.requests_abandoned": lambda it: {"": it.abandoned},
    "fastwsgi.log_lines_dropped": lambda it: {"": it.lines_dropped},
    "fastwsgi.worker_starts.": lambda it: dict(it.starts),
    "fastwsgi.reloads.": lambda it: dict(it.reloads),
}
GAUGES: dict[str, Callable[[Snapshot], float]] = {
    "gunicorn.workers": lambda it: len(it.workers),
    "fastwsgi.workers_wanted": lambda it: it.workers_wanted,
    "fastwsgi.threads": lambda it: it.threads,
    "fastwsgi.threads_busy": lambda it: it.threads_busy,
    "fastwsgi.requests_queued": lambda it: it.queued,
    "fastwsgi.oldest_queued_seconds": lambda it: round(it.oldest_queued, 3),
    "fastwsgi.oldest_request_seconds": lambda it: round(it.oldest, 3),
    "fastwsgi.streams_waiting": lambda it: sum(one.streams_waiting for one in it.workers),
    "fastwsgi.connections": lambda it: sum(one.connections for one in it.workers),
    "fastwsgi.buffered_bytes": lambda it: sum(one.buffered for one in it.workers),
    "fastwsgi.resident_memory_bytes": lambda it: sum(one.rss for one in it.workers),
}


class Statsd:
    """Sends to the statsd of *settings*, which must have a statsd_host.

    Args:
        settings: statsd_host, statsd_prefix and dogstatsd_tags are read.
        words: the scoreboard's.
        log_error: called with a line and None when datagrams are lost.
    """

    def __init__(
        self, settings: Settings, words: memoryview, log_error: Callable[[str, BaseException | None], None]
    ) -> None:
        prefix = settings.statsd_prefix.rstrip(".")
        self._prefix = f"{prefix}." if prefix else ""
        self._tags = f"|#{','.join(settings.dogstatsd_tags)}" if settings.dogstatsd_tags else ""
        self._datagrams = Datagrams(parse_statsd_address(settings.statsd_host or ""), log_error)
        self._rings = Rings(words)
        self._before: Snapshot | None = None

    def send(self, snapshot: Snapshot) -> None:
        """Send what has happened since the last call, and how it is now. It waits for nothing, and raises nothing."""
        durations = self._rings.take(MOST_TIMINGS)
        lines = [*_gauges(snapshot)]
        if self._before is not None:
            lines += [*_counters(self._before, snapshot), *_timings(durations)]
        self._before = snapshot
        self._datagrams.send(f"{self._prefix}{line}{self._tags}".encode("ascii", "replace") for line in lines)

    def close(self) -> None:
        """Send no more."""
        self._datagrams.close()


def _gauges(now: Snapshot) -> Iterator[str]:
    for name, value in GAUGES.items():
        yield f"{name}:{value(now)}|g"
    if now.listeners:
        yield f"fastwsgi.listen_queue:{sum(one.waiting for one in now.listeners)}|g"
        yield f"gunicorn.backlog:{sum(one.waiting for one in now.listeners)}|h"


def _counters(before: Snapshot, now: Snapshot) -> Iterator[str]:
    for name, values in COUNTERS.items():
        known = values(before)
        for end, value in values(now).items():
            grown = round(value - known.get(end, 0), 6)
            if grown > 0:
                yield f"{name}{end}:{grown}|c"


def _timings(durations: Timings) -> Iterator[str]:
    """Each request in milliseconds; if not all are there, with the share of those that are."""
    given = len(durations.microseconds)
    share = f"|@{given / durations.count:.6g}" if given < durations.count else ""
    return (f"gunicorn.request.duration:{one / 1000}|ms{share}" for one in durations.microseconds)
