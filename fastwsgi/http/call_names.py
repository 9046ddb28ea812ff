"""The names of running calls in a worker's memory: "GET /shop", in Latin-1, without the query, and cut.

The path is the one of the request line. Escaping it is the reader's: it may hold any byte that the grammar allows.
"""

from __future__ import annotations

import re
from typing import Any

from fastwsgi.figures import CALL_ID, CALL_ID_BYTES, CALL_LENGTH, CALL_NAME, CALL_NAME_BYTES, WORD

_NAME = re.compile(rb"[\r\n]*([^ ]* [^ ?]*)")  # of a head, which empty lines may precede (RFC 9112 2.2)


def name_in(head: bytes) -> bytes:
    """The name of the request whose *head* has been read."""
    found = _NAME.match(head)
    return found[1] if found is not None else b""


def name_from(environ: dict[str, Any] | None) -> bytes:
    """The name of a request whose head is no longer at hand; the *environ* may be the application's by now."""
    method, target = (environ or {}).get("REQUEST_METHOD"), (environ or {}).get("RAW_URI")
    if type(method) is not str or type(target) is not str:
        return b""
    return f"{method} {target.partition('?')[0]}".encode("latin-1", "replace")


def write_name(words: memoryview, row: int, name: bytes) -> None:
    """Write *name*, cut, to the call whose words begin at *row*; it must not be running."""
    name = name[:CALL_NAME_BYTES]
    begin = (row + CALL_NAME) * WORD
    words.cast("B")[begin : begin + len(name)] = name
    words[row + CALL_LENGTH] = len(name)


def write_id(words: memoryview, row: int, request_id: str) -> None:
    """Write the *request_id*, cut, to the call whose words begin at *row*."""
    given = request_id.encode("latin-1", "replace")[:CALL_ID_BYTES]
    begin = (row + CALL_ID) * WORD
    words.cast("B")[begin : begin + CALL_ID_BYTES] = given.ljust(CALL_ID_BYTES, b"\0")
