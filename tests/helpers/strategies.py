"""Inputs for hypothesis: request heads out of order, chunked bodies, and the places to cut them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from tests.helpers import heads

thorough = settings(max_examples=400)


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
