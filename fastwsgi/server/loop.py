"""The loop: wait, accept, let ready connections work, look after deadlines. Plain Python, one method call an event.

Everything of HTTP is behind Connection.on_ready(). An accepted connection is read at once, before it is registered
anywhere: its request is usually there, and if it closes after the answer the poller never hears of it.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.http.grammar import HeadLimits
from fastwsgi.server.poller import BATCH, open_poller

SWEEP = 1.0  # seconds between two looks at the deadlines
OVERDUE = 5.0  # seconds after which deadlines are looked at even if events wait
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def environ_template(listener: socket.socket, settings: Any, errors: Any, file_wrapper: Any) -> dict[str, Any]:
    """What every environ of one listener starts as (PEP 3333, "environ Variables").

    It holds each key that every request has, also those set later: then the copy has room for the fields.
    """
    name = listener.getsockname()
    host, port = (name[0], str(name[1])) if isinstance(name, tuple) else (os.fsdecode(name), "")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": settings.root_path,
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "RAW_URI": "",
        "REQUEST_URI": "",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "fastwsgi",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "wsgi.input_terminated": True,
        "wsgi.errors": errors,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": file_wrapper,
        "wsgi.early_hints": None,
    }


class Loop:
    """Serves connections on one thread.

    Args:
        build: the modules to run, from http.backend.
        app: the WSGI application.
        settings: has the values of config.settings by name.
        log_error: called with a message and an exception or None.
        errors: wsgi.errors.
        observer: told of responses and refusals, or None.
    """

    def __init__(
        self,
        build: SimpleNamespace,
        app: Callable[..., Any],
        settings: Any,
        log_error: Callable[[str, BaseException | None], None],
        errors: Any,
        observer: Any = None,
    ) -> None:
        self.build = build
        self.settings = settings
        self.errors = errors
        self.log_error = log_error
        self.poller = open_poller()
        self.framing = build.framing.Framing(settings.limit_request_body)
        self.gateway = build.wsgi.Gateway(app, self.framing, log_error, settings.server_header, observer)
        self.wire = build.sockio.SocketWire()
        self.inbox = build.environ.Inbox()
        self.listeners: dict[int, tuple[socket.socket, Any]] = {}
        self.connections: dict[int, Any] = {}
        self.turns: list[Any] = []  # connections that go on without waiting
        self.wakers: dict[int, Callable[[], None]] = {}
        self._asked_to_stop = False
        self.stopping = False
        self.stopped_accepting: Callable[[], None] = lambda: None  # called when a stop has emptied the backlogs
        self.accepting = True
        self._next_sweep = 0.0
        self._tell_time()

    # What is listened on

    def add_listener(self, listener: socket.socket, environ: dict[str, Any] | None = None) -> None:
        """Accept connections from *listener*, which stays the caller's to close; *environ* comes into every environ."""
        build, settings = self.build, self.settings
        template = environ_template(listener, settings, self.errors, build.wsgi.FileWrapper)
        template.update(environ or {})
        limits = HeadLimits(
            settings.limit_request_line,
            settings.limit_request_fields,
            settings.limit_request_field_size,
            settings.limit_request_head,
        )
        scanner = None
        if build.environ.Scanner is not None and settings.scanner:
            scanner = build.environ.Scanner(template, limits, self.framing.max_body)
        parser = build.head.HeadParser(
            template, limits, self.framing, scanner, settings.root_path, settings.underscore_headers
        )
        shared = build.connection.Shared(
            self.inbox,
            build.response.OutBuffer(),
            parser,
            self.gateway,
            build.body.Body,
            build.body.ChunkedBody,
            build.body.EmptyInput(),
            self,
            settings,
        )
        shared.now = time.monotonic()
        self.listeners[listener.fileno()] = (listener, shared)
        self.poller.watch(listener.fileno(), "read", "")

    def add_waker(self, fd: int, called: Callable[[], None]) -> None:
        """Call *called* whenever *fd* is readable."""
        self.wakers[fd] = called
        self.poller.watch(fd, "read", "")

    # What connections ask for

    def watch(self, connection: Any, event: str, before: str) -> None:
        """*connection* waits for *event*, "read" or "write", instead of *before*."""
        self.poller.watch(connection.fd, event, before)

    def resume(self, connection: Any) -> None:
        """*connection* wants another turn, after the others."""
        self.turns.append(connection)

    def renew_time(self, shared: Any) -> None:
        """An application may have run for long since the turn began: set *shared*.now again."""
        shared.now = time.monotonic()

    def forget(self, connection: Any) -> None:
        """*connection* is about to close its file descriptor."""
        del self.connections[connection.fd]
        self.poller.forget(connection.fd, connection.waits)
        if not self.accepting and not self.stopping:
            self._set_accepting(True)

    # Running

    def run(self) -> None:
        """Serve until stop() was called and every response is out; who lingers then is not waited for."""
        while not self.stopping or any(one.state != "lingering" for one in self.connections.values()):
            self.step(SWEEP)

    def step(self, timeout: float) -> None:
        """Wait at most *timeout* seconds for events and serve them."""
        if self._asked_to_stop and not self.stopping:
            self._begin_to_stop()
            timeout = 0.0  # nothing may be left to wait for
        events = self.poller.poll(0 if self.turns else max(0.0, min(timeout, self._next_sweep - time.monotonic())))
        now = time.monotonic()
        for _, shared in self.listeners.values():
            shared.now = now
        connections = self.connections
        for fd, _ in events:
            connection = connections.get(fd)
            if connection is None:
                self._meet_other(fd)
                continue
            try:
                connection.on_ready()
            except Exception as error:
                self._lose(connection, error)
        if self.turns:
            self._take_turns()
        spent = time.monotonic() - now
        if spent > SWEEP:
            self._excuse(spent)
        if now >= self._next_sweep and (len(events) < BATCH or now >= self._next_sweep + OVERDUE):
            self._sweep()

    def _take_turns(self) -> None:
        turns, self.turns = self.turns, []
        for connection in turns:
            self._serve(connection)

    def _meet_other(self, fd: int) -> None:
        """An event that is not a connection's."""
        if fd in self.listeners:
            self._accept(*self.listeners[fd])
        elif fd in self.wakers:
            self.wakers[fd]()

    def _accept(self, listener: socket.socket, shared: Any, most: int = BATCH) -> bool:
        """Take connections off the backlog, a batch at most, and read each at once; False when none is left."""
        wire = self.wire
        make = self.build.connection.Connection
        self.renew_time(shared)
        for _ in range(most):
            fd = wire.accept(listener)
            if fd < 0:
                if -fd in OUT_OF_DESCRIPTORS:
                    self.log_error(f"cannot accept: {os.strerror(-fd)}; accepting again when a connection ends", None)
                    self._set_accepting(False)
                return False
            connection = make(shared, wire, fd, wire.host, wire.port)
            self.connections[fd] = connection
            self._serve(connection)
        return True

    def _set_accepting(self, accepting: bool) -> None:
        """Poll the listeners, or leave them alone."""
        if accepting == self.accepting:
            return
        self.accepting = accepting
        for fd in self.listeners:
            if accepting:
                self.poller.watch(fd, "read", "")
            else:
                self.poller.forget(fd, "read")

    def _serve(self, connection: Any) -> None:
        """Let *connection* work; a fault of ours costs this connection and nothing else."""
        try:
            connection.on_ready()
        except Exception as error:
            self._lose(connection, error)

    def _lose(self, connection: Any, error: Exception) -> None:
        self.log_error("internal error: the connection is closed", error)
        connection.drop(True)

    # Time

    def _tell_time(self) -> None:
        """Renew the Date field (RFC 9110 6.6.1), each time a second begins."""
        wall = time.time()
        self.gateway.date_line = f"Date: {formatdate(wall, usegmt=True)}\r\n".encode("latin-1")
        self._next_sweep = time.monotonic() + SWEEP - wall % SWEEP

    def _excuse(self, spent: float) -> None:
        """Applications took *spent* seconds of this step: idle clients, whose time ran from its beginning, get them."""
        for connection in self.connections.values():
            if connection.state == "idle":
                connection.deadline += spent

    def _sweep(self) -> None:
        self._tell_time()
        if self.gateway.observer is not None:
            self.gateway.observer.tick()
        now = time.monotonic()
        for connection in [one for one in self.connections.values() if one.is_late(now)]:
            try:
                connection.on_deadline()
            except Exception as error:
                self._lose(connection, error)
        if not self.accepting and not self.stopping:
            self._set_accepting(True)

    # Stopping

    def accept_one(self) -> None:
        """Accept one connection, if one waits, and never another; its first request is its last."""
        self.stopping = self.gateway.draining = True
        self._set_accepting(False)
        for listener, shared in self.listeners.values():
            self._accept(listener, shared, 1)

    def stop(self) -> None:
        """Accept what waits already and then no more, answer what is in flight, close what is idle, let run() return.

        It may be called from within an application's call or a signal handler: the work is done by the next step.
        """
        self.gateway.draining = True
        self._asked_to_stop = True

    def _begin_to_stop(self) -> None:
        for listener, shared in self.listeners.values():
            while self._accept(listener, shared):
                pass
        self.stopping = True
        self._set_accepting(False)
        self.stopped_accepting()
        for connection in list(self.connections.values()):
            self._serve(connection)  # a request may have come just now
            if connection.is_idle():
                connection.drop(False)

    def abort(self) -> None:
        """End all connections now; those whose response is not whole are reset."""
        for connection in list(self.connections.values()):
            connection.drop(connection.state == "sending")

    def close(self) -> None:
        """End all connections and give the poller back."""
        self.abort()
        self.poller.close()
