"""wsgi.early_hints: what a request can send before its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange


class EarlyHints:
    """Sends 103 with some fields at once (RFC 8297); nothing to an HTTP/1.0 client, which does not know such."""

    exchange: Exchange

    def of(self, exchange: Exchange) -> EarlyHints:
        """Those of one request. (A method of another one, since C makes an object fastest where its class stands.)"""
        hints = EarlyHints.__new__(EarlyHints)
        hints.exchange = exchange
        return hints

    def __call__(self, headers: list[tuple[str, str]]) -> None:
        """Send *headers*; without effect once start_response was called."""
        self.exchange.send_early(headers)
