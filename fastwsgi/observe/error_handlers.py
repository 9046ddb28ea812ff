"""The error log's own handlers: entries into a file or standard error, and what wsgi.errors is given, as it is.

On a terminal the levels from WARNING on are coloured; NO_COLOR and TERM=dumb turn that off, FORCE_COLOR turns it on
where standard error is no terminal. A file has no colours.
"""

from __future__ import annotations

import errno
import logging
from typing import TextIO

from fastwsgi.observe import order
from fastwsgi.observe.files import LogFile, standard_error
from fastwsgi.observe.whole_writes import PATIENCE, write_whole
from fastwsgi.originals import os

ENTRY = "%(asctime)s [%(process)d] %(levelname)s %(message)s"
MESSAGES = "fastwsgi.error.wsgi"  # the logger of what is written to wsgi.errors

CUT = -1  # in the place of a thread: an entry ended within its line

YELLOW, RED, PLAIN = "\x1b[33m", "\x1b[31m", "\x1b[0m"


class OwnHandler(logging.Handler):
    """Appends entries, each in one piece; a failure of that costs the entry and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(ENTRY))
        self._begun_by = 0  # the thread that has begun the last line, which is not ended, or CUT

    def append(self, text: str) -> bool:
        """Write *text*: whether all of it, or else a part. Raises OSError or ValueError if it is nothing."""
        raise NotImplementedError

    def emit(self, record: logging.LogRecord) -> None:
        """Write one entry."""
        try:
            text = record.getMessage() if record.name == MESSAGES else self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.write_through(f"{text}\n", 0)

    def write_through(self, text: str, thread: int) -> None:
        """Write *text* as it is, on a line of its own unless *thread* has begun the last one."""
        order.catch_up()
        self.acquire()
        try:
            apart = "\n" if self._begun_by not in (0, thread) else ""
            is_whole = self.append(apart + text)
            self._begun_by = CUT if not is_whole else 0 if text.endswith("\n") else thread
        except (OSError, ValueError):
            pass
        finally:
            self.release()

    def end_line(self, thread: int) -> None:
        """End the line that *thread* has begun, if it is the last one."""
        if self._begun_by == thread:
            self.write_through("\n", thread)


class ErrorFile(OwnHandler):
    """Appends to a file that can be reopened, so that processes may share it; "-" is standard error.

    close(), which configurations of logging call for all handlers, leaves the file open.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = LogFile(path, standard_error())
        self.is_standard = path == "-" or _is_standard_error(self.file.fd)
        if path == "-" and _wants_colours(self.file.fd):
            self.setFormatter(ColouredEntries(ENTRY))
        self._patience = PATIENCE  # none, once it was in vain, until something is written again

    def append(self, text: str) -> bool:
        data = text.encode("utf-8", "backslashreplace")
        try:
            written = write_whole(self.file.fd, data, self._patience)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            written = write_whole(2, data, self._patience)  # the application has closed all other descriptors
        self._patience = PATIENCE if written == len(data) else 0.0
        if not written and data:
            raise BlockingIOError
        return written == len(data)

    def end(self) -> None:
        """Close the file."""
        self.file.close()
        self.close()


class StreamHandler(OwnHandler):
    """Writes to the stream that a program has put in the place of sys.stderr; None is no stream."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self.stream = stream

    def append(self, text: str) -> bool:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()
        return True


class ColouredEntries(logging.Formatter):
    """Entries with the level in yellow or red, from WARNING on."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        if record.levelno < logging.WARNING:
            return line
        colour = RED if record.levelno >= logging.ERROR else YELLOW
        return line.replace(record.levelname, f"{colour}{record.levelname}{PLAIN}", 1)


def _is_standard_error(fd: int) -> bool:
    """Whether what is written to *fd* comes where standard error goes, as in /dev/stderr."""
    try:
        return os.path.sameopenfile(fd, 2)
    except OSError:
        return False


def _wants_colours(fd: int) -> bool:
    """Whether to colour what is written to *fd* (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (os.isatty(fd) and os.environ.get("TERM") != "dumb")
