"""The durations of single requests, which the workers write into rings, and statsd wants one by one."""

from __future__ import annotations

from fastwsgi.figures import RING, RING_ENTRIES, SIZE, WORD
from fastwsgi.records import record
from fastwsgi.status.scoreboard import HIGHEST

_RING_WORDS = RING_ENTRIES * 4 // WORD


@record
class Timings:
    """Durations of requests.

    Attributes:
        microseconds: of each.
        count: of all requests of that time; more than are given here if some were overwritten or left out.
    """

    microseconds: list[int]
    count: int


class Rings:
    """Reads what has come into the rings of all workers.

    Args:
        words: the scoreboard's.
    """

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._read = {number: self._count(number) for number in self._numbers()}

    def take(self, most: int) -> Timings:
        """The durations since the last call, at most *most* of them, evenly chosen."""
        found: list[int] = []
        count = 0
        for number in self._numbers():
            entries, all_of_them = self._take_one(number)
            found += entries
            count += all_of_them
        if len(found) > most:
            found = [found[index * len(found) // most] for index in range(most)]
        return Timings(found, count)

    def _take_one(self, number: int) -> tuple[list[int], int]:
        """Those of one worker that are still there, and how many there were."""
        begin, end = self._read.get(number, 0), self._count(number)
        first = number * SIZE + RING + 1
        ring = self._words[first : first + _RING_WORDS].cast("B").cast("I").tolist()
        oldest = max(begin, self._count(number) + 1 - RING_ENTRIES)  # one more may be being written
        self._read[number] = end
        return [ring[index % RING_ENTRIES] for index in range(oldest, end)], end - begin

    def _numbers(self) -> range:
        return range(1, self._words[HIGHEST] + 1)

    def _count(self, number: int) -> int:
        count: int = self._words[number * SIZE + RING]
        return count
