"""The figures of a worker, read as other processes read them."""

from __future__ import annotations

from fastwsgi import figures
from fastwsgi.status import totals


def codes(words: memoryview) -> dict[int, int]:
    """How many responses there were, by code; those of the monitor, too, which answers where the watchdog is late."""
    counts = enumerate(totals.of_all(words, [0])[figures.CODES : figures.CODES + figures.CODE_WORDS], 100)
    return {code: count for code, count in counts if count}


def histogram(words: memoryview, begin: int) -> list[int]:
    """The counts of the buckets."""
    return words[begin : begin + figures.HISTOGRAM - 1].tolist()


def durations(words: memoryview, kind: str) -> list[int]:
    """The counts of the buckets of a class of codes, such as "2xx"."""
    return histogram(words, figures.DURATIONS + figures.HISTOGRAM * figures.CLASSES.index(kind))


def answered(words: memoryview) -> int:
    """All requests that were answered."""
    return sum(sum(durations(words, kind)) for kind in figures.CLASSES)


def refused(words: memoryview, code: int) -> int:
    """Requests that were refused with *code*."""
    return words[figures.REFUSED + figures.REFUSED_CODES.index(code)]


def timeouts(words: memoryview) -> dict[str, int]:
    """How many there were, by kind, as in codes()."""
    counts = totals.of_all(words, [0])[figures.TIMEOUTS : figures.TIMEOUTS + len(figures.TIMEOUT_KINDS)]
    return {kind: count for kind, count in zip(figures.TIMEOUT_KINDS, counts) if count}


def call_at(words: memoryview, row: int = figures.CALL) -> tuple[str, str] | None:
    """Name and request ID of the call whose words begin at *row*; None if none runs there."""
    if not words[row + figures.CALL_NUMBER] & 1:
        return None
    data = words[row : row + figures.CALL_WORDS].tobytes()
    name = data[8 * figures.CALL_NAME :][: words[row + figures.CALL_LENGTH]]
    request_id = data[8 * figures.CALL_ID :][: figures.CALL_ID_BYTES].rstrip(b"\0")
    return name.decode("latin-1"), request_id.decode("latin-1")


def rows(words: memoryview) -> list[str]:
    """The names of the calls that run without the loop."""
    begins = range(figures.ROWS, figures.ROWS + figures.MOST_ROWS * figures.CALL_WORDS, figures.CALL_WORDS)
    return [found[0] for found in (call_at(words, row) for row in begins) if found is not None]
