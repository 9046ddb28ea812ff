"""A summary of refusals: a line a minute in the error log, however many there are, and one for each kind that is new.

    refused 1234 in 60 s (400 (malformed Host): 1000, 408 (deadline): 234), most of them from 192.0.2.7 (1100)

The first line is written at the next tick after the first refusal, and so is one when a kind is refused that no line of
the last minute has named; the last one when the server ends. Refusals are the fault of clients and logged as
information, but a line with a 503 or --max-buffered, a lack of room here, is a warning. At level debug each refusal has
a line of its own besides, see offence.py.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from fastwsgi.http.errors import NO_ROOM
from fastwsgi.observe.error import error_log
from fastwsgi.observe.offence import describe
from fastwsgi.observe.refused_peers import FrequentPeers
from fastwsgi.originals import threading, time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.observe.refused_peers import Peers

PERIOD = 60.0  # seconds between two lines
MAX_REASONS = 8  # the most in a line; OpenSSL has hundreds
MAX_KINDS = 64  # the most that are counted one by one
MAX_NEW = 10  # lines for new kinds between two others
OTHERS = "others"


class Batch:
    """What was refused since *since*, counted in bounded memory."""

    def __init__(self) -> None:
        self.total = 0
        self.since = float("inf")
        self.kinds: Counter[str] = Counter()
        self.frequent = FrequentPeers()
        self.is_warning = False

    def note(self, host: str, kind: str, is_warning: bool) -> None:
        """Count one refusal."""
        if self.total == 0:
            self.since = time.monotonic()
        self.total += 1
        self.is_warning = self.is_warning or is_warning
        self._count(kind, 1)
        self.frequent.note(host)

    def add(self, other: Batch) -> None:
        """Count those of *other*, too."""
        self.since = min(self.since, other.since)
        self.total += other.total
        self.is_warning = self.is_warning or other.is_warning
        for kind, times in list(other.kinds.items()):  # at a sudden end its loop runs on
            self._count(kind, times)
        self.frequent.add(other.frequent)

    def _count(self, kind: str, times: int) -> None:
        self.kinds[kind if kind in self.kinds or len(self.kinds) < MAX_KINDS else OTHERS] += times

    def line(self, now: float) -> str:
        """The line that tells of it."""
        total, seconds = self.total, max(1, round(now - self.since))
        peers, kinds = list(self.frequent.counts.items()), self.kinds.most_common(MAX_REASONS)
        peer, count = max(peers, key=lambda pair: pair[1], default=("", 0))
        most = f", most of them from {peer} ({count})" if count > 1 else f", from {peer}" if total == 1 else ""
        others = total - sum(times for kind, times in kinds if kind != OTHERS)
        named = [pair for pair in kinds if pair[0] != OTHERS] + ([(OTHERS, others)] if others else [])
        reasons = ", ".join(f"{kind}: {times}" for kind, times in named)
        return f"refused {total} in {seconds} s ({reasons}){most}"


class Summary:
    """What the loops of a process have refused, and when that is told. They pass on what is new at their ticks."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a handler of a signal may close the logs
        self._batch = Batch()
        self._next = 0.0  # when another line may be written
        self._named: set[str] = set()  # kinds in the lines since the last one that was due
        self._new = 0  # of these lines, those for new kinds

    def add(self, batch: Batch) -> None:
        """Count what a loop has refused."""
        with self._lock:
            self._batch.add(batch)

    def tick(self) -> None:
        """Write a line, if it is time for one, or something new has been refused."""
        now = time.monotonic()
        with self._lock:
            told = self._due(now)
        if told is not None:
            _write(told, now)

    def close(self) -> None:
        """Write the last line."""
        with self._lock:
            told = self._take()
        if told.total:
            _write(told, time.monotonic())

    def _due(self, now: float) -> Batch | None:
        """What is to be told now, if anything is."""
        if not self._batch.total:
            return None
        if now >= self._next:
            self._named.clear()
            self._new = 0
            self._next = now + PERIOD
        elif self._new < MAX_NEW and not self._batch.kinds.keys() <= self._named:
            self._new += 1
        else:
            return None
        return self._take()

    def _take(self) -> Batch:
        taken, self._batch = self._batch, Batch()
        self._named |= taken.kinds.keys()
        return taken


def _write(batch: Batch, now: float) -> None:
    log = error_log.warning if batch.is_warning else error_log.info
    log("%s", batch.line(now))


class Refusals:
    """An observer that counts what one loop refuses.

    Attributes:
        peers: tells other processes whom they went to; None: nobody asks.

    Args:
        summary: writes the lines.
    """

    def __init__(self, summary: Summary) -> None:
        self.peers: Peers | None = None
        self._summary = summary
        self._batch = Batch()

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Count a request that was answered with an error before it reached the application."""
        is_warning = refusal.status == 503 or refusal.reason == NO_ROOM
        self._note(connection.host, f"{refusal.status} ({refusal.reason})", is_warning)
        if error_log.isEnabledFor(logging.DEBUG):
            error_log.debug("%s", describe(connection, refusal))

    def connection_refused(self, host: str, reason: str) -> None:
        """Count a connection that was closed before it could send a request."""
        self._note(host, reason, reason == NO_ROOM)
        if error_log.isEnabledFor(logging.DEBUG):
            error_log.debug("%s", f"refused ({reason}) {host}".rstrip())

    def tick(self) -> None:
        """Pass on what is new."""
        if self.peers is not None:
            self.peers.tick()
        self.pass_on()
        self._summary.tick()

    def pass_on(self) -> None:
        """Have the summary count what was refused until now."""
        if self._batch.total:
            self._summary.add(self._batch)
            self._batch = Batch()

    def _note(self, host: str, kind: str, is_warning: bool) -> None:
        self._batch.note(host, kind, is_warning)
        if self.peers is not None:
            self.peers.note(host)
