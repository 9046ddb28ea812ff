"""Where the lines of an access log go, if not to a file alone: to the handlers of a configuration of logging."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastwsgi.observe.waiting import HALF
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.entries import Entries
    from fastwsgi.observe.files import LogFile
    from fastwsgi.observe.waiting import Piece


class LoggerOutput:
    """Passes lines to the logger "fastwsgi.access", for the handlers of a --log-config: slow, some 15 us a line.

    Args:
        entries: makes entries of lines.
    """

    piece = HALF
    fd = -1

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        self._logger = logging.getLogger("fastwsgi.access")
        self.is_terminal = any(_is_on_terminal(handler) for handler in self._logger.handlers)

    def write_piece(self, lines: Lines, piece: Piece) -> int:
        """Log an entry for each line: bytes."""
        waiting = lines.waiting
        self.write(waiting.read(piece))
        waiting.note_written(piece, piece.size)
        return piece.size

    def write(self, data: bytes) -> None:
        """Log an entry for each line."""
        for message, atoms in self.entries.read(data):
            self._logger.info(message, atoms)

    def reopen(self) -> None:
        """Do nothing: error.reopen_files() reopens the files of the handlers of all loggers."""

    def close(self) -> None:
        """Do nothing: logging closes the handlers."""


class FileAndLogger:
    """A file, and beside it the handlers of a configuration, which get what the file has taken."""

    def __init__(self, file: LogFile, logger: LoggerOutput) -> None:
        self._file = file
        self._logger = logger
        self.fd = file.fd
        self._taken = 0  # bytes of the next lines that the file has
        self.piece = file.piece
        self.is_terminal = file.is_terminal or logger.is_terminal

    def write_piece(self, lines: Lines, piece: Piece) -> int:
        """Write as much of *piece* as the file takes at once: its bytes if that was all, else 0. Raises OSError."""
        waiting = lines.waiting
        data = waiting.read(piece)
        plain = self._logger.entries.plain(data)
        self._taken += os.write(self._file.fd, plain[self._taken :])
        if self._taken < len(plain):
            return 0  # the next piece begins with the same lines
        self._taken = 0
        waiting.note_written(piece, piece.size)
        self._logger.write(data)
        return piece.size

    def reopen(self) -> None:
        """Reopen the file by its path. Raises OSError."""
        self._file.reopen()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _is_on_terminal(handler: logging.Handler) -> bool:
    """Whether *handler* writes to a terminal."""
    try:
        return bool(handler.stream.isatty())  # type: ignore[attr-defined]  # few have a stream
    except (AttributeError, ValueError):
        return False
