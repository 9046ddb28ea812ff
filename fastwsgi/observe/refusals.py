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
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.observe.refused_peers import Peers

PERIOD = 60.0  # seconds between two lines
MAX_REASONS = 8  # the most in a line; OpenSSL has hundreds
MAX_KINDS = 64  # the most that are counted one by one
MAX_NEW = 10  # lines for new kinds between two others
OTHERS = "others"


class Refusals:
    """An observer that counts refusals.

    Attributes:
        peers: tells other processes whom they went to; None: nobody asks.
    """

    def __init__(self) -> None:
        self.peers: Peers | None = None
        self._next = 0.0  # when another line may be written
        self._named: set[str] = set()  # kinds in the lines since the last one that was due
        self._new = 0  # of these lines, those for new kinds
        self._begin()

    def _begin(self) -> None:
        self._total = 0
        self._since = 0.0
        self._kinds: Counter[str] = Counter()
        self._frequent = FrequentPeers()
        self._is_warning = False

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Count a request that was answered with an error before it reached the application."""
        self._is_warning = self._is_warning or refusal.status == 503 or refusal.reason == NO_ROOM
        self._note(connection.host, f"{refusal.status} ({refusal.reason})")
        if error_log.isEnabledFor(logging.DEBUG):
            error_log.debug("%s", describe(connection, refusal))

    def connection_refused(self, host: str, reason: str) -> None:
        """Count a connection that was closed before it could send a request."""
        self._is_warning = self._is_warning or reason == NO_ROOM
        self._note(host, reason)
        if error_log.isEnabledFor(logging.DEBUG):
            error_log.debug("%s", f"refused ({reason}) {host}".rstrip())

    def tick(self) -> None:
        """Write a line, if it is time for one, or something new has been refused."""
        if self.peers is not None:
            self.peers.tick()
        if not self._total:
            return
        now = time.monotonic()
        if now >= self._next:
            self._named.clear()
            self._new = 0
            self._next = now + PERIOD
            self._write(now)
        elif self._new < MAX_NEW and not self._kinds.keys() <= self._named:
            self._new += 1
            self._write(now)

    def close(self) -> None:
        """Write the last line."""
        if self._total:
            self._write(time.monotonic())

    def _note(self, host: str, kind: str) -> None:
        if self._total == 0:
            self._since = time.monotonic()
        self._total += 1
        self._kinds[kind if kind in self._kinds or len(self._kinds) < MAX_KINDS else OTHERS] += 1
        self._frequent.note(host)
        if self.peers is not None:
            self.peers.note(host)

    def _write(self, now: float) -> None:
        total, seconds, kinds = self._total, max(1, round(now - self._since)), self._kinds.most_common(MAX_REASONS)
        peers, log = list(self._frequent.counts.items()), error_log.warning if self._is_warning else error_log.info
        self._named |= self._kinds.keys()
        self._begin()
        peer, count = max(peers, key=lambda pair: pair[1], default=("", 0))
        most = f", most of them from {peer} ({count})" if count > 1 else f", from {peer}" if total == 1 else ""
        others = total - sum(times for kind, times in kinds if kind != OTHERS)
        named = [pair for pair in kinds if pair[0] != OTHERS] + ([(OTHERS, others)] if others else [])
        reasons = ", ".join(f"{kind}: {times}" for kind, times in named)
        log("%s", f"refused {total} in {seconds} s ({reasons}){most}")
