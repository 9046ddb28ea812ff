"""The names of running calls in a worker's memory: "GET /shop", in Latin-1, without the query, and cut.

head.py and the scanner make a name of the request line; escaping it is the reader's, as it may hold any byte that the
grammar allows.
"""

from __future__ import annotations

from fastwsgi.figures import CALL_ID, CALL_ID_BYTES, CALL_LENGTH, CALL_NAME, WORD


def write_name(words: memoryview, row: int, name: bytes) -> None:
    """Write *name* to the call whose words begin at *row*; it must not be running."""
    begin = (row + CALL_NAME) * WORD
    words.cast("B")[begin : begin + len(name)] = name
    words[row + CALL_LENGTH] = len(name)


def write_id(words: memoryview, row: int, request_id: str) -> None:
    """Write the *request_id*, cut, to the call whose words begin at *row*."""
    given = request_id.encode("latin-1", "replace")[:CALL_ID_BYTES]
    begin = (row + CALL_ID) * WORD
    words.cast("B")[begin : begin + CALL_ID_BYTES] = given.ljust(CALL_ID_BYTES, b"\0")
