"""The views of the supervisor and of workers that hooks get, with the attributes that users of gunicorn know.

For the hooks of a gunicorn.conf.py, gunicorn/hooks.py gives them `cfg` and `log` of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastwsgi.gunicorn.cfg import Cfg, Log
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


class ServerView:
    """The supervisor.

    Attributes:
        pid: its process ID.
        log: the error log, with the extra methods of gunicorn's logger.
        cfg: the settings, by gunicorn's names and ours.
        address: the URLs on which it listens.
        WORKERS: the views of the living workers, by process ID.
    """

    def __init__(self, settings: Settings, log: logging.Logger) -> None:
        self.pid = os.getpid()
        self.log = Log(log)
        self.cfg = Cfg(settings)
        self.address: list[str] = []
        self.WORKERS: dict[int, WorkerView] = {}

    @property
    def num_workers(self) -> int:
        """The number of living workers."""
        return len(self.WORKERS)


class WorkerView:
    """One worker.

    Attributes:
        pid: its process ID; 0 before the fork.
        ppid: the supervisor's process ID.
        age: the number of workers started up to this one.
        alive: whether it is to keep running.
        booted: whether it has loaded the application.
        nr: requests served; current in the worker's own process only.
    """

    def __init__(self, server: ServerView, settings: Settings, age: int) -> None:
        self.pid = 0
        self.ppid = server.pid
        self.age = age
        self.log = server.log
        self.cfg = Cfg(settings)
        self.alive = True
        self.booted = False
        self.nr = 0

    def __str__(self) -> str:
        return f"<worker {self.pid}>"
