"""What was wrong with a refused request, in one line for the error log: the bytes, escaped and cut, without secrets.

    refused with 400 (not exactly one Host) 192.0.2.7 port 50000: Host: shop\\r\\nHost: other

Only a head is shown, never a body. Values of fields with secrets, queries, and credentials in a target are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastwsgi.http.naming import request_name

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError

MOST = 200  # bytes shown

# Compiled when a refused request is shown, which takes 1.5 ms
_LINE_END = rb"\r?\n(?![ \t])"  # a line that begins with a blank continues the one before (RFC 9112 5.2)
_FIELD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*"
_REST = rb"[^\n]*(?:\n[ \t][^\n]*)*"  # of a line, with those that continue it, and with each bare CR
_SECRET = (
    rb"(?i)((?:authori[sz]ation|x-auth|bearer|cookie|token|jwt|secret|passw|pwd|credential|assertion|session|signature"
    rb"|api_?key|[-_]key(?![a-z]))[\w-]*[ \t]*:?[ \t]*)(" + _REST + rb")"
)
_QUERY = rb"(?<=\?)(?:" + _REST + rb"(?= HTTP/)|" + _REST + rb"(?<!\r))"
_USER = rb"(?<=//)[^/\n]*(?=@)"
_UNSAFE = r"[^ -~]|\\"
_ESCAPES = {"\r": r"\r", "\n": r"\n", "\t": r"\t", "\\": r"\\"}


def describe(connection: Connection, refusal: HttpError) -> str:
    """The line for a *refusal*."""
    line = f"refused with {refusal.status} ({refusal.reason})"
    if connection.host:
        line += f" {connection.host} port {connection.reader.port}"
    request = refusal.request
    if request is None:
        return line
    environ = request.environ or {}
    if "fastwsgi.request_id" in environ:
        line += f", request {environ['fastwsgi.request_id']}"
    if request.head:
        return f"{line}: {shown(offence(request.head, refusal.reason))}"
    return f"{line}: {shown(request_name(environ).encode('latin-1', 'replace'))}" if environ else line


def offence(head: bytes, reason: str) -> bytes:
    """The lines of *head* that *reason* is about, or are no fields; the whole of it if there are none."""
    line, *fields = re.split(_LINE_END, head)
    about = reason.lower()
    if "request line" in about or "method" in about:
        return line
    if "field over" in about and fields:
        return max(fields, key=len)
    found = [field for field in fields if _is_meant(field, about)]
    found = found or [field for field in fields if field and re.fullmatch(_FIELD, field) is None]
    return b"\r\n".join(found) or head


def _is_meant(field: bytes, about: str) -> bool:
    name = field.partition(b":")[0].strip().lower().decode("latin-1")
    if name == "expect" and "expectation" in about:
        return True
    return bool(name) and (("_" in name and "underscore" in about) or name in about.split())


def shown(data: bytes) -> str:
    """*data* as it may stand in a log."""
    data = re.sub(_USER, b"...", re.sub(_QUERY, lambda match: match[0] and b"...", data))
    data = re.sub(_SECRET, _hidden, data)
    text = data[:MOST].decode("latin-1") + ("..." if len(data) > MOST else "")
    return re.sub(_UNSAFE, lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def _hidden(match: re.Match[bytes]) -> bytes:
    """The name of a secret, and its size in place of the secret."""
    name, value = match.groups()
    end = b"\r" if value.endswith(b"\r") else b""
    size = len(value) - len(end)
    return b"%b(%d bytes)%b" % (name, size, end) if size else match[0]
