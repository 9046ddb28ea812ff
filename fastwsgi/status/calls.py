"""The calls of applications that run now, as the workers write them into their memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from fastwsgi.figures import (
    BUSY_TIME,
    CALL,
    CALL_BEGAN,
    CALL_ID,
    CALL_ID_BYTES,
    CALL_LENGTH,
    CALL_NAME,
    CALL_NAME_BYTES,
    CALL_NUMBER,
    CALL_THREAD,
    CALL_WORDS,
    MOST_ROWS,
    ROWS,
    ROWS_USED,
    UNSHOWN,
    UNSHOWN_BITS,
    WORD,
)
from fastwsgi.originals import time
from fastwsgi.records import NamedTuple
from fastwsgi.status.escapes import printable
from fastwsgi.status.snapshot import Running, WorkerFigures

MS = 10**6  # nanoseconds
LOOKS = 10  # at a worker that ends a call during each of them


class Call(NamedTuple):
    """A call that runs.

    Attributes:
        begin: its first word.
        number: what no other call has there; it is odd.
        began: when its thread began to work on it, on the clock of time.monotonic_ns().
        is_counted: whether its time is part of BUSY_TIME already, as of one that was given up.
    """

    begin: int
    number: int
    began: int
    is_counted: bool

    def age(self, clock: int) -> int:
        """Nanoseconds for which it has run."""
        return max(0, clock - self.began)


def calls(words: memoryview, base: int) -> list[Call]:
    """The calls that run in the loop whose memory begins at *base*."""
    end = base + ROWS + max(0, min(words[base + ROWS_USED], MOST_ROWS)) * CALL_WORDS
    rows = words[base + ROWS + CALL_NUMBER : end : CALL_WORDS].tolist()
    begins = [base + CALL, *compress(range(base + ROWS, end, CALL_WORDS), rows)]
    found = [(begin, words[begin + CALL_NUMBER], words[begin + CALL_BEGAN]) for begin in begins]
    return [Call(begin, number, abs(began), began < 0) for begin, number, began in found if number & 1]


def still_running(words: memoryview, found: list[Call]) -> list[Call]:
    """Those that have not ended since they were found, so that what was read of them belongs to them."""
    return [call for call in found if words[call.begin + CALL_NUMBER] == call.number]


def busy_time(words: memoryview, base: int, clock: int) -> tuple[int, list[Call]]:
    """The nanoseconds that the threads of a loop have spent on calls up to *clock*, and the calls that run.

    A call that ends is first marked as counted, then counted. So if nothing was counted meanwhile, what was found
    belongs together; else some of the time may be missing, but none is in it twice.
    """
    for _ in range(LOOKS):
        counted = words[base + BUSY_TIME]
        found = still_running(words, calls(words, base))
        unshown = words[base + UNSHOWN]
        if words[base + BUSY_TIME] == counted:
            break
    number, begun = unshown >> UNSHOWN_BITS, unshown & (1 << UNSHOWN_BITS) - 1
    running = sum([call.age(clock) for call in found if not call.is_counted])
    return counted + running + max(0, number * (clock // MS) - begun) * MS, found


class Described(NamedTuple):
    """What a call says of itself: method, blank and path, the native ID of its thread, its request ID."""

    name: str
    thread: int
    identifier: str


def read(words: memoryview, call: Call) -> Described | None:
    """What *call* says of itself; None if it has ended meanwhile."""
    row = words[call.begin : call.begin + CALL_WORDS]
    thread, length = row[CALL_THREAD], max(0, min(row[CALL_LENGTH], CALL_NAME_BYTES))
    identifier = row.tobytes()[CALL_ID * WORD :][:CALL_ID_BYTES].rstrip(b"\0")
    name = row.tobytes()[CALL_NAME * WORD :][:length]
    return Described(printable(name), thread, printable(identifier)) if still_running(words, [call]) else None


def describe(words: memoryview, found: list[Call], worker: WorkerFigures, clock: int) -> Iterator[Running]:
    """The calls *found* of *worker* at the time *clock*, with their names, except those that have ended meanwhile."""
    for call in found:
        described = read(words, call)
        if described is not None:
            method, _, path = described.name.partition(" ")
            seconds = call.age(clock) / 10**9
            yield Running(method, path, seconds, worker.worker, worker.pid, described.thread, described.identifier)


def of_worker(words: memoryview, bases: Iterable[int]) -> list[Call]:
    """The calls that run in the worker whose loops have the memory at *bases*."""
    return [call for base in bases for call in calls(words, base)]


def in_call(words: memoryview, bases: Sequence[int]) -> str:
    """What holds up the worker whose loops have the memory at *bases*: ", in GET /shop for 3.1 s"; "" if none runs.

    It is the call of a thread with a loop, which nobody could take from it, or else, most likely, the oldest.
    """
    with_loop = {base + CALL for base in bases}
    for call in sorted(of_worker(words, bases), key=lambda call: (call.begin not in with_loop, call.began)):
        described = read(words, call)
        if described is not None:
            age = call.age(time.monotonic_ns()) / 10**9
            return f", in {described.name or 'a request'} for {age:.1f} s"
    return ""


def at_the_end(words: memoryview, bases: Iterable[int]) -> list[str]:
    """What ran in a worker when it ended: "GET /shop for 3.1 s", the oldest first; its loops' memory is at *bases*."""
    now = time.monotonic_ns()
    found = [(read(words, call), call.age(now)) for call in of_worker(words, bases)]
    found.sort(key=lambda pair: -pair[1])
    return [f"{one.name or 'a request'} for {age / 10**9:.1f} s" for one, age in found if one is not None]
