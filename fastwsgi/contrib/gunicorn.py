"""A worker class for gunicorn, `-k fastwsgi.contrib.gunicorn.Worker`: our loop and threads under its arbiter.

gunicorn keeps its processes, signals, configuration, hooks and logs. The worker serves on the arbiter's listeners and
proves each second, as long as its loop turns, that it lives. With one thread the loop stands still during a call of the
application, which therefore has to end within --timeout, as with gunicorn's sync worker; with several threads it does
not, as with gthread.

Python runs handlers of signals in the main thread between two bytecodes: with one thread in the middle of a call. So
SIGTERM only asks the loop to stop, which gunicorn's own descriptor for signals wakes, and SIGQUIT, SIGINT and SIGABRT
raise StopNow, which ends the call as well.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from gunicorn.workers import base  # type: ignore[import-untyped,import-not-found,unused-ignore]

from fastwsgi import backend
from fastwsgi.contrib import gunicorn_settings
from fastwsgi.contrib.gunicorn_requests import ToGunicorn, wrap
from fastwsgi.contrib.gunicorn_settings import is_default
from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.http.errors import StopNow
from fastwsgi.mistakes import Mistake
from fastwsgi.observe.logs import Logs, error_log
from fastwsgi.originals import os, signal, start_new_thread, threading
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.cut import GRACE_IS_OVER, NO_WAIT, report_cut
from fastwsgi.process.folders import check_folders
from fastwsgi.process.startup import make_loop
from fastwsgi.server.bind import prepare
from fastwsgi.server.loop import Loop
from fastwsgi.server.readiness import empty

IDLE_GRACE = 1.5  # seconds for idle connections, as another worker may be serving on: a request may be on its way


class Worker(base.Worker):  # type: ignore[misc,unused-ignore]
    """One worker process. Its attributes and its life are those of gunicorn.workers.base.Worker."""

    alive: bool
    _loop: Loop | None = None
    _is_out_of_time = False
    _is_over = False
    _exit_code: int | None = None  # of an end that waits for nothing

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Called by the arbiter at its start: log what has no effect. Raises RuntimeError, which ends gunicorn."""
        try:
            refuse_green_threads()
            settings, lines = gunicorn_settings.read(cfg, {**os.environ, **cfg.env})
            check_folders(settings)
        except Mistake as mistake:
            raise RuntimeError(str(gunicorn_settings.told(mistake))) from None
        for line in lines:
            log.warning("without effect with this worker: %s", line)

    # The beginning

    def load_wsgi(self) -> None:
        """Load the application and read what serving it takes: what fails here ends the arbiter, as a boot does."""
        super().load_wsgi()
        self.settings, _ = gunicorn_settings.read(self.cfg, os.environ)
        error_log.handlers, error_log.propagate = [ToGunicorn(self.log)], False
        error_log.setLevel(self.log.error_log.level if hasattr(self.log, "error_log") else "INFO")
        self.certificates = Certificates(self.settings, self._context_maker())

    def _context_maker(self) -> Any:
        """The user's function that makes TLS contexts; None: there is none, or no such hook in this gunicorn."""
        if "ssl_context" not in self.cfg.settings or is_default(self.cfg, "ssl_context"):
            return None
        return lambda default: self.cfg.ssl_context(self.cfg, default)

    def run(self) -> None:
        """Serve until a signal, the arbiter's end or max_requests; then answer what is in flight."""
        logs = Logs(self.settings, backend.current())
        loop = make_loop(backend.current(), wrap(self.wsgi, self), self.settings, logs)
        for listener in self.sockets:
            prepare(listener.sock, defer_accept=False)
            loop.add_listener(listener.sock, tls=self.certificates.tls)
        loop.stopped_accepting = self._close_listeners
        loop.add_waker(self.PIPE[0], self._handle_signal)
        loop.ticks += [self._tick, self.certificates.tick]
        loop.expired = lambda line: self._retire("Autorestarting worker: a request is past FASTWSGI_TIMEOUT.")
        if self.max_requests < sys.maxsize:
            loop.set_quota(self.max_requests, lambda: self._retire("Autorestarting worker after current request."))
        self._loop = loop
        self.notify()
        with suppress(StopNow):
            if self.alive:  # a signal may have come before there was a loop
                loop.run()
            self._is_over = True
        if self._exit_code is not None:
            report_cut([loop], GRACE_IS_OVER if self._is_out_of_time else NO_WAIT)
            loop.abort()
        loop.close()
        logs.close()
        if self._exit_code:
            sys.exit(self._exit_code)

    # While it serves, in the loop's thread

    def _tick(self) -> None:
        """Show that the loop turns; end if the arbiter has, or if a hook has set *alive* to False."""
        self.notify()
        if self.alive and os.getppid() != self.ppid:
            self._retire(f"Parent changed, shutting down: {self}")
        self._stop_if_ended()

    def _handle_signal(self) -> None:
        empty(self.PIPE[0])
        self._stop_if_ended()

    def _retire(self, reason: str) -> None:
        """End, and have the arbiter start another worker."""
        if self.alive:
            self.log.info(reason)
            self.alive = False
            self._stop_if_ended()

    def _stop_if_ended(self) -> None:
        """Stop the loop, once, if something has set *alive* to False."""
        if not self.alive and self._loop is not None and not self._loop.asked_to_stop:
            self._loop.stop(IDLE_GRACE)
            start_new_thread(self._lose_patience, ())

    def _close_listeners(self) -> None:
        for listener in self.sockets:
            listener.sock.close()

    def _lose_patience(self) -> None:
        """At the end of graceful_timeout, end the worker, even in the middle of a call."""
        threading.Event().wait(self.settings.graceful_timeout)
        self._is_out_of_time = True
        os.kill(os.getpid(), signal.SIGTERM)

    # Signals, in the main thread

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: answer what is in flight, and end."""
        self.alive = False
        self._stop_if_ended()
        if self._is_out_of_time:
            self._end(0)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT, SIGINT: end now."""
        self.alive = False
        self.cfg.worker_int(self)
        self._end(0)

    def handle_abort(self, sig: int, frame: Any) -> None:
        """SIGABRT: the arbiter has missed the sign of life for --timeout."""
        self.alive = False
        self.cfg.worker_abort(self)
        self._end(1)

    def _end(self, code: int) -> None:
        """Leave run(), once: the arbiter repeats SIGTERM each second, and must not cut off the hooks at the end."""
        if self._is_over or self._exit_code is not None:
            return
        self._exit_code = code
        if self._loop is not None:
            self._loop.halt()
        raise StopNow(code)

    # What hooks read

    @property
    def nr(self) -> int:
        """Requests served."""
        return self._loop.requests if self._loop is not None else 0

    @nr.setter
    def nr(self, value: int) -> None:
        pass  # gunicorn's own beginning sets it to 0
