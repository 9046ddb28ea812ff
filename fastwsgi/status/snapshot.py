"""What the service tells of itself at one moment: the one source of all views, the page, JSON, metrics and statsd.

The classes here are the form of it. `status/reading.py` makes a Snapshot from the scoreboard and /proc. What has no
number in shared memory, such as events and settings, is what the supervisor has told (Told). `/status.json` is a
Snapshot as JSON (`document()`), with the keys of these classes; times of the wall clock are seconds since 1970, all
others are durations in seconds.
"""

from __future__ import annotations

from typing import Any

from fastwsgi.records import asdict, field, record

FORMAT = 1  # of the JSON: raised when a key is removed or changes its meaning


@record
class Histogram:
    """Observations by size.

    Attributes:
        counts: how many were in each bucket, and above the last (not cumulative).
        total: their sum, in seconds.
    """

    counts: list[int]
    total: float

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


@record
class Running:
    """A request that the application is answering.

    Attributes:
        path: without its query, cut after some 180 bytes.
        seconds: since its thread began to work on it.
        worker: the position of its worker.
        thread: the native ID of its thread.
        request_id: "" if it has none.
    """

    method: str
    path: str
    seconds: float
    worker: int
    pid: int
    thread: int
    request_id: str


@record
class WorkerFigures:
    """One worker process.

    Attributes:
        worker: its position; during a reload two processes may have the same.
        slot: the number of its memory; only figures of the same slot, with as many loops, have differences.
        state: booting, ready, retiring or failed.
        age: seconds since it was started.
        seen: seconds since its last heartbeat.
        is_stuck: it has not been seen for so long that some C call must hold the GIL, unless it
            is stopped.
        is_stopped: it is stuck since it is stopped, by SIGSTOP or a debugger.
        has_failed: it serves a page that says why the application cannot be loaded.
        threads_busy: that run the application, the one with the loop included.
        saturated: seconds for which new requests have had to queue: all threads are busy, or one goes on with a queue
            alone, as more would gain nothing; 0: some is free, be it in one of several loops.
        oldest_queued: seconds for which the first request in the queue has waited; 0: none waits.
        rss: bytes resident.
        cpu: seconds of CPU that it has used.
        oldest: seconds for which its oldest request has run; 0: none runs.
        requests, durations, busy_seconds, errors: those of its slot of the scoreboard, so that what is counted grows
            also when another process takes its place: differences tell rates. *durations* are those of all classes.
        loops: threads that serve connections, each those of its own; more than one without a GIL.
    """

    worker: int
    slot: int
    pid: int
    generation: int
    state: str
    age: float
    seen: float
    is_stuck: bool
    has_failed: bool
    threads: int
    threads_busy: int
    saturated: float
    queued: int
    oldest_queued: float
    streams_waiting: int
    connections: int
    buffered: int
    spooled: int
    rss: int
    cpu: float
    oldest: float
    requests: int
    errors: int  # answers with 5xx
    busy_seconds: float
    durations: Histogram
    is_stopped: bool = False
    loops: int = 1


@record
class ListenQueue:
    """A listener, and what waits at it for accept."""

    address: str
    waiting: int
    limit: int


@record
class Certificate:
    """A certificate of the service; *not_after* is in seconds since 1970."""

    name: str
    not_after: float


@record
class Event:
    """Something that has happened to the service.

    Attributes:
        at: when (seconds since 1970).
        kind: start, exit, reload, reload-failed, timeout, stop, upgrade, certificates, log or scale.
        is_bad: whether it is a fault.
        text: one line.
        worker: the position concerned, or -1.
        pid: the process concerned, or 0.
        details: more lines, such as the stack of a request that was given up; "" if there are none.
    """

    at: float
    kind: str
    is_bad: bool
    text: str
    worker: int = -1
    pid: int = 0
    details: str = ""


@record
class Told:
    """What the supervisor tells the status process in words.

    Attributes:
        name: what is served, such as "shop:app".
        urls: where.
        settings: those that differ from their defaults, as text, without secrets.
        reload_failure: why the last reload failed; "" if it did not.
        load_failure: why the application cannot be loaded, while a page says so to each request (--reload).
        crash_loop: why new workers do not come up; "" if they do.
        events: the last ones, oldest first.
    """

    name: str = ""
    urls: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    reload_failure: str = ""
    load_failure: str = ""
    crash_loop: str = ""
    events: list[Event] = field(default_factory=list)


@record
class Snapshot:
    """All of it.

    Attributes:
        format: FORMAT.
        at: when (seconds since 1970).
        clock: the same moment on time.monotonic().
        workers: those that live, by position.
        durations: of answered requests from their complete heads to the end of the response, by class.
        codes: responses by code.
        probe_answers: of liveness_path and readiness_path by code; they are in none of the other figures of requests.
        file_answers: of --static by code; they are in none of the other figures of requests, either.
        queue: seconds in which requests waited for a thread, 0 included.
        proxy_queue: seconds from X-Request-Start to the complete head, where a believed peer says it.
        refused: by code; "none" is for connections that were closed without an answer.
        refused_peers: addresses with how many refusals of the last minute they got, most first.
        timeouts: by kind.
        logged: records of the error log by level.
        starts: of workers, by reason.
        reloads: by result.
        cpu: seconds of CPU of all processes that there were at a position, by position.
        busy_seconds: of threads with requests, those that run now included.
    """

    format: int
    version: str
    build: str
    python: str
    at: float
    clock: float
    since: float  # when the service was started (seconds since 1970)
    supervisor: int
    generation: int
    workers_wanted: int
    is_stopping: bool
    is_reload_failed: bool
    failing_starts: int
    workers: list[WorkerFigures]
    running: list[Running]  # oldest first
    listeners: list[ListenQueue]
    certificates: list[Certificate]
    durations: dict[str, Histogram]
    codes: dict[str, int]
    probe_answers: dict[str, int]
    file_answers: dict[str, int]
    queue: Histogram
    proxy_queue: Histogram
    busy_seconds: float
    accepted: int
    received: int
    sent: int
    refused: dict[str, int]
    refused_peers: dict[str, int]
    timeouts: dict[str, int]
    queue_full: int
    application_errors: int
    abandoned: int
    lines_dropped: int
    logged: dict[str, int]
    starts: dict[str, int]
    reloads: dict[str, int]
    cpu: dict[str, float]
    told: Told

    @property
    def requests(self) -> int:
        """Requests answered since the start."""
        return sum(one.count for one in self.durations.values())

    @property
    def ready(self) -> list[WorkerFigures]:
        """Workers that take new requests."""
        return [one for one in self.workers if one.state == "ready"]

    @property
    def threads(self) -> int:
        """Threads of the workers that take new requests, or of all while none does."""
        return sum(one.threads for one in self.ready or self.workers)

    @property
    def threads_busy(self) -> int:
        """Those of *threads* that run the application."""
        return sum(one.threads_busy for one in self.ready or self.workers)

    @property
    def loops(self) -> int:
        """Loops of the same workers."""
        return sum(one.loops for one in self.ready or self.workers)

    @property
    def others_busy(self) -> int:
        """Threads that run the application in other workers, such as retiring ones."""
        return sum(one.threads_busy for one in self.workers) - self.threads_busy

    @property
    def streams_waiting(self) -> int:
        """Responses that wait for slow clients, and take no thread meanwhile."""
        return sum(one.streams_waiting for one in self.workers)

    @property
    def queued(self) -> int:
        """Requests that wait for a thread."""
        return sum(one.queued for one in self.workers)

    @property
    def oldest_queued(self) -> float:
        """Seconds for which the first of all queued requests has waited; 0: none waits."""
        return max((one.oldest_queued for one in self.workers), default=0.0)

    @property
    def oldest(self) -> float:
        """Seconds for which the oldest of all running requests has run; 0: none runs."""
        return max((one.oldest for one in self.workers), default=0.0)

    @property
    def fullest(self) -> ListenQueue | None:
        """The listener at which most connections wait, for what may; None: there is no listener."""
        return max(self.listeners, key=lambda one: one.waiting / max(one.limit, 1), default=None)

    def document(self) -> dict[str, Any]:
        """It as json.dumps() takes it; status/document.py adds what is made of it."""
        return asdict(self)
