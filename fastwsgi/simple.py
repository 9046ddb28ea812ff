"""make_server() and WSGIServer: the interface of wsgiref.simple_server, served by fastwsgi.

The classes derive from wsgiref's, so that code written for those still works: subclasses, mix-ins, attributes, the
context manager. Only the serving is replaced: serve_forever() and handle_request() run a Loop over the server's socket,
in the thread that calls them, and answer its requests there, one after the other, with keep-alive. A request handler
reads nothing: it stands for one request that is already parsed, may add to its environ, and logs it. A class derived
only from wsgiref's works, too, since ours is inserted behind it.

A class that overrides a method by which socketserver hands connections on (HANDING_ON), as ThreadingMixIn does, has
them handed on in that way: each connection is served by a loop of its own, in the thread that calls finish_request().
The handler's handle(), setup() and finish() are never called.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socketserver
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from wsgiref import simple_server

from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.leaving import Contained
from fastwsgi.originals import select, socket, threading
from fastwsgi.server.housekeeping import SECOND
from fastwsgi.simple_loops import Accepting, Connections, ReadRequest, Run, Serving, serve_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    Address = tuple[str, int]

T = TypeVar("T")

HANDING_ON = ("get_request", "verify_request", "process_request", "finish_request", "shutdown_request", "close_request")
"""The methods of socketserver by which a connection goes from the listener to its end."""


class WSGIRequestHandler(simple_server.WSGIRequestHandler):
    """Stands for one request; subclasses override log_message(), log_request(), get_environ() and other methods.

    Made for a socket, by a program that serves without our WSGIServer, it is wsgiref's, which reads and answers.

    Args:
        request: a ReadRequest, or a socket.
        client_address: host and port, ("", 0) for a unix socket.
        server: the WSGIServer.
    """

    def __init__(self, request: Any, client_address: Any, server: Any) -> None:
        if not isinstance(request, ReadRequest):
            super().__init__(request, client_address, server)
            return
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
        if not isinstance(self.request, ReadRequest):
            return super().get_environ()
        return self.request.environ


class WSGIServer(simple_server.WSGIServer):
    """A WSGIServer like wsgiref's, which listens once it is made, and serves in serve_forever() or handle_request().

    Attributes:
        multithread, multiprocess: wsgi.multithread and wsgi.multiprocess.

    Args:
        server_address: host and port. Port 0 lets the system choose; an IPv6 host makes an IPv6 server.
        RequestHandlerClass: a subclass of the handler above, or of wsgiref's.
        bind_and_activate: whether to bind and listen now.

    Raises:
        OSError: the address cannot be listened on.
        Mistake: gevent has replaced Python's threads.
    """

    RequestHandlerClass: type[WSGIRequestHandler]
    multithread = False
    multiprocess = False

    def __init__(
        self,
        server_address: Address,
        RequestHandlerClass: type[simple_server.WSGIRequestHandler],
        bind_and_activate: bool = True,
    ) -> None:
        refuse_green_threads()
        if self.address_family == socket.AF_INET and ":" in server_address[0]:
            self.address_family = socket.AF_INET6
        self.multithread = self.multithread or isinstance(self, socketserver.ThreadingMixIn)
        self.multiprocess = self.multiprocess or isinstance(self, getattr(socketserver, "ForkingMixIn", ()))
        self._connections = Connections()
        self._serving: Serving | None = None  # while it serves
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
            with self._begun() as serving, Contained():
                while not (self._stop_asked or serving.interrupted):
                    serving.step(SECOND if poll_interval is None else min(poll_interval, SECOND))
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
        with self._begun() as serving, Contained():
            serving.serve_one()

    def shutdown(self) -> None:
        """Make serve_forever() end, and wait for that, unless it runs in this very thread.

        If it is not running yet, it will end as soon as it is called.
        """
        self._stop_asked = True
        serving = self._serving
        if serving is not None:
            serving.wake()
            if serving.thread is threading.current_thread():
                return
        self._ended.wait()

    def server_close(self) -> None:
        """Close the listener; connections that have threads of their own end behind their requests in flight.

        A ThreadingMixIn waits for these threads, unless it says otherwise (block_on_close, daemon_threads).
        """
        super().server_close()
        self._connections.closed = True
        self._connections.stop()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve the connection *request* in this thread, until it ends; called by process_request()."""
        serving = self._serving
        is_alone = serving is not None and serving.thread is threading.current_thread()
        serve_connection(self, self._connections, request, client_address, is_alone)

    def disown(self) -> None:
        """In a forked child, be a server that does not run."""
        self._serving = None
        self._connections.disown()
        self._ended = threading.Event()
        self._ended.set()

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Serving]:
        """What serves, inside the block: by the class's own methods for handing connections on, if it has any."""
        own = [name for name in HANDING_ON if getattr(type(self), name) is not getattr(WSGIServer, name)]
        self._serving = Accepting(self, self._connections) if own else Run(self)
        try:
            with self._serving as serving:
                yield serving
        finally:
            self._serving = None

    def _wait_for_connection(self) -> bool:
        limits = [limit for limit in (self.timeout, self.socket.gettimeout() or None) if limit is not None]
        longest = min(limits, default=None)
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(None if longest is None else max(0.0, longest * 1000)))


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


def _name_host(wanted: str, bound: str) -> str:
    """SERVER_NAME for a server that was asked to bind *wanted* and is bound to *bound*."""
    if bound in ("0.0.0.0", "::"):
        return socket.gethostname()
    if bound.startswith("127.") or bound == "::1":
        return "localhost"
    return wanted or bound
