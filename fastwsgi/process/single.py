"""One process that serves: binds, announces, runs the loop, and stops on SIGTERM or SIGINT with everything answered."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.observe.logs import ErrorStream, Logs, error_log, log_error, set_up_error_log
from fastwsgi.observe.request_id import with_request_ids
from fastwsgi.process import privileges
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.sockets import Listeners, at_position
from fastwsgi.server.loop import Loop

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def to_stderr(line: str) -> None:
    """Print *line* where the errors go."""
    print(line, file=sys.stderr, flush=True)


def run(
    app: Callable[..., Any],
    settings: Any,
    build: SimpleNamespace,
    announce: Callable[[str], None] = to_stderr,
) -> None:
    """Serve *app* until SIGTERM or SIGINT; then answer what is in flight, at most graceful_timeout seconds.

    Args:
        app: a WSGI application.
        settings: a Settings.
        build: the modules to run, from fastwsgi.backend.
        announce: called with the two lines of the start-up output.

    Raises:
        Mistake: certificates cannot be used.
        BindError: an address cannot be listened on.
        OSError: the access log cannot be opened.
    """
    set_up_error_log(settings)
    certificates = Certificates(settings)
    listeners = Listeners()
    logs = Logs(settings, build)
    try:
        listeners.inherit()
        listeners.commit(listeners.prepare(settings), settings)
        loop = Loop(build, with_request_ids(app, settings), settings, log_error, ErrorStream(), logs.observer)
        for listener in at_position(listeners.entries, 0):
            loop.add_listener(listener, tls=certificates.tls)
        if certificates.tls is not None:
            loop.ticks.append(certificates.tick)
        warning = privileges.warning(settings, None)
        if warning:
            error_log.warning(warning)
        announce("fastwsgi: listening on " + ", ".join(listeners.urls(certificates.scheme)))
        announce(f"fastwsgi: the {build.title} build; stop with Ctrl-C")
        with StopSignals(loop, listeners, settings.graceful_timeout):
            loop.run()
        loop.close()
    finally:
        listeners.close()
        logs.close()


class StopNow(SystemExit):
    """Raised where the process is: the second signal, or the end of graceful_timeout, waits for nothing."""


class StopSignals:
    """Turns SIGTERM and SIGINT into a stop of the loop; a second one, or the end of *patience*, ends it at once.

    Python's handlers run in the main thread between two bytecodes, so in the middle of an application's call. The first
    signal does not disturb that: it asks the loop to stop, which the wake-up descriptor wakes. The second is meant to:
    it raises, which ends the call of an application that sleeps or never returns.
    Outside the main thread, where no handler can be set, nothing is done.

    Args:
        loop: to be stopped.
        listeners: closed as soon as what waits in their backlogs is accepted.
        patience: seconds that requests in flight get.
    """

    def __init__(self, loop: Loop, listeners: Listeners, patience: float) -> None:
        self.loop = loop
        self.listeners = listeners
        self.patience = patience
        self.received = 0  # signals
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle_signal) for number in STOP_SIGNALS}
            signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
            self.loop.stopped_accepting = self.listeners.close
            self.loop.add_waker(self._woken.fileno(), self._handle_wake_up)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.set_wakeup_fd(-1)
            for number, handler in self._before.items():
                signal.signal(number, handler)
        self._woken.close()
        self._waker.close()
        if isinstance(error, StopNow):
            self.loop.abort()
            return True
        return False

    def _handle_signal(self, number: int, frame: object) -> None:
        self.received += 1
        if self.received > 1:
            raise StopNow
        self.loop.stop()
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._handle_signal)
        signal.setitimer(signal.ITIMER_REAL, self.patience or 0.001)

    def _handle_wake_up(self) -> None:
        self._woken.recv(64)
        if self.received > 1:  # an application took StopNow for its own
            self.loop.abort()
