"""What the head of the scoreboard, the supervisor's slot, says of the whole service."""

from __future__ import annotations

import struct

from fastwsgi import figures
from fastwsgi.status import scoreboard
from fastwsgi.status.escapes import printable
from fastwsgi.status.snapshot import Certificate, ListenQueue


def listeners(head: list[int]) -> list[ListenQueue]:
    """The listeners, with their queues."""
    records = _records(head, scoreboard.LISTENERS, scoreboard.LISTENER_WORDS, scoreboard.MOST_LISTENERS)
    return [ListenQueue(_name(record[2:]), record[0], record[1]) for record in records]


def certificates(head: list[int]) -> list[Certificate]:
    """The certificates, with their ends."""
    records = _records(head, scoreboard.CERTIFICATES, scoreboard.CERTIFICATE_WORDS, scoreboard.MOST_CERTIFICATES)
    return [Certificate(_name(record[1:]), float(record[0])) for record in records]


def logged(head: list[int], words: list[int]) -> dict[str, int]:
    """Entries of the error log by level: the supervisor's, and those of all workers, whose sums are *words*."""
    own, theirs = head[scoreboard.HEAD_LOGGED :], words[figures.LOGGED :]
    return {level: one + other for level, one, other in zip(figures.LOG_LEVELS, own, theirs)}


def by_name(words: list[int], begin: int, names: tuple[str, ...]) -> dict[str, int]:
    """Words from *begin* on, one for each of *names*."""
    return dict(zip(names, words[begin:]))


def _records(head: list[int], begin: int, size: int, most: int) -> list[list[int]]:
    number = max(0, min(head[begin], most))
    return [head[begin + 1 + index * size :][:size] for index in range(number)]


def _name(words: list[int]) -> str:
    """The bytes of *words* up to the first zero."""
    return printable(struct.pack(f"={len(words)}q", *words).partition(b"\0")[0])
