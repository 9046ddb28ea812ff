"""The alphabets, names and default bounds of HTTP/1.1, each typed once.

Only tables and patterns are here; head.py, framing.py and body.py decide with them.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from fastwsgi.records import NamedTuple

# token = 1*tchar (RFC 9110 5.6.2)
TOKEN_CHARS: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN: Final = re.compile(rb"[%s]+" % re.escape(TOKEN_CHARS))

# HTTP-version (RFC 9112 2.3)
VERSION: Final = re.compile(rb"HTTP/([0-9])\.([0-9])")

# host = IP-literal / IPv4address / reg-name (RFC 3986 3.2.2, without the comma), then [":" port] (RFC 9110 7.2)
HOST: Final = re.compile(
    rb"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|\[[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+\]"
    rb"|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::(?P<port>[0-9]{0,5}))?"
)
MAX_PORT: Final = 65535  # TCP's (RFC 9293 3.1)

# 1*DIGIT without a leading zero (RFC 9110 8.6, stricter: some parsers read a leading zero as octal)
LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,18}")

# chunk-size, and chunk-ext as *( BWS ";" BWS name [ BWS "=" BWS value ] ) (RFC 9112 7.1). The size has no sign,
# prefix, underscore or space, and at most 16 digits: a 64-bit number.
CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
CHUNK_EXTENSION: Final = re.compile(
    rb"(?:[ \t]*;[ \t]*[%s]+(?:[ \t]*=[ \t]*(?:[%s]+|%s))?)*"
    % (re.escape(TOKEN_CHARS), re.escape(TOKEN_CHARS), _QUOTED)
)

# field-value (RFC 9110 5.5), with or without blanks around it
VALUE_CHARS: Final = bytes([9, *range(32, 127), *range(128, 256)])
FIELD_VALUE: Final = re.compile(rb"[%s]*" % re.escape(VALUE_CHARS))

TLS_HANDSHAKE: Final = b"\x16\x03"  # how a client begins that takes this port for one of TLS (RFC 8446 5.1)
NOT_IN_REQUEST_LINE: Final = re.compile(rb"[\x00-\x1f\x7f-\xff]")

# The methods that reach the application, known or not (RFC 9110 9.1 leaves the set open), but for CONNECT, as we are an
# origin and not a proxy, and PRI, with which a client tries HTTP/2 (RFC 9113 3.4).
MAX_METHOD: Final = 32  # bytes
METHOD: Final = re.compile(rb"[A-Z0-9-]{1,%d}" % MAX_METHOD)
UNSERVED_METHODS: Final = frozenset((b"CONNECT", b"PRI"))
LONG_METHOD: Final = re.compile(rb"[%s]{%d}" % (re.escape(TOKEN_CHARS), MAX_METHOD + 1))
KNOWN_METHOD: Final = b"GET"  # one that llhttp, which knows a list of them, is given in place of each

LENGTH_DIGITS: Final = 18  # at most, in an application's Content-Length, so that it fits into 64 bits

# Fields that concern one hop, which only the server may send (RFC 9110 7.6.1, PEP 3333 "Other HTTP Features")
HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers")
    + ("transfer-encoding", "upgrade")
)

# How the end of a response body is shown (RFC 9112 6.3)
NO_BODY: Final = 0
BY_LENGTH: Final = 1
BY_CHUNKS: Final = 2
BY_CLOSE: Final = 3

MAX_LENGTH: Final = 2**63 - 1  # bytes: the largest Content-Length (RFC 9112 6.3)
MAX_BLANK_LINES: Final = 4  # empty lines skipped before a request line (RFC 9112 2.2)
MAX_CHUNK_EXTENSIONS: Final = 4096  # bytes, in all chunks of one body
MAX_TRAILERS: Final = 16384  # bytes of a trailer section


class HeadLimits(NamedTuple):
    """How long a request head may be."""

    line: int = 8190  # bytes of the request line
    fields: int = 100  # number of field lines
    field: int = 8190  # bytes of one field line
    head: int = 65536  # bytes of the whole head


def reason_phrase(status: int) -> str:
    """The phrase registered for *status* (RFC 9110 15), which renamed 413, 414 and 422."""
    renamed = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
    return renamed.get(status) or HTTPStatus(status).phrase
