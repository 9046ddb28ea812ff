"""A summary of refusals: at most one line a minute in the error log, however many there are.

    refused 1234 in 60 s (400: 1000, 408: 234), most of them from 192.0.2.7 (1100)

The first line is written at the next tick after the first refusal, the last one when the server ends. Refusals are the
fault of clients and logged as information, but a line with a 503 or --max-buffered, a lack of room here, is a warning.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fastwsgi.http.errors import NO_ROOM
from fastwsgi.http.peers import client_network
from fastwsgi.observe.error import error_log
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError

PERIOD = 60.0  # seconds between two lines
MAX_CLIENTS = 256  # the most that are counted at a time
MAX_REASONS = 8  # the most in a line; OpenSSL has hundreds


class Refusals:
    """An observer that counts refusals."""

    def __init__(self) -> None:
        self._next = 0.0  # when another line may be written
        self._begin()

    def _begin(self) -> None:
        self._total = 0
        self._since = 0.0
        self._kinds: Counter[str] = Counter()
        self._clients: dict[str, int] = {}
        self._is_warning = False

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Count a request that was answered with an error before it reached the application."""
        if refusal.status == 503 or refusal.reason == NO_ROOM:
            self._is_warning = True
            self._note(connection.host, f"{refusal.status} ({refusal.reason})")
        else:
            self._note(connection.host, str(refusal.status))

    def connection_refused(self, host: str, reason: str) -> None:
        """Count a connection that was closed before it could send a request."""
        self._is_warning = self._is_warning or reason == NO_ROOM
        self._note(host, reason)

    def tick(self) -> None:
        """Write a line, if it is time for one."""
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
        clients = self._clients
        client = client_network(host) or "unix sockets"
        if client in clients or len(clients) < MAX_CLIENTS:
            clients[client] = clients.get(client, 0) + 1
        else:
            # Misra and Gries, 1982: a client stays if it causes more than one refusal in MAX_CLIENTS, and its count is
            # too small by at most that fraction of them
            self._clients = {one: count - 1 for one, count in list(clients.items()) if count > 1}

    def _write(self, now: float) -> None:
        total, seconds, kinds = self._total, max(1, round(now - self._since)), self._kinds.most_common(MAX_REASONS)
        clients, log = list(self._clients.items()), error_log.warning if self._is_warning else error_log.info
        self._begin()
        self._next = now + PERIOD
        client, count = max(clients, key=lambda pair: pair[1], default=("", 0))
        most = f", most of them from {client} ({count})" if count > 1 else f", from {client}" if total == 1 else ""
        others = total - sum(times for _, times in kinds)
        reasons = ", ".join(f"{kind}: {times}" for kind, times in [*kinds, *([("others", others)] if others else [])])
        log("%s", f"refused {total} in {seconds} s ({reasons}){most}")
