"""What clients make a worker hold in memory: one account of all its connections, and what happens as it fills.

A connection is charged with what it holds while it waits: a part of a head, input behind the request that is served,
a request's head and body until the end of its response, what is left of a response, and the buffers of TLS. It is
charged where it begins to wait, so a request that is answered at once never touches the account.

    half full              bodies over 64 KiB wait in temporary files
    three quarters: short  all bodies do, those begun earlier too, and so do responses that wait for their clients
    seven eighths: full    the connections that hold most and move least are ended, until it is no longer short

A response of any size to a client that reads is not concerned, as it does not wait.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Callable

from fastwsgi.originals import threading

if TYPE_CHECKING:
    from fastwsgi.http.interfaces import Holder

SMALL_BODY = 65536  # bytes that a body may have in memory when the account is half full


class Holdings:
    """The account.

    Attributes:
        held: bytes that are charged.
        spool_size: bytes of a body that may now stay in memory.
        is_short: responses that wait are to go to temporary files.

    Args:
        limit: bytes; 0 for no limit.
        spool_size: bytes of a body that may stay in memory while the account is less than half full.
        make_room: called when it is short and more was charged; in any thread.
    """

    def __init__(self, limit: int, spool_size: int, make_room: Callable[[], None]) -> None:
        self.limit = limit or sys.maxsize
        self._half, self._three_quarters = self.limit // 4 * 2, self.limit // 4 * 3
        self.held = 0
        self.spool_size = self._most = spool_size
        self.is_short = False
        self._make_room = make_room
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether connections must end."""
        return self.held > self.limit // 8 * 7

    def has_room(self, count: int) -> bool:
        """Whether *count* bytes more are within the limit."""
        return self.held + count <= self.limit

    def settle(self, holder: Holder, held: int) -> None:
        """Charge *holder* with the *held* bytes, instead of what it was charged with. Called in any thread."""
        with self._lock:
            count = held - holder.charged
            holder.charged = held
            before = self.held
            self.held = before + count
            if self.held > self._half or before > self._half:
                self._adapt()
        if self.is_short and count > 0:
            self._make_room()

    def _adapt(self) -> None:
        """Set what depends on how full it is."""
        self.is_short = self.held > self._three_quarters
        if self.held <= self._half:
            self.spool_size = self._most
        else:
            self.spool_size = 0 if self.is_short else min(self._most, SMALL_BODY)
