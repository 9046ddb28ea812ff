"""The page and /status.json as the status process answers them, in memory."""

from __future__ import annotations

import json
import os
from wsgiref.util import setup_testing_defaults

import pytest

from fastwsgi import backend
from fastwsgi.status.page import POLICY
from fastwsgi.status.scoreboard import Scoreboard
from fastwsgi.status.server import StatusServer
from fastwsgi.status.snapshot import Told


@pytest.fixture
def server(board: Scoreboard) -> StatusServer:
    """Of a service with one worker, which is ready."""
    slot = board.allocate()
    slot.state, slot.pid, slot.threads = "ready", os.getpid(), 4
    return StatusServer(backend.build("py"), board, lambda number: None, lambda message, error: None)


def get(server: StatusServer, path: str, query: str = "") -> tuple[dict[str, str], bytes]:
    """The fields and the body of the answer."""
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)
    fields: dict[str, str] = {}
    body = b"".join(server._site(environ, lambda status, pairs, exc_info=None: fields.update(pairs)))  # type: ignore
    return fields, body


def test_the_page_comes_with_its_policy(server: StatusServer) -> None:
    server.told = Told(name="shop:app")
    fields, body = get(server, "/", "refresh=2")
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Content-Security-Policy"] == POLICY
    assert "shop:app" in body.decode()
    assert "http-equiv" in body.decode()


def test_the_document_has_what_was_made_of_it(server: StatusServer) -> None:
    for _ in range(2):
        server._tick()
    found = json.loads(get(server, "/status.json")[1])
    assert found["verdict"]["word"] in ("serving", "workers missing")
    assert found["rates"]["requests"] in (None, 0.0)
    assert len(server._history.samples) == 1, "a sample each two seconds, however often it ticks"
