"""Time: how long a server waits for a client that does nothing, or too little. Nothing is judged: no RFC says how long.

Each client has a server of its own, as it starts by default, and is watched for LIMIT seconds; they all wait at the
same time.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from .rules import CHOICE, LENIENT, OK, Finding, Probe
from .session import Session

LIMIT = 90.0  # seconds
TICK = 1.0  # seconds between two bytes of a slow client
HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"

# name: what is sent at once, what each second
CLIENTS: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "stops within the head": (b"GET / HTTP/1.1\r\nHo", b""),
    "sends a byte of the head each second": (b"GET / HTTP/1.1\r\nX: ", b"x"),
    "stops within the body": (HEAD + b"x", b""),
    "sends a byte of the body each second": (HEAD, b"x"),
    "says nothing after an answer": (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b""),
}


def watch(port: int, at_once: bytes, each_second: bytes, answered: bool) -> str:
    """When the connection ended and what was said before, in a few words."""
    start = time.monotonic()
    status = b""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(TICK)
        client.sendall(at_once)
        while (passed := time.monotonic() - start) < LIMIT:
            try:
                data = client.recv(65536)
                if data and not answered:
                    status = data.split(b" ")[1] if data.startswith(b"HTTP/") else b"no HTTP"
                answered = False
                if not data:
                    return f"{status.decode() or 'closed'} after {passed:.0f} s"
            except socket.timeout:
                pass
            except OSError:
                return f"{status.decode() or 'reset'} after {passed:.0f} s"
            try:
                client.sendall(each_second)
            except OSError:
                return f"{status.decode() or 'reset'} after {passed:.0f} s"
    return f"open after {LIMIT:.0f} s"


def trial(name: str) -> Callable[[Session], Finding]:
    def run(session: Session) -> Finding:
        try:
            return Finding(OK, watch(session.port, *CLIENTS[name], answered="answer" in name))
        except OSError as error:
            return Finding(OK, type(error).__name__)

    return run


PROBES = [
    Probe("time", CHOICE, "RFC 9110 15.5.9", LENIENT, "A client that does nothing, or too little, by default settings",
          f"a client that {name}", trial(name))
    for name in CLIENTS
]
