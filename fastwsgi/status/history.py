"""What the status process remembers: ten minutes of samples for the lines of the page, and the rates of right now.

Counters say little by themselves; what happened lately is the difference of two snapshots. A rate here is over WINDOW
seconds: long enough that a service with little to do shows no dashes, short enough that an incident shows at once.
Memory is bounded: some hundred bytes for each of SAMPLES, and for the few snapshots of a window their counters.
"""

from __future__ import annotations

from collections import deque

from fastwsgi.figures import DURATION_BOUNDS
from fastwsgi.records import NamedTuple, record
from fastwsgi.status.quantile import difference, quantile
from fastwsgi.status.snapshot import Histogram, Snapshot, WorkerFigures

INTERVAL = 2.0  # seconds between two samples
SAMPLES = 300  # that are remembered: ten minutes
WINDOW = 10.0  # seconds that rates are of
GAP = 3 * INTERVAL  # from here on what is between two samples is not known
BUSY_MOMENT = 0.5  # seconds for which all threads may be busy, which is nothing yet
NEARLY_ALL = 0.95  # utilisation at which hardly a request finds a free thread at once


@record(frozen=True)
class Rates:
    """What happened in the last seconds; None is for what cannot be told.

    Attributes:
        seconds: of which these are; 0.0 right after the start.
        utilisation: busy seconds for each second of each thread, 0 to 1.
        requests: answers a second.
        errors: the share of 5xx among them, 0 to 1.
        failed: their number.
        queue_full: requests refused because too many waited.
        refused: requests refused with 503, for whatever reason; they are no answers, and no part of *errors*.
        lines_dropped: of the access log.
        p50, p95, p99: seconds within which so many of 100 requests were answered, as quantile.py estimates it.
    """

    seconds: float = 0.0
    utilisation: float | None = None
    requests: float | None = None
    errors: float | None = None
    failed: int = 0
    queue_full: int = 0
    refused: int = 0
    lines_dropped: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@record(frozen=True)
class WorkerRates:
    """The same of one worker; *cpu_share* is of one CPU, 0 to 1, or more with several threads."""

    utilisation: float | None = None
    request_rate: float | None = None
    error_rate: float | None = None
    p95: float | None = None
    cpu_share: float | None = None


class Sample(NamedTuple):
    """A point of the lines.

    Attributes:
        at, clock: when, as of Snapshot.
        listen_queue: connections that wait for accept, at all listeners.
        is_saturated: whether new requests had to wait for a thread.
    """

    at: float
    clock: float
    utilisation: float | None
    queued: int
    oldest_queued: float
    listen_queue: int
    requests: float | None
    errors: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    is_saturated: bool


class _Counts(NamedTuple):
    """What is kept of a snapshot, so that later ones have something to be subtracted from."""

    clock: float
    threads: int
    service: tuple[int, float]  # its supervisor, and when it was started: counters begin anew with another one
    durations: Histogram
    failed: int
    busy_seconds: float
    queue_full: int
    refused: int
    lines_dropped: int
    workers: dict[tuple[int, int], tuple[int, int, int, float, float, Histogram]]  # by slot and number of loops


class History:
    """What was. It is not for several threads at once."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._counts: deque[_Counts] = deque(maxlen=int(WINDOW / INTERVAL) + 1)

    def add(self, snapshot: Snapshot) -> None:
        """Remember *snapshot*, if it is time for the next sample."""
        if self.samples and snapshot.clock - self.samples[-1].clock < INTERVAL * 0.9:
            return
        self.samples.append(self.sample(snapshot))
        counts = _counts(snapshot)
        if self._counts and not self._is_continued(counts):
            self._counts.clear()
        self._counts.append(counts)

    def with_now(self, snapshot: Snapshot) -> list[Sample]:
        """The samples, and *snapshot* as the last of them."""
        now = self.sample(snapshot)
        return [*(one for one in self.samples if one.clock < now.clock), now]

    def sample(self, snapshot: Snapshot) -> Sample:
        """*snapshot* as a point of the lines."""
        rates = self.rates(snapshot)
        return Sample(
            at=snapshot.at,
            clock=snapshot.clock,
            utilisation=rates.utilisation,
            queued=snapshot.queued,
            oldest_queued=snapshot.oldest_queued,
            listen_queue=sum(one.waiting for one in snapshot.listeners),
            requests=rates.requests,
            errors=rates.errors,
            p50=rates.p50,
            p95=rates.p95,
            p99=rates.p99,
            is_saturated=saturated(snapshot) > 0 or (rates.utilisation or 0.0) >= NEARLY_ALL,
        )

    def rates(self, snapshot: Snapshot) -> Rates:
        """What happened in the last seconds up to *snapshot*."""
        now = _counts(snapshot)
        if not self._is_continued(now):
            return Rates()
        before = self._counts[0]
        seconds = now.clock - before.clock
        answered = difference(now.durations, before.durations)
        failed = max(0, now.failed - before.failed)
        moments = [*self._counts, now]
        thread_seconds = sum(
            (after.clock - one.clock) * max(one.threads, after.threads) for one, after in zip(moments, moments[1:])
        )
        busy = max(0.0, now.busy_seconds - before.busy_seconds)
        return Rates(
            seconds=seconds,
            utilisation=min(1.0, busy / thread_seconds) if thread_seconds else None,
            requests=answered.count / seconds,
            errors=failed / answered.count if answered.count else None,
            failed=failed,
            queue_full=max(0, now.queue_full - before.queue_full),
            refused=max(0, now.refused - before.refused),
            lines_dropped=max(0, now.lines_dropped - before.lines_dropped),
            p50=quantile(answered, DURATION_BOUNDS, 0.5),
            p95=quantile(answered, DURATION_BOUNDS, 0.95),
            p99=quantile(answered, DURATION_BOUNDS, 0.99),
        )

    def worker_rates(self, snapshot: Snapshot) -> list[WorkerRates]:
        """The rates of each worker of *snapshot*."""
        is_continued = self._is_continued(_counts(snapshot))
        return [self._worker_rates(one, snapshot.clock) if is_continued else WorkerRates() for one in snapshot.workers]

    def saturated_for(self, snapshot: Snapshot) -> float:
        """Seconds for which new requests have had to wait for a thread; 0: they have not.

        That is as saturated() says, or after seconds of NEARLY_ALL threads being busy.
        """
        now = self.sample(snapshot)
        since = now.clock
        for one in (now, *reversed(self.samples)):
            if not one.is_saturated or since - one.clock > GAP:
                break
            since = one.clock
        by_now = saturated(snapshot)
        if now.is_saturated and not by_now:
            by_now = self.rates(snapshot).seconds * NEARLY_ALL
        return max(by_now, now.clock - since)

    def _is_continued(self, now: _Counts) -> bool:
        """Whether the counters of *now* can be compared with those that are kept."""
        if not self._counts:
            return False
        last = self._counts[-1]
        return (
            0 <= now.clock - last.clock <= GAP
            and now.clock > self._counts[0].clock
            and now.service == last.service
            and now.durations.count >= last.durations.count
        )

    def _worker_rates(self, worker: WorkerFigures, clock: float) -> WorkerRates:
        memory = worker.slot, worker.loops
        before = next((one for one in self._counts if memory in one.workers), None)
        if before is None:
            return WorkerRates(cpu_share=worker.cpu / worker.age if worker.age else None)
        seconds = clock - before.clock
        pid, requests, errors, busy, cpu, durations = before.workers[memory]
        is_same = pid == worker.pid  # what counts on may be another process; what it took of the CPU is its own
        thread_seconds = seconds * worker.threads
        return WorkerRates(
            utilisation=_share(worker.busy_seconds - busy, thread_seconds),
            request_rate=max(0, worker.requests - requests) / seconds,
            error_rate=max(0, worker.errors - errors) / seconds,
            p95=quantile(difference(worker.durations, durations), DURATION_BOUNDS, 0.95),
            cpu_share=max(0.0, worker.cpu - cpu) / seconds if is_same else worker.cpu / max(worker.age, 0.1),
        )


def saturated(snapshot: Snapshot) -> float:
    """Seconds for which new requests have had to wait, as far as *snapshot* tells; 0: they do not.

    That is while the threads of all workers are busy, or requests wait in one of them; that each waits shortly is no
    comfort if one has waited all the time. Less than BUSY_MOMENT does not count.
    """
    busy = min((one.saturated for one in snapshot.ready), default=0.0)
    waited = max((max(one.oldest_queued, one.saturated) for one in snapshot.ready if one.queued), default=0.0)
    longest = max(busy, waited)
    return longest if longest >= BUSY_MOMENT else 0.0


def _share(part: float, whole: float) -> float | None:
    return min(1.0, max(0.0, part / whole)) if whole else None


def _counts(snapshot: Snapshot) -> _Counts:
    classes = snapshot.durations.values()
    counts = [sum(numbers) for numbers in zip(*(one.counts for one in classes))]
    return _Counts(
        clock=snapshot.clock,
        threads=snapshot.threads,
        service=(snapshot.supervisor, snapshot.since),
        durations=Histogram(counts, sum(one.total for one in classes)),
        failed=snapshot.durations["5xx"].count if "5xx" in snapshot.durations else 0,
        busy_seconds=snapshot.busy_seconds,
        queue_full=snapshot.queue_full,
        refused=snapshot.refused.get("503", 0),
        lines_dropped=snapshot.lines_dropped,
        workers={
            (one.slot, one.loops): (one.pid, one.requests, one.errors, one.busy_seconds, one.cpu, one.durations)
            for one in snapshot.workers
        },
    )
