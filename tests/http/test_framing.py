"""How long is this body? Every branch of the two functions in framing.py, as tables (RFC 9112 6.3)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import BY_CHUNKS, BY_CLOSE, BY_LENGTH, MAX_LENGTH, NO_BODY

CHUNKED = -1


@pytest.fixture
def framing(build: SimpleNamespace) -> Any:
    return build.framing.Framing(1000)


@pytest.mark.parametrize(
    ("version", "lengths", "codings", "length"),
    [
        (11, [], [], 0),
        (10, [], [], 0),
        (11, [b"0"], [], 0),
        (11, [b"7"], [], 7),
        (10, [b"7"], [], 7),
        (11, [b"7", b"7", b"7"], [], 7),
        (11, [b"1000"], [], 1000),
        (11, [], [b"chunked"], CHUNKED),
        (11, [], [b"Chunked"], CHUNKED),
        (11, [], [b"\t chunked "], CHUNKED),
    ],
)
def test_request_length(
    framing: Any, version: int, lengths: list[bytes], codings: list[bytes], length: int
) -> None:
    assert framing.request_length(version, lengths, codings) == length


@pytest.mark.parametrize(
    ("version", "lengths", "codings", "status"),
    [
        # 1. HTTP/1.0 knows no Transfer-Encoding; this comes before all else
        (10, [], [b"chunked"], 400),
        (10, [b"5"], [b"chunked"], 400),
        (10, [], [b"gzip"], 400),
        # 2. both
        (11, [b"5"], [b"chunked"], 400),
        (11, [b"5"], [b"gzip"], 400),
        (11, [b"x"], [b"chunked"], 400),
        # 3. exactly one chunked
        (11, [], [b""], 400),
        (11, [], [b"", b"chunked"], 400),
        (11, [], [b"chunked", b""], 400),
        (11, [], [b"chunked,"], 400),
        (11, [], [b",chunked"], 400),
        (11, [], [b"chunked, chunked"], 400),
        (11, [], [b"chunked", b"chunked"], 400),
        (11, [], [b"chunked, gzip"], 400),
        (11, [], [b"chunked", b"gzip"], 400),
        (11, [], [b"chunked;q=1"], 400),
        (11, [], [b'"chunked"'], 400),
        (11, [], [b"chun ked"], 400),
        (11, [], [b"\x0bchunked"], 400),
        (11, [], [b"chunked\x0c"], 400),
        (11, [], [b"\xa0chunked"], 400),
        (11, [], [b"gzip, chunked"], 501),
        (11, [], [b"gzip", b"chunked"], 501),
        (11, [], [b"gzip"], 501),
        (11, [], [b"identity"], 501),
        (11, [], [b"xchunked"], 501),
        # 4. one number
        (11, [b""], [], 400),
        (11, [b"7", b"8"], [], 400),
        (11, [b"7", b"07"], [], 400),
        (11, [b"7", b""], [], 400),
        (11, [b"07"], [], 400),
        (11, [b"00"], [], 400),
        (11, [b"+7"], [], 400),
        (11, [b"-7"], [], 400),
        (11, [b"-0"], [], 400),
        (11, [b"7_0"], [], 400),
        (11, [b"7 0"], [], 400),
        (11, [b" 7"], [], 400),
        (11, [b"7\n"], [], 400),
        (11, [b"7,7"], [], 400),
        (11, [b"0x7"], [], 400),
        (11, [b"7.0"], [], 400),
        (11, [b"\xb2"], [], 400),
        (11, [b"9223372036854775808"], [], 400),
        (11, [b"9999999999999999999"], [], 400),
        (11, [b"10000000000000000000"], [], 400),
        (11, [b"18446744073709551617"], [], 400),
        # over the bound
        (11, [b"1001"], [], 413),
        (11, [b"9223372036854775807"], [], 413),
    ],
)
def test_request_length_refused(
    framing: Any, version: int, lengths: list[bytes], codings: list[bytes], status: int
) -> None:
    with pytest.raises(HttpError) as caught:
        framing.request_length(version, lengths, codings)
    assert caught.value.status == status


def test_no_bound(build: SimpleNamespace) -> None:
    framing = build.framing.Framing(0)
    assert framing.max_body == MAX_LENGTH
    assert framing.request_length(11, [b"9223372036854775807"], []) == MAX_LENGTH


@pytest.mark.parametrize(
    ("to_head", "version", "code", "length", "shown"),
    [
        # 1. never a body
        (True, 11, 200, 5, NO_BODY),
        (True, 10, 200, -1, NO_BODY),
        (False, 11, 204, -1, NO_BODY),
        (False, 11, 204, 5, NO_BODY),
        (False, 11, 304, 5, NO_BODY),
        (False, 10, 304, -1, NO_BODY),
        (False, 11, 205, 0, NO_BODY),
        (False, 11, 205, 5, NO_BODY),
        (False, 11, 205, -1, NO_BODY),
        (False, 10, 205, -1, NO_BODY),
        # 2. known
        (False, 11, 200, 0, BY_LENGTH),
        (False, 11, 200, 5, BY_LENGTH),
        (False, 10, 404, 5, BY_LENGTH),
        # 3. not known, HTTP/1.1
        (False, 11, 200, -1, BY_CHUNKS),
        (False, 11, 500, -1, BY_CHUNKS),
        # 4. not known, HTTP/1.0
        (False, 10, 200, -1, BY_CLOSE),
    ],
)
def test_response_body(
    framing: Any, to_head: bool, version: int, code: int, length: int, shown: int
) -> None:
    assert framing.response_body(to_head, version, code, length) == shown


@pytest.mark.parametrize(
    ("code", "announced", "known", "length"),
    [
        # 1. no such field
        (204, -1, -1, -1),
        (204, 5, 5, -1),
        # 2. nothing comes
        (205, -1, -1, 0),
        (205, 5, 7, 0),
        # 3. what GET would say
        (304, 42, 0, 42),
        (304, -1, -1, -1),
        (200, 42, 0, 42),
        (200, 0, -1, 0),
        (200, -1, 7, 7),
        (200, -1, 0, -1),
        (200, -1, -1, -1),
    ],
)
def test_bodiless_length(framing: Any, code: int, announced: int, known: int, length: int) -> None:
    assert framing.bodiless_length(code, announced, known) == length
