"""The logs of a process, the observers of its loops, as the settings ask for them, and entries of the error log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.figures import LOGGED
from fastwsgi.mistakes import WrongValue
from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.entries import Entries
from fastwsgi.observe.error import access_log, error_log, reopen_files, set_up_error_log
from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.observe.files import LogFile, handed, standard_output
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.log_counter import count_entries
from fastwsgi.observe.outputs import FileAndLogger, LoggerOutput
from fastwsgi.observe.refusals import Refusals, Summary
from fastwsgi.observe.refused_peers import Peers
from fastwsgi.observe.request_id import Ids
from fastwsgi.observe.trace import Trace
from fastwsgi.originals import os

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.service import Service
    from fastwsgi.observe.interfaces import Output
    from fastwsgi.observe.recorder import Recorder
    from fastwsgi.observe.waiting import WaitingLines
    from fastwsgi.settings.settings import Settings

__all__ = [
    "Logs",
    "access_destinations",
    "error_log",
    "log_error",
    "reopen_error_log",
    "set_up_error_log",
    "try_to_reopen",
]


def log_error(message: str, error: BaseException | None) -> None:
    """Write an entry to the error log, with the traceback of *error* if there is one."""
    error_log.error("%s", message, exc_info=error)


def access_destinations(settings: Settings) -> tuple[str | None, bool]:
    """The path of the access log, if there is one, and whether handlers of a configuration get its lines."""
    path = settings.access_logfile
    has_handlers = access_log.hasHandlers() if access_log.shown_as else bool(access_log.handlers)
    if not settings.log_config or not has_handlers:
        return path, False
    return None if path == "-" else path, True


def reopen_error_log() -> None:
    """Reopen the files of the error log by their paths."""
    try_to_reopen(reopen_files)


def try_to_reopen(reopen: Callable[[], None]) -> None:
    """Call *reopen*, and log that a file cannot be opened."""
    try:
        reopen()
    except OSError as error:
        log_error(f"cannot reopen {error.filename}: {error.strerror}; going on with the file as it is", None)


class Logs:
    """The logs of a process, as its settings ask for them; made after set_up_error_log().

    Lines of the access log go to the logger "fastwsgi.access" if log_config has given it handlers, and to
    access_logfile; "-" yields to such handlers, which mostly write to the same terminal. Each process makes its own
    object, after the fork.

    Args:
        settings: access_logfile, access_log_format, log_config, request_id and trace are read.
        build: the build that makes the responses, from fastwsgi.backend.
        waiting: where lines of the access log of each loop wait to be written; empty: in memory of this process.

    Raises:
        Mistake: a wrong access_log_format.
        WrongValue: the access log cannot be opened.
    """

    def __init__(self, settings: Settings, build: SimpleNamespace, waiting: Sequence[WaitingLines] = ()) -> None:
        format = read_format(settings.access_log_format)
        self.access: AccessLog | None = None
        path, to_logger = access_destinations(settings)
        logger = LoggerOutput(Entries(settings.access_log_format)) if to_logger else None
        output = _access_output(path, logger)
        if logger is not None:
            format = logger.entries.format
        if output is not None:
            self.access = AccessLog(output, format, build, waiting)
        self._request_id = settings.request_id
        self._trace = Trace() if settings.trace else None
        self._summary = Summary()
        self._loops: list[LoopLogs] = []

    def for_loop(self) -> LoopLogs:
        """What another loop of this process logs with; called before any of them runs."""
        recorder = self.access.for_loop() if self.access is not None else None
        own = LoopLogs(recorder, self._trace, Refusals(self._summary), self._request_id, not self._loops)
        self._loops.append(own)
        return own

    def reopen(self, opened: dict[str, int] | None = None) -> None:
        """Reopen the files of the access log and the error log by their paths, after they were renamed (USR1).

        Args:
            opened: descriptors of some of them, by path, where this process may not open them; they are closed.
        """
        handed.update(opened or {})
        reopen_error_log()
        if self.access is not None:
            try_to_reopen(self.access.reopen)
        while handed:
            os.close(handed.popitem()[1])

    def close(self) -> None:
        """Write what has not been written yet, once the loops have ended."""
        for one in self._loops:
            one.errors.end_all()
            one.refusals.pass_on()
        self._summary.close()
        if self.access is not None:
            self.access.close()


class LoopLogs:
    """What one loop logs with.

    Attributes:
        errors: wsgi.errors.
        observer: notified of what happens.
        access: the part of it that makes lines of the access log, if there is one.
        refusals: that which counts refusals.
        is_first: whether it is the loop that does what is due once in a process.
    """

    def __init__(
        self, access: Recorder | None, trace: Trace | None, refusals: Refusals, request_id: str, is_first: bool
    ) -> None:
        self.errors = ErrorStream()
        self.access = access
        self.refusals = refusals
        self.is_first = is_first
        observers = [one for one in (access, trace, refusals) if one is not None]
        is_alone = len(observers) == 1 and request_id == "off"
        self.observer = observers[0] if is_alone else ObserverGroup(observers, request_id)

    def attach(self, service: Service) -> None:
        """Have what they note be counted for *service*; entries of the error log are for that of the first loop."""
        self.errors.attach(service)
        self.refusals.peers = Peers(service.meter)
        if self.access is not None:
            self.access.count_with(service.meter)
        if self.is_first:
            count_entries(lambda level: service.meter.add(LOGGED + level, 1))


def _access_output(path: str | None, logger: LoggerOutput | None) -> Output | None:
    """The destination of the access log, if there is one."""
    if path is None:
        return logger
    file = _open_access_log(path)
    return file if logger is None else FileAndLogger(file, logger)


def _open_access_log(path: str) -> LogFile:
    try:
        return LogFile(path, standard_output())
    except OSError as error:
        raise WrongValue("--access-logfile", f"{path}: {error.strerror}") from None


class ObserverGroup:
    """Several observers of a loop as one; only the first makes notes.

    Args:
        observers: all of them.
        request_id: the setting; with "make" or "accept", a refused request gets an ID, too.
    """

    def __init__(self, observers: list[Recorder | Trace | Refusals], request_id: str = "off") -> None:
        self._observers = observers
        self._ids = None if request_id == "off" else Ids(request_id == "accept")
        self.note = getattr(observers[0], "note", None)
        self.lines = getattr(observers[0], "lines", None)
        self.request_started = _call_all(observers, "request_started")
        self.response_started = _call_all(observers, "response_started")
        self.response_ended = _call_all(observers, "response_ended")
        self.connection_refused = _call_all(observers, "connection_refused")

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Notify all of them, after the request got its ID: no application will see it."""
        if self._ids is not None and refusal.request is not None and refusal.request.environ is not None:
            environ = refusal.request.environ
            environ["fastwsgi.request_id"] = self._ids.of(environ)
        for observer in self._observers:
            observer.request_refused(connection, refusal)

    def tick(self) -> None:
        """Notify all of them."""
        for observer in self._observers:
            observer.tick()


def _call_all(observers: list[Recorder | Trace | Refusals], name: str) -> Callable[..., None] | None:
    """A function that calls the method *name* of all observers that have it; None if there are none."""
    methods = [method for one in observers if (method := getattr(one, name, None)) is not None]
    if len(methods) < 2:
        return methods[0] if methods else None

    def call_all(*arguments: Any) -> None:
        for method in methods:
            method(*arguments)

    return call_all
