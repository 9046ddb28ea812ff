"""Services that are made up, each with ten minutes behind it: what the status page looks like in which situation."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable

from fastwsgi.figures import CLASSES, DURATION_BOUNDS
from fastwsgi.status.history import INTERVAL, SAMPLES, History
from fastwsgi.status.snapshot import Certificate, Event, Histogram, ListenQueue, Running, Snapshot, Told, WorkerFigures
from tests.helpers.snapshots import AT, CLOCK, SNAPSHOT, WORKER, replace

DAY = 86400.0
THREADS = 4
PATHS = ("/", "/products/4711", "/cart", "/api/v2/orders", "/search", "/media/covers/large/9783161484100.jpg", "/login")
STACK = """Thread 0x00007f12 (most recent call first):
  File "/srv/shop/reports.py", line 88 in monthly
  File "/srv/shop/views.py", line 41 in report
  File "/srv/shop/app.py", line 12 in __call__
"""


@dataclass
class Load:
    """What a service does at one moment: requests a second, the typical duration, the share of errors, the queue."""

    requests: float
    seconds: float
    errors: float = 0.0
    queued: int = 0
    oldest: float = 0.0
    listening: int = 0


@dataclass
class Service:
    """A service that counts."""

    random: random.Random
    workers: list[WorkerFigures]
    busy_seconds: float = 0.0
    durations: dict[str, Histogram] = field(default_factory=dict)

    def step(self, load: Load, seconds: float) -> None:
        """Let *seconds* pass under *load*."""
        for worker in self.workers:
            share = load.requests * seconds / len(self.workers) * self.random.uniform(0.85, 1.15)
            busy = min(THREADS * seconds, share * load.seconds * 1.4)
            worker.busy_seconds += busy
            worker.cpu += share * 0.007
            self.busy_seconds += busy
            worker.threads_busy = min(THREADS, round(busy / seconds + self.random.random() * 0.8))
            for _ in range(round(share)):
                self._answer(worker, load)

    def _answer(self, worker: WorkerFigures, load: Load) -> None:
        chance = self.random.random()
        bounds = (("5xx", load.errors), ("4xx", load.errors + 0.02), ("2xx", 0.94), ("3xx", 1.0))
        kind = next(name for name, bound in bounds if chance < bound)
        took = load.seconds * math.exp(self.random.gauss(-0.35, 0.85))
        bucket = sum(took > bound for bound in DURATION_BOUNDS)
        for histogram in (worker.durations, self.durations[kind]):
            histogram.counts[bucket] += 1
            histogram.total += took
        worker.requests += 1
        worker.errors += kind == "5xx"


def _worker(position: int) -> WorkerFigures:
    empty = Histogram([0] * (len(DURATION_BOUNDS) + 1), 0.0)
    return replace(
        WORKER, worker=position, slot=position + 1, pid=7114 + 3 * position, age=3 * 3600 + position, generation=2,
        connections=21 + 5 * position % 9, rss=(61 + 3 * position) * 1024**2, cpu=300.0, seen=0.12 + 0.07 * position,
        durations=empty, saturated=0.0,
    )  # fmt: skip


def play(
    load: Callable[[float], Load], workers: int = 4, gap: tuple[float, float] = (-1, -1)
) -> Iterator[tuple[Snapshot, Load]]:
    """Snapshots of the last ten minutes under *load*, which gets the seconds before the end; none come in *gap*."""
    dice = random.Random(7)
    empty = [0] * (len(DURATION_BOUNDS) + 1)
    service = Service(dice, [_worker(one) for one in range(workers)])
    service.durations = {kind: Histogram(list(empty), 0.0) for kind in CLASSES}
    for number in range(SAMPLES + 4):
        left = (SAMPLES + 3 - number) * INTERVAL
        now = load(left)
        service.step(now, INTERVAL)
        if gap[0] <= left <= gap[1]:
            continue
        copies = [
            replace(one, durations=replace(one.durations, counts=list(one.durations.counts))) for one in service.workers
        ]
        for place, one in enumerate(copies):
            one.queued = now.queued // workers + (place < now.queued % workers)
            one.oldest_queued = now.oldest if one.queued else 0.0
            one.saturated = now.oldest + 3 if now.queued else 0.0
            one.threads_busy = THREADS if now.queued else one.threads_busy
            one.oldest = now.oldest * 0.8**place + now.seconds * (2 + place) if one.threads_busy else 0.0
        durations = {kind: replace(one, counts=list(one.counts)) for kind, one in service.durations.items()}
        yield replace(
            SNAPSHOT, at=AT - left, clock=CLOCK - left, since=AT - 3 * DAY, generation=2, workers_wanted=workers,
            workers=copies, busy_seconds=service.busy_seconds, durations=durations,
            listeners=[ListenQueue("0.0.0.0:8000", now.listening, 2048)],
        ), now  # fmt: skip


def told(**changes: object) -> Told:
    """What the supervisor says in a usual case."""
    usual = Told(
        name="shop.wsgi:application",
        urls=["http://0.0.0.0:8000"],
        settings={"--workers": "4", "--threads": "4", "--bind": "0.0.0.0:8000", "--access-log": "-", "--timeout": "30"},
        events=[
            Event(AT - 3 * DAY, "start", False, "4 workers serve shop.wsgi:application"),
            Event(AT - 7300, "exit", True, "worker 2 (pid 6920) was killed by SIGKILL", 2, 6920),
            Event(AT - 7299, "start", False, "worker 2 (pid 7120) takes its place", 2, 7120),
            Event(AT - 3700, "timeout", True, "GET /reports/monthly ran for 30 s (pid 7117)", 1, 7117, STACK),
            Event(AT - 3600, "reload", False, "generation 2 serves"),
        ],
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def requests(count: int, oldest: float, paths: tuple[str, ...] = PATHS) -> list[Running]:
    """So many running requests."""
    return [
        Running(
            ("GET", "GET", "POST")[one % 3], paths[one % len(paths)], oldest * 0.8**one + 0.004, one % 4,
            7114 + 3 * (one % 4), 7200 + one, f"6f1d{one:04x}-9c2b" if one % 2 else "",
        )
        for one in range(count)
    ]  # fmt: skip


def _scene(moments: Iterator[tuple[Snapshot, Load]], **last: object) -> tuple[Snapshot, History]:
    past, now = History(), SNAPSHOT
    for now, _ in moments:
        past.add(now)
    totals = {
        "accepted": 48_211, "received": 310_442_120, "sent": 9_120_331_870, "abandoned": 31,
        "starts": {"boot": 4, "crash": 1, "reload": 8}, "reloads": {"success": 2},
        "timeouts": {"application": 1, "head": 12},
        "refused": {"400": 14, "408": 12, "431": 2, "none": 55},
        "refused_peers": {"198.51.100.23": 9, "203.0.113.8": 2},
        "certificates": [Certificate("shop.example.org", AT + 61 * DAY)], "told": told(),
    }  # fmt: skip
    return replace(now, **{**totals, **last}), past


@functools.cache
def calm() -> tuple[Snapshot, History]:
    """Nothing is the matter; for half a minute nothing was heard."""
    def load(left: float) -> Load:
        errors, seconds = 0.004 if 180 < left < 240 else 0.0, 0.1 if 300 < left < 320 else 0.021
        return Load(160 + 45 * math.sin(left / 95) + 20 * math.sin(left / 17), seconds, errors)

    return _scene(play(load, gap=(400, 436)), running=requests(3, 0.31))


@functools.cache
def saturated() -> tuple[Snapshot, History]:
    """A dependency has become slow a minute and a half ago."""
    def load(left: float) -> Load:
        if left > 96:
            return Load(160 + 45 * math.sin(left / 95), 0.021)
        waited = (96 - left) / 96
        return Load(14, 1.15, 0.12 * waited, round(180 * waited), 0.5 + 11 * waited, round(max(0, waited - 0.6) * 300))

    slow = ("/api/v2/orders", "/cart", "/api/v2/orders", "/checkout/confirm")
    return _scene(play(load), running=requests(16, 13.8, slow), queue_full=0)


@functools.cache
def reload_failed() -> tuple[Snapshot, History]:
    """New code cannot be imported."""
    snapshot, past = calm()
    why = "ModuleNotFoundError: No module named 'shop.payments'"
    failed = Event(AT - 40, "reload-failed", True, why, -1, 0, STACK)
    now_told = told(reload_failure=why, events=[*told().events, failed])
    return replace(snapshot, is_reload_failed=True, reloads={"success": 2, "failure": 1}, told=now_told), past


@functools.cache
def stopping() -> tuple[Snapshot, History]:
    """Two workers still have requests."""
    snapshot, past = calm()
    left = [replace(one, state="retiring", threads_busy=1, oldest=8.5 + one.worker) for one in snapshot.workers[:2]]
    now_told = told(events=[*told().events, Event(AT - 8, "stop", False, "SIGTERM: 5 requests in flight")])
    return replace(snapshot, is_stopping=True, workers=left, running=requests(2, 9.4), told=now_told), past


@functools.cache
def crowded() -> tuple[Snapshot, History]:
    """64 workers and 1,000 running requests."""
    def load(left: float) -> Load:
        return Load(640, 0.35, 0.01, 12, 0.3)

    running = requests(1000, 30.0, ("/a/rather/long/path/" + "x" * 160,))
    events = [Event(AT - one, "timeout", True, "a line " * 30, 1, one, STACK * 40) for one in range(200)]
    return _scene(play(load, workers=64), running=running, told=told(events=events))


SCENES = {"calm": calm, "saturated": saturated, "reload-failed": reload_failed, "stopping": stopping}
