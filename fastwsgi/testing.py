"""A server for tests: the real one, in a thread of the test's own process, on a port that the system chooses.

    with fastwsgi.testing.serve(app) as server:
        assert requests.get(server.url).status_code == 200

It listens once the block is entered, and when the block is left, all that it has opened is closed: sockets, threads,
files. It sets no handlers of signals and does not touch the set-up of logging, which is the program's. So there may be
many at once, in any threads, one inside a request of another, and in each process of pytest-xdist.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastwsgi import backend, forks
from fastwsgi.daemon import Daemon
from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.http.errors import StopNow
from fastwsgi.mistakes import WrongValue
from fastwsgi.observe.log_counter import count_entries
from fastwsgi.observe.logs import Logs, error_log, log_error
from fastwsgi.originals import os, threading, time
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.cut import GRACE_IS_OVER, report_cut
from fastwsgi.process.folders import check_folders
from fastwsgi.process.sockets import Listeners
from fastwsgi.process.startup import make_loop
from fastwsgi.server.addresses import Tcp, join_address, parse_address
from fastwsgi.server.cutting import cut
from fastwsgi.settings import keywords
from fastwsgi.settings.settings import SETTINGS, SettingError, Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["Server", "serve"]

DEFAULTS = {
    "graceful_timeout": 5.0,  # what a test takes longer whose client has left a stream open
    "defer_accept": False,  # the end of a connection that was never accepted would not be told to its client
}
PATIENCE = 1.0  # seconds for threads to end that have nothing to do any more
OF_LOGGING = ("error_logfile", "log_config", "log_level")
ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}


def serve(
    app: WSGIApplication,
    host: str = "127.0.0.1",
    port: int = 0,
    threads: int = 4,
    *,
    raise_errors: bool = False,
    **settings: object,
) -> Server:
    """A server of *app* for the time of a `with` block.

    Args:
        app: a WSGI application (PEP 3333).
        host: an address or name of this machine.
        port: 0 lets the system choose.
        threads: how many run the application; with 1, requests are answered one after the other.
        raise_errors: raise at the end of the block what the application has raised meanwhile.
        **settings: as fastwsgi.serve() takes them, but for those that need worker processes or set up logging;
            bind="unix:/path" takes the place of host and port. graceful_timeout, how long the end of the block waits
            for requests in flight, is 5 seconds here.

    Raises:
        TypeError: *app* cannot be called.
        SettingError: no such setting, or none for a server in a thread; a value that it cannot have.
        Mistake: certificates cannot be used, or gevent has replaced Python's threads.
    """
    if not callable(app):
        raise TypeError(f"{app!r} cannot be called: serve() takes the WSGI application itself")
    refuse_green_threads()
    if "bind" not in settings:
        settings["bind"] = join_address(host, port)
    elif (host, port) != ("127.0.0.1", 0):
        raise SettingError("bind takes the place of host and port: leave one out")
    values = keywords.read(
        {"threads": threads, **DEFAULTS, **settings},
        lambda line: error_log.warning("%s", line),
    )
    _refuse(values, settings)
    return Server(app, values, raise_errors)


def _refuse(values: Settings, given: dict[str, Any]) -> None:
    """Refuse what a server in a thread cannot do, or must not. Raises SettingError."""
    for name, setting in SETTINGS.items():
        if setting.supervised and getattr(values, name) != setting.default:
            raise SettingError(f"{name} needs worker processes, and this server is a thread: try it with the command")
    if values.loops > 1:
        raise SettingError("loops: a server for tests has one, in one thread of the program; serve() may have several")
    for name in OF_LOGGING:
        if name in given:
            raise SettingError(f"{name}: a server for tests logs as the program has set up its logging")


class Server:
    """What serve() gives: a context manager that serves inside its block.

    Attributes:
        host, port: where to connect to; the path and 0 if that is a unix socket.
        url: without a path; with https if a certificate is given; http+unix://PATH, quoted, for a unix socket.
        errors: the exceptions that the application has raised so far, in order; also those of the server itself.
    """

    def __init__(self, app: WSGIApplication, settings: Settings, raise_errors: bool) -> None:
        self.host = self.url = ""
        self.port = 0
        self.errors: list[BaseException] = []
        self._app = app
        self._settings = settings
        self._raise_errors = raise_errors
        self._is_forked = self._is_in_use = False
        self._ended = threading.Event()

    def __enter__(self) -> Server:
        """Listen and serve, also once more. Raises BindError, Mistake, and RuntimeError if it is in use."""
        if self._is_in_use:
            raise RuntimeError("this server is in use: call serve() for another one")
        self.errors, self._ended, self._is_forked = [], threading.Event(), False
        build, settings = backend.current(), self._settings
        self._listeners = Listeners(option="port or bind")
        try:
            check_folders(settings)
            certificates = Certificates(settings)
            self._listeners.commit(self._listeners.prepare(settings), settings)
            self._logs = Logs(settings, build)
            self._loop = make_loop(build, self._app, settings, self._logs, report=self._report)
        except BaseException as error:
            self._listeners.close()
            if isinstance(error, WrongValue):
                raise keywords.told(error) from None
            raise
        for binding in self._listeners.bindings:
            self._loop.add_listener(binding.sockets[0], tls=certificates.tls)
        if certificates.tls is not None:
            self._loop.ticks.append(certificates.tick)
        self._loop.stopped_accepting = self._listeners.close
        self._loop.caller_stuck = self._close
        self._name(settings.bind[0], certificates.scheme)
        self._thread = Daemon(self._serve, f"fastwsgi {self.url}")
        forks.hold(self)
        self._thread.start()
        self._is_in_use = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer what is in flight, close everything, and raise what failed, if that is wanted.

        A request that is still in flight after graceful_timeout is cut, and named in the log. Its thread, which nothing
        can end, goes on with the application.
        """
        self._is_in_use = False
        if self._is_forked:
            return
        loop = self._loop
        loop.stop()
        if not self._ended.wait(self._settings.graceful_timeout):
            report_cut([loop], GRACE_IS_OVER)
            cut(loop)
            self._ended.wait(PATIENCE)
        until = time.monotonic() + PATIENCE
        self._thread.join(PATIENCE)
        if loop.pool is not None:
            loop.pool.join(until)
        self._listeners.close()
        self._logs.close()
        count_entries(None)
        forks.release(self)
        if self._raise_errors:
            self._raise(error)

    def disown(self) -> None:
        """In a forked child, leave everything to the parent."""
        self._is_forked = True

    def _serve(self) -> None:
        """The main function of the server's first thread."""
        try:
            self._loop.run()
        except Exception as error:
            self._report("internal error: the server has ended", error)
        self._close()

    def _close(self) -> None:
        """Close the loop, once: a thread whose call was cut comes later, if at all."""
        if not self._ended.is_set():
            self._loop.close()
            self._ended.set()

    def _report(self, message: str, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, StopNow):
            self.errors.append(error)
        log_error(message, error)

    def _name(self, bind: str, scheme: str) -> None:
        """Set host, port and url, for clients."""
        name = self._listeners.bindings[0].sockets[0].getsockname()
        if not isinstance(name, tuple):
            self.host = os.fsdecode(name)
            self.url = f"{scheme}+unix://{quote(self.host, safe='')}"
            return
        asked = parse_address(bind)
        host = asked.host if isinstance(asked, Tcp) else name[0]
        self.host, self.port = ANY_HOST.get(host, host), name[1]
        self.url = f"{scheme}://{join_address(self.host, self.port)}"

    def _raise(self, error: BaseException | None) -> None:
        """Raise what the application has raised; an *error* that ends the block itself gets a note instead."""
        if error is not None:
            _note(error, self.errors)
        elif len(self.errors) == 1:
            raise _harmless(self.errors[0])
        elif self.errors:
            raise _together([_harmless(one) for one in self.errors])


def _harmless(error: BaseException) -> Exception:
    """*error*; what would end the run of the tests, as SystemExit and KeyboardInterrupt do, as the cause of another."""
    if isinstance(error, Exception):
        return error
    found = RuntimeError(f"the application has raised {error!r}")
    found.__cause__ = error
    return found


def _together(errors: list[Exception]) -> Exception:
    """One exception for several: before Python 3.11 the first, with notes of the others."""
    if sys.version_info >= (3, 11):
        return ExceptionGroup("the application has failed", errors)  # noqa: F821
    _note(errors[0], errors[1:])
    return errors[0]


def _note(error: BaseException, others: Sequence[BaseException]) -> None:
    """Note at *error* that the application has failed, too; pytest shows such notes on each Python."""
    notes = getattr(error, "__notes__", [])
    for other in others:
        trace = "".join(traceback.format_exception(type(other), other, other.__traceback__))
        notes = [*notes, f"the application has failed:\n{trace.rstrip()}"]
    error.__notes__ = notes  # type: ignore[attr-defined,unused-ignore]  # since Python 3.11
