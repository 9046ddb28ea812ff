"""What is the matter with the service, in one line: the words that the page, `fastwsgi top` and /status.json share.

Several things may be the matter at once. The first one is the verdict: what harms users before what only needs
somebody's attention, and among these in the order of FINDERS, causes before what comes of them.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.records import NamedTuple, record
from fastwsgi.status.history import NEARLY_ALL, History, Rates
from fastwsgi.status.phrases import HELD, counted, cut, spell
from fastwsgi.status.snapshot import Certificate, Snapshot, WorkerFigures

OK, WARN, BAD = LEVELS = ("ok", "warn", "bad")
FAILING_STARTS = 3  # in a row that are a crash loop
MOST_ERRORS = 0.05  # of all answers
ENOUGH_ERRORS = 5  # fewer are no share yet
LISTEN_QUEUE = 0.5  # of its limit
CERTIFICATE_SOON = 14 * 86400  # seconds
CERTIFICATE_NOW = 86400
LONGEST = 400  # characters of what others have written


class Finding(NamedTuple):
    """One thing that is the matter, or that nothing is.

    Attributes:
        level: ok; warn: somebody should look at it; bad: users suffer from it.
        word: what it is, the same word each time.
        line: the particulars, without the word.
    """

    level: str
    word: str
    line: str


@record(frozen=True)
class Verdict:
    """The first Finding, and the *others* that hold besides."""

    level: str
    word: str
    line: str
    others: tuple[Finding, ...] = ()

    @property
    def text(self) -> str:
        """Word and line."""
        return f"{self.word}: {self.line}" if self.line else self.word


@record(frozen=True)
class _Case:
    """What is judged."""

    snapshot: Snapshot
    rates: Rates
    saturated: float  # seconds

    @property
    def ready(self) -> list[WorkerFigures]:
        """Workers that take requests."""
        return [one for one in self.snapshot.ready if not one.has_failed]


def judge(snapshot: Snapshot, history: History) -> Verdict:
    """What is the matter in *snapshot*, which comes after all of *history*."""
    case = _Case(snapshot, history.rates(snapshot), history.saturated_for(snapshot))
    found = [one for find in FINDERS if (one := find(case)) is not None]
    if not found:
        found = [_serving(case)]
    found.sort(key=lambda one: (one.word != "stopping", -LEVELS.index(one.level)))
    return Verdict(*found[0], tuple(found[1:]))


def _stopping(case: _Case) -> Finding | None:
    if not case.snapshot.is_stopping:
        return None
    workers, running = len(case.snapshot.workers), len(case.snapshot.running)
    return Finding(WARN, "stopping", f"{counted(workers, 'worker')} left, {counted(running, 'request')} running")


def _workers(case: _Case) -> Finding | None:
    """Those that do not come up."""
    snapshot, ready = case.snapshot, len(case.ready)
    if snapshot.is_stopping:
        return None
    level = WARN if ready else BAD
    count = f"{ready} of {counted(snapshot.workers_wanted, 'worker')} ready"
    if snapshot.told.crash_loop or snapshot.failing_starts >= FAILING_STARTS:
        reason = _cut(snapshot.told.crash_loop) or f"{snapshot.failing_starts} in a row ended at their start"
        return Finding(level, "crash loop", f"{count}; {reason}")
    if any(one.has_failed for one in snapshot.workers):
        reason = _cut(snapshot.told.load_failure) or "the application cannot be loaded"
        return Finding(BAD, "not loaded", f"{reason}; each request gets a page that says why")
    if ready >= snapshot.workers_wanted:
        return None
    boots = [one.age for one in snapshot.workers if one.state == "booting"]
    if boots:
        return Finding(WARN, "starting", f"{count}, {counted(len(boots), 'worker')} starting for {spell(max(boots))}")
    return Finding(level, "workers missing" if ready else "no worker", count)


def _stuck(case: _Case) -> Finding | None:
    stuck = sorted((one for one in case.snapshot.workers if one.is_stuck), key=lambda one: -one.seen)
    if not stuck:
        return None
    worst = stuck[0]
    calls = [f"{one.method} {_cut(one.path)}" for one in case.snapshot.running if one.pid == worst.pid]
    named = "" if not calls else f": {calls[0]}" if len(calls) == 1 else f": one of {len(calls)}, the oldest {calls[0]}"
    more = f" ({len(stuck) - 1} more likewise)" if len(stuck) > 1 else ""
    line = f"worker {worst.worker} (pid {worst.pid}) has not been seen for {spell(worst.seen)}"
    line += ", it is stopped (SIGSTOP)" if worst.is_stopped else f", a C call holds {HELD}"
    return Finding(BAD, "stuck", line + named + more)


def _queue_full(case: _Case) -> Finding | None:
    count = case.rates.queue_full
    if not count:
        return None
    return Finding(BAD, "queue full", f"{counted(count, 'request')} refused with 503 in {spell(case.rates.seconds)}")


def _saturated(case: _Case) -> Finding | None:
    if not case.saturated or not case.ready:
        return None
    line = f"for {spell(case.saturated)}, {_busy(case)}"
    if queued := case.snapshot.queued:
        oldest = spell(case.snapshot.oldest_queued)
        return Finding(BAD, "saturated", f"{line}, {counted(queued, 'request')} waiting, the oldest for {oldest}")
    if waiting := sum(one.waiting for one in case.snapshot.listeners):
        return Finding(BAD, "saturated", f"{line}, {counted(waiting, 'connection')} waiting for accept")
    return Finding(WARN, "saturated", f"{line}, no request waiting")


def _busy(case: _Case) -> str:
    """How many threads are busy while the service is saturated."""
    ready, used = case.ready, case.rates.utilisation or 0.0
    threads, busy = sum(one.threads for one in ready), sum(one.threads_busy for one in ready)
    count = counted(threads, "thread")
    if ready and all(one.saturated for one in ready) and (threads == 1 or busy >= threads):
        return f"all {count} busy" if threads > 1 else "the only thread busy"
    return f"{count} {used:.0%} busy" if used >= NEARLY_ALL else f"{min(busy, threads)} of {count} busy"


def _reload_failed(case: _Case) -> Finding | None:
    told = case.snapshot.told.reload_failure
    is_shown = any(one.has_failed for one in case.snapshot.workers)  # then nothing of before serves
    if is_shown or (not told and not case.snapshot.is_reload_failed):
        return None
    return Finding(WARN, "reload failed", f"{_cut(told) or 'see the error log'}; what ran before still serves")


def _errors(case: _Case) -> Finding | None:
    rates = case.rates
    if rates.errors is None or rates.errors <= MOST_ERRORS or rates.failed < ENOUGH_ERRORS:
        return None
    return Finding(BAD, "errors", f"{rates.errors:.0%} of answers are 5xx, {rates.failed} in {spell(rates.seconds)}")


def _certificates(case: _Case) -> Finding | None:
    if not case.snapshot.certificates:
        return None
    first = min(case.snapshot.certificates, key=lambda one: one.not_after)
    at = case.snapshot.at
    left = first.not_after - at
    if left >= CERTIFICATE_SOON:
        return None
    return Finding(WARN if left >= CERTIFICATE_NOW else BAD, "certificate", f"{_cut(first.name)} {ends(first, at)}")


def ends(certificate: Certificate, at: float) -> str:
    """When *certificate* ends, seen from *at*."""
    left = certificate.not_after - at
    return f"ends in {spell(left)}" if left > 0 else f"ended {spell(-left)} ago"


def _listen_queue(case: _Case) -> Finding | None:
    queues = [one for one in case.snapshot.listeners if one.limit and one.waiting >= one.limit * LISTEN_QUEUE]
    if not queues:
        return None
    worst = max(queues, key=lambda one: one.waiting / one.limit)
    level = BAD if worst.waiting >= worst.limit else WARN
    return Finding(level, "listen queue", f"{worst.waiting} of {worst.limit} connections wait at {_cut(worst.address)}")


def _lines_dropped(case: _Case) -> Finding | None:
    count = case.rates.lines_dropped
    if not count:
        return None
    line = f"{counted(count, 'line')} of the access log in {spell(case.rates.seconds)}"
    return Finding(WARN, "log lines dropped", line)


def _serving(case: _Case) -> Finding:
    threads = counted(case.snapshot.threads, "thread")
    busy = f", {case.rates.utilisation:.0%} busy" if case.rates.utilisation is not None else ""
    return Finding(OK, "serving", f"{counted(len(case.ready), 'worker')}, {threads}{busy}")


FINDERS: tuple[Callable[[_Case], Finding | None], ...] = (
    _stopping, _workers, _stuck, _queue_full, _saturated, _reload_failed, _errors, _certificates, _listen_queue,
    _lines_dropped,
)  # fmt: skip


def _cut(text: str) -> str:
    """What others have written, in one line of bounded length."""
    return cut(" ".join(text.split()), LONGEST)
