"""The compiled modules and their pure twins, call by call: the receive buffer, the out-buffer, the wire, the chunks."""

from __future__ import annotations

import errno
import os
import random
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.http.errors import ApplicationError
from fastwsgi.http.transport import LOST, WOULD_BLOCK
from tests.conftest import both_builds, without_compiled
from tests.helpers.coding import decode
from tests.helpers.strategies import broken_heads, coded, cuts, split, thorough

compiled_only = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")


# The receive buffer

inbox_calls = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.one_of(broken_heads(), st.text("\r\nab", max_size=30).map(str.encode))),
        st.tuples(st.sampled_from(["peek", "take"]), st.integers(0, 40)),
        st.tuples(st.sampled_from(["head_size", "has_bare_line_end"]), st.integers(0, 40)),
        st.tuples(st.just("since"), st.integers(0, 40)),
        st.tuples(st.just("available")),
    ),
    max_size=20,
)


@compiled_only
@thorough
@given(calls=inbox_calls)
def test_inboxes_are_alike(calls: list[tuple[Any, ...]]) -> None:
    inboxes = [build.inbox.Inbox() for build in both_builds()]
    for name, *arguments in calls:
        if name == "since":
            arguments = [min(arguments[0], inboxes[0].start)]
        elif name in ("head_size", "has_bare_line_end"):
            arguments = [min(arguments[0], inboxes[0].available())]
        compiled, pure = (getattr(inbox, name)(*arguments) for inbox in inboxes)
        assert compiled == pure, name
        assert (inboxes[0].start, inboxes[0].end) == (inboxes[1].start, inboxes[1].end)


def test_an_inbox_refuses_more_than_it_holds(build: SimpleNamespace) -> None:
    inbox = build.inbox.Inbox()
    inbox.fill(b"x" * build.inbox.CAPACITY)
    assert inbox.available() == build.inbox.CAPACITY
    with pytest.raises(ValueError, match="more than"):
        inbox.fill(b"x" * (build.inbox.CAPACITY + 1))


def test_a_read_never_brings_more_than_an_inbox_holds(build: SimpleNamespace) -> None:
    capacity = build.inbox.CAPACITY
    inbox, wire = build.inbox.Inbox(), build.sockio.SocketWire()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"y" * 1000)
        assert wire.receive(ours.fileno(), inbox, b"x" * (capacity - 10)) == 10
        assert inbox.available() == capacity
        assert inbox.take(capacity).endswith(b"x" + b"y" * 10)
        assert wire.receive(ours.fileno(), inbox, None) == 990


def test_a_room_is_filled_in_any_steps(build: SimpleNamespace) -> None:
    chance = random.Random(3)
    inbox, wire = build.inbox.Inbox(), build.sockio.SocketWire()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        for most in (0, 1, 4096, 4097, 100000):
            room, data = inbox.new_room(most), chance.randbytes(most)
            while not room.is_full():
                piece = data[room.size : room.size + chance.choice([1, 500, 50000])]
                if chance.random() < 0.5:
                    inbox.fill(piece + b"behind")
                    room.take(inbox, len(piece))
                    assert inbox.take(100) == b"behind"
                else:
                    theirs.sendall(piece)
                    while piece:
                        count = wire.receive_into(ours.fileno(), inbox, room)
                        piece = piece[count:]
            assert (room.size, room.contents()) == (most, data)
        inbox.fill(b"x")
        room.take(inbox, 1)
        assert (room.size, inbox.available()) == (most, 1)
        with pytest.raises(ValueError, match="room"):
            room.add(b"x")


def test_no_more_is_received_than_a_room_may_have(build: SimpleNamespace) -> None:
    inbox, wire = build.inbox.Inbox(), build.sockio.SocketWire()
    room = inbox.new_room(10)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        assert wire.receive_into(ours.fileno(), inbox, room) == WOULD_BLOCK
        theirs.sendall(b"0123456789behind")
        inbox.fill(b"stale")
        assert wire.receive_into(ours.fileno(), inbox, room) == 10
        assert (room.contents(), inbox.available()) == (b"0123456789", 0)
        assert wire.receive(ours.fileno(), inbox, None) == 6
        theirs.close()
        assert wire.receive_into(ours.fileno(), inbox, inbox.new_room(10)) == 0


def test_accept_gives_the_client_as_a_value(build: SimpleNamespace) -> None:
    wire = build.sockio.SocketWire()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert wire.accept(listener) == (-errno.EAGAIN, "", "")
        for host in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
            with socket.create_connection(listener.getsockname(), source_address=(host, 0)) as client:
                fd, *address = wire.accept(listener)
                wire.close(fd, False)
                assert address == [host, str(client.getsockname()[1])]


def test_a_file_that_cannot_be_read_is_none_that_the_client_has_lost(build: SimpleNamespace) -> None:
    wire = build.sockio.SocketWire()
    ours, theirs = socket.socketpair()
    folder = os.open(os.path.dirname(__file__), os.O_RDONLY)
    with ours, theirs, open(__file__, "rb") as file:
        assert wire.send_file(ours.fileno(), file.fileno(), 0, 10) == 10
        assert wire.send_file(ours.fileno(), folder, 0, 10) == 0
        os.close(folder)
        theirs.close()
        assert wire.send_file(ours.fileno(), file.fileno(), 0, 10) == LOST


# The response serializer


class Text(str):
    """A str that is none by type."""


ODD_TEXTS = ["", "\r", "\n", "\0", "\x7f", "\u0100", "\ud800", "a\r\nX: y", Text("200 OK"), b"200 OK", None, 7, True]
STATUSES = [
    *["200 OK", "204 No Content", "304 ", "404", "999 x", "103 Early Hints", "500 \xe9\t"],
    *["099 x", "20 OK", "2000 OK", "200OK", "200\tOK", " 200 OK", "+20 OK", "\u0662\u0660\u0660"],
]
NAMES = [
    *["X", "Content-Type", "Content-Length", "content-length", "Connection", "CONNECTION", "Date", "server", "x" * 40],
    *["Keep-Alive", "TE", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade", "Proxy-Authenticate", "connectio"],
    *["proxy-authorization", "a b", "a:", "Ser\u212aer", "\u0130", "da\u0165e", "a\xe9"],
]
VALUES = [
    *["x", "", " ", "close", "Close", " close\t", "keep-alive", "close, x", "\xe9\t~", "\xa0close", "x" * 5000],
    *["0", "5", "05", "+5", "-1", "5 ", "1_0", "9" * 18, "1" * 19, "9" * 19, "\u0665", "\xb2"],
]
odd_text = st.sampled_from(ODD_TEXTS)
status = st.one_of(st.sampled_from(STATUSES), odd_text, st.text(max_size=8))
field_names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), odd_text)
field_values = st.one_of(st.sampled_from(VALUES), odd_text, st.text(max_size=8))
fields = st.one_of(
    st.tuples(field_names, field_values),
    st.tuples(field_names, field_values),
    st.one_of(st.just(("a",)), st.just(("a", "b", "c")), st.just(["a", "b"]), st.just("ab"), st.none()),
)
lists = st.lists(fields, max_size=5)
headers = st.one_of(lists, lists, lists, st.sampled_from([(), None, (("a", "b"),)]))
pieces = st.one_of(st.binary(max_size=40), st.integers(0, 40000).map(lambda size: b"z" * size))
begin = st.tuples(st.just("begin"), status, headers)
finish = st.tuples(
    st.just("finish"),
    st.sampled_from([-1, 0, 7, 10**12, 2**63 - 1]),
    st.booleans(),
    st.sampled_from(["", "close", "keep-alive"]),
    st.sampled_from([b"", b"Server: s\r\n"]),
    st.sampled_from([b"", b"Date: d\r\n"]),
)
out_calls = st.lists(
    st.one_of(
        st.tuples(begin, finish),
        st.tuples(begin, st.tuples(st.just("sent"), st.floats(0, 1)), finish),
        st.tuples(begin, st.tuples(st.just("drop_head"))),
        st.tuples(begin, begin, finish),
        st.tuples(st.tuples(st.sampled_from(["add", "add_chunk"]), pieces)),
        st.tuples(st.tuples(st.just("sent"), st.floats(0, 1))),
        st.tuples(st.tuples(st.just("sent"), st.just(1.0))),
        st.tuples(st.tuples(st.sampled_from(["behind", "cut"]), st.floats(0, 1))),
    ),
    max_size=15,
)


def call(out: Any, name: str, arguments: list[Any]) -> Any:
    """What a call gives: its facts, or that it was refused."""
    try:
        result = getattr(out, name)(*arguments)
    except ApplicationError as error:
        return type(error), str(error)
    if name == "behind":
        assert b"".join(result) == out.peek()[arguments[0] :]
    return (out.code, out.length, bool(out.close)) if name == "begin" else None


def is_refusal(result: Any) -> bool:
    return isinstance(result, tuple) and result[0] is ApplicationError


def begin_alike(outs: list[Any], status: Any, headers: Any) -> None:
    """Begin a head in both, then a plain one, which must know nothing of the first."""
    for arguments in ([status, headers], ["200 OK", []]):
        compiled, pure = (call(out, "begin", arguments) for out in outs)
        assert compiled == pure, arguments
        if not is_refusal(pure):
            for out in outs:
                out.finish(out.length, False, "", b"Server: s\r\n", b"Date: d\r\n")
            assert outs[0].peek() == outs[1].peek(), arguments


@compiled_only
@pytest.mark.parametrize("value", [*VALUES, *ODD_TEXTS], ids=ascii)
def test_each_field_is_taken_alike(value: Any) -> None:
    outs = [build.outbox.OutBuffer() for build in both_builds()]
    for name in [*NAMES, *ODD_TEXTS]:
        begin_alike(outs, "200 OK", [(name, value)])
        begin_alike(outs, "200 OK", [("Content-Length", "5"), (name, value), ("X", "y")])


@compiled_only
def test_each_status_is_taken_alike() -> None:
    outs = [build.outbox.OutBuffer() for build in both_builds()]
    for status in [*STATUSES, *ODD_TEXTS]:
        begin_alike(outs, status, [("X", "y")])


@compiled_only
@thorough
@given(groups=out_calls)
def test_out_buffers_are_alike(groups: list[tuple[tuple[Any, ...], ...]]) -> None:
    outs = [build.outbox.OutBuffer() for build in both_builds()]
    for group in groups:
        for name, *arguments in group:
            if name in ("sent", "behind", "cut"):
                arguments = [int(arguments[0] * outs[0].size)]
            results = [call(out, name, arguments) for out in outs]
            assert results[0] == results[1], name
            if is_refusal(results[0]):
                break  # no head is in work that could be finished
            assert outs[0].peek() == outs[1].peek(), name
            assert outs[0].size == outs[1].size == len(outs[0].peek())


@compiled_only
@thorough
@given(groups=out_calls)
def test_a_wire_sends_what_is_ready_and_nothing_of_a_head_in_work(groups: list[tuple[tuple[Any, ...], ...]]) -> None:
    for build in both_builds():
        out, wire = build.outbox.OutBuffer(), build.sockio.SocketWire()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            for group in groups:
                for name, *arguments in group:
                    if name in ("sent", "behind", "cut"):
                        continue
                    if is_refusal(call(out, name, arguments)):
                        break
                    ready = out.peek()
                    assert wire.send(ours.fileno(), out) == out.size == 0
                    assert drain(theirs) == ready


def drain(reader: socket.socket) -> bytes:
    """All that has arrived."""
    data = b""
    while True:
        try:
            data += reader.recv(1 << 20)
        except BlockingIOError:
            return data


# The chunked coding

LIMITS = (50, 30)  # bytes of the body, and of it in memory


@compiled_only
@thorough
@given(data=coded, at=cuts)
def test_chunks_are_read_alike_in_any_split(data: bytes, at: list[int]) -> None:
    whole = decode(both_builds()[1], [data], LIMITS)
    for build in both_builds():
        assert decode(build, [data], LIMITS) == whole
        assert decode(build, split(data, at), LIMITS) == whole


def test_a_head_that_was_not_begun_cannot_be_finished(build: SimpleNamespace) -> None:
    out = build.outbox.OutBuffer()
    out.add(b"before")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="without begin"):
            out.finish(-1, False, "", b"", b"")
        out.begin("200 OK", [])
        out.drop_head()
    assert (out.peek(), out.size) == (b"before", 6)


def test_a_head_that_fails_in_any_way_is_gone(build: SimpleNamespace) -> None:
    class Element:
        def __repr__(self) -> str:
            out.begin("200 OK", [("X-Inner", "1")])
            raise KeyboardInterrupt

    out = build.outbox.OutBuffer()
    bad: Any = [("X-Outer", "1"), Element()]
    with pytest.raises(KeyboardInterrupt):
        out.begin("200 OK", bad)
    with pytest.raises(RuntimeError, match="without begin"):
        out.finish(-1, False, "", b"", b"")
    assert (out.peek(), out.size) == (b"", 0)
