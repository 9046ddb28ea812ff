"""The pace of a connection's client: when it must act, and how fast its bytes move.

    head        whole within header_timeout
    body        more of it within body_timeout, each time, and after 30 seconds at least min_rate on average
    response    more of it taken within write_timeout, each time, and the same floor
    idle        another request within keep_alive
    lingering   closed within linger_timeout

Only the time in which the client had something to do counts: for a response, the time in which it could read. What the
socket takes says little about that: a full send queue takes nothing more until much of it is read, and the last
response is still in it when the server is done. So the bytes that the client has acknowledged are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.http.service import Service

SPARED = 1.0  # seconds for which a new connection does not count as idle, though nothing has arrived
GRACE = 30.0  # seconds before the floor applies


class Pace:
    """The account of one client.

    Attributes:
        deadline: the latest time for what is due, in seconds on the loop's clock.
        moved: bytes received of a body or while lingering, or sent of a response.
        blocked: the socket accepted less than it was given.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.deadline = service.now + service.header_timeout
        self.blocked = False
        self.moved = 0
        self.taken = 0  # the part of *moved* that the client has acknowledged
        self.since = 0.0  # when the body began, or the response if it had always been blocked
        self.waited = 0.0  # seconds for which the response was blocked, up to the last time

    # What is due

    def await_head(self) -> None:
        """Expect the rest of a head."""
        self.service.renew_time()
        self.deadline = self.service.now + self.service.header_timeout

    def await_request(self) -> None:
        """Expect another request."""
        self.deadline = self.service.now + self.service.keep_alive

    def await_close(self) -> None:
        """Expect the client to close."""
        self.deadline = self.service.now + self.service.linger_timeout
        self.moved = 0

    def excuse(self, seconds: float) -> None:
        """Give the client *seconds* more, in which the loop could not read from it."""
        self.deadline += seconds

    def hurry(self, until: float) -> None:
        """Set the deadline to *until*, if it is later."""
        self.deadline = min(self.deadline, until)

    def began(self, allowed: float) -> float:
        """When the current wait, of *allowed* seconds, began."""
        return self.deadline - allowed

    def silent_since(self) -> float:
        """When a new connection became idle, if nothing has arrived on it."""
        return self.deadline - self.service.header_timeout + SPARED

    def left(self, now: float) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - now

    # A request body

    def begin_body(self, received: int) -> None:
        """Begin a body, of which *received* bytes have arrived already."""
        self.service.renew_time()
        self.since = self.service.now
        self.moved = received
        self.go_on_with_body()

    def go_on_with_body(self) -> None:
        """Expect more of the body."""
        self.deadline = self.service.now + self.service.body_timeout

    def sends_too_slowly(self, now: float) -> bool:
        """Whether the body has passed its deadline, or the floor."""
        return now >= self.deadline or self._is_below_floor(now, self.moved)

    # A response

    def begin_response(self) -> None:
        """Begin a response."""
        self.waited = 0.0
        self.moved = self.taken = 0

    def note_sent(self, count: int, blocked: bool, unsent: int) -> None:
        """Note that the socket has taken *count* bytes for a client slow to read.

        Args:
            blocked: whether it has not accepted everything.
            unsent: bytes in the socket that the client has not acknowledged.
        """
        service = self.service
        if blocked and not self.blocked:
            service.renew_time()
            self.since = service.now - self.waited
            self.taken = self.moved - unsent
        elif self.blocked and not blocked:
            self.waited = service.now - self.since
        if count > 0 or not self.blocked:
            self.deadline = service.now + service.write_timeout
        self.blocked = blocked

    def reads_too_slowly(self, now: float, unsent: int) -> bool:
        """Whether a client that does not take its response has passed the deadline, or the floor."""
        self.note_read(now, unsent, self.service.write_timeout)
        return now >= self.deadline or self._is_below_floor(now, self.taken)

    def note_read(self, now: float, unsent: int, more: float) -> bool:
        """Whether the client has read more of a response since the last look; then give it *more* seconds."""
        taken = self.moved - unsent
        if unsent == 0 or taken <= self.taken:
            return False
        self.taken = taken
        self.deadline = now + more
        return True

    def _is_below_floor(self, now: float, moved: int) -> bool:
        elapsed = now - self.since
        return elapsed > GRACE and moved < self.service.min_rate * elapsed
