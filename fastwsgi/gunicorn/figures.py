"""What a worker is doing, in the shapes that hooks for gunicorn's gthread worker read it from.

Public configurations count `len(worker.futures)` and `worker.tpool._work_queue.qsize()`, and set gauges by them. Both
are made of two numbers when they are asked for: nothing here runs a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future


class Figures(Protocol):
    """The figures of a worker: those of its slot of the scoreboard, or in its own process of its loops."""

    @property
    def requests(self) -> int:
        """Requests served so far."""

    @property
    def busy(self) -> int:
        """Requests that the application is answering."""

    @property
    def queued(self) -> int:
        """Requests that wait for a thread."""

    @property
    def connections(self) -> int:
        """Open connections."""


class LastFigures:
    """The figures of a worker that has not begun, or has ended."""

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests
        self.busy = self.queued = self.connections = 0


def futures(figures: Figures) -> list[Future[None]]:
    """A Future for each request that the application is answering, which is running, and for each that waits."""
    from concurrent.futures import Future  # costs start-up time: only where a hook asks

    busy, queued = figures.busy, figures.queued
    made: list[Future[None]] = [Future() for _ in range(busy + queued)]
    for one in made[:busy]:
        one.set_running_or_notify_cancel()
    return made


class ThreadPoolView:
    """The threads that run the application, as an executor shows its own.

    Attributes:
        _max_workers: how many run it at most.
        _threads: a number for each thread that runs it now.
        _work_queue: its method qsize() gives the number of requests that wait for a thread.
    """

    def __init__(self, figures: Figures, threads: int) -> None:
        self._max_workers = threads
        self._threads = set(range(figures.busy))
        self._work_queue = WorkQueue(figures.queued)

    def submit(self, *arguments: object, **keywords: object) -> NoReturn:
        """Refuse work that is no request."""
        raise AttributeError("these threads run requests alone: make a ThreadPoolExecutor in post_worker_init")


class WorkQueue:
    """The requests that wait."""

    def __init__(self, size: int) -> None:
        self._size = size

    def qsize(self) -> int:
        """How many there are."""
        return self._size
