"""What hooks see of supervisor and workers: the attributes by which gunicorn's users know them."""

from __future__ import annotations

import logging
import os
from typing import Any


class ServerView:
    """The supervisor.

    Attributes:
        pid: of its process.
        log: a logging.Logger.
        cfg: the settings.
        address: where it listens, as texts.
        WORKERS: the living workers' views by pid.
    """

    def __init__(self, settings: Any, log: logging.Logger) -> None:
        self.pid = os.getpid()
        self.log = log
        self.cfg = settings
        self.address: list[str] = []
        self.WORKERS: dict[int, WorkerView] = {}

    @property
    def num_workers(self) -> int:
        """How many live."""
        return len(self.WORKERS)


class WorkerView:
    """One worker.

    Attributes:
        pid: of its process; 0 before the fork.
        age: how many were started before it, and it.
        alive: whether it is to go on.
        booted: whether it has loaded the application.
        nr: requests served; up to date in the worker's own process only.
    """

    def __init__(self, server: ServerView, settings: Any, age: int) -> None:
        self.pid = 0
        self.ppid = server.pid
        self.age = age
        self.log = server.log
        self.cfg = settings
        self.alive = True
        self.booted = False
        self.nr = 0

    def __str__(self) -> str:
        return f"<worker {self.pid}>"
