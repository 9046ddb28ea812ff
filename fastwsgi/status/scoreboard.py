"""The figures of each worker, in memory that the supervisor and all processes of the service share, not on disk.

A slot is the memory of one loop of a worker, laid out by fastwsgi/figures.py. A worker has the slot of its first loop;
its other loops have those directly behind, the followers, which say the same of the worker, so that who looks for one
that is ready need not know which of them belong together. The first slot of all is the head: it belongs to the
supervisor and concerns the whole service.
"""

from __future__ import annotations

import errno
import mmap

from fastwsgi import figures
from fastwsgi.mistakes import WrongValue
from fastwsgi.originals import time
from fastwsgi.status.calls import busy_time

CAPACITY = 1024  # slots; during a rolling reload each worker has twice as many for a while
MOST_WORKERS = CAPACITY // 2 - 1  # or loops of all of them
SILENT = 3_000_000_000  # ns without a heartbeat after which a worker is not considered free
STATES = ("none", "booting", "ready", "retiring", "failed")
READY = STATES.index("ready")

# The words of the head
HIGHEST = 0  # the highest slot that was ever in use
STOPPING = 1  # whether a stop has begun
GENERATION = 2
WANTED = 3  # workers
SUPERVISOR = 4  # its process ID
SINCE = 5  # when the service was started, in nanoseconds since 1970
START_REASONS = ("boot", "crash", "reload", "recycle", "timeout", "scale")
STARTS = 8  # of workers, a word for each reason
RELOAD_RESULTS = ("success", "failure")
RELOADS = 16  # a word for each result
RELOAD_FAILED = 18  # whether the last one failed
FAILING_STARTS = 19  # workers in a row that ended before they were ready, or right after
HEAD_LOGGED = 20  # records of the supervisor's own error log, a word for each of figures.LOG_LEVELS
STATUS_SEEN = 24  # when the status process last ran
LISTENERS = 32  # their number, then the records
LISTENER_WORDS = 16  # of each: connections that wait for accept, how many may, then its address (UTF-8, with zeros)
MOST_LISTENERS = 64
CERTIFICATES = 1088  # their number, then for each: when it ends in seconds since 1970, then its name (UTF-8)
CERTIFICATE_WORDS = 16
MOST_CERTIFICATES = 64
DEAD_CPU = 2144  # for each position: nanoseconds of CPU of the workers there that have ended; MOST_WORKERS + 1 words


class Part:
    """A part of the memory: the *words* from *base* on, which is the first of *bases* if it has several pieces."""

    def __init__(self, words: memoryview, *bases: int) -> None:
        self.words = words
        self.bases = bases
        self.base = bases[0]


class Word:
    """An integer attribute, kept in the word *index* of its part; with *in_all*, written to all pieces of it."""

    def __init__(self, index: int, in_all: bool = False) -> None:
        self.index = index
        self.in_all = in_all

    def __get__(self, part: Part, owner: type) -> int:
        return part.words[part.base + self.index]

    def __set__(self, part: Part, value: int) -> None:
        for base in part.bases if self.in_all else part.bases[:1]:
            part.words[base + self.index] = int(value)


class Seconds:
    """A time in seconds, kept as nanoseconds in a Word."""

    def __init__(self, index: int, in_all: bool = False) -> None:
        self.word = Word(index, in_all)

    def __get__(self, part: Part, owner: type) -> float:
        return self.word.__get__(part, owner) / 10**9

    def __set__(self, part: Part, value: float) -> None:
        self.word.__set__(part, int(value * 10**9))


class Slot(Part):
    """One worker's part of the scoreboard, which is also that of its first loop.

    Attributes:
        number: of the slot.
        followers: the parts of its other loops.

    Args:
        words: the scoreboard's.
        number: see there.
        loops: those that the worker has.
    """

    pid = Word(figures.PID, in_all=True)
    phase = Word(figures.PHASE, in_all=True)
    generation = Word(figures.GENERATION, in_all=True)
    heartbeat = Seconds(figures.HEARTBEAT, in_all=True)
    started = Seconds(figures.STARTED, in_all=True)
    requests = Word(figures.REQUESTS)
    busy = Word(figures.BUSY)
    queued = Word(figures.QUEUED)
    connections = Word(figures.CONNECTIONS)
    saturated = Word(figures.SATURATED)
    spooled = Word(figures.SPOOLED)
    pulse = Seconds(figures.PULSE, in_all=True)
    position = Word(figures.POSITION, in_all=True)
    threads = Word(figures.THREADS)
    streams_waiting = Word(figures.STREAMS_WAITING)
    buffered = Word(figures.BUFFERED)
    oldest_queued = Seconds(figures.OLDEST_QUEUED)
    saturated_since = Seconds(figures.SATURATED_SINCE)
    has_failed = Word(figures.HAS_FAILED, in_all=True)
    loop = Word(figures.LOOP)

    def __init__(self, words: memoryview, number: int, loops: int = 1) -> None:
        super().__init__(words, *((number + loop) * figures.SIZE for loop in range(loops)))
        self.number = number
        self.followers = [Slot(words, number + loop) for loop in range(1, loops)]

    @property
    def memory(self) -> memoryview:
        """The words of its loop alone."""
        return self.words[self.base : self.base + figures.SIZE]

    def begin(self, state: str) -> None:
        """Have it belong to a process that begins now, in *state*."""
        for loop, follower in enumerate(self.followers, 1):
            follower.loop = loop
        self.state = state
        self.started = self.heartbeat = time.monotonic()

    def total(self, index: int) -> int:
        """The sum of the gauge *index* over all its loops."""
        return sum(self.words[base + index] for base in self.bases)

    @property
    def state(self) -> str:
        """One of STATES."""
        return STATES[self.phase]

    @state.setter
    def state(self, name: str) -> None:
        self.phase = STATES.index(name)

    def summary(self) -> str:
        """All figures in one line, for the log."""
        now, total = time.monotonic(), self.total
        return (
            f"worker {self.pid} {self.state}, generation {self.generation}, for {now - self.started:.0f} s: "
            f"{total(figures.REQUESTS)} requests, {total(figures.CONNECTIONS)} connections, "
            f"{total(figures.BUSY)} threads busy, {total(figures.QUEUED)} wait, seen {now - self.heartbeat:.1f} s ago"
        )

    def count_entry(self, level: int) -> None:
        """Count an entry of the error log; *level* is an index into figures.LOG_LEVELS."""
        self.words[self.base + figures.LOGGED + level] += 1

    def clear(self) -> None:
        """Have it be free, the followers first: without gauges and running calls.

        What was counted stays, as the next worker counts on. Calls that run end here, with their process, and are
        counted as far as they came.
        """
        for base in reversed(self.bases):
            self._clear(base)

    def _clear(self, base: int) -> None:
        words = self.words
        busy, _ = busy_time(words, base, time.monotonic_ns())
        used = figures.ROWS + figures.CALL_WORDS * words[base + figures.ROWS_USED]
        for begin, end in ((figures.CALL, used), (0, figures.GAUGES)):
            words[base + begin : base + end] = memoryview(bytes((end - begin) * figures.WORD)).cast("q")
        words[base + figures.BUSY_TIME] = busy  # last, so that no reader counts a call twice

    def others_free(self) -> bool:
        """Whether another loop, here or in another worker with a recent heartbeat, has a thread free."""
        words = self.words
        since = time.monotonic_ns() - SILENT
        return any(
            words[base + figures.PHASE] == READY
            and not words[base + figures.SATURATED]
            and words[base + figures.HEARTBEAT] > since
            and base != self.base
            for base in _bases(words)
        )

    def others_spooled(self) -> int:
        """Bytes that the other workers have in temporary files; those of a dead worker are gone with it."""
        words = self.words
        others = (base for base in _bases(words) if words[base + figures.PHASE] and base not in self.bases)
        return sum(words[base + figures.SPOOLED] for base in others)


class Scoreboard:
    """The slots; made by the supervisor before it forks."""

    def __init__(self) -> None:
        # Anonymous and shared; pages that nobody has written to cost nothing
        self._memory = mmap.mmap(-1, CAPACITY * figures.SIZE * figures.WORD)
        self.words = memoryview(self._memory).cast("q")

    @property
    def stopping(self) -> bool:
        """Whether a stop of the service has begun, so that it is not ready for more."""
        return bool(self.words[STOPPING])

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self.words[STOPPING] = value

    @property
    def status_seen(self) -> float:
        """When the status process last ran (time.monotonic())."""
        return self.words[STATUS_SEEN] / 10**9

    @status_seen.setter
    def status_seen(self, value: float) -> None:
        self.words[STATUS_SEEN] = int(value * 10**9)

    def allocate(self, loops: int = 1) -> Slot:
        """The lowest free slot for a worker with so many *loops*, with *started* set. Raises OSError."""
        slot = Slot(self.words, self._lowest_free(loops), loops)
        slot.clear()
        slot.begin("booting")
        self.words[HIGHEST] = max(self.words[HIGHEST], slot.number + loops - 1)
        return slot

    def _lowest_free(self, count: int) -> int:
        """The first of the lowest *count* slots in a row that are free. Raises OSError."""
        free = 0
        for number in range(1, CAPACITY):
            free = 0 if self.words[number * figures.SIZE + figures.PHASE] else free + 1
            if free == count:
                return number - count + 1
        raise OSError(errno.EAGAIN, "the scoreboard has no room for it")

    def slots(self) -> list[Slot]:
        """All that were ever in use; those whose state is "none" have counters alone."""
        return [Slot(self.words, number) for number in range(1, self.words[HIGHEST] + 1)]

    def queued(self) -> int:
        """Requests of the service that wait for a thread, at this moment."""
        words = self.words
        return sum(words[base + figures.QUEUED] for base in _bases(words) if words[base + figures.PHASE])

    def is_not_loaded(self) -> bool:
        """Whether all workers that take requests serve a page that says why the application cannot be loaded."""
        words = self.words
        ready = [base for base in _bases(words) if words[base + figures.PHASE] == READY]
        return bool(ready) and all(words[base + figures.HAS_FAILED] for base in ready)

    def close(self) -> None:
        """Give the memory back."""
        self.words.release()
        self._memory.close()


def _bases(words: memoryview) -> range:
    """The first words of all slots that were ever in use, but the head."""
    return range(figures.SIZE, (words[HIGHEST] + 1) * figures.SIZE, figures.SIZE)


def check_number(workers: int, loops: int) -> int:
    """*workers*, if there is room for them with so many *loops* each. Raises Mistake."""
    if workers > MOST_WORKERS:
        raise WrongValue("--workers", f"{workers}: at most {MOST_WORKERS}; one or two for each CPU are usual")
    if workers * loops > MOST_WORKERS:
        told = f"{loops}: at most {MOST_WORKERS // workers} in each worker; one for each CPU is usual"
        raise WrongValue("--loops", told)
    return workers


def nearest_number(workers: int, loops: int) -> int:
    """The number of workers nearest to *workers* for which there is room with so many *loops* each."""
    return max(1, min(workers, MOST_WORKERS // loops))
