"""One process that serves: binds, announces, runs the loop, and stops on SIGTERM or SIGINT with everything answered."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any, Callable

from fastwsgi.http import backend
from fastwsgi.observe.logs import ErrorStream, Logs, log_error, set_up_error_log
from fastwsgi.server.listeners import close_listener, open_listener, spell_address
from fastwsgi.server.loop import Loop

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(app: Callable[..., Any], settings: Any, announce: Callable[[str], None] = lambda line: None) -> None:
    """Serve *app* until SIGTERM or SIGINT; then answer what is in flight, at most graceful_timeout seconds.

    Args:
        app: a WSGI application.
        settings: a config.settings.Settings.
        announce: called with the two lines of the start-up output.

    Raises:
        BindError: an address cannot be listened on.
        OSError: the access log cannot be opened.
    """
    build = backend.current()
    set_up_error_log(settings.log_level)
    listeners: list[socket.socket] = []
    logs = Logs(settings)
    try:
        for address in settings.bind:
            listeners.append(open_listener(address, settings.backlog, settings.defer_accept))
        loop = Loop(build, app, settings, log_error, ErrorStream(), logs.observer)
        for listener in listeners:
            loop.add_listener(listener)
        announce("fastwsgi: listening on " + ", ".join(map(spell_address, listeners)))
        announce(f"fastwsgi: the {backend.describe(build.name)} build; stop with Ctrl-C")
        with StopSignals(loop, settings.graceful_timeout):
            loop.run()
        loop.close()
    finally:
        for listener in listeners:
            close_listener(listener)
        logs.close()


class StopSignals:
    """Turns SIGTERM and SIGINT into Loop.stop(), outside of any application code; a second one ends at once.

    Python's handlers run in the main thread between two bytecodes, so in the middle of an application's call: they only
    wake the loop, and the loop stops itself. Outside the main thread, where no handler can be set, nothing is done.

    Args:
        loop: to be stopped.
        patience: seconds that requests in flight get.
    """

    def __init__(self, loop: Loop, patience: float) -> None:
        self.loop = loop
        self.patience = patience
        self.received = 0  # the last signal
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
            signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)
            self.loop.add_waker(self._wake_in.fileno(), self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._before:
            signal.set_wakeup_fd(-1)
            for number, handler in self._before.items():
                signal.signal(number, handler)
        self._wake_in.close()
        self._wake_out.close()

    def _note(self, number: int, frame: object) -> None:
        self.received = number

    def _handle(self) -> None:
        """The loop was woken, by a signal or by the timer."""
        woken_by = self._wake_in.recv(64)
        if not any(number in STOP_SIGNALS for number in woken_by) and 0 not in woken_by:
            return
        if self.loop.stopping:
            self.loop.abort()
            return
        self.loop.stop()
        self._timer = threading.Timer(self.patience, self._wake_out.send, [b"\0"])
        self._timer.daemon = True
        self._timer.start()
