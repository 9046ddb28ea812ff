"""Three readers, one verdict: hypothesis looks for bytes about which they do not agree.

The scanner, the compiled parser and the pure one give equal facts of a head, or the same refusal (the long form of this
is ci/fuzz_heads.py); and whole conversations come out alike, however the bytes arrive.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci import fuzz_heads
from tests.conftest import both_builds, without_compiled
from tests.helpers.heads import CONFIGURATIONS, HeadReader
from tests.helpers.memory import Bench
from tests.helpers.responses import read_responses
from tests.helpers.strategies import broken_heads, coded, cuts, split, thorough

pytestmark = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")


# Heads


@pytest.fixture(scope="module")
def readers() -> list[list[HeadReader]]:
    """For each configuration: scanner on, scanner off, pure. They live on, so that the scanner's tables fill."""
    compiled, pure = both_builds()
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


REPEATED = b"GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX: y\r\n\r\n"


@thorough
@given(heads=st.lists(broken_heads(), min_size=1, max_size=3), times=st.integers(1, 12))
@example(heads=[REPEATED, REPEATED.replace(b"/a?b", b"/"), REPEATED.replace(b"GET", b"POST")], times=6)
@example(heads=[REPEATED, REPEATED.replace(b"/a?b", b"/" + b"a" * 70)], times=6)
@example(heads=[REPEATED, REPEATED.replace(b"/1.1", b"/1.0"), REPEATED.replace(b"GET", b"SEARCH")], times=6)
@example(heads=[REPEATED, REPEATED[:-2] + b"Z: z\r\n\r\n", REPEATED[:-8] + b"\r\n", REPEATED[:-2]], times=6)
@example(heads=[REPEATED.replace(b"y", b"%d" % number) for number in range(9)], times=1)
@example(heads=[REPEATED, *(REPEATED[:-2] + line + b"\r\n\r\n" for line in (b"Host: g", b"X: w", b"Z: 1"))], times=6)
@example(heads=[REPEATED, REPEATED.replace(b": 3", b": 4"), REPEATED.replace(b": 3", b": x")], times=6)
@example(heads=[REPEATED, REPEATED.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked")], times=6)
@example(heads=[b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", REPEATED], times=6)
def test_readers_agree_about_a_client_that_repeats_itself(
    readers: list[list[HeadReader]], heads: list[bytes], times: int
) -> None:
    for scanning, compiled, pure in readers:
        facts = [pure.read(raw) for raw in heads for _ in range(times)]
        for reader in (scanning, compiled, pure):
            assert reader.read_often(heads * 2, times) == facts * 2


def test_the_scanner_has_fields_that_a_client_repeats(readers: list[list[HeadReader]]) -> None:
    parser, inbox = readers[0][0].parser, readers[0][0].inbox
    template = parser.new_template()
    other, fields = REPEATED.replace(b"X: y", b"X: z"), REPEATED[REPEATED.index(b"Host") : -2]
    front = fields[: fields.index(b"X")]

    def had(raw: bytes, template: Any) -> bytes | None:
        inbox.fill(raw)
        assert parser.parse(inbox, template)
        return template and template.fields

    assert [had(raw, None) for raw in [REPEATED, other] * 2] == [None] * 4  # from now on all lines are known
    assert [had(REPEATED, template) for _ in range(7)] == [b""] * 4 + [fields] * 3
    inbox.fill(REPEATED[:-9])
    assert (parser.parse(inbox, template), template.fields) == (False, fields)
    assert [had(other, template) for _ in range(10)] == [front] * 8 + [fields.replace(b"X: y", b"X: z")] * 2
    assert [had(REPEATED.replace(b"X: y", b"X: %d" % number), template) for number in range(40)] == [front] * 40
    assert had(REPEATED.replace(b"Host: h", b"Host: g"), template) == b""


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


# All that llhttp 9 knows: of HTTP, of RTSP, of ICE, and what it takes for the beginning of HTTP/2
LLHTTP_METHODS = (
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK "
    b"UNLINK SOURCE PRI DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD FLUSH "
    b"QUERY"
).split()
OTHER_METHODS = [*b"VERSION-CONTROL LABEL LIST FOO-2 GE GETS P PR CONNECTS - 7".split(), b"A" * 32]
REFUSED_METHODS = {b"CONNECT", b"PRI", b"GET_PARAMETER", b"SET_PARAMETER"}
RESTS = [
    *[b"/ HTTP/1.1\r\nHost: h\r\n\r\n", b"/a?b HTTP/1.0\r\n\r\n", b"/ HTTP/1.1\r\n\r\n", b"/\r\n\r\n", b"\r\n\r\n"],
    *[b"h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", b"http://h/a HTTP/1.1\r\nHost: g\r\n\r\n"],
    *[b"/ %b\r\nHost: h\r\n\r\n" % version for version in b"RTSP/1.0 ICE/1.0 HTTP/2.0 http/1.1 HTTP/1.10".split()],
    *[
        b"/ HTTP/1.1\r\nHost: h\r\n%b\r\n" % fields
        for fields in (
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            b"Content-Length: 3\r\nContent-Length: 3\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n",
            b"Expect: 100-continue\r\nContent-Length: 3\r\n",
            b"Connection: close\r\n",
            b"X : y\r\n",
            b" X: y\r\n",
        )
    ],
]


@pytest.mark.parametrize("method", [*LLHTTP_METHODS, *OTHER_METHODS], ids=bytes.decode)
def test_no_method_changes_what_is_made_of_the_rest(readers: list[list[HeadReader]], method: bytes) -> None:
    """What llhttp has not seen, it cannot treat in a manner of its own."""
    for rest in RESTS:
        for reader in [reader for each in readers[:-1] for reader in each]:  # the last counts the bytes of a line
            found, plain = reader.read(method + b" " + rest), reader.read(b"GET " + rest)
            if method in REFUSED_METHODS:
                assert found[0] == "refused"
                assert found[1] == 501 or found == plain
            elif plain[0] == "refused":
                assert found == plain
            else:
                environ = {**plain[1], "REQUEST_METHOD": method.decode()}
                used = plain[-1] + len(method) - len(b"GET")
                assert found == ("accepted", environ, method == b"HEAD", *plain[3:-1], used)


def test_the_long_form_runs() -> None:
    said: list[str] = []
    assert fuzz_heads.fuzz(seed=2, cases=3000, seconds=30, say=said.append) == 0, said
    assert "3000 heads" in said[-1]


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
    compiled, pure = both_builds()
    whole = converse(pure, False, [data])
    parts = converse(pure, False, split(data, at))
    for scanner in (True, False):
        assert converse(compiled, scanner, [data]) == whole
        assert converse(compiled, scanner, split(data, at)) == parts
    assert parts[1] == whole[1], "what the application sees depends on how the bytes arrive"
    assert fates(parts[0], parts[1]) == fates(whole[0], whole[1])
