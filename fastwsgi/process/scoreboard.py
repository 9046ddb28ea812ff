"""The figures of each worker, in memory that the supervisor and all workers share, not on disk.

A slot has one writer, its worker. Every value is one aligned machine word, so a reader sees either the old value or the
new one, and no lock is needed. The first slot is the head: it belongs to the supervisor and concerns the whole service.
Its first word is the highest slot in use, its second says whether the service is stopping.
"""

from __future__ import annotations

import mmap

from fastwsgi.mistakes import WrongValue
from fastwsgi.originals import time

WORDS = 16  # of 8 bytes for each slot: two cache lines, so that workers do not slow each other down
CAPACITY = 1024  # slots; during a rolling reload each worker has two for a while
MOST_WORKERS = CAPACITY // 2 - 1
SILENT = 3_000_000_000  # ns without a heartbeat after which a worker is not considered free
STATES = ("none", "booting", "ready", "retiring", "failed")
READY = STATES.index("ready")


class Word:
    """An integer attribute, kept in the word *index* of its slot."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, slot: Slot, owner: type) -> int:
        return slot.words[slot.base + self.index]

    def __set__(self, slot: Slot, value: int) -> None:
        slot.words[slot.base + self.index] = int(value)


class Seconds:
    """A time in seconds, kept as nanoseconds in the word *index* of its slot."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, slot: Slot, owner: type) -> float:
        return slot.words[slot.base + self.index] / 10**9

    def __set__(self, slot: Slot, value: float) -> None:
        slot.words[slot.base + self.index] = int(value * 10**9)


class Slot:
    """One worker's part of the scoreboard."""

    pid = Word(0)
    phase = Word(1)  # index into STATES
    generation = Word(2)  # of the settings and the code: the number of reloads before it
    heartbeat = Seconds(3)  # time.monotonic() when it last ran
    started = Seconds(4)  # time.monotonic()
    requests = Word(5)  # served so far
    busy = Word(6)  # threads that run the application
    queued = Word(7)  # requests that wait for a thread
    connections = Word(8)
    saturated = Word(9)  # whether all its threads are busy
    spooled = Word(10)  # bytes in its temporary files
    pulse = Seconds(11)  # between two heartbeats

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
        """All figures in one line, for the log."""
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
        """Whether another worker with a recent heartbeat has a thread free."""
        words = self.words
        since = time.monotonic_ns() - SILENT
        return any(
            words[base + 1] == READY and not words[base + 9] and words[base + 3] > since and base != self.base
            for base in range(WORDS, (words[0] + 1) * WORDS, WORDS)
        )


    def others_spooled(self) -> int:
        """Bytes that the other workers have in temporary files; those of a dead worker are gone with it."""
        words = self.words
        bases = range(WORDS, (words[0] + 1) * WORDS, WORDS)
        return sum(words[base + 10] for base in bases if words[base + 1] and base != self.base)


class Scoreboard:
    """The slots; made by the supervisor before it forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, CAPACITY * WORDS * 8)  # anonymous and shared; untouched pages cost nothing
        self.words = memoryview(self._memory).cast("q")

    @property
    def stopping(self) -> bool:
        """Whether a stop of the service has begun, so that it is not ready for more."""
        return bool(self.words[1])

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self.words[1] = value

    def allocate(self) -> Slot:
        """The lowest free slot, with *started* set."""
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
        raise WrongValue("--workers", f"{workers}: at most {MOST_WORKERS}; one or two for each CPU are usual")
    return workers


def nearest_number(workers: int) -> int:
    """The number of workers nearest to *workers* for which there is room."""
    return max(1, min(workers, MOST_WORKERS))
