"""What this folder asks of objects from elsewhere, and of the dicts that are a log_config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.waiting import Piece

EXTENDED_BY = "extended_by"
"""A key of a log_config: the JSON file whose keys replace its own, as gunicorn reads a logconfig_json."""
CALLED = "called"
"""A key of a log_config: its name in messages."""


class Output(Protocol):
    """The destination of the lines of an access log.

    Attributes:
        fd: the file, if there is one, else -1.
        piece: bytes that may be written at once.
        is_terminal: whether somebody looks on, so that each line is to be written at once.
    """

    fd: int
    piece: int
    is_terminal: bool

    def write_piece(self, lines: Lines, piece: Piece) -> int:
        """Write *piece*, or the beginning of it, and note what was written: bytes. Raises OSError."""

    def reopen(self) -> None:
        """Reopen the file by its path. Raises OSError."""

    def close(self) -> None:
        """Close what is open."""


class LineLock(Protocol):
    """The lock of lines that wait: a loop takes it, and the thread of the log, but no other loop."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, if that can be done within *timeout* seconds; whether it is taken."""

    def release(self) -> None:
        """Give it back."""
