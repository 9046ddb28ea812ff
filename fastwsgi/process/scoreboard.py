"""What each worker tells of itself, in memory that the supervisor and all workers share. Nothing is on disk.

A slot has one writer, its worker. Every value is one aligned machine word, so that a reader sees the old value or the
new one, and no lock is needed. The first slot is the head: it belongs to the supervisor and concerns the whole service.
"""

from __future__ import annotations

import mmap
import time
from typing import Any

from fastwsgi.mistakes import Mistake

WORDS = 16  # of 8 bytes a slot: two cache lines, so that workers do not slow each other
CAPACITY = 1024  # slots; the workers of a rolling reload have two for a while
MOST_WORKERS = CAPACITY // 2 - 1
SILENT = 3_000_000_000  # ns without a heartbeat after which a worker is not thought to be free
STATES = ("none", "booting", "ready", "retiring")
READY = STATES.index("ready")


class Word:
    """An attribute that lives in the word *index* of its slot; its unit is 1 / *scale*."""

    def __init__(self, index: int, scale: int = 1) -> None:
        self.index = index
        self.scale = scale

    def __get__(self, slot: Any, owner: type) -> Any:
        if slot is None:
            return self
        value = slot.words[slot.base + self.index]
        return value if self.scale == 1 else value / self.scale

    def __set__(self, slot: Any, value: float) -> None:
        slot.words[slot.base + self.index] = int(value * self.scale)


class Slot:
    """One worker's part of the scoreboard."""

    pid = Word(0)
    phase = Word(1)  # index into STATES
    generation = Word(2)  # of the settings and the code: how many reloads came before
    heartbeat = Word(3, 10**9)  # time.monotonic() of the last sign of life
    started = Word(4, 10**9)  # time.monotonic()
    requests = Word(5)  # served so far
    busy = Word(6)  # threads that run the application
    queued = Word(7)  # requests that wait for a thread
    connections = Word(8)
    saturated = Word(9)  # whether all its threads are busy

    def __init__(self, words: memoryview, number: int) -> None:
        self.words = words
        self.number = number
        self.base = number * WORDS

    @property
    def state(self) -> str:
        """One of STATES."""
        return STATES[self.phase]

    @state.setter
    def state(self, name: str) -> None:
        self.phase = STATES.index(name)

    def summary(self) -> str:
        """All of it, for the log."""
        now = time.monotonic()
        return (
            f"worker {self.pid} {self.state}, generation {self.generation}, for {now - self.started:.0f} s: "
            f"{self.requests} requests, {self.connections} connections, {self.busy} threads busy, {self.queued} wait, "
            f"seen {now - self.heartbeat:.1f} s ago"
        )

    def clear(self) -> None:
        """Set all to zero."""
        for index in range(self.base, self.base + WORDS):
            self.words[index] = 0

    def others_free(self) -> bool:
        """Whether another worker, one that was alive lately, has a thread free."""
        words = self.words
        since = time.monotonic_ns() - SILENT
        return any(
            words[base + 1] == READY and not words[base + 9] and words[base + 3] > since and base != self.base
            for base in range(WORDS, (words[0] + 1) * WORDS, WORDS)
        )


class Scoreboard:
    """The slots; made by the supervisor before it forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, CAPACITY * WORDS * 8)  # anonymous and shared; untouched pages cost nothing
        self.words = memoryview(self._memory).cast("q")

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop: then it is not ready for more."""
        return bool(self.words[1])

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self.words[1] = value

    def allocate(self) -> Slot:
        """A free slot, the lowest, with its `started` set."""
        number = next(number for number in range(1, CAPACITY) if not self.words[number * WORDS + 1])
        slot = Slot(self.words, number)
        slot.clear()
        slot.state = "booting"
        slot.started = slot.heartbeat = time.monotonic()
        self.words[0] = max(self.words[0], number)
        return slot

    def close(self) -> None:
        """Give the memory back."""
        self.words.release()
        self._memory.close()


def check_number(workers: int) -> int:
    """*workers*, if there is room for them. Raises Mistake."""
    if workers > MOST_WORKERS:
        raise Mistake(f"--workers {workers}: at most {MOST_WORKERS}; one or two for each CPU are usual")
    return workers
