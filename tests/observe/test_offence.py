"""What the error log shows of a refused request at level debug: what was wrong, and no secret."""

from __future__ import annotations

import pytest

from fastwsgi.observe.offence import MOST, offence, shown

HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nLong: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"


@pytest.mark.parametrize(
    ("more", "reason", "wanted"),
    [
        (b"Host: b", "not exactly one Host", b"Host: a\r\nHost: b"),
        (b"Content-Type: b", "two Content-Types", HEAD + b"Content-Type: b"),
        (b"Content-Length: b", "malformed Content-Length", b"Content-Length: b"),
        (b"A_b: c", "underscore in a field name", b"A_b: c"),
        (b"Expect: c", "unknown expectation", b"Expect: c"),
        (b"a b: c", "Invalid header token", b"a b: c"),
        (b"a: b\x00c\nd", "Invalid header value char", b"a: b\x00c\r\nd"),
        (b"a: b", "field over the limit", b"Long: xxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        (b"a b: c", "malformed request line", b"GET /a HTTP/1.1"),
        (b"a: c", "unknown method", b"GET /a HTTP/1.1"),
        (b"a: c", "deadline", HEAD + b"a: c"),
    ],
)
def test_the_lines_that_are_wrong(more: bytes, reason: str, wanted: bytes) -> None:
    assert offence(HEAD + more, reason) == wanted


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a\r\nb\tc\x00\xff\\", r"a\r\nb\tc\x00\xff\\"),
        (b"x" * (MOST + 1), "x" * MOST + "..."),
        (b"Cookie: a=b\r\nHost: c", r"Cookie: (3 bytes)\r\nHost: c"),
        (b"COOKIE : a=b\nHost: c", r"COOKIE : (3 bytes)\nHost: c"),
        (b"Set-Cookie a=b", "Set-Cookie (3 bytes)"),
        (b"\x00Authorization:Basic abc\r\n more\r\n\tmore\r\nHost: c", r"\x00Authorization:(23 bytes)\r\nHost: c"),
        (b"a\rProxy-Authorization: abc\rb\r\nc", r"a\rProxy-Authorization: (5 bytes)\r\nc"),
        (b"Authorization:\r\n abc\r\nHost: c", r"Authorization:(6 bytes)\r\nHost: c"),
        (b"X-Api-Key: abc\r\nX-Auth-Token: abcd", r"X-Api-Key: (3 bytes)\r\nX-Auth-Token: (4 bytes)"),
        (b"X-Auth: abc\nX-Shop-Key: abc\nKeyboard: abc", r"X-Auth: (3 bytes)\nX-Shop-Key: (3 bytes)\nKeyboard: abc"),
        (b"Jwt: a\nMy-Pwd: b\nSAMLAssertion=c", r"Jwt: (1 bytes)\nMy-Pwd: (1 bytes)\nSAMLAssertion(2 bytes)"),
        (b"Shop: Bearer abc", "Shop: Bearer (3 bytes)"),
        (b"GET http://me:secret@shop/a?b=c HTTP/1.1", "GET http://...@shop/a?... HTTP/1.1"),
        (b"GET /a?b=c hunter2 HTTP/1.1\r\na: ?\r\nb: c", r"GET /a?... HTTP/1.1\r\na: ?\r\nb: c"),
        (b"GET /a?b HTTP/1.1 hunter2 HTTP/1.1\r\n", r"GET /a?... HTTP/1.1\r\n"),
        (b"GET /a?b=c hunter2\r\n hunter2\r\nb: c", r"GET /a?...\r\nb: c"),
    ],
)
def test_no_secret_is_shown(data: bytes, wanted: str) -> None:
    assert shown(data) == wanted


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (b"Authorization: Basic\r\n hunter2\r\na: b", r"Authorization: (15 bytes)"),
        (b"Cookie: a=b;\r\n\thunter2", r"Cookie: (14 bytes)"),
        (b"Cookie: a=b;\rhunter2\r\na: b", r"Cookie: (12 bytes)"),
        (b"a: b\r\n more", r"a: b\r\n more"),
    ],
)
def test_a_line_that_continues_a_field_is_shown_with_its_name(more: bytes, wanted: str) -> None:
    assert shown(offence(HEAD + more, "Invalid header value char")) == wanted
