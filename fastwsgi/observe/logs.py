"""The logs of a server: its observers, as the settings ask for them, wsgi.errors, and entries of the error log."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.observe.access import AccessLog, LoggerOutput
from fastwsgi.observe.error import access_log, error_log, reopen_files, set_up_error_log
from fastwsgi.observe.files import LogFile, standard_output
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.refusals import Refusals
from fastwsgi.observe.trace import Trace

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.observe.waiting import WaitingLines
    from fastwsgi.settings.settings import Settings

__all__ = [
    "ErrorStream",
    "Logs",
    "access_goes_to_logger",
    "check",
    "error_log",
    "log_error",
    "reopen_error_log",
    "set_up_error_log",
]


def check(settings: Settings) -> None:
    """Check access_log_format by reading it. Raises Mistake."""
    read_format(settings.access_log_format)


def log_error(message: str, error: BaseException | None) -> None:
    """Write an entry to the error log, with the traceback of *error* if there is one."""
    error_log.error("%s", message, exc_info=error)


def access_goes_to_logger(settings: Settings) -> bool:
    """Whether the access log goes to the handlers that log_config has given its logger."""
    return bool(settings.log_config and access_log.handlers and not settings.access_logfile)


def reopen_error_log() -> None:
    """Reopen the files of the error log by their paths."""
    _try_to_reopen(reopen_files)


def _try_to_reopen(reopen: Callable[[], None]) -> None:
    try:
        reopen()
    except OSError as error:
        log_error(f"cannot reopen {error.filename}: {error.strerror}; going on with the file as it is", None)


class ErrorStream:
    """wsgi.errors: a text stream into the error log (PEP 3333, "Input and Error Streams"); each line is an entry."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            error_log.error("%s", line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._begun:
            self.write("\n")


class Logs:
    """The observers of a server, as its settings ask for them; made after set_up_error_log().

    Lines of the access log go to access_logfile; without one, to the logger "fastwsgi.access" if log_config has given
    it handlers. Each process makes its own object, after the fork.

    Args:
        settings: access_logfile, access_log_format, log_config and trace are read.
        build: the build that makes the responses, from fastwsgi.backend.
        waiting: where lines of the access log wait to be written; None: in memory of this process.

    Raises:
        Mistake: a wrong access_log_format.
        OSError: the access log cannot be opened.
    """

    def __init__(self, settings: Settings, build: SimpleNamespace, waiting: WaitingLines | None = None) -> None:
        format = read_format(settings.access_log_format)
        self.access: AccessLog | None = None
        if settings.access_logfile:
            self.access = AccessLog(LogFile(settings.access_logfile, standard_output()), format, build, waiting)
        elif access_goes_to_logger(settings):
            self.access = AccessLog(LoggerOutput(), format, build, waiting)
        self.trace = Trace() if settings.trace else None
        self.refusals = Refusals()
        observers = [one for one in (self.access, self.trace, self.refusals) if one is not None]
        self.observer = observers[0] if len(observers) == 1 else ObserverGroup(observers)

    def reopen(self) -> None:
        """Reopen the files of the access log and the error log by their paths, after they were renamed (USR1)."""
        reopen_error_log()
        if self.access is not None:
            _try_to_reopen(self.access.reopen)

    def close(self) -> None:
        """Write what has not been written yet."""
        self.refusals.close()
        if self.access is not None:
            self.access.close()


class ObserverGroup:
    """Several observers as one; only the first makes notes."""

    def __init__(self, observers: list[AccessLog | Trace | Refusals]) -> None:
        self._observers = observers
        self.note = getattr(observers[0], "note", None)
        self.request_started = _call_all(observers, "request_started")
        self.response_started = _call_all(observers, "response_started")
        self.response_ended = _call_all(observers, "response_ended")
        self.connection_refused = _call_all(observers, "connection_refused")

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Notify all of them."""
        for observer in self._observers:
            observer.request_refused(connection, refusal)

    def tick(self) -> None:
        """Notify all of them."""
        for observer in self._observers:
            observer.tick()


def _call_all(observers: list[AccessLog | Trace | Refusals], name: str) -> Callable[..., None] | None:
    """A function that calls the method *name* of all observers that have it; None if there are none."""
    methods = [method for one in observers if (method := getattr(one, name, None)) is not None]
    if len(methods) < 2:
        return methods[0] if methods else None

    def call_all(*arguments: Any) -> None:
        for method in methods:
            method(*arguments)

    return call_all
