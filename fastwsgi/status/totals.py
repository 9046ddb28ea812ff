"""What all workers that there ever were have counted, as the parts of a Snapshot."""

from __future__ import annotations

import bisect
from collections import Counter

from fastwsgi import figures
from fastwsgi.status.calls import printable
from fastwsgi.status.head import by_name
from fastwsgi.status.snapshot import Histogram

BEGIN = figures.ACCEPTED
END = figures.CODES + figures.CODE_WORDS
_BOUNDS = [round(bound * 10**9) for bound in figures.DURATION_BOUNDS]
_REFUSED = (*map(str, figures.REFUSED_CODES), "other", "none")
_LAST_CLASS = figures.DURATIONS + (len(figures.CLASSES) - 1) * figures.HISTOGRAM
_APPLICATION = figures.TIMEOUTS + figures.TIMEOUT_KINDS.index("application")


def counters(words: memoryview, base: int) -> list[int]:
    """The words of a worker from its first one to END, its gauges included, with what its monitor answered as 5xx."""
    found: list[int] = words[base : base + END].tolist()
    expired, time = found[figures.EXPIRED], found[figures.EXPIRED_TIME]
    if expired:
        found[_APPLICATION] += expired
        found[figures.CODES + 504 - 100] += expired
        found[_LAST_CLASS + bisect.bisect_left(_BOUNDS, time // expired)] += expired
        found[_LAST_CLASS + figures.HISTOGRAM - 1] += time
    return found


def total(several: list[list[int]]) -> list[int]:
    """The sum of the words of *several* workers."""
    return list(map(sum, zip(*several))) if several else [0] * END


def histogram(words: list[int], begin: int) -> Histogram:
    """The histogram whose first word is *begin*."""
    last = begin + figures.HISTOGRAM - 1
    return Histogram(words[begin:last], words[last] / 10**9)


def durations(words: list[int]) -> dict[str, Histogram]:
    """The durations of requests, by the class of the response."""
    return {name: histogram(words, figures.DURATIONS + index * figures.HISTOGRAM)
            for index, name in enumerate(figures.CLASSES)}


def all_durations(words: list[int]) -> Histogram:
    """The durations of all requests."""
    parts = [words[figures.DURATIONS + index * figures.HISTOGRAM :][: figures.HISTOGRAM]
             for index in range(len(figures.CLASSES))]
    return histogram(total(parts), 0)


def errors(words: list[int]) -> int:
    """Answers with 5xx."""
    return sum(words[_LAST_CLASS : _LAST_CLASS + figures.HISTOGRAM - 1])


def codes(words: list[int]) -> dict[str, int]:
    """Responses by code, those that there were."""
    return {str(100 + index): count for index, count in enumerate(words[figures.CODES : END]) if count}


def refused(words: list[int]) -> dict[str, int]:
    """Refusals by code, those that there were."""
    return by_name(words, figures.REFUSED, _REFUSED)


def refused_peers(words: memoryview, bases: list[int]) -> dict[str, int]:
    """Peers with their refusals of the last minute, most first, of the workers whose memory is at *bases*."""
    found: Counter[str] = Counter()
    for base in bases:
        for row in range(figures.MOST_PEERS):
            index = base + figures.PEERS + row * figures.PEER_WORDS
            record = words[index : index + figures.PEER_WORDS]
            if record[0] > 0:
                found[printable(record.tobytes()[figures.WORD :].partition(b"\0")[0])] += record[0]
    return dict(found.most_common())
