"""What all workers that there ever were have counted, as the parts of a Snapshot."""

from __future__ import annotations

import sys
from collections import Counter

from fastwsgi import figures
from fastwsgi.status.escapes import printable
from fastwsgi.status.head import by_name
from fastwsgi.status.snapshot import Histogram

BEGIN = figures.ACCEPTED
END = figures.CODES + figures.CODE_WORDS
_REFUSED = (*map(str, figures.REFUSED_CODES), "other", "none")
_CLASSES = [figures.DURATIONS + index * figures.HISTOGRAM for index in range(len(figures.CLASSES))]
_LAST_CLASS = _CLASSES[-1]
_APPLICATION = figures.TIMEOUTS + figures.TIMEOUT_KINDS.index("application")


def of_loop(words: memoryview, base: int, end: int) -> list[int]:
    """The words of a loop up to *end*, which is before the codes, with what its monitor answered."""
    found: list[int] = words[base : base + end].tolist()
    _add_expired(found)
    return found


def sums(loops: list[list[int]]) -> list[int]:
    """The sums of the words of a worker's *loops*, each of which is only of use where sums are."""
    return loops[0] if len(loops) == 1 else [sum(values) for values in zip(*loops)]


def of_all(words: memoryview, bases: list[int]) -> list[int]:
    """The sums of the counters of all workers, each at its index in figures.py.

    All words are added at once, as one long number each, which takes a third of the time: no sum reaches 64 bits, so
    nothing is carried from word to word.

    Args:
        words: the scoreboard's.
        bases: where the words of their loops begin.
    """
    parts = (words[base + BEGIN : base + END] for base in bases)
    total = sum(int.from_bytes(part, sys.byteorder) for part in parts)
    found = [0] * BEGIN + memoryview(total.to_bytes((END - BEGIN) * figures.WORD, sys.byteorder)).cast("q").tolist()
    _add_expired(found)
    return found


def _add_expired(found: list[int]) -> None:
    """Count what monitors answered with 504 as the timeouts and errors that they are, as far as *found* goes."""
    expired = found[figures.EXPIRED : figures.EXPIRED + figures.HISTOGRAM]
    count = sum(expired[:-1])
    if count:
        for index, value in enumerate(expired):
            found[_LAST_CLASS + index] += value
        found[_APPLICATION] += count
        if len(found) > figures.CODES:
            found[figures.CODES + 504 - 100] += count


def histogram(words: list[int], begin: int) -> Histogram:
    """The histogram whose first word is *begin*."""
    last = begin + figures.HISTOGRAM - 1
    return Histogram(words[begin:last], words[last] / 10**9)


def durations(words: list[int]) -> dict[str, Histogram]:
    """The durations of requests, by the class of the response."""
    return {name: histogram(words, begin) for name, begin in zip(figures.CLASSES, _CLASSES)}


def all_durations(words: list[int]) -> Histogram:
    """The durations of all requests."""
    parts = (words[begin : begin + figures.HISTOGRAM] for begin in _CLASSES)
    return histogram([first + second + third + last for first, second, third, last in zip(*parts)], 0)


def errors(words: list[int]) -> int:
    """Answers with 5xx."""
    return sum(words[_LAST_CLASS : _LAST_CLASS + figures.HISTOGRAM - 1])


def codes(words: list[int]) -> dict[str, int]:
    """Responses by code, those that there were."""
    return {str(100 + index): count for index, count in enumerate(words[figures.CODES : END]) if count}


def probe_answers(words: list[int]) -> dict[str, int]:
    """Answers of probe paths by code."""
    return by_name(words, figures.PROBE_ANSWERS, tuple(map(str, figures.PROBE_CODES)))


def file_answers(words: list[int]) -> dict[str, int]:
    """Answers of --static by code."""
    return by_name(words, figures.FILE_ANSWERS, tuple(map(str, figures.FILE_CODES)))


def refused(words: list[int]) -> dict[str, int]:
    """Refusals by code."""
    return by_name(words, figures.REFUSED, _REFUSED)


def refused_peers(words: memoryview, bases: list[int]) -> dict[str, int]:
    """Peers with their refusals of the last minute, most first, of the loops whose memory is at *bases*."""
    found: Counter[str] = Counter()
    for base in bases:
        for row in range(figures.MOST_PEERS):
            index = base + figures.PEERS + row * figures.PEER_WORDS
            record = words[index : index + figures.PEER_WORDS]
            if record[0] > 0:
                found[printable(record.tobytes()[figures.WORD :].partition(b"\0")[0])] += record[0]
    return dict(found.most_common())
