"""The chunked decoder: both builds agree in any split, and a decoder written a second time, here, reads the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from tests.helpers.coding import decode

from .choices import payload_and_choices, pieces, with_choices
from .samples import bodies

LIMITS = ((50, 30), (1 << 20, 100), (2**63 - 1, 1 << 20))  # of the body, and of what stays in memory
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?\r\n")
TRAILERS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t \x21-\x7e\x80-\xff]*\r\n)*\r\n")


def check(data: bytes) -> Any:
    """The last bytes of *data* choose the limits and the split."""
    coded, choices = payload_and_choices(data)
    limits = choices.pick(LIMITS)
    split = pieces(coded, choices)
    whole = decode(backend.build("py"), [coded], limits)
    for name in ("c", "py"):
        assert decode(backend.build(name), split, limits) == whole
    assert decode(backend.build("c"), [coded], limits) == whole
    if whole[0] is True:
        assert whole == (True, *decode_again(coded))
    return whole


def decode_again(coded: bytes) -> tuple[bytes, bytes]:
    """The body and what is left over of a coding that is right (RFC 9112 7.1)."""
    body, at = b"", 0
    while True:
        chunk = CHUNK.match(coded, at)
        assert chunk is not None, "no chunk"
        size, at = int(chunk[1], 16), chunk.end()
        if size == 0:
            trailers = TRAILERS.match(coded, at)
            assert trailers is not None, "no trailers"
            return body, coded[trailers.end() :]
        body += coded[at : at + size]
        at += size + 2
        assert coded[at - 2 : at] == b"\r\n", "no end of a chunk"


def seeds() -> Iterator[bytes]:
    for number, body in enumerate(bodies()):
        yield with_choices(body, bytes([number % len(LIMITS), 2, number % 50]))
