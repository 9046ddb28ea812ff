"""Room in the account of what clients make this worker hold (holdings.py), made while it is short.

The connections that hold most and move least are told to hold less: a body or a response goes on in a temporary file,
a part at a time. Where that is not enough, those that cannot do so are ended, from full to no longer short, and beyond
the limit at once. It takes a few milliseconds in each step of the loop, so that other requests go on, and the searches
for candidates at most a tenth of the time.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.server.holdings import Holdings
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.loop import Loop

SLICE = 0.004  # seconds of one turn
FOUND = 256  # candidates of one search
LOOK = 0.1  # seconds between two searches at the least
EFFORT = 10  # searches take at most 1 / EFFORT of the time


class Relief:
    """Makes room for *loop*, in its thread, in turns as a connection has them."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.is_owed = False  # it has asked for a turn
        self._candidates: deque[Served] = deque()
        self._stubborn: deque[Served] = deque()  # candidates of which nothing more can wait in a file
        self._may_end = False
        self._search_again = 0.0
        self._log = RateLimitedLog(loop.log_error)

    def ask(self) -> None:
        """Make room in a turn, the next one. Called in any thread."""
        if not self.is_owed:
            self.is_owed = True
            self.loop.go_on_later(self)

    def on_turn(self) -> None:
        """Make some room, and ask for another turn if that was not all."""
        self.is_owed = False
        holdings = self.loop.holdings
        until = time.monotonic() + SLICE
        while holdings.is_short and self._make_some():
            if time.monotonic() >= until:
                self.ask()
                return
        if holdings.is_short:
            self.loop.housekeeping.schedule(max(self._search_again, until + LOOK))
        else:
            self._candidates.clear()
            self._stubborn.clear()
            self._may_end = False

    def _make_some(self) -> bool:
        """Make some room by files, or else by an end; False if nothing more can be done now."""
        holdings = self.loop.holdings
        self._may_end = self._may_end or holdings.is_full
        if self._stubborn and self._may_end and (not self._candidates or not holdings.has_room(0)):
            stubborn = self._stubborn.popleft()
            if self._is_there(stubborn):
                self._report(holdings)
                stubborn.end_for_room()
        elif self._candidates:
            candidate = self._candidates.popleft()
            if self._is_there(candidate):
                (self._candidates if candidate.relieve() else self._stubborn).append(candidate)
        else:
            return self._search()
        return True

    def _is_there(self, connection: Served) -> bool:
        return self.loop.connections.get(connection.fd) is connection

    def _report(self, holdings: Holdings) -> None:
        holder = "a loop of this process" if self.loop.siblings else "this process"
        self._log.log(
            time.monotonic(),
            f"clients make {holder} hold {holdings.held >> 20} of {holdings.limit >> 20} MiB "
            "(--max-buffered): those that hold most and move least are ended",
        )

    def _search(self) -> bool:
        """Look for candidates; False if there are none, or it is too early for another search."""
        began = time.monotonic()
        if began >= self._search_again:
            self._stubborn.clear()
            service = self.loop.service
            service.renew_time()
            pairs = ((one.burden(service.now), one.fd) for one in self.loop.all_connections())
            most = heapq.nlargest(FOUND, (pair for pair in pairs if pair[0] > 0.0))
            connections = self.loop.connections
            self._candidates.extend(connections[fd] for _, fd in most if fd in connections)
            now = time.monotonic()
            self._search_again = now + EFFORT * (now - began)
        return bool(self._candidates)
