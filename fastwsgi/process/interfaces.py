"""What the parts of this folder ask of each other, and no more; for the type checker only."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable, Protocol

from fastwsgi.originals import select, socket

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.gunicorn.cfg import Cfg
    from fastwsgi.gunicorn.hooks import Hooks
    from fastwsgi.mistakes import Mistake
    from fastwsgi.process.certificates import Certificates
    from fastwsgi.process.children import Children
    from fastwsgi.process.exit_functions import ExitFunctions
    from fastwsgi.process.fleet import Fleet
    from fastwsgi.process.handed_logs import HandedLogs
    from fastwsgi.process.head import Head
    from fastwsgi.process.hook_views import ServerView
    from fastwsgi.process.news import News
    from fastwsgi.process.pidfile import PidFile
    from fastwsgi.process.process_setup import Surroundings
    from fastwsgi.process.reload import Reload
    from fastwsgi.process.salvage import Salvage
    from fastwsgi.process.sockets import Listeners
    from fastwsgi.process.spawn import Child
    from fastwsgi.process.stack_inquiry import StackInquiry
    from fastwsgi.process.status_process import StatusProcess
    from fastwsgi.process.stop import Stop
    from fastwsgi.process.systemd_status import SystemdStatus
    from fastwsgi.process.upgrade import Upgrade
    from fastwsgi.settings.settings import Settings
    from fastwsgi.status.scoreboard import Scoreboard


class Deployment(Protocol):
    """The source of the settings and the application, asked at the start and at each reload."""

    @property
    def directory(self) -> str:
        """Where the command was given, and will be given again for an upgrade."""

    @property
    def hooks(self) -> Hooks:
        """The user's functions that are called as workers come and go."""

    @property
    def name(self) -> str:
        """What is served, for messages."""

    def settings(self) -> Settings:
        """The settings as they are now. Raises Mistake."""

    def application(self, settings: Settings) -> str:
        """What is served, as it was named; "" if it was not named."""

    def told(self, mistake: Mistake) -> Mistake:
        """*mistake*, with the place where the value was given if it is about one."""

    def load(self, settings: Settings) -> WSGIApplication:
        """The application. Raises Mistake, with the traceback as its details if the user's code failed."""


# The supervisor, as each of its parts sees it


class ViewedSupervisor(Protocol):
    """The parts that hooks may look at."""

    deployment: Deployment
    settings: Settings
    fleet: Fleet[Child]
    listeners: Listeners
    upgrade: Upgrade

    def cfg(self, settings: Settings) -> Cfg:
        """*settings* as hooks see them."""


class HasHooks(Protocol):
    """A supervisor for which the user may have given hooks.

    Attributes:
        view: what the hooks see of it.
    """

    view: ServerView

    @property
    def hooks(self) -> Hooks:
        """The hooks of the settings read last."""


class SpawningSupervisor(HasHooks, Protocol):
    """The parts that a worker is given, and those that its process has to close after the fork."""

    build: SimpleNamespace
    deployment: Deployment
    app: WSGIApplication | None
    app_surroundings: Surroundings | None
    exit_functions: ExitFunctions
    board: Scoreboard
    fleet: Fleet[Child]
    listeners: Listeners
    reload: Reload

    def disown(self, kept: Sequence[socket.socket] = ()) -> None:
        """In a forked child, close what is the supervisor's, except the listeners *kept*."""


class ParentSupervisor(SpawningSupervisor, Protocol):
    """The parts that messages of workers, and their ends, may change."""

    news: News

    settings: Settings
    certificates: Certificates
    status: SystemdStatus
    status_process: StatusProcess
    stack_inquiry: StackInquiry
    stop: Stop
    poller: select.poll
    salvage: Salvage
    exit_code: int | None
    upgrade: Upgrade

    @property
    def is_stopping(self) -> bool:
        """Whether a stop has begun."""

    def reopen_logs(self) -> None:
        """Reopen the log files, here and in the workers."""


class ReloadingSupervisor(HasHooks, Protocol):
    """The parts that a reload replaces."""

    head: Head
    handed_logs: HandedLogs
    news: News
    deployment: Deployment
    settings: Settings
    app: WSGIApplication | None
    certificates: Certificates
    fleet: Fleet[Child]
    listeners: Listeners
    status: SystemdStatus
    status_process: StatusProcess

    def cfg(self, settings: Settings) -> Cfg:
        """*settings* as hooks see them."""


class StatusSupervisor(Protocol):
    """The parts that the status process is given, and what it depends on."""

    build: SimpleNamespace
    board: Scoreboard
    news: News
    settings: Settings
    stack_inquiry: StackInquiry
    poller: select.poll

    @property
    def may_answer(self) -> bool:
        """Whether no other supervisor answers at the status address."""

    def disown(self, kept: Sequence[socket.socket] = ()) -> None:
        """In a forked child, close what is the supervisor's."""


class AskedSupervisor(Protocol):
    """The parts that an inquiry for stacks takes."""

    children: Children
    fleet: Fleet[Child]
    status_process: StatusProcess


class ToldSupervisor(Protocol):
    """The parts of which the status process is told."""

    deployment: Deployment
    settings: Settings
    certificates: Certificates
    fleet: Fleet[Child]
    head: Head
    listeners: Listeners
    status_process: StatusProcess


class UpgradingSupervisor(HasHooks, Protocol):
    """The parts that are handed over to a successor."""

    news: News

    pid: int
    deployment: Deployment
    settings: Settings
    listeners: Listeners
    status_process: StatusProcess
    pid_file: PidFile | None

    def disown(self) -> None:
        """In a forked child, close what is the supervisor's."""


class StoppingSupervisor(Protocol):
    """The parts that a stop ends."""

    news: News
    settings: Settings
    board: Scoreboard
    children: Children
    fleet: Fleet[Child]
    reload: Reload
    status: SystemdStatus
    upgrade: Upgrade

    def close_listeners(self) -> None:
        """Stop listening."""


# The loop and the control thread, as others in a worker see them


class Timers(Protocol):
    """Makes calls when their time has come (control.Control)."""

    def every(self, interval: float, called: Callable[[], None]) -> None:
        """Call *called* each *interval* seconds."""

    def after(self, delay: float, called: Callable[[], None]) -> None:
        """Call *called* once, *delay* seconds from now."""


class RequestCounter(Protocol):
    """Counts the requests that it serves (server.loop.Loop)."""

    def set_quota(self, count: int, called: Callable[[], None]) -> None:
        """Call *called* when *count* requests have been served."""


class ConnectionTaker(Protocol):
    """Serves connections that were accepted elsewhere (server.loop.Loop)."""

    def take(self, listener: socket.socket, fd: int, host: str, port: str) -> None:
        """Serve the connection *fd*, which was accepted from *listener*."""
