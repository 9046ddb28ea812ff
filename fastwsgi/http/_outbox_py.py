"""The response serializer and the out-buffer, in pure Python: the specification of _outbox_c.pyx.

A head is begun when the application calls start_response, so that an error is raised where it was made, and finished
with the first piece of the body, when its length may be known. Until then it can be dropped. begin() does not write the
fields that are the server's to decide (Content-Length, Connection); it reports what the application put in them.
"""

from __future__ import annotations

import re

from fastwsgi.http.errors import (
    bad_header,
    bad_headers,
    bad_length,
    bad_name,
    bad_status,
    bad_value,
    hop_by_hop,
)
from fastwsgi.http.grammar import HOP_BY_HOP, LENGTH_DIGITS, TOKEN_CHARS, VALUE_CHARS

_NAME = re.compile(f"[{re.escape(TOKEN_CHARS.decode())}]+")
_VALUE = re.compile(f"[{re.escape(VALUE_CHARS.decode('latin-1'))}]*")
_STATUS = re.compile(f"[1-9][0-9]{{2}}(?: {_VALUE.pattern})?")
_LENGTH = re.compile(f"[0-9]{{1,{LENGTH_DIGITS}}}")


class OutBuffer:
    """Bytes on their way to one client, in order. The attributes are the facts of the last head that was begun."""

    def __init__(self) -> None:
        self.parts: list[bytes | memoryview] = []
        self.size = 0  # bytes not sent yet, without an unfinished head
        self.code = 0
        self.length = -1  # bytes: the application's Content-Length, -1 if it has set none
        self.close = False  # the application has set Connection: close
        self._head: list[str] = []
        self._has_date = False
        self._has_server = False

    def begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Begin a head (PEP 3333, "The start_response() Callable"; RFC 9112 4).

        Raises:
            ApplicationError: PEP 3333 or the grammar of RFC 9110 5 does not allow the status or a header.
        """
        self._head = []
        self.length = -1
        self.close = self._has_date = self._has_server = False
        if type(status) is not str or _STATUS.fullmatch(status) is None:
            raise bad_status(status)
        if type(headers) is not list:
            raise bad_headers(headers)
        self._head.append(f"HTTP/1.1 {status}" if len(status) > 3 else f"HTTP/1.1 {status} ")
        whole = False
        try:
            for item in headers:
                self._add_field(item)
            whole = True
        finally:
            if not whole:
                self.drop_head()
        self.code = int(status[:3])

    def _add_field(self, item: object) -> None:
        if type(item) is not tuple or len(item) != 2:
            raise bad_header(item)
        name, value = item
        if type(name) is not str or _NAME.fullmatch(name) is None:
            raise bad_name(name)
        if type(value) is not str or _VALUE.fullmatch(value) is None:
            raise bad_value(name, value)
        lower = name.lower()
        if lower == "content-length":
            if _LENGTH.fullmatch(value) is None or self.length not in (-1, int(value)):
                raise bad_length(value)
            self.length = int(value)
            return
        if lower == "connection" and value.strip(" \t").lower() == "close":
            self.close = True
            return
        if lower in HOP_BY_HOP:
            raise hop_by_hop(name)
        self._has_date = self._has_date or lower == "date"
        self._has_server = self._has_server or lower == "server"
        self._head.append(f"{name}: {value}")

    def finish(self, length: int, chunked: bool, connection: str, server: bytes, date: bytes) -> None:
        """End the unfinished head.

        Args:
            length: the value of Content-Length, -1 for no such field.
            chunked: whether the body is sent in chunks.
            connection: the value of Connection, "" for no such field.
            server, date: whole field lines, for an application that has set none, or b"".

        Raises:
            RuntimeError: no head was begun.
        """
        if not self._head:
            raise RuntimeError("finish() without begin()")
        if length >= 0:
            self._head.append(f"Content-Length: {length}")
        if chunked:
            self._head.append("Transfer-Encoding: chunked")
        if connection:
            self._head.append(f"Connection: {connection}")
        head = ("\r\n".join(self._head) + "\r\n").encode("latin-1")
        self._head = []
        self.add(head + (b"" if self._has_server else server) + (b"" if self._has_date else date) + b"\r\n")

    def drop_head(self) -> None:
        """Forget the unfinished head."""
        self._head = []

    def add(self, data: bytes) -> None:
        """Append *data* as it is."""
        if data:
            self.parts.append(data)
            self.size += len(data)

    def add_chunk(self, data: bytes) -> None:
        """Append *data* as one chunk (RFC 9112 7.1), unless it is empty: that would be the last chunk."""
        if data:
            self.add(b"%x\r\n" % len(data))
            self.add(data)
            self.add(b"\r\n")

    def peek(self) -> bytes:
        """All bytes that are not sent yet."""
        return b"".join(self.parts)

    def behind(self, count: int) -> list[bytes | memoryview]:
        """What is behind the first *count* bytes, in parts; there is no unfinished head."""
        found: list[bytes | memoryview] = []
        for part in self.parts:
            if count < len(part):
                found.append(memoryview(part)[count:])
            count = max(0, count - len(part))
        return found

    def cut(self, count: int) -> None:
        """Forget what is behind the first *count* bytes; there is no unfinished head."""
        kept: list[bytes | memoryview] = []
        self.size = min(self.size, count)
        for part in self.parts:
            if count <= 0:
                break
            kept.append(part if count >= len(part) else bytes(memoryview(part)[:count]))
            count -= len(part)
        self.parts = kept

    def sent(self, count: int) -> None:
        """Forget the first *count* bytes."""
        self.size -= count
        used = 0
        for part in self.parts:
            if count < len(part):
                break
            count -= len(part)
            used += 1
        del self.parts[:used]
        if count:
            self.parts[0] = memoryview(self.parts[0])[count:]  # copying a long piece would take quadratic time
