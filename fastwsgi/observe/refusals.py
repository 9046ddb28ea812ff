"""Who was refused, and why, in summary: a line a minute at most in the error log, however many there are.

    refused 1234 in 60 s (400: 1000, 408: 234), most of them from 192.0.2.7 (1100)

The first line comes with the next tick after the first refusal, the last one when the server ends. What is the client's
fault is logged as information, and 503, for lack of room here, as a warning.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fastwsgi.http.peers import client_network
from fastwsgi.observe.error import error_log

PERIOD = 60.0  # seconds between two lines
TALKERS = 256  # clients that are counted at a time
NAMED = 8  # reasons in a line; OpenSSL has hundreds


class Refusals:
    """An observer that counts refusals."""

    def __init__(self) -> None:
        self._next = 0.0  # when another line may be written
        self._begin()

    def _begin(self) -> None:
        self._total = 0
        self._since = 0.0
        self._kinds: Counter[str] = Counter()
        self._talkers: dict[str, int] = {}
        self._is_warning = False

    def request_refused(self, connection: Any, refusal: Any) -> None:
        """A request was answered with an error before it reached the application."""
        if refusal.status == 503:
            self._is_warning = True
            self._note(connection.host, f"503 ({refusal.reason})")
        else:
            self._note(connection.host, str(refusal.status))

    def connection_refused(self, host: str, reason: str) -> None:
        """A connection was closed before it could bring a request."""
        self._note(host, reason)

    def tick(self) -> None:
        """Write a line if it is time for one."""
        if self._total and (now := time.monotonic()) >= self._next:
            self._write(now)

    def close(self) -> None:
        """Write the last line."""
        if self._total:
            self._write(time.monotonic())

    def _note(self, host: str, kind: str) -> None:
        if self._total == 0:
            self._since = time.monotonic()
        self._total += 1
        self._kinds[kind] += 1
        talkers = self._talkers
        client = client_network(host) or "unix sockets"
        if client in talkers or len(talkers) < TALKERS:
            talkers[client] = talkers.get(client, 0) + 1
        else:
            # Misra and Gries, 1982: who makes more than one of TALKERS refusals stays, counted short by as many at most
            self._talkers = {one: count - 1 for one, count in list(talkers.items()) if count > 1}

    def _write(self, now: float) -> None:
        total, seconds, kinds = self._total, max(1, round(now - self._since)), self._kinds.most_common(NAMED)
        talkers, log = list(self._talkers.items()), error_log.warning if self._is_warning else error_log.info
        self._begin()
        self._next = now + PERIOD
        client, count = max(talkers, key=lambda pair: pair[1], default=("", 0))
        most = f", most of them from {client} ({count})" if count > 1 else f", from {client}" if total == 1 else ""
        others = total - sum(times for _, times in kinds)
        reasons = ", ".join(f"{kind}: {times}" for kind, times in [*kinds, *([("others", others)] if others else [])])
        log("%s", f"refused {total} in {seconds} s ({reasons}){most}")
