"""Servers of make_server() on a port of the system's choice, and short ways to ask them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from fastwsgi import WSGIRequestHandler, WSGIServer, make_server
from tests.helpers.serving import GET, PATIENCE, Answer, Client, answering

HELLO = answering(b"hello", headers=[("Content-Type", "text/plain")])
LOCAL = "127.0.0.1"


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def quiet_server(app: Any = HELLO, server_class: type[Any] = WSGIServer, host: str = LOCAL) -> Any:
    return make_server(host, 0, app, server_class, QuietHandler)


@contextlib.contextmanager
def served(server: Any, poll_interval: float = 0.5) -> Iterator[Any]:
    """Serve in a thread; what serve_forever raises is raised at the end."""
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve_forever(poll_interval)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        server.server_close()
    if raised:
        raise raised[0]


@contextlib.contextmanager
def handling(server: Any) -> Iterator[threading.Thread]:
    """One handle_request() in a thread."""
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive()


def connect(server: Any) -> Client:
    return Client(server.server_address[:2])


def ask(server: Any, data: bytes = GET) -> Answer:
    with connect(server) as client:
        return client.send(data).answer()


def environ_of(server: Any, data: bytes = GET) -> dict[str, Any]:
    """The environ that the application of *server* gets for the request *data*."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        return HELLO(environ, start_response)

    server.set_app(app)
    with server, handling(server):
        assert ask(server, data).body == b"hello"
    return seen
