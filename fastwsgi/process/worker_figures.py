"""Where the figures and the sign of life that hooks see of a worker come from, in its own process and in others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi import figures
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.server.loops import Loops
    from fastwsgi.status.scoreboard import Slot


class LoopFigures:
    """The figures of this process's loops, of this moment."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    @property
    def requests(self) -> int:
        return self._loops.requests

    @property
    def busy(self) -> int:
        return len(self._loops.calls())

    @property
    def queued(self) -> int:
        return self._loops.queued()

    @property
    def connections(self) -> int:
        return self._loops.open_connections()


class SlotFigures:
    """Those of a worker in another process, as they stand in its *slot*."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    @property
    def requests(self) -> int:
        return self._slot.total(figures.REQUESTS)

    @property
    def busy(self) -> int:
        return self._slot.total(figures.BUSY)

    @property
    def queued(self) -> int:
        return self._slot.total(figures.QUEUED)

    @property
    def connections(self) -> int:
        return self._slot.total(figures.CONNECTIONS)


class Heartbeat:
    """A worker's sign of life: gunicorn's `worker.tmp`, which is a file there, and shared memory here.

    Args:
        slot: where it is; None: nowhere.
    """

    def __init__(self, slot: Slot | None) -> None:
        self._slot = slot

    def last_update(self) -> float:
        """When it last lived (time.monotonic()); 0.0: unknown."""
        return self._slot.heartbeat if self._slot is not None else 0.0

    def notify(self) -> None:
        """Live."""
        if self._slot is not None:
            self._slot.heartbeat = time.monotonic()

    def fileno(self) -> int:
        """Refuse, as there is no file."""
        raise AttributeError("worker.tmp.fileno: the heartbeat is in shared memory, not in a file")

    def close(self) -> None:
        """Do nothing: there is no file."""
