"""What this folder asks of objects from elsewhere; for type checkers."""

from __future__ import annotations

from typing import Protocol


class Output(Protocol):
    """The destination of the lines of an access log."""

    def write(self, data: bytes) -> int:
        """Write as much of *data*, whole lines, as may go at once: bytes written. Raises OSError."""

    def reopen(self) -> None:
        """Reopen the file by its path. Raises OSError."""

    def close(self) -> None:
        """Close what is open."""
