"""The views of the supervisor and of workers that hooks get, with the attributes that users of gunicorn know.

Their figures are those of the moment in which they are read. Hooks may add attributes of their own: a worker has those
that it got before it was forked.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.gunicorn import absent, figures
from fastwsgi.gunicorn.application import AppView
from fastwsgi.gunicorn.cfg import Cfg, Log
from fastwsgi.gunicorn.listeners import ListenerView
from fastwsgi.originals import os
from fastwsgi.process.recycle import random_share
from fastwsgi.process.worker_figures import Heartbeat, LoopFigures, SlotFigures

if TYPE_CHECKING:
    from concurrent.futures import Future

    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.gunicorn.cfg import Address
    from fastwsgi.gunicorn.figures import Figures, ThreadPoolView
    from fastwsgi.originals import socket
    from fastwsgi.process.interfaces import ViewedSupervisor
    from fastwsgi.server.loops import Loops
    from fastwsgi.settings.settings import Settings
    from fastwsgi.status.scoreboard import Slot


class ServerView:
    """The supervisor.

    Attributes:
        pid: its process ID.
        log: the error log, with the extra methods of gunicorn's logger.
        cfg: the settings, by gunicorn's names and ours.
        app: the application, which is loaded in the supervisor only with preload.
        WORKERS: the views of the living workers, by process ID.
        worker_age: the number of workers started so far.
        START_CTX: the command: its arguments, its directory and, as 0, its interpreter.
    """

    def __init__(self, settings: Settings, log: logging.Logger, supervisor: ViewedSupervisor) -> None:
        self._supervisor = supervisor
        self.pid = os.getpid()
        self.log = Log(log)
        self.cfg = supervisor.cfg(settings)
        self.app = AppView(lambda: supervisor.deployment.load(supervisor.settings), self.cfg)
        self.WORKERS: dict[int, WorkerView] = {}
        self.worker_age = 0
        self.START_CTX = {
            "args": [sys.executable, *sys.argv],
            "cwd": supervisor.deployment.directory,
            0: sys.executable,
        }

    def __getattr__(self, name: str) -> Any:
        raise absent.missing("server", name, absent.OF_SERVER)

    @property
    def LISTENERS(self) -> list[ListenerView]:
        """The listening sockets."""
        scheme = "https" if self.cfg.is_ssl else "http"
        return [ListenerView(one, scheme) for binding in self._supervisor.listeners.bindings for one in binding.sockets]

    @property
    def address(self) -> list[Address]:
        """The addresses on which it was told to listen."""
        return self.cfg.address

    @property
    def num_workers(self) -> int:
        """The number of workers that there shall be."""
        return self._supervisor.fleet.size

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        raise AttributeError("server.num_workers: SIGTTIN to server.pid makes it one more, SIGTTOU one fewer")

    @property
    def timeout(self) -> float:
        """Seconds that a request may take; 0: any time."""
        return float(self.cfg.timeout)

    @property
    def proc_name(self) -> str:
        """The name in the process list."""
        return self.cfg.proc_name

    @property
    def master_pid(self) -> int:
        """The process ID of the supervisor that this one is to follow (SIGUSR2), while it runs; else 0."""
        return self._supervisor.upgrade.predecessor

    @property
    def reexec_pid(self) -> int:
        """The process ID of the supervisor that is to follow this one; else 0."""
        return self._supervisor.upgrade.successor

    @property
    def has_served(self) -> bool:
        """Whether a worker has been ready yet."""
        return self._supervisor.fleet.served

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a signal to a worker."""
        if pid in self.WORKERS:
            os.kill(pid, sig)

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)


class WorkerView:
    """One worker.

    Attributes:
        pid: its process ID; "[booting]" before the fork.
        ppid: the supervisor's process ID.
        age: the number of workers started up to this one.
        sockets: those on which it listens.
        app: the application.
        wsgi: what is served, once it is loaded; post_worker_init may replace it.
        booted: whether it serves.
        aborted: whether it is to end as a request is past its time-out.
        timeout: half the time that a request may take, as in gunicorn, in seconds.
        max_requests: requests after which it is replaced.
        tmp: its heartbeat.
    """

    wsgi: WSGIApplication

    def __init__(self, server: ServerView, settings: Settings, age: int, listeners: list[socket.socket]) -> None:
        self.pid: int | str = "[booting]"
        self.ppid = server.pid
        self.age = age
        self.log = server.log
        self.cfg = Cfg(settings, server.cfg.wsgi_app)
        self.app = server.app
        scheme = "https" if self.cfg.is_ssl else "http"
        self.sockets = [ListenerView(one, scheme) for one in listeners]
        self.timeout = settings.timeout / 2
        self.booted = self.aborted = False
        jitter = round(random_share(settings.max_requests_jitter))
        self.max_requests = settings.max_requests + jitter if settings.max_requests else sys.maxsize
        self.tmp = Heartbeat(None)
        self._alive = True
        self._retire: Callable[[], object] = lambda: None
        self._figures: Figures = figures.LastFigures()

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    def __getattr__(self, name: str) -> Any:
        raise absent.missing("worker", name, absent.OF_WORKER)

    @property
    def alive(self) -> bool:
        """Whether it is to keep running; a hook in the worker may set it to False, so that the worker is replaced."""
        return self._alive

    @alive.setter
    def alive(self, value: bool) -> None:
        if self._alive and not value:
            self._retire()
        self._alive = value

    @property
    def nr(self) -> int:
        """Requests served; in the supervisor, of the last second."""
        return self._figures.requests

    @property
    def nr_conns(self) -> int:
        """Open connections."""
        return self._figures.connections

    @property
    def futures(self) -> list[Future[None]]:
        """One for each request that the application is answering or that waits for a thread."""
        return figures.futures(self._figures)

    @property
    def tpool(self) -> ThreadPoolView:
        """The threads that run the application."""
        return figures.ThreadPoolView(self._figures, self.cfg.threads)

    def notify(self) -> None:
        """Renew the heartbeat, which is renewed each second anyway. The time-out of a request is not put off."""
        self.tmp.notify()

    # For the server itself

    def begin(self, slot: Slot) -> None:
        """Take the figures from *slot*, now that there is one."""
        self._figures, self.tmp = SlotFigures(slot), Heartbeat(slot)

    def serve(self, loops: Loops) -> None:
        """Take the figures from the loops, in the worker's own process."""
        self._figures = LoopFigures(loops)

    def ask_when_ended(self, retire: Callable[[], object]) -> None:
        """Call *retire* when a hook sets *alive* to False."""
        self._retire = retire

    def end(self) -> None:
        """Be no longer alive, by the server's own decision."""
        self._alive = False

    def revive(self) -> None:
        """Be alive as before, as no successor has come."""
        self._alive = True

    def bury(self) -> None:
        """Keep the last figures, as the slot will be another worker's."""
        self._alive = False
        self._figures, self.tmp = figures.LastFigures(self._figures.requests), Heartbeat(None)
