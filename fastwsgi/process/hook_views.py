"""What hooks see of supervisor and workers: the attributes by which gunicorn's users know them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from fastwsgi.gunicorn.cfg import Cfg, Log

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


class ServerView:
    """The supervisor.

    Attributes:
        pid: of its process.
        log: a logger, with what gunicorn's has besides.
        cfg: the settings, by gunicorn's names and ours.
        address: where it listens, as texts.
        WORKERS: the living workers' views by pid.
    """

    def __init__(self, settings: Settings, log: logging.Logger) -> None:
        self.pid = os.getpid()
        self.log = Log(log)
        self.cfg = Cfg(settings)
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
