"""Where the lines of an access log go, if not to a file alone: to the handlers of a configuration of logging."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastwsgi.observe.waiting import HALF

if TYPE_CHECKING:
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.files import LogFile
    from fastwsgi.observe.waiting import Piece


class LoggerOutput:
    """Passes lines to the logger "fastwsgi.access", for the handlers of a --log-config: slow, about 10 us a line."""

    piece = HALF
    fd = -1

    def __init__(self) -> None:
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
        for line in data.decode("utf-8", "backslashreplace").splitlines():
            self._logger.info("%s", line)

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
        self.piece = file.piece
        self.is_terminal = file.is_terminal or logger.is_terminal

    def write_piece(self, lines: Lines, piece: Piece) -> int:
        """Write as much of *piece* as may go at once: bytes written. Raises OSError."""
        count = self._file.write_piece(lines, piece)
        self._logger.write(lines.waiting.read(piece)[:count])
        return count

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
