"""The error log, wsgi.errors, and the observers that the settings ask for.

Errors go through the standard library's `logging`, to the logger "fastwsgi.error"; a program that has set up logging
itself keeps what it has.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.trace import Trace

error_log = logging.getLogger("fastwsgi.error")


def set_up_error_log(level: str) -> None:
    """Send the error log to stderr from *level* on ("debug" to "critical"), unless somebody handles it already."""
    error_log.setLevel(level.upper())
    if not error_log.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(levelname)s %(message)s"))
        error_log.addHandler(handler)
        error_log.propagate = False


def log_error(message: str, error: BaseException | None) -> None:
    """One entry of the error log, with the traceback of *error* if there is one."""
    error_log.error("%s", message, exc_info=error)


class ErrorStream:
    """wsgi.errors: a text stream into the error log (PEP 3333, "Input and Error Streams"). Whole lines are entries."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            error_log.error("%s", line)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._begun:
            self.write("\n")


class Logs:
    """The observers of a server, as its settings ask for them.

    Args:
        settings: access_logfile and trace are read.

    Raises:
        OSError: the access log cannot be opened.
    """

    def __init__(self, settings: Any) -> None:
        self.access = AccessLog(settings.access_logfile) if settings.access_logfile else None
        self.trace = Trace() if settings.trace else None
        observers: list[Any] = [one for one in (self.access, self.trace) if one is not None]
        self.observer = None if not observers else observers[0] if len(observers) == 1 else Both(*observers)

    def close(self) -> None:
        """Write what is not written yet."""
        if self.access is not None:
            self.access.close()


class Both:
    """Two observers as one."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first = first
        self.second = second

    def __getattr__(self, name: str) -> Any:
        first, second = getattr(self.first, name), getattr(self.second, name)

        def both(*arguments: Any) -> None:
            first(*arguments)
            second(*arguments)

        return both
