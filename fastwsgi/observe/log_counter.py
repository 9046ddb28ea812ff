"""Entries of the error log, counted by level; what the application logs under other names is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastwsgi.figures import LOG_LEVELS, LOGGED

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter


class LogCounter(logging.Filter):
    """A filter that counts with *meter* what it lets pass, which is everything."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

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
        self._meter.add(LOGGED + LOG_LEVELS.index(level), 1)
        return True
