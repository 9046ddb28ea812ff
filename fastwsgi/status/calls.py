"""The calls of applications that run now, as the workers write them into their memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import NamedTuple

from fastwsgi.figures import (
    CALL,
    CALL_ID,
    CALL_ID_BYTES,
    CALL_LENGTH,
    CALL_NAME,
    CALL_NAME_BYTES,
    CALL_NUMBER,
    CALL_STARTED,
    CALL_THREAD,
    CALL_WORDS,
    RING,
    ROWS,
    WORD,
)
from fastwsgi.originals import time
from fastwsgi.status.escapes import printable
from fastwsgi.status.snapshot import Running, WorkerFigures


class Call(NamedTuple):
    """A call that runs.

    Attributes:
        begin: its first word.
        number: what no other call has there; it is odd.
        started: on the clock of time.monotonic_ns().
    """

    begin: int
    number: int
    started: int


def calls(words: memoryview, base: int) -> list[Call]:
    """The calls that run in the worker whose memory begins at *base*."""
    rows = words[base + ROWS + CALL_NUMBER : base + RING : CALL_WORDS].tolist()
    begins = [base + CALL, *compress(range(base + ROWS, base + RING, CALL_WORDS), rows)]
    numbers = [words[begin + CALL_NUMBER] for begin in begins]
    return [Call(begin, number, words[begin + CALL_STARTED]) for begin, number in zip(begins, numbers) if number & 1]


def still_running(words: memoryview, found: list[Call]) -> list[Call]:
    """Those that have not ended since they were found, so that what was read of them belongs to them."""
    return [call for call in found if words[call.begin + CALL_NUMBER] == call.number]


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
            seconds = max(0, clock - call.started) / 10**9
            yield Running(method, path, seconds, worker.worker, worker.pid, described.thread, described.identifier)


def in_call(words: memoryview, base: int) -> str:
    """What holds the GIL of the worker whose memory begins at *base*: ", in GET /shop for 3.1 s"; "" if none runs.

    It is the call of the thread with the loop, which nobody could take from it, or else, most likely, the oldest.
    """
    for call in sorted(calls(words, base), key=lambda call: (call.begin != base + CALL, call.started)):
        described = read(words, call)
        if described is not None:
            age = (time.monotonic_ns() - call.started) / 10**9
            return f", in {described.name or 'a request'} for {age:.1f} s"
    return ""


def at_the_end(words: memoryview, base: int) -> list[str]:
    """What ran in the worker whose memory begins at *base* when it ended: "GET /shop for 3.1 s", the oldest first."""
    now = time.monotonic_ns()
    found = ((read(words, call), now - call.started) for call in sorted(calls(words, base), key=lambda it: it.started))
    return [f"{one.name or 'a request'} for {max(0, age) / 10**9:.1f} s" for one, age in found if one is not None]
