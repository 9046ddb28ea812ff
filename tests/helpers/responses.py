"""Responses read by a strict client."""

from __future__ import annotations

import re
from typing import NamedTuple

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t \x21-\x7e\x80-\xff]*)")


class Response(NamedTuple):
    """One response; *whole* is False where its end has not come or was cut off."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    whole: bool

    def field(self, name: str) -> str | None:
        """The value of a field that may stand there once."""
        values = [value for known, value in self.fields if known.lower() == name.lower()]
        assert len(values) < 2, f"{name} stands there {len(values)} times"
        return values[0] if values else None


def read_responses(data: bytes, methods: list[str], ended: bool) -> list[Response]:
    """The responses in *data*, by the grammar of RFC 9112 and nothing else.

    Args:
        methods: of the requests that were answered, in order; GET for those not named.
        ended: whether the server has closed.

    Raises:
        AssertionError: they break the grammar.
    """
    found: list[Response] = []
    asked = iter(methods)
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"no end of head in {head!r}"
        status, reason, fields = _read_head(head)
        response = Response(status, reason, fields, b"", True)
        if status >= 200:
            body, data, whole = _read_body(response, next(asked, "GET"), data, ended)
            response = response._replace(body=body, whole=whole)
        found.append(response)
    return found


def _read_head(head: bytes) -> tuple[int, str, list[tuple[str, str]]]:
    first, *lines = head.split(b"\r\n")
    status = STATUS_LINE.fullmatch(first)
    assert status is not None, f"no status line: {first!r}"
    fields = []
    for line in lines:
        field = FIELD_LINE.fullmatch(line)
        assert field is not None, f"no field line: {line!r}"
        fields.append((field[1].decode("latin-1"), field[2].decode("latin-1")))
    return int(status[1]), status[2].decode("latin-1"), fields


def _read_body(response: Response, method: str, data: bytes, ended: bool) -> tuple[bytes, bytes, bool]:
    """The body, what follows it, and whether it is whole (RFC 9112 6.3)."""
    length, coding = response.field("Content-Length"), response.field("Transfer-Encoding")
    assert length is None or coding is None, "both Content-Length and Transfer-Encoding"
    if method == "HEAD" or response.status in (204, 304):
        assert response.status != 204 or length is None, "204 with a Content-Length"
        return b"", data, True
    if coding is not None:
        assert coding == "chunked"
        return _read_chunks(data)
    if length is not None:
        assert length.isdigit()
        return data[: int(length)], data[int(length) :], len(data) >= int(length)
    assert response.field("Connection") == "close", "neither a length nor a close"
    return data, b"", ended


def _read_chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        line, ending, rest = data.partition(b"\r\n")
        if not ending:
            return body, b"", False
        assert re.fullmatch(rb"[0-9a-f]+", line), f"no chunk size: {line!r}"
        size = int(line, 16)
        if len(rest) < size + 2:
            return body + rest[:size], b"", False
        assert rest[size : size + 2] == b"\r\n", "a chunk longer than its size"
        if size == 0:
            return body, rest[2:], True
        body, data = body + rest[:size], rest[size + 2 :]
