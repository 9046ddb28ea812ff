"""The trace: each request and response head as `curl -v` shows them, with the connection's number and the time.

    #3 > GET / HTTP/1.1
    #3 > Host: localhost:8000
    #3 >
    #3 < HTTP/1.1 200 OK
    #3 < Content-Length: 13
    #3 <
    #3 = 13 bytes of body, 0.213 ms

Only the size is shown of fields with secrets, since traces end up in tickets and chats. All loops of a process share a
trace: its heads come whole, and a connection has one number.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, TextIO

from fastwsgi.originals import threading, time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange

_SECRET = re.compile(r"((?:proxy-)?authorization|(?:set-)?cookie): *(.+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Trace:
    """Writes heads to a text stream, by default stderr."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.RLock()  # a handler of a signal may end a request, too
        self._connections = 0

    def _show(self, connection: Connection, mark: str, head: bytes) -> None:
        with self._lock:
            if connection.number == 0:
                self._connections += 1
                connection.number = self._connections
            for line in head.decode("latin-1").removesuffix("\r\n").split("\r\n"):
                secret = _SECRET.fullmatch(line)
                if secret is not None:
                    line = f"{secret[1]}: ({len(secret[2])} bytes)"
                safe = _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", line)
                self._write(f"#{connection.number} {mark} {safe}".rstrip() + "\n")

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or the application has closed it

    def request_started(self, connection: Connection, exchange: Exchange, head: bytes) -> None:
        self._show(connection, ">", head)

    def response_started(self, exchange: Exchange, head: bytes) -> None:
        self._show(exchange.connection, "<", head)

    def response_ended(self, exchange: Exchange) -> None:
        if exchange.code:
            spent = (time.monotonic() - exchange.started) * 1000
            cut = ", cut" if exchange.cut else ""
            self._show(exchange.connection, "=", b"%d bytes of body%s, %.3f ms" % (exchange.sent, cut.encode(), spent))

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        request = refusal.request
        if request is not None and request.line is not None:  # its head was not shown
            self._show(connection, ">", request.line.encode("latin-1"))
        self._show(connection, "=", f"refused with {refusal.status}: {refusal.reason}".encode("latin-1", "replace"))

    def tick(self) -> None:
        pass
