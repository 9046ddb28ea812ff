"""Who is let in: how many connections there may be, in all and of one client, and what is done when there is no room.

Room is made by closing those that have been idle for longest. Where nobody is idle, newcomers wait in the backlog. The
last file descriptors are not given to connections: temporary files, logs and the application need some, too.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.http.peers import client_network
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.server.readiness import is_readable

if TYPE_CHECKING:
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

RESERVE = 16  # file descriptors that connections leave to others; of a small limit an eighth
SHARE = 16  # a search brings a sixteenth of those that are idle: each newcomer pays for a look at 16 of them ...
LEAST = 64  # ... or so many
EFFORT = 50  # searches that bring little take at most 1 / EFFORT of the time
LOOK = 0.1  # seconds after which somebody may be idle, or a file descriptor free, that was not


class Admission:
    """Counts the connections of *loop*, in its thread.

    Args:
        loop: its connections, service and log_error are used.
        settings: max_connections and max_connections_per_ip are read.
    """

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self.loop = loop
        self.most = settings.max_connections
        self.most_of_one = settings.max_connections_per_ip
        self.networks: dict[int, str] = {}  # of the connections that count, by their file descriptors
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()  # over these two
        self._ceiling = 0  # the first file descriptor of the reserve: the system gives the lowest that is free
        self._reserve = 0
        self._crowded = False  # the next connection would get it
        self._idle: deque[tuple[float, int]] = deque()  # since when, and the file descriptor: the next to be closed
        self._found = self._closed = 0  # by the last search, and of those
        self._search_again = 0.0
        self.try_again = 0.0  # when it is worth while, after there was no room
        self._full = RateLimitedLog(loop.log_error)
        self._short = RateLimitedLog(loop.log_error)
        self._read_limit()

    # What the acceptor asks

    def missing(self, listener: int) -> int:
        """How many connections must end before another may be accepted from the file descriptor *listener*."""
        excess: int = len(self.loop.connections) + 1 - self.most
        if excess > 0:
            return excess
        return self._missing_descriptors(listener) if self._crowded else 0

    def make_room(self, count: int) -> bool:
        """Close *count* idle connections; False if there are fewer."""
        if len(self.loop.connections) < self.most:
            self._complain_of_descriptors("file descriptors are short")
        else:
            self._full.log(
                self.loop.service.now,
                f"{self.most} connections are open (--max-connections): idle ones are closed, newcomers wait for room",
            )
        return self._close_idle(count)

    def relieve(self, problem: str) -> bool:
        """The system refuses another connection because of *problem*: close one that is idle. False: there is none."""
        self._crowded = True
        self._read_limit()
        self._complain_of_descriptors(f"cannot accept: {problem}")
        return self._close_idle(1)

    def welcome(self, fd: int, host: str) -> bool:
        """Count the connection *fd* of the client *host*, or say that this client has too many.

        Args:
            host: of the peer, so of the proxy where there is one; "" for a unix socket, which does not count.
        """
        if fd >= self._ceiling - 1:
            self._crowded = True
        if self.most_of_one == 0 or not host:
            return True
        network = client_network(host)
        with self._lock:
            count = self._counts.get(network, 0) + 1
            if count > self.most_of_one:
                return False
            self._counts[network] = count
            self.networks[fd] = network
        return True

    def leave(self, fd: int) -> None:
        """The connection *fd* ends; in any thread."""
        with self._lock:
            network = self.networks.pop(fd, None)
            if network is not None:
                self._counts[network] -= 1
                if self._counts[network] == 0:
                    del self._counts[network]

    # File descriptors

    def _read_limit(self) -> None:
        """Look at RLIMIT_NOFILE, which the application may change."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit == resource.RLIM_INFINITY:
            limit = 1 << 30
        self._reserve = min(RESERVE, limit // 8)
        self._ceiling = limit - self._reserve

    def _missing_descriptors(self, known: int) -> int:
        """1 if the next file descriptor would be one of the reserve, else 0. A first connection may have it."""
        self._read_limit()
        self._crowded = bool(self.loop.connections) and next_descriptor(known) >= self._ceiling
        return int(self._crowded)

    def _complain_of_descriptors(self, problem: str) -> None:
        self._short.log(
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
                self._closed += 1
                count -= 1
        return True

    def _search(self) -> None:
        """Look for idle connections, unless the last search was just now and brought little."""
        loop = self.loop
        began = loop.service.now
        if began < self._search_again and 2 * self._closed <= self._found:
            self.try_again = self._search_again
            return
        pairs = ((one.idle_since(), one.fd) for one in loop.all_connections())
        found = sorted(pair for pair in pairs if pair[0] < began)
        self._idle = deque(found[: max(LEAST, len(found) // SHARE)])
        self._found, self._closed = len(self._idle), 0
        loop.service.renew_time()
        self._search_again = loop.service.now + EFFORT * (loop.service.now - began)


def next_descriptor(fd: int) -> int:
    """The lowest file descriptor that is free, found by a duplicate of *fd*; beyond any limit if none is."""
    try:
        found = os.dup(fd)
    except OSError:
        return sys.maxsize
    os.close(found)
    return found
