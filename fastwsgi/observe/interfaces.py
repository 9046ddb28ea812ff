"""What this folder asks of objects from elsewhere."""

from __future__ import annotations

from typing import Protocol

EXTENDED_BY = "extended_by"
"""A key of a log_config: the JSON file whose keys replace its own, as gunicorn reads a logconfig_json."""
CALLED = "called"
"""A key of a log_config: its name in messages."""


class Output(Protocol):
    """The destination of the lines of an access log."""

    def write(self, data: bytes) -> int:
        """Write as much of *data*, whole lines, as may go at once: bytes written. Raises OSError."""

    def reopen(self) -> None:
        """Reopen the file by its path. Raises OSError."""

    def close(self) -> None:
        """Close what is open."""
