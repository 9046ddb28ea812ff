"""What this folder asks of objects from elsewhere; for type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.waiting import Piece


class Output(Protocol):
    """The destination of the lines of an access log.

    Attributes:
        piece: bytes that may be written at once.
        is_terminal: whether somebody looks on, so that each line is to be written at once.
    """

    piece: int
    is_terminal: bool

    def write_piece(self, lines: Lines, piece: Piece) -> None:
        """Write *piece*, or the beginning of it, and note what was written. Raises OSError."""

    def reopen(self) -> None:
        """Reopen the file by its path. Raises OSError."""

    def close(self) -> None:
        """Close what is open."""
