"""What `ssl` does not report of the server's own certificates: their hosts, their ends, and the kinds of their keys.

Python decodes only the peer's certificate, so the few fields that are needed are read from the DER encoding here
(X.690, RFC 5280 4.1). An unreadable certificate names no host.
"""

from __future__ import annotations

import calendar
import re
import ssl
from collections.abc import Iterator

from fastwsgi.originals import time

# Tags (X.690 8)
SEQUENCE = 0x30
OBJECT_IDENTIFIER = 0x06
OCTETS = 0x04
UTC_TIME = 0x17
VERSION = 0xA0  # [0], in front of the serial number
EXTENSIONS = 0xA3  # [3]
DNS_NAME = 0x82  # [2] of a GeneralName

SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17
COMMON_NAME = bytes.fromhex("550403")  # 2.5.4.3
_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.+?)-----END", re.DOTALL)
_HOST = re.compile(rb"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


class Unreadable(ValueError):
    """Not the DER encoding that was expected."""


def first_certificate(pem: bytes) -> bytes:
    """The first certificate of a PEM text, in DER; b"" if there is none."""
    found = _PEM.search(pem)
    if found is None:
        return b""
    try:
        return ssl.PEM_cert_to_DER_cert(f"{ssl.PEM_HEADER}\n{found[1].decode('ascii').strip()}\n{ssl.PEM_FOOTER}")
    except ValueError:
        return b""


def hosts(certificate: bytes) -> list[str]:
    """The hosts that a certificate (DER) is for, in lower case, "*." and a domain among them.

    They are its dNSNames (RFC 5280 4.2.1.6); the common name of the subject counts only if there are none.
    """
    try:
        fields = _fields(certificate)
        names = _alternative_names(fields) or _common_names(fields)
    except Unreadable:
        return []
    return [name.decode("ascii").lower() for name in names if _HOST.fullmatch(name)]


def key_kind(certificate: bytes) -> bytes:
    """The identifier of the kind of public key (RSA, EC, ...), as it is encoded; b"" if it cannot be read."""
    try:
        algorithm = _children(_fields(certificate)[5][1])[0][1]
        return _children(algorithm)[0][1]
    except (Unreadable, IndexError):
        return b""


def not_after(certificate: bytes) -> int:
    """When a certificate (DER) ends, in seconds since 1970; 0 if that cannot be read."""
    try:
        tag, content = _children(_fields(certificate)[3][1])[1]
        text = content.decode("ascii")
        if tag == UTC_TIME:  # two digits of a year from 1950 on (RFC 5280 4.1.2.5.1)
            text = ("19" if text[:2] >= "50" else "20") + text
        return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
    except (Unreadable, IndexError, ValueError):
        return 0


Element = tuple[int, bytes]  # tag and content


def _fields(certificate: bytes) -> list[Element]:
    """The fields of the TBSCertificate from the serial number on (RFC 5280 4.1.2)."""
    whole = _children(certificate)
    inner = _children(whole[0][1]) if whole and whole[0][0] == SEQUENCE else []
    fields = _children(inner[0][1]) if inner and inner[0][0] == SEQUENCE else []
    fields = fields[1:] if fields and fields[0][0] == VERSION else fields
    if len(fields) < 6:
        raise Unreadable
    return fields


def _alternative_names(fields: list[Element]) -> list[bytes]:
    for tag, content in fields[6:]:
        for _, extension in _inside(content) if tag == EXTENSIONS else ():
            parts = _children(extension)
            if parts[:1] == [(OBJECT_IDENTIFIER, SUBJECT_ALT_NAME)] and parts[-1][0] == OCTETS:
                return [name for kind, name in _inside(parts[-1][1]) if kind == DNS_NAME]
    return []


def _common_names(fields: list[Element]) -> list[bytes]:
    """The common names of the subject, the fifth field: a sequence of sets of pairs of identifier and text."""
    pairs = [_children(pair) for _, group in _children(fields[4][1]) for _, pair in _children(group)]
    return [pair[1][1] for pair in pairs if len(pair) == 2 and pair[0] == (OBJECT_IDENTIFIER, COMMON_NAME)]


def _inside(content: bytes) -> list[Element]:
    """The elements of the one sequence in *content*."""
    whole = _children(content)
    return _children(whole[0][1]) if whole else []


def _children(content: bytes) -> list[Element]:
    return list(_elements(content))


def _elements(content: bytes) -> Iterator[Element]:
    """The elements in *content*, one after the other. Raises Unreadable, even for valid forms that DER excludes."""
    at = 0
    while at < len(content):
        header = content[at : at + 2]
        if len(header) < 2 or header[0] & 0x1F == 0x1F:  # tags of several bytes are not used in certificates
            raise Unreadable
        size = header[1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 3 or len(content) < at + count:
                raise Unreadable
            size = int.from_bytes(content[at : at + count], "big")
            at += count
        if len(content) < at + size:
            raise Unreadable
        yield header[0], content[at : at + size]
        at += size
