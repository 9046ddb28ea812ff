"""The readers of request bodies, fed from an Inbox: counting, chunks, spooling. Whole requests are in http_cases."""

from __future__ import annotations

import random
import tempfile
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import MAX_CHUNK_EXTENSIONS, MAX_TRAILERS
from tests.helpers.coding import kept

CODED = b'4;a="b\\"c"\r\nWiki\r\n00005 ; x\r\npedia\r\n0\r\nExpires: never\r\nX:\r\n\r\n'


def feed(build: SimpleNamespace, body: Any, pieces: list[bytes]) -> tuple[bool, bytes]:
    """Feed *pieces* as a connection does, keeping what was not used: whether it is complete, and the bytes behind."""
    inbox = build.inbox.Inbox()
    rest = b""
    complete = False
    for piece in pieces:
        if complete:
            rest += piece
            continue
        inbox.fill(rest + piece)
        complete = body.feed(inbox)
        rest = inbox.take(inbox.available())
    return complete, rest


def split(data: bytes, chance: random.Random) -> list[bytes]:
    """*data* in pieces of random length."""
    cuts = sorted(chance.sample(range(1, len(data)), chance.randrange(min(12, len(data)))))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)])]


# A body of known length


def test_counting_takes_exactly_its_length(build: SimpleNamespace) -> None:
    body = build.body.Body(5, *kept(1000))
    assert feed(build, body, [b"he", b"llo", b"next"]) == (True, b"next")
    assert (body.received, body.rewind().read()) == (5, b"hello")


def test_counting_leaves_what_is_behind_it(build: SimpleNamespace) -> None:
    assert feed(build, build.body.Body(5, *kept(1000)), [b"hello and more"]) == (True, b" and more")


def test_counting_waits_for_the_last_byte(build: SimpleNamespace) -> None:
    body = build.body.Body(5, *kept(1000))
    assert feed(build, body, [b"hell"]) == (False, b"")
    assert body.received == 4


def test_a_large_body_waits_in_a_file(build: SimpleNamespace) -> None:
    body = build.body.Body(30000, *kept(10000))
    states = []
    for _ in range(3):
        feed(build, body, [b"x" * 10000])
        states.append(body.spool is None)
    assert states == [True, False, False]
    assert body.rewind().read() == b"x" * 30000
    body.discard()


@pytest.mark.parametrize(("length", "in_memory"), [(10000, True), (10001, False)])
def test_up_to_the_spool_size_a_body_stays_in_memory(build: SimpleNamespace, length: int, in_memory: bool) -> None:
    body = build.body.Body(length, *kept(10000))
    assert feed(build, body, [b"x" * 100, b"y" * (length - 100)]) == (True, b"")
    assert (body.spool is None, body.kept()) == (in_memory, length if in_memory else 0)
    assert body.rewind().read() == b"x" * 100 + b"y" * (length - 100)
    body.discard()


def test_a_body_that_needs_a_file_is_not_kept_in_memory_until_then(build: SimpleNamespace) -> None:
    body = build.body.Body(10**7, *kept(10**6))
    feed(build, body, [b"x" * 65536])
    assert (body.spool is None, body.target()) == (True, None)
    feed(build, body, [b"x"])
    assert (body.spool is None, body.kept()) == (False, 0)
    body.discard()


def test_what_was_received_into_the_target_belongs_to_the_body(build: SimpleNamespace) -> None:
    body = build.body.Body(11, *kept(1000))
    assert body.target() is None
    feed(build, body, [b"hello"])
    body.target().add(b" w")
    assert feed(build, body, [b"orld, and more"]) == (True, b", and more")
    assert body.target() is None
    assert body.rewind().read() == b"hello world"


def test_what_was_received_into_the_target_goes_to_the_file_when_memory_is_short(build: SimpleNamespace) -> None:
    holdings, disk = kept(1000)
    body = build.body.Body(11, holdings, disk)
    feed(build, body, [b"hello"])
    holdings.spool_size = 0
    body.target().add(b" w")
    assert feed(build, body, [b"orld"]) == (True, b"")
    assert (body.kept(), body.rewind().read()) == (0, b"hello world")
    body.discard()


@pytest.mark.parametrize("arrived", [0, 1, 4000, 5000, 65536])
def test_memory_is_reserved_by_what_has_arrived(build: SimpleNamespace, arrived: int) -> None:
    data, settings = b"x" * arrived, kept(1 << 24)
    inbox = build.inbox.Inbox()
    tracemalloc.start()
    try:
        body = build.body.Body(1 << 24, *settings)
        inbox.fill(data)
        body.feed(inbox)
        assert tracemalloc.get_traced_memory()[0] <= max(4096, 8 * arrived) + 2000
    finally:
        tracemalloc.stop()


def test_the_file_has_no_name_and_goes_with_the_body(build: SimpleNamespace, tmp_path: Any) -> None:
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
    try:
        body = build.body.Body(100, *kept(10))
        feed(build, body, [b"x" * 100])
        assert list(tmp_path.iterdir()) == []
        body.discard()
        assert body.spool.file.closed
    finally:
        tempfile.tempdir = before


@pytest.mark.parametrize("spool_size", [0, 4, 5, 1000])
def test_the_input_is_a_file_at_its_beginning(build: SimpleNamespace, spool_size: int) -> None:
    body = build.body.Body(13, *kept(spool_size))
    feed(build, body, [b"one\n", b"two\nthree"])
    with body.rewind() as file:
        assert file.readline() == b"one\n"
        assert list(file) == [b"two\n", b"three"]
        assert file.read() == b""
        assert file.seek(4) == 4
        assert file.read(3) == b"two"


def test_no_body_is_an_empty_file(build: SimpleNamespace) -> None:
    empty = build.body.EmptyInput()
    assert (empty.read(), empty.read(5), empty.readline(), empty.readlines(), list(empty)) == (b"", b"", b"", [], [])
    assert (empty.seek(0), empty.tell(), empty.readable(), empty.seekable()) == (0, 0, True, True)
    assert (empty.readinto(bytearray(3)), empty.writable(), empty.closed) == (0, False, False)
    empty.close()
    assert empty.read() == b""


# Chunks


def test_chunks_whole(build: SimpleNamespace) -> None:
    body = build.body.ChunkedBody(1000, *kept(1000))
    assert feed(build, body, [CODED + b"GET"]) == (True, b"GET")
    assert (body.received, body.rewind().read()) == (9, b"Wikipedia")


def test_chunks_split_anywhere(build: SimpleNamespace) -> None:
    for at in range(1, len(CODED)):
        body = build.body.ChunkedBody(1000, *kept(1000))
        assert feed(build, body, [CODED[:at], CODED[at:] + b"GET"]) == (True, b"GET")
        assert body.rewind().read() == b"Wikipedia"


def test_chunks_split_in_many_pieces(build: SimpleNamespace) -> None:
    chance = random.Random(7)
    for _ in range(200):
        body = build.body.ChunkedBody(1000, *kept(chance.choice([3, 1000])))
        assert feed(build, body, split(CODED, chance)) == (True, b"")
        assert body.rewind().read() == b"Wikipedia"
        body.discard()


def test_chunks_are_not_complete_before_their_last_byte(build: SimpleNamespace) -> None:
    for end in range(len(CODED)):
        complete, _ = feed(build, build.body.ChunkedBody(1000, *kept(1000)), [CODED[:end]])
        assert not complete


def refusal(build: SimpleNamespace, pieces: list[bytes], max_body: int = 1000) -> int:
    """The status with which a chunked body is refused, 0 if it is not."""
    try:
        feed(build, build.body.ChunkedBody(max_body, *kept(1000)), pieces)
    except HttpError as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    "broken",
    [
        b"x\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"0x1\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"1_0\r\n",
        b"00000000000000001\r\n",
        b"1\n",
        b"1\r\r\n",
        b"\r\n",
        b"1;\r\n",
        b"1;a=\r\n",
        b"1;a\n\r\n",
        b"1\r\nab",
        b"1\r\na\n",
        b"1\r\na\rx",
        b"0\r\nno colon\r\n",
        b"0\r\n: x\r\n",
        b"0\r\n x: y\r\n",
        b"0\r\nx: \0\r\n",
        b"0\r\nx: y\n",
        b"0\r\n\n",
    ],
)
def test_faults_are_refused_in_any_split(build: SimpleNamespace, broken: bytes) -> None:
    data = b"1\r\nz\r\n" + broken
    assert refusal(build, [data]) == 400
    assert refusal(build, [data[at : at + 1] for at in range(len(data))]) == 400


@pytest.mark.parametrize("digits", [b"3e9", b"80000000", b"7fffffffffffffff", b"8000000000000000", b"ffffffffffffffff"])
def test_sizes_over_the_bound(build: SimpleNamespace, digits: bytes) -> None:
    assert refusal(build, [digits + b"\r\n"]) == 413
    assert refusal(build, [b"1\r\nz\r\n" + digits + b"\r\n"]) == 413


def test_the_sum_of_sizes_is_bounded(build: SimpleNamespace) -> None:
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
    assert refusal(build, [chunk] * 10 + [b"0\r\n\r\n"]) == 0
    assert refusal(build, [chunk] * 10 + [b"1\r\n"]) == 413


def test_without_a_bound_sizes_still_fit(build: SimpleNamespace) -> None:
    most = 2**63 - 1
    assert refusal(build, [b"7fffffffffffffff\r\n"], most) == 0
    assert refusal(build, [b"1\r\nz\r\n", b"7ffffffffffffffe\r\n"], most) == 0
    assert refusal(build, [b"1\r\nz\r\n", b"7fffffffffffffff\r\n"], most) == 413
    assert refusal(build, [b"ffffffffffffffff\r\n"], most) == 413


def test_extensions_are_bounded_in_all(build: SimpleNamespace) -> None:
    chunk = b"1;" + b"a" * 1023 + b"\r\nz\r\n"
    fitting = [chunk] * (MAX_CHUNK_EXTENSIONS // 1024)
    assert refusal(build, [*fitting, b"0\r\n\r\n"]) == 0
    assert refusal(build, [*fitting, b"0;a\r\n\r\n"]) == 400


def test_a_line_without_end_is_refused(build: SimpleNamespace) -> None:
    assert refusal(build, [b"1;", *[b"a" * 100] * (MAX_CHUNK_EXTENSIONS // 100 + 2)]) == 400
    assert refusal(build, [b"0\r\nX: ", *[b"a" * 100] * (MAX_TRAILERS // 100 + 2)]) == 400


def test_a_fault_is_refused_as_soon_as_it_is_seen(build: SimpleNamespace) -> None:
    for broken in (b"g", b" ", b"5\n", b"5x", b"5\rx", b"0\r\n\rx"):
        assert refusal(build, [broken]) == 400
