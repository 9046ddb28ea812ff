"""Observers that take notes: for the tests of what a server tells its logs."""

from __future__ import annotations

from typing import Any


class RefusedConnections:
    """Notes which connections were refused, as pairs of host and reason; a request may not be refused."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, str]] = []

    def connection_refused(self, host: str, reason: str) -> None:
        self.refused.append((host, reason))

    def request_refused(self, connection: Any, refusal: Any) -> None:
        raise AssertionError(refusal)

    def tick(self) -> None:
        pass
