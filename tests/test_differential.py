"""Two builds, one behaviour: hypothesis looks for inputs about which the compiled and the pure modules do not agree.

Heads: the scanner, the compiled parser and the pure one give equal facts or the same refusal (the long form of this is
ci/fuzz_heads.py). Then the twins, which have to be alike call by call, and at last whole conversations.
"""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import heads
import pytest
from conftest import without_compiled
from heads import CONFIGURATIONS, HeadReader
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from memory import Bench, read_responses

from fastwsgi.http import backend
from fastwsgi.http.errors import ApplicationError, HttpError

pytestmark = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")

EXAMPLES = 400
thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def both() -> tuple[SimpleNamespace, SimpleNamespace]:
    return backend.build("c"), backend.build("py")


# Heads


def mostly(good: list[bytes], odd: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.one_of(st.sampled_from(good), st.sampled_from(good), st.sampled_from(good + odd))


names = mostly(heads.NAMES, heads.ODD_NAMES)
values = st.one_of(st.sampled_from(heads.VALUES), st.binary(max_size=12))
blanks = st.sampled_from(heads.BLANKS)
ends = mostly([b"\r\n"], heads.ENDS)
lines = st.builds(lambda *parts: b"".join(parts), names, st.just(b":"), blanks, values, blanks, ends)
targets = st.one_of(mostly(heads.TARGETS, heads.ODD_TARGETS), st.binary(max_size=12).map(lambda tail: b"/" + tail))
request_lines = st.builds(
    lambda *parts: b" ".join(parts) + b"\r\n",
    mostly(heads.METHODS, heads.ODD_METHODS),
    targets,
    mostly(heads.VERSIONS, heads.ODD_VERSIONS),
)
hosts = mostly([b"Host: h\r\n"], [b"", b"host: a.b:80\r\n", b"Host: [::1]\r\n", b"Host:\r\n"])
sound_heads = st.builds(
    lambda line, host, fields, end, behind: b"".join([line, host, *fields, end, behind]),
    request_lines,
    hosts,
    st.lists(lines, max_size=5),
    ends,
    st.sampled_from([b"", b"body", b"GET / HTTP/1.1\r\n\r\n", b"\r\n"]),
)


@st.composite
def broken_heads(draw: st.DrawFn) -> bytes:
    """A head with up to three bytes or splinters put in, taken out or changed."""
    raw = draw(sound_heads)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        taken = draw(st.integers(0, 3))
        put = draw(st.one_of(st.sampled_from([b"", *heads.SPLINTERS]), st.binary(max_size=2)))
        raw = raw[:at] + put + raw[at + taken :]
    return raw


@pytest.fixture(scope="module")
def readers() -> list[list[HeadReader]]:
    """For each configuration: scanner on, scanner off, pure. They live on, so that the scanner's tables fill."""
    compiled, pure = both()
    return [
        [HeadReader(compiled, True, **how), HeadReader(compiled, False, **how), HeadReader(pure, False, **how)]
        for how in CONFIGURATIONS
    ]


def check_head(readers: list[list[HeadReader]], raw: bytes) -> None:
    """All readers agree about *raw*, at each of three sights."""
    for scanning, compiled, pure in readers:
        facts = pure.read(raw)
        assert compiled.read(raw) == facts
        for _ in range(3):
            assert scanning.read(raw) == facts
        if facts[0] == "accepted":
            for size in range(0, facts[-1], 7):
                assert pure.examine(raw[:size]) == 0, "the beginning of a good head is refused"


@thorough
@given(raw=broken_heads())
@example(raw=b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: %b\r\n" % (b"a" * 8000) * 9 + b"\r\n")
@example(raw=b"GET /" + b"%41" * 300 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
@example(raw=b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n")
@example(raw=b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a" * 300 + b": x\r\n\r\n")
def test_readers_agree_about_heads(readers: list[list[HeadReader]], raw: bytes) -> None:
    check_head(readers, raw)


@thorough
@given(raw=st.binary(max_size=60))
def test_readers_agree_about_noise(readers: list[list[HeadReader]], raw: bytes) -> None:
    check_head(readers, raw)


@pytest.mark.parametrize("byte", range(256))
def test_readers_agree_about_each_byte_in_each_place(readers: list[list[HeadReader]], byte: int) -> None:
    one = bytes([byte])
    for form in (
        b"G%bT / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET%b/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a%bb HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /?a%bb HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /%%4%b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.%b\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1%b\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n%bX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX%bY: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX%b: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX:%by\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: y%bz\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: y%b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h%b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h:%b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1%b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: clos%b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: %bclose\r\n\r\n",
    ):
        check_head(readers, form % one)


def test_the_long_form_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "ci")
    import fuzz_heads

    said: list[str] = []
    assert fuzz_heads.fuzz(seed=2, cases=3000, seconds=30, say=said.append) == 0, said
    assert "3000 heads" in said[-1]


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


@thorough
@given(calls=inbox_calls)
def test_inboxes_are_alike(calls: list[tuple[Any, ...]]) -> None:
    inboxes = [build.environ.Inbox() for build in both()]
    for name, *arguments in calls:
        if name == "since":
            arguments = [min(arguments[0], inboxes[0].start)]
        elif name in ("head_size", "has_bare_line_end"):
            arguments = [min(arguments[0], inboxes[0].available())]
        compiled, pure = (getattr(inbox, name)(*arguments) for inbox in inboxes)
        assert compiled == pure, name
        assert (inboxes[0].start, inboxes[0].end) == (inboxes[1].start, inboxes[1].end)


def test_an_inbox_refuses_more_than_it_holds(build: SimpleNamespace) -> None:
    inbox = build.environ.Inbox()
    inbox.fill(b"x" * build.environ.CAPACITY)
    assert inbox.available() == build.environ.CAPACITY
    with pytest.raises(ValueError, match="more than"):
        inbox.fill(b"x" * (build.environ.CAPACITY + 1))


def test_a_read_never_brings_more_than_an_inbox_holds(build: SimpleNamespace) -> None:
    capacity = build.environ.CAPACITY
    inbox, wire = build.environ.Inbox(), build.sockio.SocketWire()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"y" * 1000)
        assert wire.receive(ours.fileno(), inbox, b"x" * (capacity - 10)) == 10
        assert inbox.available() == capacity
        assert inbox.take(capacity).endswith(b"x" + b"y" * 10)
        assert wire.receive(ours.fileno(), inbox, None) == 990


# The response serializer


class Text(str):
    """A str that is none by type."""


odd_text = st.sampled_from(
    ["", "\r", "\n", "\0", "\x7f", "\u0100", "\ud800", "a\r\nX: y", Text("200 OK"), b"200 OK", None, 7, True]
)
status = st.one_of(
    st.sampled_from(["200 OK", "204 No Content", "304 ", "404", "999 x", "103 Early Hints", "500 \xe9\t"]),
    st.sampled_from(["099 x", "20 OK", "2000 OK", "200OK", "200\tOK", " 200 OK", "+20 OK", "\u0662\u0660\u0660"]),
    odd_text,
    st.text(max_size=8),
)
field_names = st.one_of(
    st.sampled_from(["X", "Content-Type", "Content-Length", "content-length", "Connection", "CONNECTION", "Date"]),
    st.sampled_from(["Keep-Alive", "TE", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade", "server"]),
    st.sampled_from(["Proxy-Authenticate", "proxy-authorization"]),
    st.sampled_from(["a b", "a:", "x" * 40, "Ser\u212aer", "\u0130", "da\u0165e", "a\xe9"]),
    odd_text,
)
field_values = st.one_of(
    st.sampled_from(["x", "", " ", "close", "Close", " close\t", "keep-alive", "close, x", "\xe9\t~", "x" * 5000]),
    st.sampled_from(["0", "5", "05", "+5", "-1", "5 ", "1_0", "9" * 18, "9" * 19, "\u0665", "\xb2"]),
    odd_text,
    st.text(max_size=8),
)
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
    ),
    max_size=15,
)


def call(out: Any, name: str, arguments: list[Any]) -> Any:
    """What a call gives: its facts, or that it was refused."""
    try:
        getattr(out, name)(*arguments)
    except ApplicationError as error:
        return type(error), str(error)
    return (out.code, out.length, bool(out.close)) if name == "begin" else None


def is_refusal(result: Any) -> bool:
    return isinstance(result, tuple) and result[0] is ApplicationError


@thorough
@given(groups=out_calls)
def test_out_buffers_are_alike(groups: list[tuple[tuple[Any, ...], ...]]) -> None:
    outs = [build.response.OutBuffer() for build in both()]
    for group in groups:
        for name, *arguments in group:
            if name == "sent":
                arguments = [int(arguments[0] * outs[0].size)]
            results = [call(out, name, arguments) for out in outs]
            assert results[0] == results[1], name
            if is_refusal(results[0]):
                break  # no head is in work that could be finished
            assert outs[0].peek() == outs[1].peek(), name
            assert outs[0].size == outs[1].size == len(outs[0].peek())


@thorough
@given(groups=out_calls)
def test_a_wire_sends_what_is_ready_and_nothing_of_a_head_in_work(groups: list[tuple[tuple[Any, ...], ...]]) -> None:
    for build in both():
        out, wire = build.response.OutBuffer(), build.sockio.SocketWire()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            for group in groups:
                for name, *arguments in group:
                    if name == "sent":
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

coded = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=20).map(lambda data: b"%x\r\n%b\r\n" % (len(data), data)),
        st.sampled_from([b"1;a=b\r\nx\r\n", b'2 ; a="\\"b" ;c\r\nxy\r\n', b"0003\r\nabc\r\n", b"A\r\n0123456789\r\n"]),
        st.sampled_from([b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0;a\r\n", b"\r\n"]),
        st.sampled_from([b"ffffffffffffffff\r\n", b"7fffffffffffffff\r\n", b"32\r\n", b"33\r\n"]),
        st.sampled_from(heads.SPLINTERS),
    ),
    max_size=8,
).map(b"".join)
cuts = st.lists(st.integers(0, 120), max_size=8)


def split(data: bytes, at: list[int]) -> list[bytes]:
    """*data* cut at the offsets *at*."""
    bounds = sorted({0, len(data), *(one for one in at if one < len(data))})
    return [data[begin:end] for begin, end in zip(bounds, bounds[1:])]


def decode(build: SimpleNamespace, chunks: list[bytes]) -> tuple[Any, ...]:
    """What becomes of a chunked body that comes in these pieces: its bytes and what was left, or a refusal."""
    body = build.body.ChunkedBody(50, 30)
    inbox = build.environ.Inbox()
    rest, complete = b"", False
    try:
        for chunk in chunks:
            inbox.fill(rest + chunk)
            complete = complete or body.feed(inbox)
            rest = inbox.take(inbox.available())
        return (complete, body.rewind().read(), rest if complete else b"")
    except HttpError as error:
        return ("refused", error.status)
    finally:
        body.discard()


@thorough
@given(data=coded, at=cuts)
def test_chunks_are_read_alike_in_any_split(data: bytes, at: list[int]) -> None:
    whole = decode(both()[1], [data])
    for build in both():
        assert decode(build, [data]) == whole
        assert decode(build, split(data, at)) == whole


# Whole conversations

requests = st.one_of(
    broken_heads(),
    st.sampled_from([b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(4)]),
    st.sampled_from([b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", b"GET /c HTTP/1.0\r\n\r\n"]),
    coded.map(lambda data: b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data),
)
conversations = st.lists(requests, min_size=1, max_size=4).map(b"".join)


def converse(build: SimpleNamespace, scanner: bool, chunks: list[bytes]) -> tuple[bytes, list[str], str]:
    """What a client gets that sends *chunks* and closes, what the application saw, and the last state before."""
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        kept = sorted((key, value) for key, value in environ.items() if isinstance(value, str))
        seen.append(repr((kept, body)))
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode("latin-1"), body]

    client = Bench(build, app, scanner=scanner, limit_request_body=60, spool_size=20).connect()
    client.send(*chunks)
    state = client.connection.state
    client.end()
    assert client.closed
    return bytes(client.received), seen, state


def fates(received: bytes, seen: list[str]) -> list[int]:
    """The statuses of the final responses, with one for all refusals: which it is may depend on what came so far."""
    methods = ["HEAD" if "('REQUEST_METHOD', 'HEAD')" in one else "GET" for one in seen]
    statuses = [one.status for one in read_responses(received, methods, True)]
    return [200 if one == 200 else 400 for one in statuses if one >= 200]


@thorough
@given(data=conversations, at=cuts)
def test_conversations_are_alike(data: bytes, at: list[int]) -> None:
    compiled, pure = both()
    whole = converse(pure, False, [data])
    parts = converse(pure, False, split(data, at))
    for scanner in (True, False):
        assert converse(compiled, scanner, [data]) == whole
        assert converse(compiled, scanner, split(data, at)) == parts
    assert parts[1] == whole[1], "what the application sees depends on how the bytes arrive"
    assert fates(parts[0], parts[1]) == fates(whole[0], whole[1])
