"""Real requests before a measurement: is the answer right, is each answered, does a stream flow?

A server that fails the first two is not measured. One that holds a stream back until the application has
made all of it is measured, but noted: it does less than PEP 3333 asks ("Buffering and Streaming").
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator

import apps
from launch import ServerFailed
from profiles import Profile

TIMEOUT_SECONDS = 5
HELD_BACK = "holds a stream back until the application has made all of it, so its work is not comparable"


def check(profile: Profile, port: int) -> None:
    """Send the profile's request once. Raises ServerFailed unless status and body are right."""
    with connected(port, profile.tls) as connection:
        connection.request(profile.method, profile.path, profile.body or None, profile.headers)
        response = connection.getresponse()
        status, body = response.status, response.read()
    if (status, len(body)) != (200, profile.length) or profile.contains.encode() not in body:
        raise ServerFailed(f"wrong answer: status {status}, {len(body)} bytes of body: {body[:60]!r}")
    if profile.depth > 1:
        check_pipeline(profile, port)


def check_pipeline(profile: Profile, port: int) -> None:
    """Send as many requests in one write as the profile does. Raises ServerFailed unless all are answered."""
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    received = b""
    address = "127.0.0.1", port
    with contextlib.suppress(OSError), socket.create_connection(address, TIMEOUT_SECONDS) as client:
        client.sendall(request * profile.depth)
        while received.count(b"HTTP/1.1 200") < profile.depth and (data := client.recv(65536)):
            received += data
    answers = received.count(b"HTTP/1.1 200")
    if answers != profile.depth:
        raise ServerFailed(f"{answers} of {profile.depth} pipelined requests were answered")


def holds_back(port: int) -> bool:
    """Whether the first chunk of apps.trickle comes only with the last. Raises ServerFailed."""
    start = time.monotonic()
    with connected(port) as connection:
        connection.request("GET", "/")
        connection.getresponse().read(1)
        return time.monotonic() - start >= apps.PAUSE_SECONDS


@contextlib.contextmanager
def connected(port: int, tls: bool = False) -> Iterator[http.client.HTTPConnection]:
    """A client connection to the server; its errors become ServerFailed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    if tls:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS, context=context)
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise ServerFailed(f"no answer to a request: {error!r}") from None
    finally:
        connection.close()
