"""The metrics, each declared once: name, type, help, and where its values are in a Snapshot.

Names follow Prometheus' conventions: base units, and "_total" at the end of counters. A worker is named by its
position, which its successor takes over, so series neither end nor multiply when a worker is replaced; during a reload
a position has two processes, and their gauges are added up. No client can choose the value of a label.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from operator import add, attrgetter
from typing import Callable, Union

from fastwsgi.figures import DURATION_BOUNDS, QUEUE_BOUNDS
from fastwsgi.records import record
from fastwsgi.status.scoreboard import STATES
from fastwsgi.status.snapshot import Histogram, Snapshot

PREFIX = "fastwsgi_"


class Labels:
    """The labels of a value.

    Attributes:
        values: by their names.
        text: with their names, as Prometheus' text format has them between the braces.
    """

    __slots__ = ("text", "values")

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.text = ",".join(f'{name}="{_escape(value)}"' for name, value in values.items())


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


NONE = Labels({})
Sample = tuple[Labels, Union[int, float, Histogram]]


@record(frozen=True)
class Family:
    """A metric.

    Attributes:
        name: without PREFIX.
        kind: counter, gauge or histogram.
        help: one line.
        samples: its values by their labels.
        bounds: of the buckets of a histogram, in seconds.
    """

    name: str
    kind: str
    help: str
    samples: Callable[[Snapshot], Iterable[Sample]]
    bounds: tuple[float, ...] = ()


def _one(value: Callable[[Snapshot], float]) -> Callable[[Snapshot], list[Sample]]:
    """A single value, without labels."""
    return lambda snapshot: [(NONE, value(snapshot))]


def _histogram(value: Callable[[Snapshot], Histogram]) -> Callable[[Snapshot], list[Sample]]:
    return lambda snapshot: [(NONE, value(snapshot))]


def _by(label: str, values: Callable[[Snapshot], dict[str, int]]) -> Callable[[Snapshot], list[Sample]]:
    """A value for each key of a table."""
    return lambda snapshot: [(Labels({label: key}), value) for key, value in values(snapshot).items()]


def _sums(name: str) -> Callable[[Snapshot], list[Sample]]:
    """The sum of an attribute of the processes at each position."""
    return _workers(name, add)


def _workers(name: str, merge: Callable[[float, float], float]) -> Callable[[Snapshot], list[Sample]]:
    """An attribute for each position, merged where it has several processes."""
    attribute = attrgetter(name)

    def samples(snapshot: Snapshot) -> list[Sample]:
        workers = snapshot.workers
        found = {worker.worker: attribute(worker) for worker in workers}
        if len(found) < len(workers):
            found = {}
            for worker in workers:
                position, value = worker.worker, attribute(worker)
                found[position] = merge(found[position], value) if position in found else value
        return list(zip(map(_of, found), found.values()))

    return samples


@lru_cache(1024)
def _of(position: int) -> Labels:
    return Labels({"worker": str(position)})


def _durations(snapshot: Snapshot) -> list[Sample]:
    return [(Labels({"code": name}), histogram) for name, histogram in snapshot.durations.items()]


def _states(snapshot: Snapshot) -> list[Sample]:
    """Worker processes by state; one that is stuck is not ready, whatever it has written."""
    found = ["stuck" if worker.is_stuck else worker.state for worker in snapshot.workers]
    return [(Labels({"state": state}), found.count(state)) for state in (*STATES[1:], "stuck")]


def _starts(snapshot: Snapshot) -> list[Sample]:
    """When the newest process at each position was started, in whole seconds, as two clocks tell it."""
    return [(labels, round(snapshot.at - age)) for labels, age in _ages(snapshot) if not isinstance(age, Histogram)]


_ages = _workers("age", min)


def _infos(snapshot: Snapshot) -> list[Sample]:
    return [(_info(one.worker, one.pid, one.generation), 1) for one in snapshot.workers]


@lru_cache(1024)
def _info(position: int, pid: int, generation: int) -> Labels:
    return Labels({"worker": str(position), "pid": str(pid), "generation": str(generation)})


def _build(snapshot: Snapshot) -> list[Sample]:
    return [(Labels({"version": snapshot.version, "build": snapshot.build, "python": snapshot.python}), 1)]


FAMILIES = (
    Family(
        "request_duration_seconds",
        "histogram",
        "Time from the complete head of a request to the end of its response, by the class of its code.",
        _durations,
        DURATION_BOUNDS,
    ),
    Family(
        "request_queue_seconds",
        "histogram",
        "Time that requests waited for a thread; 0 if they did not.",
        _histogram(lambda it: it.queue),
        QUEUE_BOUNDS,
    ),
    Family(
        "proxy_queue_seconds",
        "histogram",
        "Time from X-Request-Start or X-Queue-Start of a trusted proxy to the complete head.",
        _histogram(lambda it: it.proxy_queue),
        QUEUE_BOUNDS,
    ),
    Family("responses_total", "counter", "Responses by code.", _by("code", lambda it: it.codes)),
    Family(
        "probe_answers_total",
        "counter",
        "Answers of the probe paths by code, which are no responses of the application.",
        _by("code", lambda it: it.probe_answers),
    ),
    Family(
        "file_answers_total",
        "counter",
        "Answers of --static by code, which are no responses of the application.",
        _by("code", lambda it: it.file_answers),
    ),
    Family("loops", "gauge", "Loops that serve connections, each in a thread of its own.", _sums("loops")),
    Family("threads", "gauge", "Threads that may run the application.", _sums("threads")),
    Family("threads_busy", "gauge", "Threads that run the application now.", _sums("threads_busy")),
    Family(
        "threads_busy_seconds_total",
        "counter",
        "Time that threads have spent on requests, those that run now included.",
        _one(lambda it: it.busy_seconds),
    ),
    Family("requests_queued", "gauge", "Requests that wait for a thread now.", _sums("queued")),
    Family(
        "oldest_queued_seconds",
        "gauge",
        "Time for which the first request in the queue has waited; 0: none waits.",
        _one(lambda it: it.oldest_queued),
    ),
    Family(
        "oldest_request_seconds",
        "gauge",
        "Time for which the oldest request that runs has done so; 0: none runs.",
        _one(lambda it: it.oldest),
    ),
    Family("streams_waiting", "gauge", "Responses that wait for slow clients.", _sums("streams_waiting")),
    Family("connections", "gauge", "Open connections.", _sums("connections")),
    Family("buffered_bytes", "gauge", "Memory that clients make the worker hold.", _sums("buffered")),
    Family(
        "spooled_bytes",
        "gauge",
        "Request bodies in temporary files.",
        _one(lambda it: sum(one.spooled for one in it.workers)),
    ),
    Family("connections_accepted_total", "counter", "Connections accepted.", _one(lambda it: it.accepted)),
    Family("received_bytes_total", "counter", "Bytes received from clients.", _one(lambda it: it.received)),
    Family("sent_bytes_total", "counter", "Bytes sent to clients.", _one(lambda it: it.sent)),
    Family(
        "refused_total",
        "counter",
        "Requests that the server refused by code; none: connections closed without an answer.",
        _by("code", lambda it: it.refused),
    ),
    Family("timeouts_total", "counter", "Requests whose time was over, by kind.", _by("kind", lambda it: it.timeouts)),
    Family(
        "queue_full_total",
        "counter",
        "Requests refused since too many waited for a thread.",
        _one(lambda it: it.queue_full),
    ),
    Family(
        "application_errors_total",
        "counter",
        "Requests in which the application raised an exception or broke PEP 3333.",
        _one(lambda it: it.application_errors),
    ),
    Family(
        "requests_abandoned_total",
        "counter",
        "Requests whose client was gone before a response could be sent.",
        _one(lambda it: it.abandoned),
    ),
    Family(
        "log_lines_dropped_total",
        "counter",
        "Lines of the access log that were dropped.",
        _one(lambda it: it.lines_dropped),
    ),
    Family("log_records_total", "counter", "Entries of the error log by level.", _by("level", lambda it: it.logged)),
    Family(
        "listen_queue",
        "gauge",
        "Connections that wait for accept.",
        lambda it: [(Labels({"listener": one.address}), one.waiting) for one in it.listeners],
    ),
    Family(
        "listen_queue_limit",
        "gauge",
        "Connections that may wait for accept.",
        lambda it: [(Labels({"listener": one.address}), one.limit) for one in it.listeners],
    ),
    Family("workers", "gauge", "Worker processes by state.", _states),
    Family("workers_wanted", "gauge", "Worker processes that there should be.", _one(lambda it: it.workers_wanted)),
    Family("worker_starts_total", "counter", "Starts of workers by reason.", _by("reason", lambda it: it.starts)),
    Family(
        "failing_starts",
        "gauge",
        "Workers in a row that ended before they were ready, or right after.",
        _one(lambda it: it.failing_starts),
    ),
    Family("worker_info", "gauge", "1, with the process and the generation of a worker.", _infos),
    Family(
        "worker_start_time_seconds",
        "gauge",
        "When a worker was started, since 1970.",
        _starts,
    ),
    Family(
        "worker_heartbeat_age_seconds",
        "gauge",
        "Time since a worker was last seen to live.",
        _workers("seen", max),
    ),
    Family("worker_resident_memory_bytes", "gauge", "Resident memory.", _sums("rss")),
    Family(
        "worker_cpu_seconds_total",
        "counter",
        "CPU time of a worker and its predecessors.",
        lambda it: [(_of(int(position)), seconds) for position, seconds in it.cpu.items()],
    ),
    Family("reloads_total", "counter", "Reloads by result.", _by("result", lambda it: it.reloads)),
    Family(
        "reload_failed",
        "gauge",
        "Whether the last reload failed, so that the code or the settings before it serve on.",
        _one(lambda it: int(it.is_reload_failed)),
    ),
    Family("generation", "gauge", "Number of reloads so far that took effect.", _one(lambda it: it.generation)),
    Family("stopping", "gauge", "Whether a stop has begun.", _one(lambda it: int(it.is_stopping))),
    Family("start_time_seconds", "gauge", "When the service was started, since 1970.", _one(lambda it: it.since)),
    Family("build_info", "gauge", "1, with the version of fastwsgi, its build and Python's version.", _build),
    Family(
        "certificate_not_after_seconds",
        "gauge",
        "When a certificate ends, since 1970.",
        lambda it: [(Labels({"certificate": one.name}), one.not_after) for one in it.certificates],
    ),
)
"""All of them, in the order of the text."""
