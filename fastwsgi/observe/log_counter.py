"""Entries of the error log, counted by level; what the application logs under other names is not."""

from __future__ import annotations

import logging
from typing import Callable

from fastwsgi import forks
from fastwsgi.figures import LOG_LEVELS
from fastwsgi.observe.error import error_log
from fastwsgi.originals import threading


class LogCounter(logging.Filter):
    """A filter that counts with *count*, called with an index into LOG_LEVELS, what it lets pass: everything."""

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__()
        self._count = count
        self._lock = threading.RLock()  # a word has one writer at a time; a handler of a signal may log, too
        forks.hold(self)

    def disown(self) -> None:
        """In a forked child, go on without another thread, which may have held the lock."""
        self._lock = threading.RLock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Count *record*; "exception" is an error with a traceback."""
        if record.levelno >= logging.CRITICAL:
            level = "critical"
        elif record.levelno >= logging.ERROR:
            level = "exception" if record.exc_info and record.exc_info[0] is not None else "error"
        elif record.levelno >= logging.WARNING:
            level = "warning"
        else:
            return True
        with self._lock:
            self._count(LOG_LEVELS.index(level))
        return True


def count_entries(count: Callable[[int], None] | None) -> None:
    """Count the entries of this process's error log with *count* from now on, and with nothing else."""
    error_log.filters[:] = [one for one in error_log.filters if not isinstance(one, LogCounter)]
    if count is not None:
        error_log.addFilter(LogCounter(count))
