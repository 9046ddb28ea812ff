"""A Snapshot of the service, read from the memory of its processes and from /proc, without a lock.

The figures of a worker are those of its loops: their sums, or for a time the longest.

A worker may write while it is read: each word is then from before or after, and a call that ends meanwhile is left out.
So a sum of several words may be a little behind its parts. What must never fall, such as the time of calls that have
ended and of those that run, is kept at the highest value that a Reader has seen.

For percentiles of what happened between two snapshots see quantile.py.
"""

from __future__ import annotations

import sys
from typing import Any

from fastwsgi import figures
from fastwsgi.originals import os, time
from fastwsgi.records import record
from fastwsgi.status import head as heads
from fastwsgi.status import scoreboard, totals
from fastwsgi.status.calls import Call, busy_time, describe
from fastwsgi.status.processes import Memory, cpu_seconds, is_stopped
from fastwsgi.status.snapshot import FORMAT, Histogram, Running, Snapshot, Told, WorkerFigures
from fastwsgi.version import VERSION

LONGEST_SILENCE = 1.5  # seconds without a heartbeat after which a worker is stuck, or
PULSES = 3  # heartbeats, if that is more; with the two a second of --status-bind it is told within 2 s
_PYTHON = sys.version.split()[0]


class Highest:
    """The highest value of each of some figures, so that none of them falls."""

    def __init__(self) -> None:
        self._values: dict[int, float] = {}

    def of(self, number: int, value: float) -> float:
        """*value*, or the highest one that the figure *number* has had."""
        highest = self._values[number] = max(value, self._values.get(number, 0))
        return highest


@record
class _Slot:
    """The memory of a loop as it was read.

    Attributes:
        words: gauges and counters, without the codes.
        calls: those that run.
        busy: seconds of all its calls.
    """

    number: int
    base: int
    words: list[int]
    calls: list[Call]
    busy: float


class Reader:
    """Reads snapshots.

    Args:
        words: the scoreboard's, or those of a single process, which is a worker, without a head.
        build: the name of the modules that serve.
        has_head: whether the first of the slots is the supervisor's.
    """

    def __init__(self, words: memoryview, build: str = "", has_head: bool = True) -> None:
        self._words = words
        self._build = build
        self._has_head = has_head
        self._busy = Highest()
        self._cpu = Highest()
        self._without_wait = Highest()
        self._memory = Memory()

    def read(self, told: Told | None = None, details: bool = True) -> Snapshot:
        """The service as it is now.

        Args:
            told: what has no number, and is passed on.
            details: what metrics do without: the requests that run, the peers that were refused, and the requests,
                errors and durations of each worker; else they are empty.
        """
        clock = time.monotonic_ns()
        head = self._words[: figures.SIZE].tolist() if self._has_head else _single_head(self._words, clock)
        numbers = range(1, head[scoreboard.HIGHEST] + 1) if self._has_head else range(len(self._words) // figures.SIZE)
        slots = [self._read_slot(number, clock, details) for number in numbers]
        living = _by_worker(slots)
        workers = [self._worker(number, loops, clock, details) for number, loops in living]
        running: list[Running] = []
        peers: dict[str, int] = {}
        if details:
            for (_, loops), worker in zip(living, workers):
                running += describe(self._words, [call for loop in loops for call in loop.calls], worker, clock)
            running.sort(key=lambda one: -one.seconds)
            peers = totals.refused_peers(self._words, [loop.base for _, loops in living for loop in loops])
        words = totals.of_all(self._words, [slot.base for slot in slots])
        return Snapshot(
            format=FORMAT,
            version=VERSION,
            build=self._build,
            python=_PYTHON,
            at=time.time(),
            clock=clock / 10**9,
            workers=workers,
            running=running,
            refused_peers=peers,
            busy_seconds=sum(slot.busy for slot in slots),
            queue=self._queue(words),
            cpu=self._read_cpu(head, workers),
            told=told or Told(),
            **_of_head(head, words),
            **_of_all(words),
        )

    def _read_slot(self, number: int, clock: int, details: bool) -> _Slot:
        base = number * figures.SIZE
        busy, running = busy_time(self._words, base, clock)
        words = totals.of_loop(self._words, base, figures.CODES if details else figures.DURATIONS)
        return _Slot(number, base, words, running, self._busy.of(number, busy / 10**9))

    def _worker(self, number: int, loops: list[_Slot], clock: int, details: bool) -> WorkerFigures:
        words = loops[0].words  # what it says of itself, in each of them
        sums = totals.sums([loop.words for loop in loops])
        pid = words[figures.PID]
        state, seen = scoreboard.STATES[words[figures.PHASE]], _since(words[figures.HEARTBEAT], clock)
        is_stuck = state == "ready" and seen > max(LONGEST_SILENCE, PULSES * words[figures.PULSE] / 10**9)
        durations = totals.all_durations(sums) if details else Histogram([], 0.0)
        oldest = max((call.age(clock) for loop in loops for call in loop.calls), default=0) / 10**9
        return WorkerFigures(
            worker=words[figures.POSITION],
            slot=number,
            pid=pid,
            generation=words[figures.GENERATION],
            state=state,
            age=_since(words[figures.STARTED], clock),
            seen=seen,
            is_stuck=is_stuck,
            has_failed=bool(words[figures.HAS_FAILED]),
            threads=sums[figures.THREADS],
            threads_busy=sum(map(_threads_busy, loops)),
            saturated=min(_saturated(loop, clock) for loop in loops),
            queued=sums[figures.QUEUED],
            oldest_queued=max(_since(loop.words[figures.OLDEST_QUEUED], clock) for loop in loops),
            streams_waiting=sums[figures.STREAMS_WAITING],
            connections=sums[figures.CONNECTIONS],
            buffered=sums[figures.BUFFERED],
            spooled=sums[figures.SPOOLED],
            rss=self._memory.of(pid),
            cpu=cpu_seconds(pid),
            oldest=oldest,
            requests=durations.count,
            errors=totals.errors(sums) if details else 0,
            busy_seconds=sum(loop.busy for loop in loops),
            durations=durations,
            is_stopped=is_stuck and is_stopped(pid),
            loops=len(loops),
        )

    def _queue(self, words: list[int]) -> Histogram:
        """How long requests waited: those that did not are the rest of all, and those that wait are in none yet."""
        waited = totals.histogram(words, figures.QUEUE_TIMES)
        waited.counts[0] += int(self._without_wait.of(0, totals.all_durations(words).count - waited.count))
        return waited

    def _read_cpu(self, head: list[int], workers: list[WorkerFigures]) -> dict[str, float]:
        """Seconds of CPU of the processes of each position."""
        dead = head[scoreboard.DEAD_CPU :][: scoreboard.MOST_WORKERS + 1]
        used = {position: nanoseconds / 10**9 for position, nanoseconds in enumerate(dead) if nanoseconds}
        for worker in workers:
            used[worker.worker] = used.get(worker.worker, 0.0) + worker.cpu
        return {str(position): self._cpu.of(position, used[position]) for position in sorted(used)}


def _by_worker(slots: list[_Slot]) -> list[tuple[int, list[_Slot]]]:
    """Those that are in use by worker, each with the number of its first slot, ordered by position."""
    workers: dict[int, list[_Slot]] = {}
    for slot in slots:
        if slot.words[figures.PHASE]:
            workers.setdefault(slot.number - slot.words[figures.LOOP], []).append(slot)
    return sorted(workers.items(), key=lambda worker: worker[1][0].words[figures.POSITION])


def _threads_busy(slot: _Slot) -> int:
    """The threads of a loop that run the application: those without the loop, and the one with it.

    While a call loses the loop, it may be seen as both; but there are no more than all threads.
    """
    busy = slot.words[figures.BUSY]
    has_loop = any(call.begin == slot.base + figures.CALL for call in slot.calls)
    return max(busy, min(busy + has_loop, max(1, slot.words[figures.THREADS])))


def _saturated(slot: _Slot, clock: int) -> float:
    """Seconds for which all threads of a loop have been busy; a single one is as long as its request runs.

    One that was given up has lost its thread's place to others.
    """
    words = slot.words
    if words[figures.THREADS] == 1:
        return max((call.age(clock) for call in slot.calls if not call.is_counted), default=0) / 10**9
    return _since(words[figures.SATURATED_SINCE], clock) if words[figures.SATURATED] else 0.0


def _since(nanoseconds: int, clock: int) -> float:
    """Seconds from a moment up to *clock*; 0 if there was none."""
    return max(0, clock - nanoseconds) / 10**9 if nanoseconds else 0.0


def _single_head(words: memoryview, clock: int) -> list[int]:
    """The head of a process that has no supervisor, and is the only one."""
    head = [0] * figures.SIZE
    head[scoreboard.WANTED] = 1
    head[scoreboard.SUPERVISOR] = os.getpid()
    head[scoreboard.SINCE] = time.time_ns() - (clock - words[figures.STARTED])
    return head


def _of_head(head: list[int], words: list[int]) -> dict[str, Any]:
    return {
        "since": head[scoreboard.SINCE] / 10**9,
        "supervisor": head[scoreboard.SUPERVISOR],
        "generation": head[scoreboard.GENERATION],
        "workers_wanted": head[scoreboard.WANTED],
        "is_stopping": bool(head[scoreboard.STOPPING]),
        "is_reload_failed": bool(head[scoreboard.RELOAD_FAILED]),
        "failing_starts": head[scoreboard.FAILING_STARTS],
        "listeners": heads.listeners(head),
        "certificates": heads.certificates(head),
        "starts": heads.by_name(head, scoreboard.STARTS, scoreboard.START_REASONS),
        "logged": heads.logged(head, words),
        "reloads": heads.by_name(head, scoreboard.RELOADS, scoreboard.RELOAD_RESULTS),
    }


def _of_all(words: list[int]) -> dict[str, Any]:
    return {
        "durations": totals.durations(words),
        "codes": totals.codes(words),
        "probe_answers": totals.probe_answers(words),
        "file_answers": totals.file_answers(words),
        "proxy_queue": totals.histogram(words, figures.PROXY_QUEUE_TIMES),
        "accepted": words[figures.ACCEPTED],
        "received": words[figures.RECEIVED],
        "sent": words[figures.SENT],
        "refused": totals.refused(words),
        "timeouts": heads.by_name(words, figures.TIMEOUTS, figures.TIMEOUT_KINDS),
        "queue_full": words[figures.QUEUE_FULL],
        "application_errors": words[figures.APPLICATION_ERRORS],
        "abandoned": words[figures.ABANDONED],
        "lines_dropped": words[figures.LINES_DROPPED],
    }
