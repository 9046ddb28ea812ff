"""Serving with a single process, as fastwsgi.serve() does: it binds, runs the loop, and obeys signals by itself.

The command always has a supervisor, so that there is one behaviour to explain: a killed worker is replaced, HUP
reloads, --timeout replaces a worker that hangs. That costs 6 MB (PSS of all processes: 15.1 MB alone, 21.5 with a
supervisor) and no measurable part of the start: benchmarks/footprint.py. A program that calls serve() has state of its
own in this process, which a fork would copy: there a supervisor comes only with a setting that needs one.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.http.errors import StopNow
from fastwsgi.observe.logs import Logs, error_log, set_up_error_log
from fastwsgi.originals import signal, socketpair, start_new_thread, threading
from fastwsgi.process import life, privileges
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.cut import NO_WAIT, report_cut
from fastwsgi.process.folders import check_folders
from fastwsgi.process.signals import Hangup, disown_wakeup, handled, is_free
from fastwsgi.process.sockets import Listeners, at_position
from fastwsgi.process.startup import make_loops, warn_of_temporary_files
from fastwsgi.server.loops import Loops
from fastwsgi.server.readiness import empty
from fastwsgi.status import here

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.notices import Notices
    from fastwsgi.settings.settings import Settings

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
OTHERS = (signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)  # unless the program has them
REMEDY = "give serve() workers=2, or serve with the command, fastwsgi MODULE:ATTR"
FOR_SUPERVISORS = {
    signal.SIGHUP: "SIGHUP reloads nothing in a single process",
    signal.SIGUSR2: "SIGUSR2 upgrades nothing in a single process",
}


def run(
    app: WSGIApplication,
    settings: Settings,
    build: SimpleNamespace,
    notices: Notices,
    remedy: str = REMEDY,
) -> None:
    """Serve *app* until SIGTERM or SIGINT; then answer what is in flight, for at most graceful_timeout seconds.

    Args:
        app: a WSGI application.
        settings: all are read but those that need a supervisor.
        build: the modules to run, from fastwsgi.backend.
        notices: those of the start, for the error log.
        remedy: what to do for what a single process cannot.

    Raises:
        Mistake: certificates or folders cannot be used.
        BindError: an address cannot be listened on.
        OSError: the access log cannot be opened.
    """
    with life.failures_logged():
        _run(app, settings, build, notices, remedy)


def _run(app: WSGIApplication, settings: Settings, build: SimpleNamespace, notices: Notices, remedy: str) -> None:
    set_up_error_log(settings)
    notices.pass_on(error_log.warning)
    check_folders(settings)
    certificates = Certificates(settings)
    listeners = Listeners()
    logs = Logs(settings, build)
    try:
        listeners.open(settings)
        loops = make_loops(build, app, settings, logs)
        for listener in at_position(listeners.bindings, 0):
            loops.add_listener(listener, tls=certificates.tls)
        if certificates.tls is not None:
            loops.ticks.append(certificates.tick)
        live = here.serve_alone(loops.memory, build.name)
        for loop in loops.loops:
            loop.ticks.append(live)
        privileges.warn(settings, None)
        warn_of_temporary_files()
        with Signals(loops, listeners, logs, settings.graceful_timeout, remedy):
            life.log_start(settings, listeners.urls(certificates.scheme), build, 0, len(loops.loops))
            loops.run()
        loops.close()
        life.log_end()
    finally:
        here.leave()
        listeners.close()
        logs.close()


class Signals:
    """Turns SIGTERM and SIGINT into a stop of the loop; a second one, SIGQUIT or the end of *patience* ends it at once.

    SIGUSR1 reopens the log files, and for what a single process cannot do there is a line. A hangup of the terminal is
    as SIGTERM.

    Python's handlers run in the main thread between two bytecodes, so in the middle of an application's call. The first
    signal does not disturb the call: it asks the loop, which the wake-up descriptor wakes, to stop. The second does: it
    raises an exception, to end the call of an application that sleeps or never returns. At the end of *patience* a
    thread sends the second one: SIGALRM and its timer are the application's.
    Outside the main thread, where no handler can be set, this does nothing.

    Args:
        loops: to be stopped.
        listeners: closed as soon as the connections in their queues are accepted.
        logs: to be reopened.
        patience: seconds allowed for requests in flight.
        remedy: what to do for what a single process cannot.
    """

    def __init__(self, loops: Loops, listeners: Listeners, logs: Logs, patience: float, remedy: str) -> None:
        self.loops = loops
        self.listeners = listeners
        self.logs = logs
        self.patience = patience
        self.remedy = remedy
        self.received = 0  # signals that ask for the end
        self._requests: list[int] = []  # signals that the loop's thread handles
        self._hangup = Hangup()
        self._unlogged: list[tuple[int, float, int]] = []  # the arguments of log_stop()
        self._logging = threading.Lock()
        self._reader, self._writer = socketpair()
        self._handlers = handled(chain(STOP_SIGNALS, filter(is_free, OTHERS)), self._handle_signal)
        self._can_handle = threading.current_thread() is threading.main_thread()
        self._running = threading.Lock()  # held until the block has ended

    def __enter__(self) -> Signals:
        if self._can_handle:
            forks.hold(self)
            self._handlers.__enter__()
            signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            self.loops.stopped_accepting = self.listeners.close
            self.loops.add_waker(self._reader.fileno(), self._handle_wake_up)
            self.loops.ticks.append(unblock_stop_signals)
            self._running.acquire()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        if self._can_handle:
            self._running.release()
            signal.set_wakeup_fd(-1)
            self._handlers.__exit__(None, None, None)
            forks.release(self)
            self._log_stop()
        self._reader.close()
        self._writer.close()
        if isinstance(error, StopNow):
            report_cut(self.loops.loops, NO_WAIT)
            self.loops.abort()
            return True
        return False

    def disown(self) -> None:
        """In a forked child, close the descriptors."""
        disown_wakeup(self._reader, self._writer)

    def _handle_signal(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP and self._hangup.has_come():
            if not self.received:
                self._stop(signal.SIGTERM)
        elif number in STOP_SIGNALS or number == signal.SIGQUIT:
            self._stop(number)
        else:
            self._requests.append(number)  # the application's call may be writing to a log
            with suppress(BlockingIOError):  # woken by the signal itself, another thread may have been too early
                self._writer.send(b"\0")

    def _stop(self, number: int) -> None:
        self.received += 2 if number == signal.SIGQUIT else 1
        if self.received > 1:
            life.log_quit()
            self.loops.halt()  # an application may catch the exception, and Exchange does
            raise StopNow
        self._unlogged.append((self.loops.in_flight(), self.patience, number))
        self.loops.stop()
        # Not threading.Thread: its start() needs locks, which the main thread may hold just now
        start_new_thread(self._lose_patience, (threading.get_ident(),))

    def _lose_patience(self, main_thread: int) -> None:
        """Send the second signal, unless the block ends in time."""
        self._log_stop()
        if not self._running.acquire(timeout=self.patience):
            signal.pthread_kill(main_thread, signal.SIGTERM)

    def _log_stop(self) -> None:
        """Log the stop once, in the thread that waits, or at the end if that comes first; a handler might hang."""
        with self._logging:
            while self._unlogged:
                life.log_stop(*self._unlogged.pop())

    def _handle_wake_up(self) -> None:
        empty(self._reader.fileno())
        while self._requests:
            number = self._requests.pop(0)
            if number == signal.SIGUSR1:
                self.logs.reopen()
            else:
                error_log.warning("%s: %s", FOR_SUPERVISORS[signal.Signals(number)], self.remedy)
        if self.received > 1:  # an application has caught StopNow
            self.loops.abort()


def unblock_stop_signals() -> None:
    """Let SIGTERM and SIGINT reach this thread again, if an application has left them blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
