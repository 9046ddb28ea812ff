"""What serves behind a WSGIServer: one loop for all of its connections, or a thread and a loop for each of them.

The first, `Run`, is the rule. The second, `Accepting`, is for a class that has a say in how connections are handed on,
such as one with socketserver.ThreadingMixIn: there socketserver's own methods run, from get_request() to
shutdown_request(), in the threads in which they would, and finish_request() comes to `serve_connection`.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable
from wsgiref import util

from fastwsgi import backend, forks
from fastwsgi.leaving import Contained
from fastwsgi.originals import os, select, signal, socket, socketpair, threading, time
from fastwsgi.server.bind import prepare
from fastwsgi.server.housekeeping import SECOND
from fastwsgi.server.listener import Listener
from fastwsgi.server.loop import Loop
from fastwsgi.server.readiness import empty
from fastwsgi.settings.settings import Settings

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.simple import WSGIRequestHandler, WSGIServer

PATIENCE = 10.0  # seconds for requests in flight once the loop is to end


class Serving:
    """The serving of *server* in this thread, until shutdown() or Ctrl-C: a context manager.

    Python delivers Ctrl-C between two bytecodes, so in the middle of the application, where it would look like a
    failure. Here the first one is noted, and raised once requests in flight are answered; a second is raised at once.
    A program that handles SIGINT itself keeps its handler.

    Raises:
        NotImplementedError: the socket is a TLS socket.
    """

    def __init__(self, server: WSGIServer) -> None:
        if hasattr(server.socket, "do_handshake"):
            raise NotImplementedError("make_server() takes no socket of TLS: use fastwsgi.serve(app, certfile=...)")
        prepare(server.socket, defer_accept=False)
        self.server = server
        self.thread = threading.current_thread()
        self.interrupted = False
        self._waking = threading.RLock()  # a signal handler may enter it again
        self._awaited, self._sent = socketpair()
        self._catches = False

    def step(self, timeout: float) -> None:
        """Wait for something to do, at most *timeout* seconds, and do it."""
        raise NotImplementedError

    def serve_one(self) -> None:
        """Serve the connection that waits, and no other."""
        raise NotImplementedError

    def finish(self) -> None:
        """End what is served."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is the class's own."""

    def __enter__(self) -> Serving:
        if self.thread is threading.main_thread():
            self._catches = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._catches:
            forks.handle(signal.SIGINT, self._interrupt)
        forks.hold(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self.close()
            with self._waking:
                self._sent.close()
            self._awaited.close()
            if self._catches:
                forks.give_back(signal.SIGINT)
            forks.release(self)
        if self.interrupted and error is None:
            raise KeyboardInterrupt

    def disown(self) -> None:
        """In a forked child, close the descriptors; shutdown() has nothing to wait for."""
        self.server.disown()
        self._waking = threading.RLock()
        self._sent.close()
        self._awaited.close()

    def wake(self) -> None:
        """End the wait. Called in any thread and in signal handlers."""
        with self._waking, contextlib.suppress(OSError):  # closed, or full, when it is awake anyway
            self._sent.send(b"\0")

    def _handle_wake_up(self) -> None:
        empty(self._awaited.fileno())

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        self.wake()


class Run(Serving):
    """One loop for all connections, which are served in this thread."""

    def __init__(self, server: WSGIServer) -> None:
        super().__init__(server)
        self.loop = make_loop(server)
        self.loop.add_listener(server.socket, base_environ(server))
        self.loop.add_waker(self._awaited.fileno(), self._handle_wake_up)
        self._guard = self.loop.guard.held()

    def __enter__(self) -> Run:
        super().__enter__()
        self.loop.thread = threading.get_ident()
        forks.hold(self.loop)
        self._guard.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._guard.__exit__(None, None, None)

    def step(self, timeout: float) -> None:
        """Wait for events, and serve them."""
        self.loop.step(timeout)

    def serve_one(self) -> None:
        """Accept the connection that waits, answer its first request, and close it."""
        self.loop.acceptor.accept_one()
        while self.loop.connections and not self.interrupted:
            self.loop.step(SECOND)

    def finish(self) -> None:
        """Answer requests in flight and close idle connections."""
        self.loop.stop()
        deadline = time.monotonic() + PATIENCE
        while self.loop.connections and time.monotonic() < deadline:
            self.loop.step(SECOND)

    def close(self) -> None:
        """Close all connections."""
        self.loop.close()


class Accepting(Serving):
    """Accepts connections, and leaves them to the methods of socketserver, which may start a thread for each."""

    def __init__(self, server: WSGIServer, connections: Connections) -> None:
        super().__init__(server)
        self._connections = connections
        self._poll = select.poll()
        self._poll.register(server.socket, select.POLLIN)
        self._poll.register(self._awaited, select.POLLIN)

    def step(self, timeout: float) -> None:
        """Wait for a connection, and hand it on."""
        for fd, _ in self._poll.poll(timeout * 1000):
            if fd == self._awaited.fileno():
                self._handle_wake_up()
            else:
                self.serve_one()

    def serve_one(self) -> None:
        """Hand on the connection that waits."""
        self.server._handle_request_noblock()  # type: ignore[attr-defined]  # not in the stubs

    def finish(self) -> None:
        """Let connections end after their requests in flight, for which server_close() may wait."""
        self._connections.stop()


class Connections:
    """The loops of the connections that have one each.

    Attributes:
        closed: whether a new one is to end after its first request.
    """

    def __init__(self) -> None:
        self._loops: set[Loop] = set()
        self._lock = threading.Lock()
        self.closed = False

    def add(self, loop: Loop) -> None:
        """Add one that is about to serve."""
        with self._lock:
            self._loops.add(loop)
            if self.closed:
                loop.stop()

    def remove(self, loop: Loop) -> None:
        """Forget one that is about to be closed."""
        with self._lock:
            self._loops.discard(loop)

    def stop(self) -> None:
        """Have all of them answer what is in flight, and end."""
        with self._lock:
            for loop in self._loops:
                loop.stop()

    def disown(self) -> None:
        """In a forked child, forget them; another thread may have held the lock."""
        self._lock = threading.Lock()
        self._loops.clear()


def serve_connection(
    server: WSGIServer, connections: Connections, request: socket.socket, client_address: Any, is_alone: bool
) -> None:
    """Serve the connection *request* in this thread until it ends, and close it.

    Args:
        server: accepted it.
        connections: where it is counted while it lasts.
        request: the socket, which becomes ours.
        client_address: as accept() gives it.
        is_alone: this is the thread that accepts: one request is answered, as others cannot even connect meanwhile.
    """
    loop = make_loop(server)
    loop.thread = threading.get_ident()
    if is_alone:
        loop.stopping = loop.service.draining = True
    try:
        listener = Listener(loop, request, base_environ(server))
        is_tcp = isinstance(client_address, tuple) and client_address
        host, port = (str(client_address[0]), str(client_address[1])) if is_tcp else ("", "")
        fd = request.detach()
        os.set_blocking(fd, False)
        forks.hold(loop)
        connections.add(loop)
        with Contained(), loop.guard.held():
            listener.open(fd, host, port).on_ready()
            while loop.connections:
                loop.step(SECOND)
    finally:
        connections.remove(loop)
        loop.close()
        forks.release(loop)


def make_loop(server: WSGIServer) -> Loop:
    """A loop for the application of *server*."""
    handlers = Handlers(server)
    return Loop(backend.current(), handlers.call, _settings(), _report, sys.stderr, handlers)


@lru_cache
def _settings() -> Settings:
    return Settings(threads=1)


class ReadRequest:
    """A request that has been read, for its handler.

    Args:
        head: its bytes, including the empty line; b"" if it was refused.
        environ: what the application will get.
    """

    def __init__(self, head: bytes, environ: WSGIEnvironment) -> None:
        self.head = head
        self.environ = environ


class Handlers:
    """The loop's observer and its application: it makes the handler of each request and calls its methods.

    Args:
        server: has the handler class and the application.
    """

    def __init__(self, server: WSGIServer) -> None:
        self.server = server
        self._handlers: dict[object, WSGIRequestHandler] = {}  # by exchange

    def call(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application that the loop calls; *start_response* is the exchange of the request."""
        handler = self._handlers[start_response]
        environ["wsgi.errors"] = handler.get_stderr()
        changed = handler.get_environ()
        if changed is not environ:
            environ.update(changed)
        app: Any = self.server.get_app()  # Any: without set_app() it is None, and fails as an application does
        result: Iterable[bytes] = app(environ, start_response)
        return result

    def request_started(self, connection: Connection, exchange: Exchange, head: bytes) -> None:
        """Make the handler of a request."""
        self._handlers[exchange] = self._make_handler(connection, ReadRequest(head, exchange.environ))

    def response_ended(self, exchange: Exchange) -> None:
        """Log the response, if there was one."""
        handler = self._handlers.pop(exchange, None)
        if handler is not None and exchange.code:
            self._log(handler, handler.log_request, str(exchange.code), exchange.sent)

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Log the refusal, by a handler made for it."""
        handler = self._make_handler(connection, ReadRequest(b"", {}))
        self._log(handler, handler.log_error, "code %d, message %s", refusal.status, refusal.reason)

    def tick(self) -> None:
        """Do nothing: nothing is due each second."""

    def _make_handler(self, connection: Connection, request: ReadRequest) -> WSGIRequestHandler:
        address = (connection.host, int(connection.reader.port or 0))
        return self.server.RequestHandlerClass(request, address, self.server)

    def _log(self, handler: WSGIRequestHandler, log: Callable[..., None], *arguments: object) -> None:
        """Call *log*; a failure is the handler's fault and affects no response."""
        try:
            log(*arguments)
        except Exception:
            with contextlib.suppress(Exception):  # it prints to stderr, too
                self.server.handle_error(handler.request, handler.client_address)


def base_environ(server: WSGIServer) -> WSGIEnvironment:
    """The entries that all environs of *server* share, apart from those that the loop adds."""
    return {
        "wsgi.multithread": server.multithread,
        "wsgi.multiprocess": server.multiprocess,
        "wsgi.url_scheme": util.guess_scheme(server.base_environ),
        **server.base_environ,
    }


def _report(message: str, error: BaseException | None) -> None:
    """Print a message about an error to stderr, with the traceback of *error* if there is one."""
    trace = [] if error is None else traceback.format_exception(type(error), error, error.__traceback__)
    with contextlib.suppress(Exception):  # there may be no stderr, or it may be closed, or the application's
        sys.stderr.write("".join([f"fastwsgi: {message}\n", *trace]))
