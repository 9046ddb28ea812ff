"""What is known of a refused request, for the logs: from its environ, or else from the bytes that were to be its head.

The bytes are read as somebody would who wants to know what a client has asked for, not by the rules: nothing of this
gets to an application or decides anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from fastwsgi.figures import QUEUE_FULL, REFUSED, REFUSED_CODES
from fastwsgi.http.errors import QUEUE_IS_FULL
from fastwsgi.http.grammar import TOKEN
from fastwsgi.http.head import environ_key

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.request_reader import RequestReader

MOST = 65536  # bytes that are read
MOST_OF_LINE = 8192  # bytes of a request line that are kept
_LINE = re.compile(rb"([!-~]+) ([!-~\x80-\xff]+) HTTP/(\d\.\d)")
_LINE_END = re.compile(rb"\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


class RefusedRequest:
    """A refused request, as far as it is known.

    Attributes:
        head: the bytes of its head that have arrived, or the first of them, without the empty line.
        line: the request line as it came; None if the environ has it, or none came.
        environ: its environ, or one with what was understood; None if the request line was not.
        version: 10 or 11; 0 if it is another, or not known.
        started: when its head was complete, in seconds on the loop's clock; None if it was refused for the head.
    """

    def __init__(self, head: bytes, template: dict[str, Any]) -> None:
        self.head, *rest = _EMPTY_LINE.split(head[:MOST].lstrip(b"\r\n"), maxsplit=1)
        self.line: str | None = None
        self.environ: dict[str, Any] | None = None
        self.version = 0
        self.started: float | None = None
        first, *lines = _LINE_END.split(self.head)
        if first:
            self.line = first[:MOST_OF_LINE].decode("latin-1")
        found = _LINE.fullmatch(first) if rest or lines else None
        if found is not None:
            self.environ = _environ(template, found[1], found[2], lines if rest else lines[:-1])
            self.version = {b"1.0": 10, b"1.1": 11}.get(found[3], 0)


def request_of(exchange: Exchange | None, reader: RequestReader, head: bytes | None) -> RefusedRequest:
    """What is known of a request.

    Args:
        exchange: its exchange, whose application was not called; None if there is none yet.
        reader: the reader of its connection.
        head: the bytes of its head, if that is why it is refused.
    """
    if exchange is None:
        client = {"REMOTE_ADDR": reader.host, "REMOTE_PORT": reader.port}
        return RefusedRequest(head or b"", {**reader.parser.template, **client})
    request = RefusedRequest(b"", {})
    request.environ = exchange.environ
    request.version = exchange.version
    request.started = exchange.started
    return request


def count_refusal(meter: Meter, refusal: HttpError) -> None:
    """Count that a request is refused."""
    code = refusal.status
    meter.add(REFUSED + (REFUSED_CODES.index(code) if code in REFUSED_CODES else len(REFUSED_CODES)), 1)
    if refusal.reason == QUEUE_IS_FULL:
        meter.add(QUEUE_FULL, 1)


def _environ(template: dict[str, Any], method: bytes, target: bytes, lines: list[bytes]) -> dict[str, Any]:
    """An environ of a request line and the field *lines*; the first field of a name counts."""
    path, _, query = target.partition(b"?")
    environ = {key: value for key, value in template.items() if type(value) is str}
    environ["REQUEST_METHOD"] = method.decode("latin-1")
    environ["RAW_URI"] = environ["REQUEST_URI"] = target.decode("latin-1")
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and TOKEN.fullmatch(name) is not None and b"_" not in name:
            environ.setdefault(environ_key(name), value.strip(b" \t").decode("latin-1"))
    return environ
