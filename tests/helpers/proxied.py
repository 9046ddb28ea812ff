"""An application that tells what it knows of its client, behind a proxy that sends PROXY headers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from tests.helpers.serving import Server

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
KEYS = ("REMOTE_ADDR", "REMOTE_PORT", "fastwsgi.peer_addr", "wsgi.url_scheme", "PATH_INFO")


def telling(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with what it was told of the client, and with the body."""
    start_response("200 OK", [])
    told = [str(environ.get(key)) for key in KEYS] + [environ["wsgi.input"].read().decode()]
    return [" ".join(told).encode()]


def ask(server: Server, data: bytes) -> str:
    """What the application was told, or the status of a refusal."""
    answer = server.ask(data)
    return answer.body.decode().strip() if answer.status == 200 else str(answer.status)


def is_closed(server: Server, data: bytes) -> bool:
    """Whether the server ends the connection without an answer."""
    with server.connect() as client:
        with contextlib.suppress(BrokenPipeError):  # it was faster
            client.send(data)
        return client.rest() == b""


TOLD = "192.0.2.7 56324 127.0.0.1 http /"
