"""The PROXY protocol: a header ahead of the client's first byte, in which a proxy gives the client's address.

The rules are those of HAProxy's specification (doc/proxy-protocol.txt), versions 1 (text) and 2 (binary). A header
that does not follow them to the letter is refused: what follows it could not be trusted, either. See http/HTTP.md,
"PROXY header".
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from fastwsgi.http.peers import spell
from fastwsgi.records import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # of version 2
PREFIX = b"PROXY "  # of version 1
MAX_LINE = 107  # bytes of a version 1 header, with its CRLF
MAX_SIZE = 4096  # bytes of a version 2 header with its TLVs: our bound; HAProxy sends a few hundred
FIXED = 16  # bytes of version 2 before the addresses

# Version and command in byte 12 of version 2, and the protocol in the low half of byte 13
LOCAL, ANNOUNCED = 0x20, 0x21
UNSPECIFIED, STREAM, DATAGRAM = 0, 1, 2
ADDRESSES = {0: 0, 1: 12, 2: 36, 3: 216}  # bytes by family: unspecified, IPv4, IPv6, unix

CRC32C = 0x03  # PP2_TYPE_...
NOOP = 0x04
SSL = 0x20
CLIENT_SSL = 0x01  # a bit of SSL's first byte


class ProxyError(ValueError):
    """A header that is malformed, or over its bound."""


class NoHeader(ProxyError):
    """Bytes that are not a PROXY header."""


class Header(NamedTuple):
    """The contents of a header.

    Attributes:
        size: bytes of the header; what follows it is the client's.
        host, port: the client's, as environ gives them, "" for a unix socket. *host* is None where the proxy speaks for
            itself (LOCAL, a health check) or does not know (UNKNOWN, unspecified): then the peer is the client.
        tlvs: the values of version 2, by their types.
    """

    size: int
    host: str | None = None
    port: str = ""
    tlvs: dict[int, bytes] = {}

    @property
    def by_tls(self) -> bool:
        """Whether the client connected to the proxy by TLS."""
        return bool(self.tlvs.get(SSL, b"\0")[0] & CLIENT_SSL)

    def describe(self, peer: str, environ: dict[str, Any]) -> None:
        """Add to *environ* what the header says beyond the address; *peer* is the address of the proxy that sent it."""
        environ["fastwsgi.peer_addr"] = peer
        if self.tlvs:
            environ["fastwsgi.proxy_tlvs"] = dict(self.tlvs)
        if self.by_tls:
            environ["wsgi.url_scheme"] = "https"
            environ["HTTPS"] = "on"


def parse(data: bytes) -> Header | None:
    """The header at the beginning of *data*; None while it is incomplete, when all of *data* belongs to it.

    Raises:
        NoHeader: *data* is not a PROXY header.
        ProxyError: the header is malformed.
    """
    if data.startswith(PREFIX):
        return _parse_line(data)
    if data.startswith(SIGNATURE):
        return _parse_binary(data)
    if PREFIX.startswith(data) or SIGNATURE.startswith(data):
        return None
    raise NoHeader("no PROXY header")


def _parse_line(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, MAX_LINE)
    if end < 0:
        if len(data) >= MAX_LINE:
            raise ProxyError("a PROXY line over 107 bytes")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return Header(end + 2)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise ProxyError("a malformed PROXY line")
    source, _ = (_read_address(word, words[1]) for word in words[2:4])
    port, _ = (_read_port(word) for word in words[4:])
    return Header(end + 2, source, port)


def _read_address(word: bytes, family: bytes) -> str:
    """The canonical text of an address."""
    if b"%" in word:
        raise ProxyError("an address with a zone in a PROXY line")
    try:
        text = word.decode("ascii")
        return spell(IPv4Address(text) if family == b"TCP4" else IPv6Address(text))
    except ValueError:
        raise ProxyError("a malformed address in a PROXY line") from None


def _read_port(word: bytes) -> str:
    """A port, without a leading zero, which some parsers would read as octal."""
    if not word.isdigit() or len(word) > 5 or int(word) > 65535 or (word[:1] == b"0" and word != b"0"):
        raise ProxyError("a malformed port in a PROXY line")
    return word.decode("ascii")


def _parse_binary(data: bytes) -> Header | None:
    if len(data) < FIXED:
        return None
    command, family, protocol = data[12], data[13] >> 4, data[13] & 15
    size = FIXED + int.from_bytes(data[14:16], "big")
    if command not in (LOCAL, ANNOUNCED):
        raise ProxyError("an unknown version or command of PROXY")
    if size > MAX_SIZE:
        raise ProxyError(f"a PROXY header over {MAX_SIZE} bytes")
    if len(data) < size:
        return None
    if command == LOCAL:
        return Header(size)  # what follows has no meaning
    if family not in ADDRESSES or protocol not in (UNSPECIFIED, STREAM, DATAGRAM):
        raise ProxyError("an unknown address family of PROXY")
    if family == 0 or protocol != STREAM:
        return Header(size)  # it gives no address, or one that cannot be that of a TCP client
    begin = FIXED + ADDRESSES[family]
    if begin > size:
        raise ProxyError("a PROXY header without its addresses")
    tlvs = _read_tlvs(data[:size], begin)
    return Header(size, *_read_source(data, family), tlvs)


def _read_source(data: bytes, family: int) -> tuple[str, str]:
    if family == 3:
        return "", ""  # as for clients on our own unix sockets
    if family == 1:
        return str(IPv4Address(data[16:20])), str(int.from_bytes(data[24:26], "big"))
    return spell(IPv6Address(data[16:32])), str(int.from_bytes(data[48:50], "big"))


def _read_tlvs(header: bytes, at: int) -> dict[int, bytes]:
    """The TLVs in *header* from *at* on: a type, a length of two bytes, a value; the last of each type counts."""
    tlvs = {}
    while at < len(header):
        value = at + 3
        end = value + int.from_bytes(header[at + 1 : value], "big")
        if value > len(header) or end > len(header):
            raise ProxyError("a TLV that goes beyond its PROXY header")
        kind = header[at]
        if kind == CRC32C:
            _check_sum(header, value, end)
        if kind == SSL and end - value < 5:
            raise ProxyError("an SSL TLV of PROXY without its fields")
        if kind != NOOP:
            tlvs[kind] = header[value:end]
        at = end
    return tlvs


def _check_sum(header: bytes, begin: int, end: int) -> None:
    """Compare the checksum at *begin* with that of the header, in which it counts as zeros."""
    said = header[begin:end]
    if len(said) != 4 or int.from_bytes(said, "big") != crc32c(header[:begin] + b"\0\0\0\0" + header[end:]):
        raise ProxyError("a PROXY header whose checksum is wrong")


def _crc_of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC = [_crc_of_byte(value) for value in range(256)]


def crc32c(data: bytes) -> int:
    """The CRC-32C of *data* (RFC 3720 B.4: Castagnoli's polynomial, reflected)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
