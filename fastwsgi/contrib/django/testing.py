"""The server for Django's LiveServerTestCase and StaticLiveServerTestCase: what is tested is what serves in production.

    class ShopTests(StaticLiveServerTestCase):
        server_thread_class = LiveServerThread

Django's thread stays as it is, with its handling of errors and of shared connections, and only its server is another:
fastwsgi.testing's, which runs the application in threads of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.signals import request_finished
from django.db import connections
from django.test import testcases

from fastwsgi.originals import threading
from fastwsgi.testing import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class LiveServer:
    """A server as LiveServerThread uses one; it listens once it is made.

    A database connection lives as long as the request that has opened it, whatever CONN_MAX_AGE says: none is left when
    a test ends, which would keep the test database from being flushed or dropped.

    Attributes:
        settings: as fastwsgi.serve() takes them; a subclass may have others.
        server_address: host and port.

    Args:
        server_address: host and port, 0 lets the system choose.
        RequestHandlerClass, allow_reuse_address: what Django gives its own server; there is nothing to be done here.
        connections_override: the connections, by alias, that all threads use in place of their own, such as that of a
            database in memory.

    Raises:
        BindError: the address cannot be listened on; it is an OSError.
    """

    settings: Mapping[str, object] = {}

    def __init__(
        self,
        server_address: tuple[str, int],
        RequestHandlerClass: object = None,
        allow_reuse_address: bool = False,
        connections_override: dict[str, Any] | None = None,
    ) -> None:
        self.connections_override = connections_override or {}
        self._app: WSGIApplication | None = None
        self._answering: set[int] = set()  # the threads that do
        self._shut_down = threading.Event()
        self._server = serve(self._answer, *server_address, **self.settings)  # type: ignore[arg-type]
        self._server.__enter__()
        self.server_address = (self._server.host, self._server.port)
        request_finished.connect(self._finish)

    def set_app(self, app: WSGIApplication) -> None:
        """Have *app* served."""
        self._app = app

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Return after shutdown(); requests are answered from when the application is set until server_close()."""
        self._shut_down.wait()

    def shutdown(self) -> None:
        """Have serve_forever() return."""
        self._shut_down.set()

    def server_close(self) -> None:
        """Answer what is in flight, and stop listening."""
        self._server.__exit__(None, None, None)
        request_finished.disconnect(self._finish)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application that is served."""
        assert self._app is not None
        for alias, connection in self.connections_override.items():
            connections[alias] = connection
        self._answering.add(threading.get_ident())
        return self._app(environ, start_response)

    def _finish(self, **of_signal: object) -> None:
        """At the end of a request of ours, which Django tells in its thread, close the connections of that thread."""
        if threading.get_ident() in self._answering:
            self._answering.discard(threading.get_ident())
            self._close_connections()

    def _close_connections(self) -> None:
        """As in Django's server, a method of its own for those who want to see it called."""
        connections.close_all()


class LiveServerThread(testcases.LiveServerThread):
    """The thread in which Django has a LiveServer; name it as the server_thread_class of a test case."""

    server_class = LiveServer
