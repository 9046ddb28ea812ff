"""The access log: a line a response in the combined format, with the duration in seconds at the end.

    127.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /shop?id=1 HTTP/1.1" 200 1234 "-" "curl/8.0" 0.000213

What a client sent is escaped, so that it can neither end a line nor a quoted field. Lines are gathered and written
once a second, or when there are 64 KiB of them.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any

GATHERED = 65536  # characters
_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\xff]')


def escape(text: str) -> str:
    """*text* with controls, quotes, backslashes and what is not ASCII as \\xNN."""
    return _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


class AccessLog:
    """Writes the access log.

    Args:
        path: a file to append to, or "-" for standard output.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._close = path != "-"
        self._fd = sys.stdout.fileno() if path == "-" else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lines: list[str] = []
        self._size = 0
        self._second = 0
        self._stamp = ""

    def request_started(self, connection: Any, exchange: Any, head: bytes) -> None:
        exchange.started = time.monotonic()
        environ = exchange.environ  # the application's own from now on
        exchange.note = (
            escape(f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}"),
            escape(environ.get("HTTP_REFERER", "-")),
            escape(environ.get("HTTP_USER_AGENT", "-")),
        )

    def response_started(self, exchange: Any, head: bytes) -> None:
        pass

    def response_ended(self, exchange: Any) -> None:
        if exchange.code == 0:
            return  # it was refused, or the client left
        request, referer, agent = exchange.note
        self._add(
            f'{exchange.connection.host or "-"} - - [{self._now()}] "{request}" {exchange.code} '
            f'{exchange.sent or "-"} "{referer}" "{agent}" {time.monotonic() - exchange.started:.6f}\n'
        )

    def request_refused(self, connection: Any, refusal: Any) -> None:
        self._add(f'{connection.host or "-"} - - [{self._now()}] "-" {refusal.status} - "-" "-" -\n')

    def tick(self) -> None:
        """Write what was gathered; called once a second."""
        lines, self._lines, self._size = self._lines, [], 0
        if lines:
            try:
                os.write(self._fd, "".join(lines).encode("latin-1"))
            except OSError:
                pass  # a full disk must not stop requests

    def close(self) -> None:
        """Write the rest and close."""
        self.tick()
        if self._close:
            os.close(self._fd)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > GATHERED:
            self.tick()

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
        return self._stamp
