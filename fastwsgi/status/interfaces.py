"""The interface by which status/ knows its own neighbours; for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastwsgi.status.stacks import Inquiry


class Views(Protocol):
    """What is shown at the status address.

    Attributes:
        inquiry: asks for stacks.
    """

    inquiry: Inquiry

    def page(self, query: str) -> bytes:
        """The page, as HTML; *query* is that of the URL."""

    def document(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""

    def metrics(self) -> str:
        """Its numbers, in Prometheus' text format."""

    def why_not_alive(self) -> str:
        """Why the service had better be started anew; "" if not."""

    def why_not_ready(self) -> str:
        """Why the service should get no more requests; "" if it should."""
