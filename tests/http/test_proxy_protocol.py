"""PROXY headers, read without sockets: what each says, what is incomplete, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.http.proxy_protocol import MAX_LINE, MAX_SIZE, Header, NoHeader, ProxyError, crc32c, parse
from tests.helpers.proxy_headers import BAD, GOOD, V4, binary, tlv


@pytest.mark.parametrize("data", GOOD, ids=repr)
def test_a_header(data: bytes) -> None:
    header = parse(data)
    assert header is not None
    assert ((header.host, header.port), header.size) == (GOOD[data], len(data))
    assert parse(data + b"PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n") == header
    for end in range(len(data)):
        assert parse(data[:end]) is None, data[:end]


@pytest.mark.parametrize("data", BAD, ids=repr)
def test_a_malformed_header(data: bytes) -> None:
    with pytest.raises(ProxyError) as caught:
        parse(data)
    assert not isinstance(caught.value, NoHeader)


@pytest.mark.parametrize(
    "addresses", [b"TCP6 fe80::1%eth0 ::1", b"TCP6 ::1 fe80::1%25eth0", b"TCP4 192.0.2.7%1 198.51.100.1"]
)
def test_a_zone_is_called_one(addresses: bytes) -> None:
    with pytest.raises(ProxyError, match="an address with a zone"):
        parse(b"PROXY " + addresses + b" 56324 443\r\n")


def test_what_is_no_address_is_not() -> None:
    with pytest.raises(ProxyError, match="a malformed address"):
        parse(b"PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n")


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"POST ", b"PROPFIND", b"proxy ", b"\r\n\r\nGET", b"\x16\x03"])
def test_something_else(data: bytes) -> None:
    with pytest.raises(NoHeader):
        parse(data)


def test_the_largest_headers() -> None:
    line = b"PROXY UNKNOWN " + b"x" * (MAX_LINE - 16) + b"\r\n"
    assert parse(line) == Header(MAX_LINE)
    data = binary(V4 + tlv(4, bytes(MAX_SIZE - 16 - 12 - 3)))
    assert len(data) == MAX_SIZE
    assert parse(data) == Header(MAX_SIZE, "192.0.2.7", "56324")


def test_tlvs() -> None:
    data = binary(V4 + tlv(1, b"http/1.1") + tlv(2, b"shop.example") + tlv(4, b"\0\0") + tlv(0xE0, b"") + tlv(2, b"b"))
    header = parse(data)
    assert header is not None
    assert header.tlvs == {1: b"http/1.1", 2: b"b", 0xE0: b""}
    assert not header.by_tls


@pytest.mark.parametrize(("flags", "by_tls"), [(0, False), (1, True), (6, False), (7, True)])
def test_a_client_that_came_by_tls(flags: int, by_tls: bool) -> None:
    header = parse(binary(V4 + tlv(0x20, bytes([flags, 0, 0, 0, 0]) + tlv(0x21, b"TLSv1.3"))))
    assert header is not None
    assert header.by_tls is by_tls


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: binary()[:12] + data)))
def test_any_bytes(data: bytes) -> None:
    """What is incomplete may be completed or refused later; what is whole stays as it is, whatever comes behind."""
    try:
        header = parse(data)
    except ProxyError:
        with pytest.raises(ProxyError):
            parse(data + b"more")
        return
    if header is not None:
        assert header.size <= len(data)
        assert parse(data + b"more") == header
