"""make_server() and WSGIServer: the interface of wsgiref.simple_server, served by fastwsgi.

The classes derive from wsgiref's, so that code written for those still works: subclasses, mix-ins, attributes, the
context manager. Only the serving is replaced: serve_forever() and handle_request() run a Loop over the server's socket,
in the thread that calls them, and answer its requests there, one after the other, with keep-alive. A request handler
reads nothing: it stands for one request that is already parsed, may add to its environ, and logs it. A class derived
only from wsgiref's works, too, since ours is inserted behind it.

The Loop serves the sockets of connections itself: it never calls get_request(), process_request() (so a ThreadingMixIn
starts no thread), or the handler's handle(), setup() and finish().
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socketserver
import sys
import traceback
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, TypeVar
from wsgiref import simple_server, util

from fastwsgi import backend, forks
from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.leaving import Contained
from fastwsgi.originals import select, signal, socket, socketpair, threading, time
from fastwsgi.server.bind import prepare
from fastwsgi.server.housekeeping import SECOND
from fastwsgi.server.loop import Loop
from fastwsgi.server.readiness import empty
from fastwsgi.settings.settings import Settings

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange

    Address = tuple[str, int]

T = TypeVar("T")

PATIENCE = 10.0  # seconds for requests in flight once the loop is to end


class WSGIRequestHandler(simple_server.WSGIRequestHandler):
    """Stands for one request; subclasses override log_message(), log_request(), get_environ() and other methods.

    Args:
        request: a ReadRequest.
        client_address: host and port, ("", 0) for a unix socket.
        server: the WSGIServer.
    """

    def __init__(self, request: ReadRequest, client_address: Address, server: WSGIServer) -> None:
        self.request = request
        self.client_address = client_address
        self.server = server
        self.requestline = request.head.lstrip(b"\r\n").partition(b"\r\n")[0].decode("latin-1")
        self.command, self.path, self.request_version = [*self.requestline.split(" "), "", ""][:3]

    def _parse_fields(self) -> http.client.HTTPMessage:
        """The header fields of the request, as http.server gives them."""
        return http.client.parse_headers(io.BytesIO(self.request.head.lstrip(b"\r\n").partition(b"\r\n")[2]))

    headers: Any = cached_property(_parse_fields)  # Any: http.server declares an attribute, not a property

    def get_environ(self) -> WSGIEnvironment:
        """The environ of the request (PEP 3333), for a subclass to add to."""
        environ: WSGIEnvironment = self.request.environ
        return environ


class ReadRequest:
    """A request that has been read, for its handler.

    Args:
        head: its bytes, including the empty line; b"" if it was refused.
        environ: what the application will get.
    """

    def __init__(self, head: bytes, environ: WSGIEnvironment) -> None:
        self.head = head
        self.environ = environ


class WSGIServer(simple_server.WSGIServer):
    """A WSGIServer like wsgiref's, which listens once it is made, and serves in serve_forever() or handle_request().

    Args:
        server_address: host and port. Port 0 lets the system choose; an IPv6 host makes an IPv6 server.
        RequestHandlerClass: a subclass of the handler above, or of wsgiref's.
        bind_and_activate: whether to bind and listen now.

    Raises:
        OSError: the address cannot be listened on.
        Mistake: gevent has replaced Python's threads.
    """

    RequestHandlerClass: type[WSGIRequestHandler]
    multithread = False  # wsgi.multithread
    multiprocess = False  # wsgi.multiprocess

    def __init__(
        self,
        server_address: Address,
        RequestHandlerClass: type[simple_server.WSGIRequestHandler],
        bind_and_activate: bool = True,
    ) -> None:
        refuse_green_threads()
        if self.address_family == socket.AF_INET and ":" in server_address[0]:
            self.address_family = socket.AF_INET6
        self._run: Run | None = None
        self._stop_asked = False
        self._ended = threading.Event()
        self._ended.set()
        handler_class = _insert_behind(RequestHandlerClass, WSGIRequestHandler)
        super().__init__(server_address, handler_class, bind_and_activate)

    def server_bind(self) -> None:
        """Bind, and set the server's name without a DNS query, which could take seconds."""
        wanted = self.server_address
        socketserver.TCPServer.server_bind(self)
        if self.address_family == socket.AF_UNIX:
            self.server_name, self.server_port = str(self.server_address), 0
        else:
            self.server_name = _name_host(str(wanted[0]), str(self.server_address[0]))
            self.server_port = self.server_address[1]
        self.setup_environ()

    def serve_forever(self, poll_interval: float | None = 0.5) -> None:
        """Serve in this thread until shutdown(); then answer requests in flight and close all connections.

        Args:
            poll_interval: the most seconds between two calls of service_actions(), but never more than 1.

        Raises:
            KeyboardInterrupt: Ctrl-C, in the main thread, once requests in flight are answered.
        """
        self._ended.clear()
        try:
            with Run(self) as run, Contained():
                while not (self._stop_asked or run.interrupted):
                    run.loop.step(SECOND if poll_interval is None else poll_interval)
                    self.service_actions()
        finally:
            self._stop_asked = False
            self._ended.set()

    def handle_request(self) -> None:
        """Wait for one connection, at most self.timeout seconds; answer its first request and close it.

        If none arrives, handle_timeout() is called.

        Raises:
            KeyboardInterrupt: Ctrl-C, in the main thread, once a request in flight is answered.
        """
        if not self._wait_for_connection():
            self.handle_timeout()
            return
        with Run(self) as run, Contained():
            run.loop.accept_one()
            while run.loop.connections and not run.interrupted:
                run.loop.step(SECOND)

    def shutdown(self) -> None:
        """Make serve_forever() end, and wait for that, unless it runs in this very thread.

        If it is not running yet, it will end as soon as it is called.
        """
        self._stop_asked = True
        run = self._run
        if run is not None:
            run.wake()
            if run.thread is threading.current_thread():
                return
        self._ended.wait()

    def disown(self) -> None:
        """In a forked child, be a server that does not run."""
        self._run = None
        self._ended = threading.Event()
        self._ended.set()

    def _wait_for_connection(self) -> bool:
        limits = [limit for limit in (self.timeout, self.socket.gettimeout() or None) if limit is not None]
        longest = min(limits, default=None)
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(None if longest is None else max(0.0, longest * 1000)))


class Run:
    """A loop over the socket of *server* in this thread, until shutdown() or Ctrl-C.

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
        handlers = Handlers(server)
        self.loop = Loop(backend.current(), handlers.call, Settings(threads=1), _report, sys.stderr, handlers)
        self.loop.add_listener(server.socket, _base_environ(server))
        self._waking = threading.RLock()  # a signal handler may enter it again
        self._awaited, self._sent = socketpair()
        self.loop.add_waker(self._awaited.fileno(), self._handle_wake_up)
        self._catches = False

    def __enter__(self) -> Run:
        self.server._run = self
        self.loop.thread = threading.get_ident()
        if self.thread is threading.main_thread():
            self._catches = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._catches:
            forks.handle(signal.SIGINT, self._interrupt)
        forks.hold(self)
        forks.hold(self.loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self.server._run = None
            self.loop.close()
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
        """End the wait of the loop. Called in any thread and in signal handlers."""
        with self._waking, contextlib.suppress(OSError):  # closed, or full, when the loop is awake anyway
            self._sent.send(b"\0")

    def _handle_wake_up(self) -> None:
        empty(self._awaited.fileno())

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        self.wake()

    def _finish(self) -> None:
        """Answer requests in flight and close idle connections."""
        self.loop.stop()
        deadline = time.monotonic() + PATIENCE
        while self.loop.connections and time.monotonic() < deadline:
            self.loop.step(SECOND)


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


def make_server(
    host: str | Address,
    port: Any = None,  # Any: a number, or the application after a pair
    app: WSGIApplication | None = None,
    server_class: type[simple_server.WSGIServer] = WSGIServer,
    handler_class: type[simple_server.WSGIRequestHandler] = WSGIRequestHandler,
) -> WSGIServer:
    """A server for *app*, as wsgiref's make_server() makes it; make_server((host, port), app) does the same.

    Args:
        host: an address or name of this machine, "" for all its IPv4 addresses; or the pair of host and port.
        port: 0 lets the system choose; server_port has the result.
        app: a WSGI application.
        server_class, handler_class: subclasses of the ones above, or of wsgiref's.

    Raises:
        OSError: the address cannot be listened on.
    """
    if isinstance(host, tuple):
        host, port, app = host[0], host[1], port if app is None else app
    server = _insert_behind(server_class, WSGIServer)((host, port), handler_class)
    server.set_app(app)
    return server


def _insert_behind(known: type[object], ours: type[T]) -> type[T]:
    """*known*, or if that derives from wsgiref's class alone, a class with *ours* between the two."""
    if issubclass(known, ours):
        return known
    made: type[T] = type(known.__name__, (known, ours), {})
    return made


def _base_environ(server: WSGIServer) -> WSGIEnvironment:
    """The entries that all environs of *server* share, apart from those that the loop adds."""
    return {
        "wsgi.multithread": server.multithread,
        "wsgi.multiprocess": server.multiprocess,
        "wsgi.url_scheme": util.guess_scheme(server.base_environ),
        **server.base_environ,
    }


def _name_host(wanted: str, bound: str) -> str:
    """SERVER_NAME for a server that was asked to bind *wanted* and is bound to *bound*."""
    if bound in ("0.0.0.0", "::"):
        return socket.gethostname()
    if bound.startswith("127.") or bound == "::1":
        return "localhost"
    return wanted or bound


def _report(message: str, error: BaseException | None) -> None:
    """Print a message about an error to stderr, with the traceback of *error* if there is one."""
    trace = [] if error is None else traceback.format_exception(type(error), error, error.__traceback__)
    with contextlib.suppress(Exception):  # there may be no stderr, or it may be closed, or the application's
        sys.stderr.write("".join([f"fastwsgi: {message}\n", *trace]))
