"""Our loggers: what does not name them does not silence them.

`logging.config` disables all loggers that a configuration does not name, as Django's LOGGING does unless told
otherwise, and closes the handlers of all; `logging.disable()` hides the entries of all. That is meant for libraries,
and would leave a server without tracebacks. A configuration that names one of our loggers is obeyed: its level,
handlers, filters and propagation hold.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from typing import Any

from fastwsgi.originals import os, time


class OwnLogger(logging.Logger):
    """A logger that cannot be disabled, and whose methods raise nothing, whatever handlers and factories do.

    Attributes:
        shown_as: the name in its records, where a configuration for gunicorn is in use.
    """

    shown_as = ""

    @property
    def disabled(self) -> bool:
        """Always False: the configurations that set it do not name this logger."""
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        pass

    def isEnabledFor(self, level: int) -> bool:
        """Whether the level of this logger lets an entry pass; logging.disable() does not count."""
        return level >= self.getEffectiveLevel()

    def _log(  # type: ignore[override]  # the rest is named
        self, level: int, msg: object, args: Any, exc_info: Any = None, **more: Any
    ) -> None:
        try:
            super()._log(level, msg, args, exc_info, **more)
        except (Exception, SystemExit):
            _write_plainly(msg, args, exc_info)

    def log_as(self, level: int, message: str) -> None:
        """Log *message* as an entry of *level*, whatever the level of this logger."""
        self._log(level, "%s", (message,))

    def makeRecord(self, *args: Any, **more: Any) -> logging.LogRecord:
        """A record with the time that it is, whatever has taken the place of time.time()."""
        record = super().makeRecord(*args, **more)
        record.created = now = time.time()
        record.msecs = int(now % 1 * 1000)
        record.name = self.shown_as or record.name
        return record


def own_logger(name: str) -> OwnLogger:
    """The logger *name*, with what a program has already configured of it, as one of ours."""
    logger = logging.getLogger(name)
    logger.__class__ = OwnLogger
    assert isinstance(logger, OwnLogger)
    return logger


def _write_plainly(message: object, args: Any, error: object) -> None:
    """Write to standard error what a handler, a filter or a factory of entries has failed on."""
    trace: list[str] = []
    with contextlib.suppress(Exception):  # the application may have replaced parts of traceback, too
        if isinstance(error, BaseException):
            trace = traceback.format_exception(type(error), error, error.__traceback__)
    with contextlib.suppress(Exception):
        values = args[0] if args and isinstance(args[0], dict) else args  # as in logging
        line = str(message) % values if args else str(message)
        os.write(2, "".join([f"{line}\n", *trace]).encode("utf-8", "backslashreplace"))
