"""Admission: how many connections there may be, in all and from one client, and what happens when there is no room.

Room is made by closing the connections that have been idle for longest. If none is idle, new ones wait in the backlog.
The last file descriptors are kept from connections: temporary files, logs and the application need some, too.
"""

from __future__ import annotations

import resource
import sys
from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import os
from fastwsgi.server.readiness import is_readable

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

RESERVE = 16  # file descriptors kept from connections; an eighth of a small limit
SHARE = 16  # a search finds a sixteenth of the idle connections, so a new one costs a look at 16 of them ...
LEAST = 64  # ... or this many
EFFORT = 50  # searches that find little take at most 1 / EFFORT of the time
LOOK = 0.1  # seconds after which a connection may have become idle, or a file descriptor free


class Admission:
    """Counts the connections of *loop*, in its thread.

    Args:
        loop: its connections, service, commons and log_error are used.
        settings: max_connections is read.
    """

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self.loop = loop
        self.max_connections = settings.max_connections
        self._told: int = getattr(settings, "whole", settings).max_connections
        self.clients = loop.commons.clients
        self._ceiling = 0  # the first file descriptor of the reserve; the system always gives the lowest that is free
        self._reserve = 0
        self._descriptors_short = False  # the next connection may get a descriptor of the reserve
        self._idle: deque[tuple[float, int]] = deque()  # since when, and its file descriptor; the first is closed next
        self._found_count = self._closed_count = 0  # idle connections, by and since the last search
        self._search_again = 0.0
        self.try_again = 0.0  # when to try, after there was no room
        self._full_log = RateLimitedLog(loop.log_error)
        self._shortage_log = RateLimitedLog(loop.log_error)
        self._read_limit()

    # What the acceptor asks

    def excess(self, listener: int) -> int:
        """The number of connections that must end before the file descriptor *listener* may accept another."""
        excess: int = len(self.loop.connections) + 1 - self.max_connections
        if excess > 0:
            return excess
        return self._excess_descriptors(listener) if self._descriptors_short else 0

    def has_room(self) -> bool:
        """Whether another connection is within the limit; asked by other loops, too."""
        return len(self.loop.connections) < self.max_connections

    def make_room(self, count: int) -> bool:
        """Close *count* idle connections; False if there are fewer, or another loop can take the newcomer."""
        if not self.has_room() and any(one.admission.has_room() for one in self.loop.siblings):
            self.try_again = self.loop.service.now + LOOK
            return False
        if len(self.loop.connections) < self.max_connections:
            self._log_shortage("file descriptors are short")
        else:
            self._full_log.log(
                self.loop.service.now,
                f"{self._told} connections are open (--max-connections): idle ones are closed, "
                "newcomers wait for room",
            )
        return self._close_idle(count)

    def recover(self, problem: str) -> bool:
        """Close an idle connection, since the system refuses another because of *problem*; False if none is idle."""
        self._descriptors_short = True
        self._read_limit()
        self._log_shortage(f"cannot accept: {problem}")
        return self._close_idle(1)

    def admit(self, fd: int, host: str) -> bool:
        """Count the connection *fd* of the client *host*; False if that client has too many.

        Args:
            host: the peer's, so the proxy's where there is one; "" for a unix socket, which is not counted.
        """
        if fd >= self._ceiling - 1:
            self._descriptors_short = True
        return self.clients.admit(fd, host)

    # File descriptors

    def _read_limit(self) -> None:
        """Read RLIMIT_NOFILE, which the application may change."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit == resource.RLIM_INFINITY:
            limit = 1 << 30
        self._reserve = min(RESERVE, limit // 8)
        self._ceiling = limit - self._reserve

    def _excess_descriptors(self, known: int) -> int:
        """1 if the next file descriptor would be one of the reserve, else 0; always 0 while there is no connection."""
        self._read_limit()
        self._descriptors_short = bool(self.loop.connections) and next_descriptor(known) >= self._ceiling
        return int(self._descriptors_short)

    def _log_shortage(self, problem: str) -> None:
        self._shortage_log.log(
            self.loop.service.now,
            f"{problem} (ulimit -n is {self._ceiling + self._reserve}): idle connections are closed, "
            "newcomers wait for room",
        )

    # Idle connections

    def _close_idle(self, count: int) -> bool:
        """Close *count* connections, the longest idle first; False if there are fewer."""
        connections = self.loop.connections
        self.try_again = self.loop.service.now + LOOK
        if len(self._idle) < count:
            self._search()
        while count > 0:
            if not self._idle:
                return False
            since, fd = self._idle.popleft()
            connection = connections.get(fd)
            if connection is not None and connection.idle_since() == since and not is_readable(fd):
                connection.drop(False)
                self._closed_count += 1
                count -= 1
        return True

    def _search(self) -> None:
        """Look for idle connections, unless the last search is recent and found little."""
        loop = self.loop
        began = loop.service.now
        if began < self._search_again and 2 * self._closed_count <= self._found_count:
            self.try_again = self._search_again
            return
        pairs = ((one.idle_since(), one.fd) for one in loop.all_connections())
        found = sorted(pair for pair in pairs if pair[0] < began)
        self._idle = deque(found[: max(LEAST, len(found) // SHARE)])
        self._found_count, self._closed_count = len(self._idle), 0
        loop.service.renew_time()
        self._search_again = loop.service.now + EFFORT * (loop.service.now - began)


def next_descriptor(fd: int) -> int:
    """The lowest file descriptor that is free, found by duplicating *fd*; sys.maxsize if none is."""
    try:
        found = os.dup(fd)
    except OSError:
        return sys.maxsize
    os.close(found)
    return found
