"""The memory of the service that this process belongs to, for those who read it from inside an application."""

from __future__ import annotations

from typing import Callable

from fastwsgi.figures import SIZE
from fastwsgi.originals import os, time
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Slot

_readers: list[Reader] = []


def belong(reader: Reader) -> None:
    """Have this process belong to the service that *reader* reads."""
    _readers[:] = [reader]


def serve_alone(words: memoryview, build: str) -> Callable[[], None]:
    """Have this process be a service of its own, with a worker's *words*.

    Its loops call the result as a sign of life.
    """
    slot = Slot(words, 0, len(words) // SIZE)
    slot.pid = os.getpid()
    slot.begin("ready")
    belong(Reader(words, build, has_head=False))

    def live() -> None:
        slot.heartbeat = time.monotonic()

    return live


def leave() -> None:
    """Have it belong to none."""
    _readers.clear()


def reader() -> Reader | None:
    """Reads the service of this process; None: it serves nothing, or another server does."""
    return _readers[0] if _readers else None
