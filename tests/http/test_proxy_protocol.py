"""PROXY headers, read without sockets: what each says, what is incomplete, what is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.http.proxy_protocol import MAX_LINE, MAX_SIZE, SIGNATURE, Header, NoHeader, ProxyError, crc32c, parse

V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + b"\xdc\x04\x01\xbb"
V6 = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + b"\xdc\x04\x01\xbb"
UNIX = b"/run/client.sock".ljust(108, b"\0") + b"/run/server.sock".ljust(108, b"\0")


def binary(block: bytes = V4, family: int = 0x11, command: int = 0x21) -> bytes:
    """A header of version 2."""
    return SIGNATURE + bytes([command, family]) + len(block).to_bytes(2, "big") + block


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def summed(block: bytes) -> bytes:
    """A header of version 2 that ends with its checksum."""
    header = binary(block + tlv(3, bytes(4)))
    return header[:-4] + crc32c(header).to_bytes(4, "big")


GOOD = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n": ("192.0.2.7", "56324"),
    b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n": ("0.0.0.0", "0"),
    b"PROXY TCP6 2001:DB8:0:0::7 ::1 1 65535\r\n": ("2001:db8::7", "1"),
    b"PROXY UNKNOWN\r\n": (None, ""),
    b"PROXY UNKNOWN whatever it is\r\n": (None, ""),
    binary(): ("192.0.2.7", "56324"),
    binary(V6, 0x21): ("2001:db8::7", "56324"),
    binary(UNIX, 0x31): ("", ""),
    binary(b"", 0x00, 0x20): (None, ""),
    binary(b"\xff" * 50, 0xEE, 0x20): (None, ""),  # LOCAL: all else is ignored
    binary(b"\xff" * 50, 0x00): (None, ""),
    binary(V4, 0x12): (None, ""),  # a datagram
    summed(V4): ("192.0.2.7", "56324"),
    binary(V4 + tlv(4, bytes(500))): ("192.0.2.7", "56324"),
}


@pytest.mark.parametrize("data", GOOD, ids=repr)
def test_a_header(data: bytes) -> None:
    header = parse(data)
    assert header is not None
    assert ((header.host, header.port), header.size) == (GOOD[data], len(data))
    assert parse(data + b"PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n") == header
    for end in range(len(data)):
        assert parse(data[:end]) is None, data[:end]


BAD = [
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n\r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 \r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
    b"PROXY TCP4 2001:db8::7 ::1 56324 443\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 56324 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.256 56324 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 080 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 +80 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1  443\r\n",
    b"PROXY tcp4 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY / HTTP/1.1\r\n",
    b"PROXY \r\n",
    b"PROXY UNKNOWN" + b"x" * MAX_LINE,
    b"PROXY TCP4 \xb2.0.0.1 198.51.100.1 56324 443\r\n",
    binary(command=0x22),
    binary(command=0x11),
    binary(command=0x01),
    binary(V4[:11]),
    binary(V6[:35], 0x21),
    binary(UNIX[:215], 0x31),
    binary(V4, 0x41),
    binary(V4, 0x13),
    binary(V4 + bytes(MAX_SIZE - 16 - 12 + 1)),
    binary(V4 + b"\x01"),
    binary(V4 + b"\x01\0"),
    binary(V4 + b"\x01\0\x05abcd"),
    binary(V4 + tlv(1, b"h2") + b"\0"),
    binary(V4 + tlv(3, bytes(4))),
    binary(V4 + tlv(3, b"")),
    summed(V4)[:-1] + b"\0",
    binary(V4 + tlv(0x20, b"\x01\0\0\0")),
]


@pytest.mark.parametrize("data", BAD, ids=repr)
def test_a_malformed_header(data: bytes) -> None:
    with pytest.raises(ProxyError) as caught:
        parse(data)
    assert not isinstance(caught.value, NoHeader)


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
