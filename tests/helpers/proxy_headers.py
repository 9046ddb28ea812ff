"""PROXY headers: their parts, good ones with what they say, and bad ones."""

from __future__ import annotations

from ipaddress import ip_address

from fastwsgi.http.proxy_protocol import MAX_LINE, MAX_SIZE, SIGNATURE, crc32c

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
