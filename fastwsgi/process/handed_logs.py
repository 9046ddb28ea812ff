"""Log files after a rotation (SIGUSR1), opened here for workers of another user, whose folder may be closed to them.

That holds for the access log, the error log, and the files to which handlers of a log configuration append, of which
the configuration tells the paths. The descriptors go over the channel.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

from fastwsgi.observe.error import appended_files
from fastwsgi.observe.files import LogFile, open_log
from fastwsgi.observe.logs import log_error, reopen_error_log, try_to_reopen
from fastwsgi.originals import os
from fastwsgi.process import accounts
from fastwsgi.process.channel import MOST_DESCRIPTORS

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


class HandedLogs:
    """The log files of a service."""

    def __init__(self) -> None:
        self._are_needed = False
        self._access: LogFile | None = None

    def begin(self, settings: Settings) -> None:
        """Be ready for workers with *settings*. Raises OSError if the access log cannot be opened."""
        self.close()
        self._are_needed = accounts.worker_ids(settings) is not None
        if self._are_needed and settings.access_logfile not in (None, "-"):
            self._access = LogFile(settings.access_logfile)

    def close(self) -> None:
        """Close what is open."""
        if self._access is not None:
            self._access.close()
        self._access = None

    def reopen(self, send: Callable[[str, list[int]], None]) -> None:
        """Reopen the logs of this process, and *send* a line for the workers, with descriptors if they need them."""
        reopen_error_log()
        if not self._are_needed:
            send("reopen", [])
            return
        opened: dict[str, int] = {}
        if self._access is not None:
            try_to_reopen(self._access.reopen)
            opened[self._access.path] = os.dup(self._access.fd)
        for path, mode in appended_files().items():
            try:
                opened.setdefault(path, open_log(path, mode))
            except OSError as error:
                log_error(f"cannot reopen {path}: {error.strerror}", None)
        paths = list(opened)[:MOST_DESCRIPTORS]
        send(f"reopen {json.dumps(paths)}", [opened[path] for path in paths])
        for fd in opened.values():
            os.close(fd)
