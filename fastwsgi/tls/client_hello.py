"""The first bytes of a client: the host that a TLS ClientHello asks for, or plain HTTP.

They are read before OpenSSL gets them, so that a certificate can be chosen and a silent client costs no TLS object.
Python's own callback for this would print a traceback for every name that is not ASCII, and clients choose the names.
Nothing is refused here: an unreadable ClientHello names no host, and OpenSSL finds what is wrong with it.
"""

from __future__ import annotations

HANDSHAKE = 22  # types of records (RFC 8446 5.1)
CLIENT_HELLO = 1  # type of a message (RFC 8446 4)
MOST_BYTES = 16384  # the longest ClientHello that is waited for; browsers send less than 2 KiB
MOST_RECORDS = 8  # the most records for a ClientHello
MOST_EXTENSIONS = 100  # the most that are read
LONGEST_NAME = 253  # bytes
_IN_NAMES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


def is_record(data: bytes) -> bool:
    """Whether the bytes may begin a handshake, judging by the first one."""
    return data[0] == HANDSHAKE


def is_http(data: bytes) -> bool:
    """Whether the bytes begin as a request in plain HTTP does, with a letter."""
    return data[:1].isalpha()


def server_name(data: bytes) -> str | None:
    """The host that the client asks for (RFC 6066 3) in lower case, "" if it names none; None if more must arrive."""
    message = _message(data)
    return None if message is None else _server_name(message)


def _message(data: bytes) -> bytes | None:
    """The ClientHello, taken out of its records; b"" if it cannot be read, None if it is incomplete."""
    message = b""
    at = 0
    for _ in range(MOST_RECORDS):
        if len(data) < at + 5:
            return None
        size = data[at + 3] << 8 | data[at + 4]
        if data[at] != HANDSHAKE or not 0 < size <= MOST_BYTES:
            return b""
        if len(data) < at + 5 + size:
            return None
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message[0] != CLIENT_HELLO:
            return b""
        wanted = 4 + (message[1] << 16 | message[2] << 8 | message[3]) if len(message) >= 4 else MOST_BYTES
        if wanted > MOST_BYTES or len(message) >= wanted:
            return message[:wanted] if wanted <= MOST_BYTES else b""
    return b""


def _server_name(message: bytes) -> str:
    """The name in a ClientHello (RFC 8446 4.1.2)."""
    try:
        at = 38  # after type, length, version and random
        at += 1 + message[at]  # session ID
        at += 2 + (message[at] << 8 | message[at + 1])  # cipher suites
        at += 1 + message[at]  # compression methods
    except IndexError:
        return ""
    at += 2  # length of all extensions
    for _ in range(MOST_EXTENSIONS):
        if len(message) < at + 4:
            break
        size = message[at + 2] << 8 | message[at + 3]
        if message[at] == message[at + 1] == 0:  # server_name
            return _first_host(message[at + 4 : at + 4 + size])
        at += 4 + size
    return ""


def _first_host(extension: bytes) -> str:
    """The name in a server_name extension: a list, for which one entry of one type is defined."""
    name = extension[5:]
    if not 0 < len(name) <= LONGEST_NAME or extension[2] != 0 or extension[3] << 8 | extension[4] != len(name):
        return ""
    if name.strip(_IN_NAMES):  # some byte is none of these
        return ""
    return name.decode("ascii").lower()
