"""wsgi.early_hints: what an application can send before its response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.http.stages import OPEN

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.presence import Presence
    from fastwsgi.http.service import Service

GONE: Any = None  # what a presence has for a closed connection


class EarlyHints:
    """Sends 103 with some fields at once (RFC 8297), but not to an HTTP/1.0 client, which does not understand it.

    It serves one request of a connection after the other, which saves 600 instructions each. If an application keeps
    it past its request, the next one gets another, and this one does nothing any more: see RequestReader.read_head().
    """

    __slots__ = ("presence", "service")  # and no weak references, which nobody could count

    presence: Presence | None  # None: they were kept past their request
    service: Service

    def of(self, presence: Presence) -> EarlyHints:
        """The hints for the client of *presence*. A method, since C makes an object fastest in its module."""
        hints = EarlyHints.__new__(EarlyHints)
        hints.presence = presence
        hints.service = presence.connection.service
        return hints

    def __call__(self, headers: list[tuple[str, str]]) -> None:
        """Send *headers*, unless start_response() has been called, or this is a child that the application has forked.

        Raises:
            ApplicationError: a malformed header, or a call within another.
            ClientDisconnected: the client is gone, or has already received another answer.
        """
        if self.service.forked:
            return
        taken = self.service.guard.take_back()
        try:
            exchange = self._served()
            if exchange is None or exchange.version < 11 or exchange.stage != OPEN:
                return
            self._send(exchange, headers)
        finally:
            if taken:
                self.service.guard.give_up()

    def _send(self, exchange: Exchange, headers: list[tuple[str, str]]) -> None:
        exchange.enter()
        try:
            exchange.stop_if_given_up()
            out = exchange.out
            self.service.guard.give_up()  # as in Exchange._begin_head()
            out.begin("103 Early Hints", headers)
            self.service.guard.take_back()
            out.finish(-1, False, "", b"", b"")
            exchange.connection.flush()
        finally:
            exchange.leave()

    def __reduce__(self) -> Any:
        raise TypeError("early hints are for one request: they cannot be copied")  # a copy would not be counted

    def _served(self) -> Exchange | None:
        """The exchange of the request that these hints are for; None if that is over."""
        if self.presence is None or self.presence.connection is GONE:
            return None
        return self.presence.connection.exchange
