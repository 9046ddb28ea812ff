"""What the two differential tests share: the pieces of which heads are made, and a reader that reports facts.

Three readers must agree about any bytes: the compiled build with its scanner, without it, and the pure build.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fastwsgi.figures import CALL_NAME_BYTES
from fastwsgi.http.errors import HttpError
from fastwsgi.settings.settings import Settings
from tests.helpers.memory import make_parser

METHODS = b"GET POST HEAD PUT DELETE OPTIONS PATCH".split()
ODD_METHODS = [
    *b"get Get GETS G_T G@T TRACE QUERY M-SEARCH CONNECT PRI DESCRIBE SOURCE LIST VERSION-CONTROL FOO-2 -".split(),
    *[b"", b"A" * 32, b"A" * 33, b"A" * 9000],
]
TARGETS = [*b"/ /a /a/b?c=d /? /%41%2f /a%zz%4 //a// /a;b=c,d:e@f".split(), b"/" + b"%41" * 30]
ODD_TARGETS = [
    *rb'* a ?a h:80 /a#b /a\b /a?\ /%00 /?%00 /"<>{}|^[]` http://a http://a:1/b?c https://a?b HTTP://[::1]/'.split(),
    *b"http://u@a/ http:// ftp://a/ /\xc3\xa9 /\x7f".split(),
    *b"https://h:65536/ http://h:65535/".split(),
    b"",
]
VERSIONS = b"HTTP/1.1 HTTP/1.0".split()
ODD_VERSIONS = [*b"HTTP/1.2 HTTP/2.0 HTTP/1 HTTP/1. HTTP/01.1 HTTP/1.10 http/1.1 RTSP/1.0".split(), b""]
NAMES = (
    b"Accept accept User-Agent Cookie cookie X x X-Y X_Y Referer TE Trailer Content-Type content-type Content_Type "
    b"Content-Length content-length Content_Length Transfer-Encoding Transfer_Encoding Connection connection Expect "
    b"Upgrade Host host Ho_st Keep-Alive !#$%&'*+.^`|~"
).split()
TELLING = (b"host", b"content", b"transfer", b"expect")  # beginnings of names that change more than environ
ODD_NAMES = [b"", b" ", b"a b", b"a ", b"\tX", b" X", b"a(b", b"X\x80", b"X\0", b"a" * 300]
VALUES = [
    *b"a b h h:80 h:65536 [::1] [::1]:80 a,b 0 3 03 +3 1_0 1073741824 1073741825 keep-alive close Close".split(),
    *b"upgrade chunked Chunked gzip 100-continue 100-Continue websocket text/plain text/html;q=0.9,*/*".split(),
    *[b"", b"a b", b"3, 3", b"Keep-Alive, x", b"x, close", b"gzip, chunked", b"a=b; c=d"],
    *[b"\xe9\x80\xff", b"\xa0close", b"9" * 18, b"9" * 19, b"1" * 20],
]
BLANKS = [b" ", b"", b"\t", b"  ", b" \t "]
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t", b"\n\r"]
SPLINTERS = [
    *[b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\t", b" ", b"\x7f", b"\x80", b"a" * 40],
    *rb": _ - , % ? # / \ @ 0 1 HTTP/1.1".split(),
    *[b"\r\nHost: h", b"\r\nContent-Length: 3", b"\r\nTransfer-Encoding: chunked"],
]
CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"root_path": "/a", "underscore_headers": "refuse", "limit_request_body": 10},
    {"limit_request_body": 0},
    {"limit_request_line": 24, "limit_request_fields": 3, "limit_request_field_size": 30, "limit_request_head": 90},
]


class HeadReader:
    """Reads heads with one parser, again and again, as a loop does.

    Args:
        build: from fastwsgi.backend.
        scanner: whether it goes first.
        settings: as for Settings.
    """

    def __init__(self, build: SimpleNamespace, scanner: bool, **settings: Any) -> None:
        self.parser = make_parser(build, Settings(scanner=scanner, **settings), plain=True)
        self.inbox = build.inbox.Inbox()

    def takes(self, raw: bytes) -> bool:
        """Whether the scanner takes the head at the front of *raw*; if not, it must have taken nothing."""
        if self.parser.scanner is None:
            return False
        self.inbox.fill(raw)
        taken = self.parser.scanner.scan(self.inbox, self.parser, self.parser.template)
        assert taken or self.inbox.start == 0
        return bool(taken)

    def read(self, raw: bytes) -> tuple[Any, ...]:
        """What becomes of *raw*: ("accepted", facts, bytes used), ("refused", status) or ("incomplete",)."""
        parser, inbox = self.parser, self.inbox
        inbox.fill(raw)
        try:
            if not parser.parse(inbox, parser.template):
                return ("incomplete",)
        except HttpError as error:
            return ("refused", error.status)
        method, target = parser.environ["REQUEST_METHOD"], parser.environ["RAW_URI"]
        name = f"{method} {target.partition('?')[0]}"[:CALL_NAME_BYTES]
        assert parser.name == name.encode("latin-1")
        return (
            "accepted",
            parser.environ,
            bool(parser.is_head),
            parser.version,
            parser.body_length,
            bool(parser.keep_alive),
            bool(parser.expect_continue),
            bool(parser.is_https),
            inbox.start,
        )

    def examine(self, raw: bytes) -> int:
        """The status with which the beginning of a head is refused, 0 if it is not."""
        self.inbox.fill(raw)
        try:
            self.parser.examine(self.inbox)
        except HttpError as error:
            return error.status
        return 0
